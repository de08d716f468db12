/** The spans that an OpenTelemetry exporter receives. */
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgError from "../../src/PgError.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, livePool, liveSettings } from "../support/live.ts"
import { type Exported, telemetry } from "../support/telemetry.ts"

const INTERNAL = 0
const CLIENT = 2
const ERROR = 2

const named = (spans: ReadonlyArray<Exported>, name: string): Exported => {
  const found = spans.find((span) => span.name === name)
  return found ?? assert.fail(`no span ${name}, but: ${spans.map((span) => span.name).join(", ")}`)
}

const namesOf = (spans: ReadonlyArray<Exported>): ReadonlyArray<string> => spans.map(({ name }) => name)

layer(TestDatabase.layer, { excludeTestServices: true })("a span", (it) => {
  it.effect("of a call is named by what was asked, with the attributes of the stable conventions", () =>
    Effect.gen(function* () {
      const { run, spans } = yield* telemetry
      const { database, host, port } = yield* TestDatabase
      const connection = yield* liveConnection()
      yield* connection.executeScript("CREATE TEMP TABLE books (id int); CREATE TEMP TABLE authors (id int)")
      yield* run(
        Effect.gen(function* () {
          yield* connection.fetch("SELECT * FROM books WHERE id = $1", [1])
          yield* connection.fetch("SELECT * FROM books JOIN authors USING (id)")
          yield* connection.executeMany("INSERT INTO books VALUES ($1)", [[1], [2]])
          yield* connection.batch([
            { sql: "DELETE FROM books" },
            { sql: "DELETE FROM books WHERE id = $1", params: [7] }
          ])
          yield* connection.copyInRows({ table: "books" }, [{ id: 3 }])
          yield* Stream.runDrain(connection.copyOut({ query: "SELECT * FROM books" }))
          yield* Stream.runDrain(connection.stream("SELECT * FROM books"))
          yield* connection.withAdvisoryLock(7, Effect.void)
          yield* connection.notify("channel", "a secret")
        })
      )
      const all = yield* spans
      assert.deepStrictEqual(namesOf(all), [
        "SELECT books",
        "SELECT books authors",
        "BATCH INSERT books",
        "BATCH DELETE books",
        "COPY books",
        "COPY SELECT books",
        "SELECT books",
        "SELECT",
        "SELECT"
      ])
      assert.deepStrictEqual(all[0]?.attributes, {
        "db.system.name": "postgresql",
        "db.namespace": database,
        "server.address": host,
        "server.port": port,
        "db.operation.name": "SELECT",
        "db.query.summary": "SELECT books",
        "db.collection.name": "books",
        "db.query.text": "SELECT * FROM books WHERE id = $1",
        "effectpg.method": "fetch"
      })
      assert.notProperty(all[1]?.attributes, "db.collection.name")
      assert.strictEqual(all[3]?.attributes["db.operation.batch.size"], 2)
      assert.deepStrictEqual(new Set(all.map(({ kind }) => kind)), new Set([CLIENT]))
      assert.notInclude(JSON.stringify(all), "a secret")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("of a call that failed names the error, and has no value", () =>
    Effect.gen(function* () {
      const { run, spans } = yield* telemetry
      const connection = yield* liveConnection()
      yield* connection.executeScript("CREATE TEMP TABLE people (mail text PRIMARY KEY)")
      const insert = connection.execute("INSERT INTO people VALUES ($1)", ["ada@example.com"])
      yield* run(Effect.andThen(insert, Effect.flip(insert)))
      const [, failed] = yield* spans
      if (failed === undefined) return assert.fail("no span")
      assert.strictEqual(failed.status, ERROR)
      assert.strictEqual(failed.attributes["error.type"], "UniqueViolationError")
      assert.strictEqual(failed.attributes["db.response.status_code"], "23505")
      assert.notInclude(JSON.stringify(failed), "ada@example.com")
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("shows the wait for a connection within the call or the transaction that waits", () =>
    Effect.gen(function* () {
      const { run, spans } = yield* telemetry
      const { database } = yield* TestDatabase
      const pool = yield* livePool({ maxConnections: 1 })
      for (const [call, waits] of [
        [pool.execute("SELECT 1 AS waited"), "SELECT"],
        [pool.withTransaction(pool.execute("SELECT 1 AS waited")), `transaction ${database}`]
      ] as const) {
        const isLent = yield* Deferred.make<void>()
        const holding = pool.withConnection(() =>
          Effect.andThen(Deferred.succeed(isLent, undefined), Effect.sleep(100))
        )
        const holder = yield* Effect.forkChild(holding)
        yield* Deferred.await(isLent)
        yield* run(call)
        yield* Fiber.join(holder)
        const all = yield* spans
        const wait = named(all, `acquire ${database}`)
        assert.strictEqual(wait.kind, INTERNAL)
        assert.strictEqual(wait.parent, named(all, waits).id)
        assert.isAtLeast(wait.millis, 50)
        assert.isAtMost(wait.millis, named(all, waits).millis)
      }
      // This waits for the reset of the connection.
      yield* assertHealthy(pool)
      yield* run(pool.execute("SELECT 1 AS at_once"))
      assert.deepStrictEqual(namesOf(yield* spans), ["SELECT"])
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("of a wait in vain ends with the error", () =>
    Effect.gen(function* () {
      const { run, spans } = yield* telemetry
      const { database } = yield* TestDatabase
      const pool = yield* livePool({ maxConnections: 1, acquireTimeout: "30 millis" })
      yield* pool.withConnection(() =>
        run(Effect.all([Effect.flip(pool.fetch("SELECT 1")), Effect.flip(pool.withConnection(() => Effect.void))]))
      )
      const waits = (yield* spans).filter(({ name }) => name === `acquire ${database}`)
      assert.deepStrictEqual(
        waits.map(({ attributes, status }) => [attributes["error.type"], status]),
        [
          ["AcquireTimeoutError", ERROR],
          ["AcquireTimeoutError", ERROR]
        ]
      )
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("surrounds a transaction, with its savepoints, its retries as events and its outcome", () =>
    Effect.gen(function* () {
      const { run, spans } = yield* telemetry
      const { database } = yield* TestDatabase
      const pool = yield* livePool()
      let attempts = 0
      const body = Effect.gen(function* () {
        yield* pool.execute("SELECT 1")
        yield* Effect.exit(pool.withTransaction(Effect.fail("undone")))
        if (++attempts < 3) yield* PgError.make("SerializationError", {})
      })
      yield* run(pool.withTransaction(body, { retry: Schedule.recurs(5) }))
      const all = yield* spans
      const transaction = named(all, `transaction ${database}`)
      assert.strictEqual(all.filter(({ name }) => name.startsWith("transaction")).length, 1)
      assert.strictEqual(transaction.attributes["effectpg.transaction.outcome"], "committed")
      assert.deepStrictEqual(
        transaction.events.map(({ attributes, name }) => [name, attributes]),
        [2, 3].map((attempt) => [
          "retry",
          { "error.type": "SerializationError", "effectpg.transaction.attempt": attempt }
        ])
      )
      for (const child of ["SELECT", `savepoint ${database}`]) {
        const children = all.filter(({ name }) => name === child)
        assert.deepStrictEqual(
          children.map(({ parent }) => parent),
          Array(3).fill(transaction.id)
        )
      }
      assert.strictEqual(named(all, `savepoint ${database}`).attributes["effectpg.transaction.outcome"], "rolled back")

      const failing = pool.withTransaction(Effect.andThen(pool.execute("SELECT 1"), Effect.fail("no")))
      yield* run(Effect.exit(failing))
      const failed = named(yield* spans, `transaction ${database}`)
      assert.strictEqual(failed.attributes["effectpg.transaction.outcome"], "rolled back")
      assert.strictEqual(failed.status, ERROR)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("shows connecting, as a part of the caller's trace or, of a pool, as a trace of its own", () =>
    Effect.gen(function* () {
      const { run, spans } = yield* telemetry
      const { database, host } = yield* TestDatabase
      const settings = yield* liveSettings()
      const connecting = Effect.scoped(PgConnection.make(settings)).pipe(Effect.withSpan("caller"))
      yield* run(connecting)
      const alone = yield* spans
      assert.strictEqual(named(alone, `connect ${database}`).parent, named(alone, "caller").id)
      assert.strictEqual(named(alone, `connect ${database}`).attributes["server.address"], host)
      yield* run(Effect.scoped(livePool()).pipe(Effect.withSpan("caller")))
      assert.strictEqual(named(yield* spans, `connect ${database}`).parent, undefined)
      yield* run(Effect.flip(Effect.scoped(PgConnection.make({ ...settings, database: "is_not_there" }))))
      const failed = named(yield* spans, "connect is_not_there")
      assert.strictEqual(failed.attributes["error.type"], "InvalidCatalogNameError")
    })
  )

  it.effect("is not made if there is no tracer", () =>
    Effect.gen(function* () {
      const { run, spans } = yield* telemetry
      const pool = yield* run(livePool())
      yield* spans
      yield* pool.withTransaction(pool.execute("SELECT 1"))
      assert.deepStrictEqual(yield* spans, [])
    }).pipe(Effect.scoped)
  )
})
