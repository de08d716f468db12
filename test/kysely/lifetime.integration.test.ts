/** Tests how Kysely's work ends: by a signal, by `destroy`, and with the scope of the Kysely. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { type AbortableQueryOptions, Kysely, sql } from "kysely"
import * as PgKysely from "../../src/PgKysely.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, eventually, livePool, valueOf } from "../support/live.ts"
import { assertAllBack, from, library, pgErrorOf, rejectionOf, type Tables, titlesIn } from "./library.ts"

const sleeping = (seconds: number) => `SELECT pg_sleep(${seconds})`

/** How many sessions run that text. */
const running = (text: string) =>
  `SELECT count(*)::int4 FROM pg_stat_activity WHERE query = '${text}' AND state = 'active'`

const sleep = (db: Kysely<Tables>, seconds: number, options?: AbortableQueryOptions) =>
  sql.raw(sleeping(seconds)).execute(db, options)

/** What is printed in this scope. */
const printed = Effect.gen(function* () {
  const lines: Array<unknown> = []
  const { error } = console
  yield* Effect.acquireRelease(
    Effect.sync(() => (console.error = (...values) => void lines.push(...values))),
    () => Effect.sync(() => (console.error = error))
  )
  return lines
})

layer(TestDatabase.layer, { excludeTestServices: true })("the work of a Kysely", (it) => {
  it.effect("is canceled on the server if its signal and its strategy say so, and the connection stays", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const observer = yield* livePool({ maxConnections: 1 })
      const lines = yield* printed
      const pid = yield* valueOf(pool, "SELECT pg_backend_pid()")
      const controller = new AbortController()
      const options = { signal: controller.signal, inflightQueryAbortStrategy: "cancel query" } as const
      const slow = sleep(db, 61, options)
      yield* eventually(valueOf(observer, running(sleeping(61))), 1)
      controller.abort("enough")
      assert.strictEqual(yield* rejectionOf(() => slow), "enough")
      yield* eventually(valueOf(observer, running(sleeping(61))), 0)
      yield* assertAllBack(pool)
      assert.strictEqual(yield* valueOf(pool, "SELECT pg_backend_pid()"), pid)
      assert.deepStrictEqual(lines, [])
    }).pipe(Effect.scoped)
  )

  it.effect("is ended together with its session if the strategy says so", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const observer = yield* livePool({ maxConnections: 1 })
      const pid = yield* valueOf(pool, "SELECT pg_backend_pid()")
      const controller = new AbortController()
      const options = { signal: controller.signal, inflightQueryAbortStrategy: "kill session" } as const
      const slow = sleep(db, 62, options)
      yield* eventually(valueOf(observer, running(sleeping(62))), 1)
      controller.abort("enough")
      assert.strictEqual(yield* rejectionOf(() => slow), "enough")
      yield* eventually(valueOf(observer, `SELECT count(*)::int4 FROM pg_stat_activity WHERE pid = ${pid}`), 0)
      assert.notStrictEqual(yield* valueOf(pool, "SELECT pg_backend_pid()"), pid)
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("goes on if the strategy is to ignore the query, and gives its connection back after it", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const observer = yield* livePool({ maxConnections: 1 })
      const controller = new AbortController()
      const text = "INSERT INTO books (title) SELECT 'written' FROM pg_sleep(1)"
      const slow = sql.raw(text).execute(db, { signal: controller.signal })
      yield* eventually(
        valueOf(
          observer,
          `SELECT count(*)::int4 FROM pg_stat_activity WHERE query LIKE '${text.replaceAll("'", "''").slice(0, 30)}%' AND state = 'active' AND pid <> pg_backend_pid()`
        ),
        1
      )
      controller.abort("enough")
      assert.strictEqual(yield* rejectionOf(() => slow), "enough")
      assert.strictEqual((yield* pool.stats).inUse, 1)
      assert.deepStrictEqual(yield* titlesIn(pool), ["written"])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("leaves the pool's queue if its signal is aborted while it waits for a connection", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const lines = yield* printed
      const controller = new AbortController()
      const stats = yield* pool.withConnection(() =>
        Effect.gen(function* () {
          const waiting = db.selectFrom("books").selectAll().execute({ signal: controller.signal })
          yield* eventually(
            Effect.map(pool.stats, ({ waiting }) => waiting),
            1
          )
          controller.abort("enough")
          assert.strictEqual(yield* rejectionOf(() => waiting), "enough")
          return yield* pool.stats
        })
      )
      assert.strictEqual(stats.waiting, 0)
      yield* assertAllBack(pool)
      assert.deepStrictEqual(lines, [])
    }).pipe(Effect.scoped)
  )

  it.effect("ends a stream whose signal is aborted, even if its page is not there yet", () =>
    Effect.gen(function* () {
      const { db, pool } = yield* library({ maxConnections: 1 })
      const observer = yield* livePool({ maxConnections: 1 })
      const lines = yield* printed
      const controller = new AbortController()
      const rows = db.selectNoFrom(sql`pg_sleep(63)`.as("slept")).stream({ signal: controller.signal })
      const next = rows.next()
      const text = 'select pg_sleep(63) as "slept"'
      yield* eventually(valueOf(observer, running(text)), 1)
      controller.abort("enough")
      assert.strictEqual(yield* rejectionOf(() => next), "enough")
      yield* eventually(valueOf(observer, running(text)), 0)
      yield* assertAllBack(pool)
      assert.deepStrictEqual(lines, [])
    }).pipe(Effect.scoped)
  )

  it.effect("ends with the scope: queries are canceled, transactions rolled back, and nothing runs any more", () =>
    Effect.gen(function* () {
      const { pool } = yield* library({ maxConnections: 3 })
      const observer = yield* livePool({ maxConnections: 1 })
      const scope = yield* Scope.make()
      const db = new Kysely<Tables>({ dialect: yield* Scope.provide(PgKysely.dialect(pool), scope) })
      const open = yield* from(() => db.startTransaction().execute())
      yield* from(() => open.insertInto("books").values({ title: "a" }).execute())
      const rows = db
        .selectFrom(sql<{ n: number }>`generate_series(1, 1000)`.as("n"))
        .selectAll()
        .stream(10)
      yield* from(() => rows.next())
      const slow = sleep(db, 64)
      const rejected = pgErrorOf(() => slow)
      yield* eventually(valueOf(observer, running(sleeping(64))), 1)
      const began = performance.now()
      yield* Effect.all([rejected, Scope.close(scope, Exit.void)], { concurrency: 2 }).pipe(
        Effect.tap(([error]) => Effect.sync(() => assert.strictEqual(error._tag, "UnsupportedError")))
      )
      assert.isBelow(performance.now() - began, 5_000)
      yield* eventually(valueOf(observer, running(sleeping(64))), 0)
      yield* assertAllBack(pool)
      assert.deepStrictEqual(yield* titlesIn(pool), [])
      for (const late of [
        () => db.selectFrom("books").selectAll().execute(),
        () => open.selectFrom("books").selectAll().execute(),
        () => db.transaction().execute(() => Promise.resolve())
      ]) {
        assert.strictEqual((yield* pgErrorOf(late))._tag, "UnsupportedError")
      }
      yield* from(() => open.rollback().execute())
      yield* from(async () => rows.return?.())
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("ends with destroy, which leaves the pool open", () =>
    Effect.gen(function* () {
      const { pool } = yield* library({ maxConnections: 1 })
      const dialect = yield* PgKysely.dialect(pool)
      const other = new Kysely<Tables>({ dialect })
      const db = new Kysely<Tables>({ dialect })
      const open = yield* from(() => db.startTransaction().execute())
      yield* from(() => open.insertInto("books").values({ title: "a" }).execute())
      yield* from(() => db.destroy())
      yield* assertHealthy(pool)
      yield* rejectionOf(() => db.selectFrom("books").selectAll().execute())
      assert.deepStrictEqual(yield* from(() => other.selectFrom("books").selectAll().execute()), [])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )
})
