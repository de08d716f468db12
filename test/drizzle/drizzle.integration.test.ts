/** Tests Drizzle's module for Effect, which was written for another client, on effectpg. */
import { assert, layer } from "@effect/vitest"
import { asc, count, eq, inArray, sql } from "drizzle-orm"
import { EffectDrizzleQueryError } from "drizzle-orm/effect-core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { SqlError } from "effect/sql/SqlError"
import * as PgClient from "../../src/PgClient.ts"
import * as PgError from "../../src/PgError.ts"
import { assertHealthy } from "../support/live.ts"
import { authors, books, Database, drizzle, TABLES, values } from "./library.ts"

/** Empty tables, and a Drizzle for them. */
const library = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.executeScript(TABLES)
  const db = yield* drizzle
  const [austen] = yield* db.insert(authors).values({ name: "Austen" }).returning()
  return { db, pg, austen: austen?.id ?? 0 }
})

layer(Database, { excludeTestServices: true })("Drizzle for Effect", (it) => {
  it.effect("inserts, selects, joins, updates and deletes", () =>
    Effect.gen(function* () {
      const { austen, db, pg } = yield* library
      const emma = { authorId: austen, title: "Emma", tags: ["novel", 'a "quote"'], about: { pages: 474 } }
      const inserted = yield* db
        .insert(books)
        .values([emma, { authorId: austen, title: "Persuasion" }])
        .returning()
      assert.deepStrictEqual(inserted, [
        { id: 1, ...emma },
        { id: 2, authorId: austen, title: "Persuasion", tags: [], about: null }
      ])
      const joined = db.select({ title: books.title, author: authors.name }).from(books)
      const titles = joined.innerJoin(authors, eq(books.authorId, authors.id)).orderBy(asc(books.id))
      assert.deepStrictEqual(yield* titles, [
        { title: "Emma", author: "Austen" },
        { title: "Persuasion", author: "Austen" }
      ])
      yield* db
        .update(books)
        .set({ about: { pages: 500 } })
        .where(eq(books.title, "Emma"))
      assert.deepStrictEqual(
        yield* db
          .select({ about: books.about })
          .from(books)
          .where(inArray(books.id, [1])),
        [{ about: { pages: 500 } }]
      )
      const grouped = yield* db.select({ id: books.authorId, books: count() }).from(books).groupBy(books.authorId)
      assert.deepStrictEqual(grouped, [{ id: austen, books: 2 }])
      assert.strictEqual(yield* db.$count(books), 2)
      assert.deepStrictEqual(yield* db.delete(books).where(eq(books.id, 2)).returning({ id: books.id }), [{ id: 2 }])
      const upsert = db.insert(authors).values({ name: "Austen" })
      yield* upsert.onConflictDoUpdate({ target: authors.name, set: { name: "Jane Austen" } })
      assert.deepStrictEqual(yield* db.select({ name: authors.name }).from(authors), [{ name: "Jane Austen" }])
      yield* assertHealthy(pg)
    })
  )

  it.effect("reads relations in one query", () =>
    Effect.gen(function* () {
      const { austen, db, pg } = yield* library
      const titles = ["Emma", "Persuasion"]
      yield* db
        .insert(books)
        .values(titles.map((title) => ({ authorId: austen, title, tags: ["novel"], about: [1, 2] })))
      const found = yield* db.query.authors.findFirst({
        where: { name: "Austen" },
        with: { books: { columns: { title: true, tags: true, about: true }, orderBy: { title: "desc" } } }
      })
      assert.deepStrictEqual(found, {
        id: austen,
        name: "Austen",
        books: ["Persuasion", "Emma"].map((title) => ({ title, tags: ["novel"], about: [1, 2] }))
      })
      const withAuthor = yield* db.query.books.findMany({ columns: { title: true }, with: { author: true }, limit: 1 })
      assert.deepStrictEqual(withAuthor, [{ title: "Emma", author: { id: austen, name: "Austen" } }])
      yield* assertHealthy(pg)
    })
  )

  it.effect("prepares a query, and runs it with other values each time", () =>
    Effect.gen(function* () {
      const { db, pg } = yield* library
      const byName = db
        .select()
        .from(authors)
        .where(eq(authors.name, sql.placeholder("name")))
        .prepare("by_name")
      assert.lengthOf(yield* byName.execute({ name: "Austen" }), 1)
      assert.lengthOf(yield* byName.execute({ name: "Joyce" }), 0)
      yield* assertHealthy(pg)
    })
  )

  it.effect("runs transactions and savepoints, of which calls of the client are a part", () =>
    Effect.gen(function* () {
      const { austen, db, pg } = yield* library
      const titles = Effect.map(db.select({ title: books.title }).from(books).orderBy(books.id), (rows) =>
        rows.map(({ title }) => title)
      )
      yield* db.transaction((tx) =>
        Effect.gen(function* () {
          yield* tx.insert(books).values({ authorId: austen, title: "kept" })
          const inner = tx.transaction((savepoint) =>
            Effect.andThen(savepoint.insert(books).values({ authorId: austen, title: "dropped" }), savepoint.rollback())
          )
          assert.strictEqual((yield* Effect.flip(inner))._tag, "EffectTransactionRollbackError")
          yield* pg.execute("INSERT INTO books (author_id, title) VALUES ($1, 'kept too')", [austen])
        })
      )
      assert.deepStrictEqual(yield* titles, ["kept", "kept too"])
      const failing = db.transaction((tx) =>
        Effect.andThen(tx.insert(books).values({ authorId: austen, title: "lost" }), Effect.fail("the body's own"))
      )
      assert.strictEqual(yield* Effect.flip(failing), "the body's own")
      const outer = Effect.andThen(db.insert(books).values({ authorId: austen, title: "lost" }), Effect.fail("no"))
      assert.strictEqual(yield* Effect.flip(pg.withTransaction(outer)), "no")
      assert.deepStrictEqual(yield* titles, ["kept", "kept too"])
      const modes = sql`SELECT current_setting('transaction_isolation') AS isolation, current_setting('transaction_read_only') AS "readOnly"`
      const serializable = yield* db.transaction((tx) => tx.execute<{ isolation: string; readOnly: string }>(modes), {
        isolationLevel: "serializable",
        accessMode: "read only"
      })
      assert.deepStrictEqual(serializable.rows, [{ isolation: "serializable", readOnly: "on" }])
      yield* assertHealthy(pg)
    })
  )

  it.effect("keeps the values of each type of column", () =>
    Effect.gen(function* () {
      const { db, pg } = yield* library
      const at = new Date("2026-05-04T03:02:01.123Z")
      const row = {
        id: 1,
        mood: "cross",
        moods: ["calm", "cross"],
        numbers: [1, -2, 3],
        grid: [
          [1, 2],
          [3, 4]
        ],
        json: { a: [1, null, "x"] },
        jsonb: ["a", { b: true }],
        day: "2026-02-03",
        dayAsDate: new Date("2026-02-03T00:00:00Z"),
        at,
        atAsText: "2026-05-04 03:02:01.123+00",
        local: at,
        time: "13:14:15",
        interval: "1 day 02:00:00",
        big: 9_007_199_254_740_993n,
        bigAsNumber: 42,
        exact: "1234567890.12",
        exactAsNumber: 0.5,
        double: 0.1,
        real: 0.5,
        yes: true,
        uuid: "0e37df36-f698-11e6-8dd4-cb9ced3df976",
        bytes: Buffer.from([0, 1, 255]),
        point: { x: 1.5, y: -2 },
        address: "192.168.0.1",
        bits: "101"
      } as const
      yield* pg.withTransaction(
        Effect.gen(function* () {
          yield* pg.execute("SET LOCAL TimeZone = 'UTC'")
          const { grid, moods, numbers, jsonb, ...others } = row
          const given = {
            ...others,
            grid: grid.map((line) => [...line]),
            moods: [...moods],
            numbers: [...numbers],
            jsonb: [...jsonb]
          }
          assert.deepStrictEqual(yield* db.insert(values).values(given).returning(), [given])
          assert.deepStrictEqual(yield* db.select().from(values).where(eq(values.at, at)), [given])
          assert.deepStrictEqual(yield* db.select({ id: values.id }).from(values).where(eq(values.mood, "cross")), [
            { id: 1 }
          ])
        })
      )
      const empty = yield* db
        .insert(values)
        .values({ id: 2 })
        .returning({ at: values.at, json: values.json, moods: values.moods })
      assert.deepStrictEqual(empty, [{ at: null, json: null, moods: null }])
      yield* assertHealthy(pg)
    })
  )

  it.effect("fails with its own error, whose cause has the error of effectpg", () =>
    Effect.gen(function* () {
      const { db, pg } = yield* library
      const error = yield* Effect.flip(db.insert(authors).values({ name: "Austen" }))
      assert.instanceOf(error, EffectDrizzleQueryError)
      const cause = Cause.isCause(error.cause) ? Cause.squash(error.cause) : undefined
      assert.instanceOf(cause, SqlError)
      assert.strictEqual(cause.reason._tag, "UniqueViolation")
      const native = cause.reason.cause
      assert.isTrue(PgError.isPgError(native) && native._tag === "UniqueViolationError")
      assert.deepStrictEqual(yield* Stream.runCollect(pg.stream("SELECT name FROM authors")), [{ name: "Austen" }])
      yield* assertHealthy(pg)
    })
  )
})
