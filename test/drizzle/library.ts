/** The tables of the tests of Drizzle, and a Drizzle on effectpg. */
import { defineRelations } from "drizzle-orm"
import { makeWithDefaults } from "drizzle-orm/effect-postgres"
import * as Pg from "drizzle-orm/pg-core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import { TestDatabase } from "../support/database.ts"
import { liveSettings } from "../support/live.ts"

export const mood = Pg.pgEnum("mood", ["calm", "cross"])

export const authors = Pg.pgTable("authors", {
  id: Pg.integer().primaryKey().generatedAlwaysAsIdentity(),
  name: Pg.text().notNull().unique()
})

export const books = Pg.pgTable("books", {
  id: Pg.integer().primaryKey().generatedAlwaysAsIdentity(),
  authorId: Pg.integer("author_id")
    .notNull()
    .references(() => authors.id),
  title: Pg.text().notNull(),
  tags: Pg.text().array().notNull().default([]),
  about: Pg.jsonb().$type<{ readonly pages: number; readonly isbn?: string } | ReadonlyArray<number> | string>()
})

/** A column of each type whose values Drizzle converts. */
export const values = Pg.pgTable("samples", {
  id: Pg.integer().primaryKey(),
  mood: mood(),
  moods: mood().array(),
  numbers: Pg.integer().array(),
  grid: Pg.integer().array("[][]"),
  json: Pg.json(),
  jsonb: Pg.jsonb(),
  day: Pg.date(),
  dayAsDate: Pg.date("day_as_date", { mode: "date" }),
  at: Pg.timestamp({ withTimezone: true }),
  atAsText: Pg.timestamp("at_as_text", { withTimezone: true, mode: "string" }),
  local: Pg.timestamp(),
  time: Pg.time(),
  interval: Pg.interval(),
  big: Pg.bigint({ mode: "bigint" }),
  bigAsNumber: Pg.bigint("big_as_number", { mode: "number" }),
  exact: Pg.numeric({ precision: 12, scale: 2 }),
  exactAsNumber: Pg.numeric("exact_as_number", { mode: "number" }),
  double: Pg.doublePrecision(),
  real: Pg.real(),
  yes: Pg.boolean(),
  uuid: Pg.uuid(),
  bytes: Pg.bytea(),
  point: Pg.point({ mode: "xy" }),
  address: Pg.inet(),
  bits: Pg.bit({ dimensions: 3 })
})

export const TABLES = `
  DROP TABLE IF EXISTS books, authors, samples; DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM ('calm', 'cross');
  CREATE TABLE authors (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, name text NOT NULL UNIQUE);
  CREATE TABLE books (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, author_id int NOT NULL REFERENCES authors,
    title text NOT NULL, tags text[] NOT NULL DEFAULT '{}', about jsonb);
  CREATE TABLE samples (id int PRIMARY KEY, mood mood, moods mood[], numbers int[], grid int[][], json json, jsonb jsonb,
    day date, day_as_date date, at timestamptz, at_as_text timestamptz, local timestamp, time time, interval interval,
    big bigint, big_as_number bigint, exact numeric(12, 2), exact_as_number numeric, double float8, "real" real,
    yes boolean, uuid uuid, bytes bytea, point point, address inet, bits bit(3))`

export const relations = defineRelations({ authors, books }, (on) => ({
  authors: { books: on.many.books() },
  books: { author: on.one.authors({ from: on.books.authorId, to: on.authors.id, optional: false }) }
}))

/** effectpg under both of its names, on a pool of one, so that what would run beside a transaction waits forever. */
export const Database = PgSqlClient.layerSqlPg.pipe(
  Layer.provideMerge(
    Layer.unwrap(Effect.map(liveSettings({ maxConnections: 1 }), (settings) => PgSqlClient.layer(settings)))
  ),
  Layer.provideMerge(TestDatabase.layer)
)

export const drizzle = makeWithDefaults({ relations })
