/** Tests that a query of Kysely, run as an effect, belongs to its fiber: to its transaction, its span, its end. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { CamelCasePlugin, sql } from "kysely"
import * as PgKysely from "../../src/PgKysely.ts"
import { TestDatabase } from "../support/database.ts"
import { eventually, livePool, refusalOf, valueOf } from "../support/live.ts"
import { telemetry } from "../support/telemetry.ts"
import { assertAllBack, library, titlesIn } from "./library.ts"

const SLEEPERS =
  "SELECT count(*)::int4 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()"

layer(TestDatabase.layer, { excludeTestServices: true })("a query of Kysely as an effect", (it) => {
  it.effect("is a part of the transaction of its fiber, and so are calls of the client", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const add = (title: string) => PgKysely.execute(db.insertInto("books").values({ title }))
      const body = Effect.gen(function* () {
        yield* add("a")
        yield* pool.execute("INSERT INTO books (title) VALUES ('b')")
        yield* Effect.flip(pool.withTransaction(Effect.andThen(add("c"), add("a"))))
        return yield* PgKysely.execute(db.selectFrom("books").select("title").orderBy("id"))
      })
      yield* Effect.flip(pool.withTransaction(Effect.andThen(body, Effect.fail("undone"))))
      assert.deepStrictEqual(yield* titlesIn(pool), [])
      assert.deepStrictEqual(yield* pool.withTransaction(body), [{ title: "a" }, { title: "b" }])
      assert.deepStrictEqual(yield* titlesIn(pool), ["a", "b"])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("returns what Kysely's own call returns, and its first row as an Option", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 }, { plugins: [new CamelCasePlugin()] })
      const [inserted] = yield* PgKysely.execute(db.insertInto("books").values({ title: "a", pages: 1 }))
      assert.strictEqual(inserted?.numInsertedOrUpdatedRows, 1n)
      const named = db.selectFrom("books").select("pages as numberOfPages")
      assert.deepStrictEqual(yield* PgKysely.executeTakeFirst(named), Option.some({ numberOfPages: 1 }))
      assert.deepStrictEqual(yield* PgKysely.executeTakeFirst(named.where("title", "=", "b")), Option.none())
      yield* PgKysely.execute(db.schema.alterTable("books").addColumn("year", "integer"))
      yield* PgKysely.execute(db.schema.alterTable("books").dropColumn("year"))
      const { rows } = yield* PgKysely.execute((options) => sql`SELECT 1 AS the_one`.execute(db, options))
      assert.deepStrictEqual(rows, [{ theOne: 1 }])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("holds one session for as long as a function that gets the Kysely runs", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library()
      const read = sql<{ value: string }>`SELECT current_setting('app.reader', true) AS value`
      const work = PgKysely.execute((options) =>
        db.connection().execute(async (connection) => {
          await sql`SELECT set_config('app.reader', 'Ada', false)`.execute(connection)
          return (await read.execute(connection)).rows
        }, options)
      )
      assert.deepStrictEqual(yield* work, [{ value: "Ada" }])
      const pid = sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`
      const same = Effect.gen(function* () {
        const { rows } = yield* PgKysely.execute((options) => pid.execute(db, options))
        assert.deepStrictEqual(rows, [{ pid: yield* valueOf(pool, "SELECT pg_backend_pid()") }])
      })
      yield* pool.withTransaction(same)
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("fails with the error of effectpg, which can be caught by its tag", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const insert = PgKysely.execute(db.insertInto("books").values({ title: "a" }))
      yield* insert
      const caught = Effect.catchTag(insert, "UniqueViolationError", ({ constraintName }) =>
        Effect.succeed(constraintName)
      )
      assert.strictEqual(yield* caught, "books_title_key")
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is canceled on the server if its fiber is interrupted, also in a transaction", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const observer = yield* livePool({ maxConnections: 1 })
      const slow = PgKysely.execute(db.selectNoFrom(sql`pg_sleep(60)`.as("slept")))
      for (const work of [slow, pool.withTransaction(slow)]) {
        const fiber = yield* Effect.forkChild(work)
        yield* eventually(valueOf(observer, SLEEPERS), 1)
        const began = performance.now()
        yield* Fiber.interrupt(fiber)
        assert.isBelow(performance.now() - began, 5_000)
        yield* eventually(valueOf(observer, SLEEPERS), 0)
        yield* assertAllBack(pool)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("prints nothing if it is interrupted", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const printed: Array<unknown> = []
      const { error } = console
      yield* Effect.acquireRelease(
        Effect.sync(() => (console.error = (...values) => void printed.push(...values))),
        () => Effect.sync(() => (console.error = error))
      )
      const slow = PgKysely.execute(db.selectNoFrom(sql`pg_sleep(60)`.as("slept")))
      yield* Effect.timeoutOption(slow, "50 millis")
      const rows = PgKysely.stream(db.selectNoFrom(sql`pg_sleep(60)`.as("slept")))
      yield* Effect.timeoutOption(Stream.runDrain(rows), "50 millis")
      yield* assertAllBack(pool)
      assert.deepStrictEqual(printed, [])
    }).pipe(Effect.scoped)
  )

  it.effect("streams the rows of its fiber's transaction, and stops when the reader has enough", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const titles = PgKysely.stream(db.selectFrom("books").select("title").orderBy("id"), { fetchSize: 10 })
      const body = Effect.gen(function* () {
        yield* pool.execute("INSERT INTO books (title) SELECT 'book ' || n FROM generate_series(1, 25) AS n")
        // A query runs between the pages, which Kysely's own transactions do not allow.
        yield* Stream.runForEach(titles, ({ title }) =>
          PgKysely.execute(db.updateTable("books").set({ pages: 1 }).where("title", "=", title))
        )
        assert.strictEqual(yield* valueOf(pool, "SELECT count(*)::int4 FROM books WHERE pages = 1"), 25)
        return yield* Stream.runCollect(Stream.take(titles, 2))
      })
      const read = Effect.flip(pool.withTransaction(Effect.flatMap(body, Effect.fail)))
      assert.deepStrictEqual(yield* read, [{ title: "book 1" }, { title: "book 2" }])
      assert.deepStrictEqual(yield* Stream.runCollect(titles), [])
      const failing = PgKysely.stream(db.selectFrom("books").select(sql<number>`1 / 0`.as("n")))
      yield* pool.execute("INSERT INTO books (title) VALUES ('a')")
      assert.strictEqual((yield* refusalOf(Stream.runDrain(failing)))._tag, "DivisionByZeroError")
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("has a span, which is a child of the fiber's", () =>
    Effect.gen(function* () {
      const { db } = yield* library({ maxConnections: 1 })
      const asked = PgKysely.execute(db.selectFrom("books").select("title")).pipe(Effect.withSpan("the fiber's"))
      const { run, spans } = yield* telemetry
      yield* run(asked)
      const ended = yield* spans
      const query = ended.find(({ name }) => name === "SELECT books")
      assert.isDefined(query)
      assert.strictEqual(query?.parent, ended.find(({ name }) => name === "the fiber's")?.id)
    }).pipe(Effect.scoped)
  )
})
