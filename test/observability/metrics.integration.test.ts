/** The metrics that an OpenTelemetry exporter receives. */
import { assert, layer } from "@effect/vitest"
import type { Histogram, MetricData } from "@opentelemetry/sdk-metrics"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as PgError from "../../src/PgError.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, eventually, livePool } from "../support/live.ts"
import { telemetry } from "../support/telemetry.ts"

type Attributes = Readonly<Record<string, unknown>>

const pointsOf = (metrics: ReadonlyArray<MetricData>, name: string, attributes: Attributes = {}) => {
  const found = metrics.find(({ descriptor }) => descriptor.name === name)
  const isMeant = (point: { readonly attributes: Attributes }) =>
    Object.entries(attributes).every(([key, value]) => point.attributes[key] === value)
  return (found?.dataPoints ?? []).filter(isMeant)
}

const valueOf = (metrics: ReadonlyArray<MetricData>, name: string, attributes?: Attributes): unknown => {
  const [point, ...others] = pointsOf(metrics, name, attributes)
  assert.deepStrictEqual(others, [], name)
  return point?.value
}

const isHistogram = (value: unknown): value is Histogram =>
  typeof value === "object" && value !== null && "buckets" in value

const histogramOf = (metrics: ReadonlyArray<MetricData>, name: string, attributes?: Attributes): Histogram => {
  const value = valueOf(metrics, name, attributes)
  return isHistogram(value) ? value : assert.fail(`${name} is no histogram`)
}

const state = (name: string): Attributes => ({ "db.client.connection.state": name })

layer(TestDatabase.layer, { excludeTestServices: true })("the metrics", (it) => {
  it.effect("of operations have the summary, the error and the unit of the stable conventions", () =>
    Effect.gen(function* () {
      const { metrics, run } = yield* telemetry
      const { database } = yield* TestDatabase
      const pool = yield* run(livePool({ metrics: true }))
      yield* run(
        Effect.gen(function* () {
          yield* pool.fetch("SELECT 1 FROM pg_class")
          yield* pool.fetch("SELECT 2 FROM pg_class")
          yield* Effect.flip(pool.fetch("SELECT 1 / 0 FROM pg_class"))
        })
      )
      const all = yield* metrics
      const name = "db.client.operation.duration"
      assert.strictEqual(all.find(({ descriptor }) => descriptor.name === name)?.descriptor.unit, "s")
      const common = {
        "db.system.name": "postgresql",
        "db.namespace": database,
        "db.operation.name": "SELECT",
        "db.collection.name": "pg_class",
        "db.query.summary": "SELECT pg_class"
      }
      const [fine, failed] = [pointsOf(all, name, common), pointsOf(all, name, { "error.type": "DivisionByZeroError" })]
      assert.strictEqual(fine.length, 2)
      assert.strictEqual(failed.length, 1)
      const succeeded = fine.find((point) => !failed.includes(point))?.value
      assert.isTrue(isHistogram(succeeded) && succeeded.count === 2)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("of a pool count its connections and their limits, and go back to 0 when it closes", () =>
    Effect.gen(function* () {
      const { metrics, run } = yield* telemetry
      const { database, host, port } = yield* TestDatabase
      const scope = yield* Scope.make()
      const settings = { metrics: true, minConnections: 2, maxConnections: 2, acquireTimeout: "300 millis" } as const
      const pool = yield* run(Scope.provide(livePool(settings), scope))
      const during = yield* pool.withConnection(() =>
        Effect.gen(function* () {
          yield* Effect.sleep(30)
          yield* pool.withConnection(() => Effect.flip(pool.fetch("SELECT 1")))
          yield* eventually(pool.stats.pipe(Effect.map(({ idle }) => idle)), 1)
          return yield* metrics
        })
      )
      assert.strictEqual(valueOf(during, "db.client.connection.count", state("used")), 1)
      assert.strictEqual(valueOf(during, "db.client.connection.count", state("idle")), 1)
      assert.strictEqual(valueOf(during, "db.client.connection.max"), 2)
      assert.strictEqual(valueOf(during, "db.client.connection.idle.max"), 2)
      assert.strictEqual(valueOf(during, "db.client.connection.idle.min"), 2)
      assert.strictEqual(valueOf(during, "db.client.connection.pending_requests"), 0)
      assert.strictEqual(valueOf(during, "db.client.connection.timeouts"), 1)
      assert.deepStrictEqual(pointsOf(during, "db.client.connection.max")[0]?.attributes, {
        "db.system.name": "postgresql",
        "db.client.connection.pool.name": `${host}:${port}/${database}`
      })
      yield* assertHealthy(pool)
      const after = yield* metrics
      assert.strictEqual(histogramOf(after, "db.client.connection.create_time").count, 2)
      const used = histogramOf(after, "db.client.connection.use_time")
      assert.strictEqual(histogramOf(after, "db.client.connection.wait_time").count, used.count)
      assert.isAtLeast(Number(used.max), 0.03)
      assert.isBelow(Number(used.max), 10)
      yield* Scope.close(scope, Exit.void)
      const closed = yield* metrics
      for (const [name, attributes] of [
        ["db.client.connection.count", state("used")],
        ["db.client.connection.count", state("idle")],
        ["db.client.connection.max", {}],
        ["db.client.connection.idle.min", {}]
      ] as const) {
        assert.strictEqual(valueOf(closed, name, attributes), 0, name)
      }
    })
  )

  it.effect("show how long a call waited for a connection", () =>
    Effect.gen(function* () {
      const { metrics, run } = yield* telemetry
      const pool = yield* run(livePool({ metrics: true, maxConnections: 1 }))
      const two = Effect.all([pool.fetch("SELECT pg_sleep(0.1)"), pool.fetch("SELECT 1")], { concurrency: 2 })
      yield* two
      const wait = histogramOf(yield* metrics, "db.client.connection.wait_time")
      assert.strictEqual(wait.count, 2)
      assert.isAtLeast(Number(wait.max), 0.08)
      assert.isBelow(Number(wait.min), 0.05)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("count the retries of transactions, and what is found in the cache of statements", () =>
    Effect.gen(function* () {
      const { metrics, run } = yield* telemetry
      const pool = yield* run(livePool({ metrics: true, maxConnections: 1 }))
      let attempts = 0
      const body = Effect.suspend(() =>
        ++attempts < 3 ? Effect.fail(PgError.make("DeadlockDetectedError", {})) : Effect.void
      )
      yield* run(pool.withTransaction(body, { retry: Schedule.recurs(5) }))
      for (let round = 0; round < 4; round++) yield* pool.fetch("SELECT $1::int4 AS n", [round])
      yield* pool.withConnection((connection) => connection.execute("SET application_name = 'x'"))
      const all = yield* metrics
      assert.strictEqual(valueOf(all, "effectpg.transaction.retries", { "error.type": "DeadlockDetectedError" }), 2)
      assert.strictEqual(valueOf(all, "effectpg.statement_cache.misses"), 1)
      assert.strictEqual(valueOf(all, "effectpg.statement_cache.hits"), 3)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("count a statement with a new comment as one that had to be prepared", () =>
    Effect.gen(function* () {
      const { metrics, run } = yield* telemetry
      let calls = 0
      const comment = () => Effect.sync(() => ({ call: String(calls++) }))
      const pool = yield* run(livePool({ metrics: true, maxConnections: 1, comment }))
      for (let round = 0; round < 4; round++) yield* pool.fetch("SELECT $1::int4 AS n", [round])
      const all = yield* metrics
      assert.strictEqual(valueOf(all, "effectpg.statement_cache.misses"), 4)
      assert.strictEqual(valueOf(all, "effectpg.statement_cache.hits"), undefined)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("are off unless they are asked for", () =>
    Effect.gen(function* () {
      const { metrics, run } = yield* telemetry
      const pool = yield* run(livePool())
      yield* run(pool.withTransaction(pool.fetch("SELECT 1")))
      assert.deepStrictEqual(yield* metrics, [])
    }).pipe(Effect.scoped)
  )
})
