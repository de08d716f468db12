/** Tests the observers of operations: the hook, the slow-query log, the tracer, the metrics. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type * as PgConfig from "../src/PgConfig.ts"
import * as PgPool from "../src/PgPool.ts"
import { TestDatabase } from "./support/database.ts"

const poolWith = (settings: PgConfig.PoolSettings) =>
  Effect.flatMap(TestDatabase, ({ url }) => PgPool.make({ url, sslMode: "disable", ...settings }))

const assertHealthy = (pool: PgPool.PgPool) =>
  Effect.map(pool.fetchValue("SELECT 7"), (seven) => assert.deepStrictEqual(seven, Option.some(7)))

layer(TestDatabase.layer, { excludeTestServices: true })("an operation", (it) => {
  it.effect("is reported to onQuery with its text, its time and its error, and without its values", () =>
    Effect.gen(function* () {
      const events: Array<PgConfig.QueryEvent> = []
      const pool = yield* poolWith({ onQuery: (event) => Effect.sync(() => void events.push(event)) })
      yield* pool.fetch("SELECT $1::text", ["a secret"])
      yield* Effect.flip(pool.execute("SELECT 1 / $1::int", [0]))
      yield* Effect.timeoutOption(pool.executeScript("SELECT pg_sleep(5)"), "50 millis")
      assert.deepStrictEqual(
        events.map(({ error, operation, outcome, sql }) => [operation, sql, outcome, error?._tag]),
        [
          ["fetch", "SELECT $1::text", "success", undefined],
          ["execute", "SELECT 1 / $1::int", "failure", "DivisionByZeroError"],
          ["executeScript", "SELECT pg_sleep(5)", "interrupted", undefined]
        ]
      )
      assert.isAtLeast(events[2]!.durationMillis, 40)
      assert.notInclude(JSON.stringify(events), "a secret")
      yield* assertHealthy(pool)
    })
  )

  it.effect("is not reported to onQuery if onQuery itself runs it", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const box: { pool?: PgPool.PgPool } = {}
      const pool = yield* poolWith({
        maxConnections: 2,
        onQuery: ({ operation, outcome }) =>
          Effect.gen(function* () {
            seen.push(`${operation} ${outcome}`)
            const { pool } = box
            if (pool === undefined || seen.length > 20) return
            yield* pool.fetch("SELECT 1")
            yield* pool.withConnection((lent) => lent.execute("SELECT 2"))
            yield* pool.withTransaction(pool.fetchRow("SELECT 3"))
            yield* Effect.flatMap(Effect.forkChild(pool.fetchTuples("SELECT 4")), Fiber.join)
          }).pipe(Effect.orDie)
      })
      box.pool = pool
      yield* pool.fetch("SELECT 1")
      yield* pool.withConnection((lent) => lent.execute("SELECT 2"))
      yield* Effect.flip(pool.fetch("SELEC"))
      assert.deepStrictEqual(seen, ["fetch success", "execute success", "fetch failure"])
      yield* assertHealthy(pool)
    })
  )

  it.effect("is reported to the hook of another pool if a hook runs it, and two such hooks do not loop", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const pools: Array<PgPool.PgPool> = []
      const hookOf = (own: number): PgConfig.PoolSettings => ({
        onQuery: () =>
          Effect.suspend(() => {
            seen.push(`hook ${own}`)
            const other = pools[1 - own]
            return other === undefined || seen.length > 20 ? Effect.void : Effect.orDie(other.fetch("SELECT 1"))
          })
      })
      for (const own of [0, 1]) pools.push(yield* poolWith(hookOf(own)))
      for (const [own, pool] of pools.entries()) {
        yield* pool.fetch("SELECT 1")
        assert.deepStrictEqual(seen.splice(0), [`hook ${own}`, `hook ${1 - own}`])
      }
    })
  )

  it.effect("is reported to onQuery if it belongs to a prepared statement or a cursor", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const pool = yield* poolWith({
        onQuery: ({ operation, outcome }) => Effect.sync(() => void seen.push(`${operation} ${outcome}`))
      })
      const statements = Effect.gen(function* () {
        const statement = yield* pool.prepare("SELECT 1 / $1::int4")
        yield* statement.fetchRow([1])
        yield* Effect.flip(statement.execute([0]))
        yield* statement.fetchMany([[1]])
        yield* Effect.flip(pool.prepare("SELEC 1"))
      })
      yield* Effect.scoped(statements)
      assert.deepStrictEqual(seen.splice(0), [
        "prepare success",
        "fetchRow success",
        "execute failure",
        "fetchMany success",
        "prepare failure"
      ])
      for (const scroll of [false, true]) {
        const moves = Effect.gen(function* () {
          const cursor = yield* pool.cursor("SELECT generate_series(1, 9)", [], { scroll })
          yield* cursor.fetch(2)
          yield* cursor.forward(2)
        })
        yield* Effect.scoped(moves)
        assert.deepStrictEqual(seen.splice(0), Array(3).fill("cursor success"))
      }
      yield* assertHealthy(pool)
    })
  )

  it.effect("is reported to onQuery if it explains, listens or waits for a lock, on a connection and on a pool", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const settings: PgConfig.PoolSettings = {
        onQuery: ({ operation, outcome, sql }) => Effect.sync(() => void seen.push(`${operation} ${outcome}: ${sql}`))
      }
      const pool = yield* poolWith(settings)
      const connection = yield* pool.connection
      for (const queryable of [pool, connection]) {
        const statement = yield* queryable.prepare("SELECT 1 / $1::int4")
        seen.length = 0
        yield* statement.explain([1])
        yield* Effect.flip(statement.explain([0], { analyze: true }))
        yield* Effect.scoped(queryable.listen("Quoted"))
        yield* queryable.withAdvisoryLock(7, Effect.void)
        yield* queryable.withAdvisoryLockIfAvailable([7, 8], Effect.void, { shared: true })
        assert.deepStrictEqual(seen.splice(0), [
          "explain success: EXPLAIN (FORMAT JSON, VERBOSE) SELECT 1 / $1::int4",
          "explain failure: EXPLAIN (FORMAT JSON, VERBOSE, ANALYZE) SELECT 1 / $1::int4",
          'listen success: LISTEN "Quoted"',
          "withAdvisoryLock success: SELECT pg_catalog.pg_advisory_lock($1)",
          "withAdvisoryLockIfAvailable success: SELECT pg_catalog.pg_try_advisory_lock_shared($1, $2)"
        ])
      }
      yield* connection.reset
      assert.match(seen.splice(0).join(), /^reset success: /)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is logged only if it took longer than the threshold", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(JSON.stringify(message)))
      const run = Effect.gen(function* () {
        const pool = yield* poolWith({ slowQueryThreshold: "200 millis" })
        yield* pool.fetch("SELECT 1 AS quick")
        yield* pool.fetch("SELECT pg_sleep(0.3) AS slow")
        yield* assertHealthy(pool)
      })
      yield* Effect.provide(run, Logger.layer([logger]))
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0]!, /slow query: \d+ ms in fetch.*pg_sleep/)
    })
  )

  it.effect("is a client span with the attributes of the stable conventions, if a tracer is installed", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const { database, host, port } = yield* TestDatabase
      const pool = yield* poolWith({})
      yield* Effect.gen(function* () {
        yield* pool.fetch("SELECT 1")
        yield* Effect.flip(pool.fetch("SELECT 1 / 0"))
      }).pipe(Effect.provideService(Tracer.Tracer, tracer))
      const [fine, failed] = spans
      assert.strictEqual(spans.length, 2)
      if (fine === undefined || failed === undefined) return assert.fail("no span")
      assert.strictEqual(fine.kind, "client")
      assert.deepStrictEqual(Object.fromEntries(fine.attributes), {
        "db.system.name": "postgresql",
        "db.namespace": database,
        "db.operation.name": "SELECT",
        "db.query.summary": "SELECT",
        "db.query.text": "SELECT 1",
        "effectpg.method": "fetch",
        "server.address": host,
        "server.port": port
      })
      assert.strictEqual(failed.attributes.get("error.type"), "DivisionByZeroError")
      assert.strictEqual(failed.attributes.get("db.response.status_code"), "22012")
      yield* pool.fetch("SELECT 1")
      assert.strictEqual(spans.length, 2)
      yield* assertHealthy(pool)
    })
  )

  it.effect("is measured as db.client.operation.duration if metrics are asked for", () =>
    Effect.gen(function* () {
      const { database } = yield* TestDatabase
      const pool = yield* poolWith({ metrics: true })
      yield* pool.fetch("SELECT 1")
      const snapshots = yield* Metric.snapshot
      const ours = snapshots.filter(
        ({ attributes, id }) => id === "db.client.operation.duration" && attributes?.["db.namespace"] === database
      )
      assert.strictEqual(ours.length, 1)
      assert.strictEqual(ours[0]?.attributes?.["db.operation.name"], "SELECT")
      yield* assertHealthy(pool)
    })
  )
})
