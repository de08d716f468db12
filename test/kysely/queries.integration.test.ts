/** Tests that Kysely's queries run on effectpg: their rows, counts, parameters and errors. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { CamelCasePlugin, Kysely, sql } from "kysely"
import { type Migration, Migrator } from "kysely/migration"
import * as PgKysely from "../../src/PgKysely.ts"
import { TestDatabase } from "../support/database.ts"
import { backendsOf, livePool, uniqueName } from "../support/live.ts"
import { assertAllBack, from, library, pgErrorOf, titlesIn } from "./library.ts"

layer(TestDatabase.layer, { excludeTestServices: true })("a query of Kysely", (it) => {
  it.effect("returns rows, and tells how many rows it has changed", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library()
      const values = [
        { title: "Emma", pages: 474 },
        { title: "Ulysses", pages: 730 },
        { title: "Persuasion", pages: null }
      ]
      const [inserted] = yield* from(() => db.insertInto("books").values(values).execute())
      assert.strictEqual(inserted?.numInsertedOrUpdatedRows, 3n)
      const rows = yield* from(() => db.selectFrom("books").select(["title", "pages"]).orderBy("id").execute())
      assert.deepStrictEqual(rows, values)
      const long = db.updateTable("books").set({ pages: 0 }).where("pages", ">", 100)
      assert.strictEqual((yield* from(() => long.executeTakeFirst())).numUpdatedRows, 2n)
      const empty = db.deleteFrom("books").where("pages", "=", 0)
      assert.deepStrictEqual(yield* from(() => empty.returning("title").execute()), [
        { title: "Emma" },
        { title: "Ulysses" }
      ])
      assert.strictEqual((yield* from(() => empty.executeTakeFirst())).numDeletedRows, 0n)
      const merged = db
        .mergeInto("books as b")
        .using("books as other", "other.id", "b.id")
        .whenMatched()
        .thenUpdateSet({ pages: 250 })
      assert.strictEqual((yield* from(() => merged.executeTakeFirst())).numChangedRows, 1n)
      assert.deepStrictEqual(yield* titlesIn(pool), ["Persuasion"])
      const selected = yield* from(() => db.executeQuery(db.selectFrom("books").select("pages")))
      assert.deepStrictEqual(selected, { rows: [{ pages: 250 }] })
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("takes values of JavaScript wherever SQL has room for a parameter", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library()
      const at = new Date("2026-05-04T03:02:01.123Z")
      const { rows } = yield* from(() =>
        sql`SELECT ${1} AS one, ${2n ** 40n} AS big, ${0.5} AS half, ${true} AS yes, ${at} AS at, ${"x"} AS text,
          ${null} AS nothing, ${["a", "b"]} AS texts, ${[1, 2]} AS numbers, ${new Uint8Array([1, 255])} AS bytes,
          ${JSON.stringify({ a: 1 })}::jsonb AS document, coalesce(${undefined}, ${7}) AS seven`.execute(db)
      )
      assert.deepStrictEqual(rows, [
        {
          one: 1,
          big: 2n ** 40n,
          half: 0.5,
          yes: true,
          at,
          text: "x",
          nothing: null,
          texts: ["a", "b"],
          numbers: [1, 2],
          bytes: new Uint8Array([1, 255]),
          document: { a: 1 },
          seven: 7
        }
      ])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is rejected with the error of its second attempt, if that was run with the type of a Date named", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const at = new Date("2026-05-04T03:02:01Z")
      // The server cannot tell the type of a parameter that is only compared with NULL.
      const insert = sql`INSERT INTO books (title) SELECT 'a' WHERE ${at} IS NOT NULL`
      assert.strictEqual((yield* from(() => insert.execute(db))).numAffectedRows, 1n)
      assert.strictEqual((yield* pgErrorOf(() => insert.execute(db)))._tag, "UniqueViolationError")
      assert.deepStrictEqual(yield* titlesIn(pool), ["a"])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is rejected with the error of effectpg, and its connection goes back to the pool", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const insert = db.insertInto("books").values({ title: "Emma", pages: 474 })
      yield* from(() => insert.execute())
      const error = yield* pgErrorOf(() => insert.execute())
      assert.strictEqual(error._tag, "UniqueViolationError")
      assert.include(error, { code: "23505", constraintName: "books_title_key" })
      assert.strictEqual((yield* pgErrorOf(() => sql`SELEC 1`.execute(db)))._tag, "PostgresSyntaxError")
      const wrong = yield* pgErrorOf(() => sql`INSERT INTO books (pages) VALUES (${{ not: "a number" }})`.execute(db))
      assert.strictEqual(wrong._tag, "EncodeError")
      assert.deepStrictEqual(yield* titlesIn(pool), ["Emma"])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("goes through Kysely's plugins and log", () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const { pool } = yield* library()
      yield* pool.executeScript("DROP TABLE IF EXISTS visits; CREATE TABLE visits (visited_at date, visitor_name text)")
      const db = new Kysely<{ visits: { visitedAt: Date; visitorName: string } }>({
        dialect: yield* PgKysely.dialect(pool),
        plugins: [new CamelCasePlugin()],
        log: ({ level, query }) => void logged.push(`${level}: ${query.sql}`)
      })
      const visit = { visitedAt: new Date("2026-01-02T00:00:00Z"), visitorName: "Ada" }
      yield* from(() => db.insertInto("visits").values(visit).execute())
      assert.deepStrictEqual(yield* from(() => db.selectFrom("visits").select("visitorName").execute()), [
        { visitorName: "Ada" }
      ])
      assert.deepStrictEqual(logged, [
        'query: insert into "visits" ("visited_at", "visitor_name") values ($1, $2)',
        'query: select "visitor_name" from "visits"'
      ])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("may hold several statements if it has no parameters", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library()
      const script = sql`INSERT INTO books (title) VALUES ('a;b'); INSERT INTO books (title) VALUES ('c');`
      assert.deepStrictEqual(yield* from(() => script.execute(db)), { rows: [] })
      assert.deepStrictEqual(yield* titlesIn(pool), ["a;b", "c"])
      const single = sql<{ title: string }>`SELECT title FROM books WHERE title = 'a;b'; -- and no more`
      assert.deepStrictEqual((yield* from(() => single.execute(db))).rows, [{ title: "a;b" }])
      const error = yield* pgErrorOf(() => sql`INSERT INTO books (title) VALUES ('d'); SELECT 1 / 0`.execute(db))
      assert.strictEqual(error._tag, "DivisionByZeroError")
      assert.deepStrictEqual(yield* titlesIn(pool), ["a;b", "c"])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("keeps its session to itself within `connection`", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library()
      const read = sql<{ value: string }>`SELECT current_setting('app.reader', true) AS value`
      const inside = yield* from(() =>
        db.connection().execute(async (connection) => {
          await sql`SELECT set_config('app.reader', 'Ada', false)`.execute(connection)
          return await read.execute(connection)
        })
      )
      assert.deepStrictEqual(inside.rows, [{ value: "Ada" }])
      yield* assertAllBack(pool)
      const outside = yield* Effect.all([from(() => read.execute(db)), from(() => read.execute(db))], {
        concurrency: 2
      })
      for (const { rows } of outside) assert.notStrictEqual(rows[0]?.value, "Ada")
    }).pipe(Effect.scoped)
  )

  it.effect("can ask what is in the database", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library()
      assert.include(
        (yield* from(() => db.introspection.getSchemas())).map(({ name }) => name),
        "public"
      )
      const tables = yield* from(() => db.introspection.getTables())
      const books = tables.find(({ name }) => name === "books")
      assert.deepStrictEqual(
        books?.columns.map(({ dataType, isAutoIncrementing, isNullable, name }) => ({
          name,
          dataType,
          isAutoIncrementing,
          isNullable
        })),
        [
          { name: "id", dataType: "int4", isAutoIncrementing: true, isNullable: false },
          { name: "title", dataType: "text", isAutoIncrementing: false, isNullable: false },
          { name: "pages", dataType: "int4", isAutoIncrementing: false, isNullable: true }
        ]
      )
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("runs migrations, all of them or none, and once if two programs start at the same time", () =>
    Effect.gen(function* () {
      const applicationName = uniqueName()
      const pool = yield* livePool({ maxConnections: 3, applicationName })
      const dialect = yield* PgKysely.dialect(pool)
      const migrator = (migrations: Record<string, Migration>): Migrator =>
        new Migrator({
          db: new Kysely<Record<string, never>>({ dialect }),
          provider: { getMigrations: () => Promise.resolve(migrations) }
        })
      const first: Migration = {
        up: async (db) => {
          await db.schema.createTable("shelves").addColumn("id", "integer").execute()
          await sql`INSERT INTO shelves VALUES (1); INSERT INTO shelves VALUES (2)`.execute(db)
        }
      }
      const both = yield* Effect.all(
        [1, 2].map(() => from(() => migrator({ a: first }).migrateToLatest())),
        { concurrency: 2 }
      )
      assert.deepStrictEqual(both.map(({ error, results }) => [error, results?.length]).toSorted(), [
        [undefined, 0],
        [undefined, 1]
      ])
      const failing: Migration = {
        up: async (db) => {
          await sql`INSERT INTO shelves VALUES (3); SELECT 1 / 0`.execute(db)
        }
      }
      const failed = yield* from(() => migrator({ a: first, b: failing }).migrateToLatest())
      assert.propertyVal(failed.error, "_tag", "DivisionByZeroError")
      assert.deepStrictEqual(yield* pool.fetch("SELECT id FROM shelves ORDER BY id"), [{ id: 1 }, { id: 2 }])
      assert.isAtMost(yield* backendsOf(pool, applicationName), 3)
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )
})
