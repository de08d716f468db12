/** A pool and a client refuse a single call that would have no effect; wherever it has one, it runs. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as PgConnection from "../../src/PgConnection.ts"
import * as PgClient from "../../src/PgClient.ts"
import * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, livePool, liveSettings, refusalOf, valueOf } from "../support/live.ts"

const STATEMENTS = [
  "BEGIN",
  "START TRANSACTION",
  "COMMIT",
  "ROLLBACK",
  "SAVEPOINT here",
  "SET statement_timeout = '17s'",
  "SET LOCAL statement_timeout = '17s'",
  "LISTEN here",
  "UNLISTEN here",
  "DECLARE here CURSOR WITH HOLD FOR SELECT 1",
  "LOCK TABLE pg_catalog.pg_class",
  "PREPARE here AS SELECT 1",
  "DISCARD TEMP"
]

const assertRefused = (pg: PgConnection.Queryable): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const sql of STATEMENTS) {
      for (const call of [pg.execute(sql), pg.fetch(sql), pg.fetchRow(sql), pg.executeScript(sql)]) {
        const error = yield* refusalOf(call)
        assert.instanceOf(error, PgError.UnsupportedError)
        assert.deepStrictEqual([error.sql, error.outcome], [sql, "none"])
      }
    }
  })

const TIMEOUT = "SELECT current_setting('statement_timeout')"

const runOn = (connection: PgConnection.PgConnection) =>
  Effect.gen(function* () {
    yield* connection.execute("BEGIN")
    yield* connection.execute("SAVEPOINT here")
    yield* connection.execute("SET LOCAL statement_timeout = '17s'")
    yield* connection.execute("LOCK TABLE pg_catalog.pg_class IN ACCESS SHARE MODE")
    assert.strictEqual(yield* valueOf(connection, TIMEOUT), "17s")
    yield* connection.execute("ROLLBACK")
    yield* connection.executeScript("SET statement_timeout = '18s'")
    assert.strictEqual(yield* valueOf(connection, TIMEOUT), "18s")
    yield* connection.execute("LISTEN here")
    yield* connection.execute("UNLISTEN here")
    yield* connection.execute("PREPARE here AS SELECT 5 AS n")
    assert.deepStrictEqual(yield* connection.fetch("EXECUTE here"), [{ n: 5 }])
    yield* connection.execute("DECLARE there CURSOR WITH HOLD FOR SELECT 6 AS n")
    assert.deepStrictEqual(yield* connection.fetch("FETCH there"), [{ n: 6 }])
    yield* connection.execute("DISCARD TEMP")
  })

const runInTransaction = (pg: PgConnection.Queryable) =>
  Effect.gen(function* () {
    yield* pg.execute("SET LOCAL statement_timeout = '17s'")
    assert.strictEqual(yield* valueOf(pg, TIMEOUT), "17s")
    yield* pg.execute("SET statement_timeout = '18s'")
    assert.strictEqual(yield* valueOf(pg, TIMEOUT), "18s")
    yield* pg.execute("SAVEPOINT here")
    yield* pg.execute("ROLLBACK TO here")
    yield* pg.execute("LOCK TABLE pg_catalog.pg_class IN ACCESS SHARE MODE")
    yield* pg.execute("DECLARE here CURSOR FOR SELECT 6 AS n")
    assert.deepStrictEqual(yield* pg.fetchRow("FETCH here"), Option.some({ n: 6 }))
  })

layer(TestDatabase.layer, { excludeTestServices: true })("a single call that would have no effect", (it) => {
  for (const multiplex of [false, true]) {
    it.effect(`is refused by a pool before it takes a connection${multiplex ? ", also with multiplex" : ""}`, () =>
      Effect.gen(function* () {
        const pool = yield* livePool({ maxConnections: 1, multiplex })
        yield* assertRefused(pool)
        yield* pool.withConnection(() => assertRefused(pool))
        yield* assertHealthy(pool)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("is refused by a pool with a setup hook, and by a client", () =>
    Effect.gen(function* () {
      const live = yield* liveSettings({ maxConnections: 1 })
      const pool = yield* PgPool.make({ ...live, setup: () => Effect.void })
      yield* assertRefused(pool)
      yield* Effect.provide(PgClient.PgClient.use(assertRefused), PgClient.layer(live))
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is none in a script of several statements, nor in a batch", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      yield* pool.executeScript("BEGIN; CREATE TABLE made (n int4); COMMIT")
      yield* pool.executeScript("SET search_path = pg_catalog; SELECT 1")
      yield* pool.batch([{ sql: "SET LOCAL search_path = public" }, { sql: "INSERT INTO made VALUES (1)" }])
      assert.strictEqual(yield* valueOf(pool, "SELECT count(*)::int4 FROM made"), 1)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is none on a connection, alone or borrowed", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      yield* runOn(yield* liveConnection())
      yield* pool.withConnection(runOn)
      yield* Effect.scoped(Effect.flatMap(pool.connection, runOn))
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is none in a transaction, on a handle of begin, or under an advisory lock", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 2 })
      yield* pool.withTransaction(runInTransaction(pool))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const handle = yield* pool.begin()
          yield* runInTransaction(handle)
          yield* handle.commit
        })
      )
      yield* pool.withAdvisoryLock(
        7,
        Effect.gen(function* () {
          yield* pool.execute("SET statement_timeout = '19s'")
          assert.strictEqual(yield* valueOf(pool, TIMEOUT), "19s")
        })
      )
      yield* assertRefused(pool)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})
