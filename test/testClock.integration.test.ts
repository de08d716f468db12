/**
 * Tests that nothing of the library waits for the clock of a test. These tests run as `it.effect` does by default, with a
 * clock that stands still, and nothing adjusts it.
 */
import { assert, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { SqlClient } from "effect/sql"
import { passed } from "../src/call/realTime.ts"
import * as PgConnection from "../src/PgConnection.ts"
import * as PgMigrator from "../src/PgMigrator.ts"
import * as PgPool from "../src/PgPool.ts"
import * as PgSqlClient from "../src/PgSqlClient.ts"
import { TestDatabase } from "./support/database.ts"
import {
  assertHealthy,
  eventually,
  killBackend,
  liveConnection,
  livePool,
  liveSettings,
  refusalOf,
  valueOf
} from "./support/live.ts"
import { proxyTo } from "../src/pgTest/proxy.ts"

const SHORT = "50 millis"

/** Settings that lead through a proxy. From `silence` on, nothing passes that. */
const throughProxy = Effect.gen(function* () {
  const proxy = yield* proxyTo(yield* TestDatabase)
  const settings = yield* liveSettings({
    host: proxy.host,
    port: proxy.port,
    sslMode: "disable",
    connectTimeout: SHORT,
    cancelTimeout: SHORT,
    closeTimeout: SHORT
  })
  const silence = Effect.sync(() => {
    proxy.losesCancels = true
    proxy.onMessage = (link) => link.hold()
    for (const link of proxy.links) link.hold()
  })
  return { settings, silence }
})

layer(TestDatabase.layer)("while the clock of a test stands still,", (it) => {
  it.effect("the clock of these tests stands still", () =>
    Effect.gen(function* () {
      const before = yield* Clock.currentTimeMillis
      yield* passed(20)
      assert.strictEqual(yield* Clock.currentTimeMillis, before)
      assert.isBelow(before, 1_000)
    })
  )

  it.effect("connectTimeout and connectTotalTimeout end an attempt to connect", () =>
    Effect.gen(function* () {
      const { settings, silence } = yield* throughProxy
      yield* silence
      const single = yield* refusalOf(Effect.scoped(PgConnection.make(settings)))
      assert.strictEqual(single._tag, "ConnectError")
      const total = { ...settings, connectTimeout: "1 minute", connectTotalTimeout: SHORT } as const
      assert.strictEqual((yield* refusalOf(Effect.scoped(PgConnection.make(total))))._tag, "ConnectError")
    })
  )

  it.effect("acquireTimeout ends the wait for a connection", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1, acquireTimeout: SHORT })
      const refusal = yield* pool.withConnection(() => refusalOf(pool.fetch("SELECT 1")))
      assert.strictEqual(refusal._tag, "AcquireTimeoutError")
      yield* assertHealthy(pool)
    })
  )

  it.effect("the timeout of a call ends it, and the server is told to cancel", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const calls = [
        connection.fetch("SELECT pg_sleep(60)", [], { timeout: SHORT }),
        connection.withTransaction(connection.execute("SELECT pg_sleep(60)"), { timeout: SHORT }),
        Stream.runDrain(connection.stream("SELECT pg_sleep(60)", [], { timeout: SHORT }))
      ]
      for (const call of calls) assert.strictEqual((yield* refusalOf(call))._tag, "QueryTimeoutError")
      yield* assertHealthy(connection)
    })
  )

  it.effect("the body of a transaction with a timeout keeps the clock of the test", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const inside = yield* connection.withTransaction(Effect.andThen(passed(20), Clock.currentTimeMillis), {
        timeout: "1 minute"
      })
      assert.strictEqual(inside, yield* Clock.currentTimeMillis)
    })
  )

  it.effect("an interrupted statement is canceled, and the connection goes on", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const running = yield* Effect.forkChild(connection.fetch("SELECT pg_sleep(60)"), { startImmediately: true })
      yield* passed(50)
      yield* Fiber.interrupt(running)
      yield* assertHealthy(connection)
    })
  )

  it.effect("cancelTimeout ends a session whose server does not answer, and closeTimeout its pool", () =>
    Effect.gen(function* () {
      const { settings, silence } = yield* throughProxy
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(PgPool.make({ ...settings, maxConnections: 1 }), scope)
      yield* assertHealthy(pool)
      const running = yield* Effect.forkChild(pool.withTransaction(pool.fetch("SELECT pg_sleep(60)")), {
        startImmediately: true
      })
      yield* passed(50)
      yield* silence
      yield* Fiber.interrupt(running)
      yield* Scope.close(scope, Exit.void)
    })
  )

  it.effect("a pool replaces a connection that was killed, and a reader listens again", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const pool = yield* livePool({ maxConnections: 2 })
      const heard: Array<string> = []
      const events = yield* pool.listen("news")
      yield* Effect.forkChild(
        Stream.runForEach(events, (event) =>
          Effect.sync(() => heard.push(event._tag === "Gap" ? "gap" : event.payload))
        )
      )
      const listener = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
      yield* killBackend(observer, Number(yield* valueOf(observer, listener)))
      yield* eventually(
        Effect.sync(() => heard.includes("gap")),
        true
      )
      yield* pool.notify("news", "again")
      yield* eventually(
        Effect.sync(() => heard.at(-1)),
        "again"
      )
    })
  )

  it.effect("a runner of migrations waits for another one", () =>
    Effect.gen(function* () {
      const settings = yield* liveSettings()
      const migrate = (name: string, body: Effect.Effect<unknown>) =>
        Effect.provide(
          PgMigrator.run({ loader: PgMigrator.fromRecord({ [name]: body }) }),
          PgSqlClient.layer({ ...settings, maxConnections: 1 })
        )
      let hasBegun = false
      const slow = Effect.andThen(
        Effect.sync(() => (hasBegun = true)),
        passed(300)
      )
      const started = yield* Effect.forkChild(migrate("1_slow", slow), { startImmediately: true })
      yield* eventually(
        Effect.sync(() => hasBegun),
        true
      )
      yield* migrate("1_slow", Effect.void)
      assert.lengthOf(yield* Fiber.join(started), 1)
    })
  )

  it.effect("a reactive query finds its channel again", () =>
    Effect.gen(function* () {
      const settings = yield* liveSettings()
      const observer = yield* liveConnection()
      const runs = yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        let count = 0
        const query = Effect.sync(() => ++count)
        yield* Effect.forkChild(Stream.runDrain(sql.reactive(["things"], query)))
        yield* eventually(
          Effect.sync(() => count),
          1
        )
        yield* passed(100)
        const listener = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        yield* killBackend(observer, Number(yield* valueOf(observer, listener)))
        yield* eventually(
          Effect.sync(() => count > 1),
          true
        )
        return count
      }).pipe(Effect.provide(PgSqlClient.layer({ ...settings, reactiveChannel: "changes" })))
      assert.isAbove(runs, 1)
    })
  )
})
