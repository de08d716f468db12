/** Tests reactive queries that hear of changes from the database: which signals run them again, how often, and what is left. */
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type * as PgConfig from "../../src/PgConfig.ts"
import * as PgPool from "../../src/PgPool.ts"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import { TestDatabase } from "../support/database.ts"
import {
  assertHealthy,
  eventually,
  liveConnection,
  livePool,
  liveSettings,
  uniqueName,
  valueOf
} from "../support/live.ts"
import { proxyTo } from "../../src/pgTest/proxy.ts"

const CHANNEL = "app changes"

/** A client on a pool of its own, with a `Reactivity` of its own, as another process would have them. */
const processOf = (settings?: PgConfig.PoolSettings) =>
  Effect.gen(function* () {
    const applicationName = uniqueName()
    const pool = yield* livePool({ applicationName, ...settings })
    const reactivity = yield* Reactivity.make
    const sql = yield* PgSqlClient.fromClient(pool, { reactiveChannel: CHANNEL }).pipe(
      Effect.provideService(Reactivity.Reactivity, reactivity)
    )
    return { applicationName, pool, reactivity, sql }
  })

/** A table with its triggers, and a connection that knows nothing of effect/sql. */
const watched = Effect.gen(function* () {
  const observer = yield* liveConnection()
  const name = `watched_${Math.random().toString(36).slice(2)}`
  yield* observer.execute(`CREATE TABLE ${name} (n int4)`)
  const { sql } = yield* processOf()
  yield* Effect.provideService(PgSqlClient.installReactiveTriggers(CHANNEL, [name]), SqlClient.SqlClient, sql)
  return { name, observer, count: `SELECT count(*)::int4 AS n FROM ${name}` }
})

const countOf = (sql: SqlClient.SqlClient, statement: string) =>
  Effect.map(sql.unsafe<{ n: number }>(statement), ([row]) => row?.n)

const next = <A, E>(queue: Queue.Dequeue<A, E>) =>
  Effect.timeoutOrElse(Queue.take(queue), {
    duration: "10 seconds",
    orElse: () => Effect.die(new Error("the query does not run"))
  })

/** Counts the runs of a query that does nothing else. */
const counter = () => {
  let runs = 0
  return Effect.sync(() => ++runs)
}

/** Completes when all that was notified before has been heard, because notifications come in order. */
const heardBy = (sql: PgSqlClient.PgSqlClient) =>
  Effect.gen(function* () {
    const key = uniqueName()
    const runs = yield* sql.reactiveMailbox([key], counter())
    yield* next(runs)
    yield* sql.notify(CHANNEL, key)
    yield* next(runs)
  }).pipe(Effect.scoped)

const listeners = (name: string) =>
  `SELECT count(*)::int4 FROM pg_stat_activity WHERE application_name = '${name}' AND query ~ '^LISTEN'`

layer(TestDatabase.layer, { excludeTestServices: true })("a reactive query with a channel", (it) => {
  it.effect("runs again when another connection changes its table by plain SQL, and not at a rollback", () =>
    Effect.gen(function* () {
      const { count, name, observer } = yield* watched
      const { pool, sql } = yield* processOf()
      const counts = yield* sql.reactiveMailbox([name], countOf(sql, count))
      assert.strictEqual(yield* next(counts), 0)
      yield* observer.execute(`INSERT INTO ${name} VALUES (1), (2)`)
      assert.strictEqual(yield* next(counts), 2)
      yield* observer.executeScript(`BEGIN; INSERT INTO ${name} VALUES (3); ROLLBACK`)
      yield* heardBy(sql)
      assert.strictEqual(yield* Queue.size(counts), 0)
      yield* observer.executeScript(`BEGIN; DELETE FROM ${name} WHERE n = 1; COMMIT`)
      assert.strictEqual(yield* next(counts), 1)
      yield* assertHealthy(pool)
    })
  )

  it.effect("runs again in all processes when one of them changes the table", () =>
    Effect.gen(function* () {
      const { count, name } = yield* watched
      const processes = [yield* processOf(), yield* processOf()] as const
      const counts = yield* Effect.forEach(processes, ({ sql }) => sql.reactiveMailbox([name], countOf(sql, count)))
      for (const queue of counts) assert.strictEqual(yield* next(queue), 0)
      for (const [made, { sql }] of processes.entries()) {
        yield* sql.withTransaction(sql`INSERT INTO ${sql(name)} VALUES (1)`)
        for (const queue of counts) assert.strictEqual(yield* next(queue), made + 1)
      }
    })
  )

  it.effect("runs again when its process invalidates a key, in a transaction only after its COMMIT", () =>
    Effect.gen(function* () {
      const { reactivity, sql } = yield* processOf()
      const runs = yield* sql.reactiveMailbox(["key"], counter())
      assert.strictEqual(yield* next(runs), 1)
      yield* reactivity.invalidate(["key"])
      assert.strictEqual(yield* next(runs), 2)
      yield* sql
        .withTransaction(
          Effect.gen(function* () {
            yield* Reactivity.invalidate(["key"])
            yield* sql`SELECT 1`
            assert.strictEqual(yield* Queue.size(runs), 0)
          })
        )
        .pipe(Effect.provideService(Reactivity.Reactivity, reactivity))
      assert.strictEqual(yield* next(runs), 3)
    })
  )

  it.effect("has listened before its first run, so that no change falls in between", () =>
    Effect.gen(function* () {
      const { observer } = yield* watched
      const proxy = yield* proxyTo(yield* TestDatabase)
      const { sql } = yield* processOf({ host: proxy.host, port: proxy.port, sslMode: "disable" })
      const order: Array<string> = []
      proxy.onMessage = (link, { bytes, from, type }) => {
        if (from !== "server" || type !== "C" || !bytes.includes("LISTEN")) return
        order.push("listening")
        link.hold()
        setTimeout(() => link.letGo(), 100)
      }
      const run = Effect.gen(function* () {
        order.push("run")
        if (order.length === 2) yield* observer.notify(CHANNEL, "key")
      })
      const runs = yield* sql.reactiveMailbox(["key"], run)
      yield* next(runs)
      yield* next(runs)
      assert.deepStrictEqual(order, ["listening", "run", "run"])
    })
  )

  it.effect("hears a key with an ID, and only its own", () =>
    Effect.gen(function* () {
      const { sql } = yield* processOf()
      const runs = yield* sql.reactiveMailbox({ users: [42], größe: ["x"] }, counter())
      let expected = 1
      assert.strictEqual(yield* next(runs), expected)
      for (const key of ["users:42", "users", "größe:x"]) {
        yield* sql.notify(CHANNEL, key)
        assert.strictEqual(yield* next(runs), ++expected)
      }
      for (const key of ["users:43", "users:", "Users", "größe:"]) yield* sql.notify(CHANNEL, key)
      yield* sql.notify("another channel", "users")
      yield* heardBy(sql)
      assert.strictEqual(yield* Queue.size(runs), 0)
    })
  )

  it.effect("is not disturbed by a payload that is nobody's key", () =>
    Effect.gen(function* () {
      const { observer } = yield* watched
      const { pool, sql } = yield* processOf()
      const runs = yield* sql.reactiveMailbox(["key"], counter())
      assert.strictEqual(yield* next(runs), 1)
      const payloads = ["", '{"table": "key"}', '["key"]', "effectpg/0", "__proto__", " key", "x".repeat(7_999)]
      for (const payload of payloads) yield* observer.notify(CHANNEL, payload)
      yield* observer.execute(`NOTIFY "${CHANNEL}"`)
      yield* heardBy(sql)
      assert.strictEqual(yield* Queue.size(runs), 0)
      yield* observer.notify(CHANNEL, "key")
      assert.strictEqual(yield* next(runs), 2)
      yield* assertHealthy(pool)
    })
  )

  it.effect("runs once more for all signals that come while it runs", () =>
    Effect.gen(function* () {
      const { observer } = yield* watched
      const { sql } = yield* processOf()
      const isHeld = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      let started = 0
      const run = Effect.gen(function* () {
        if (++started === 2) {
          yield* Deferred.succeed(isHeld, undefined)
          yield* Deferred.await(gate)
        }
        return started
      })
      const runs = yield* sql.reactiveMailbox(["key"], run)
      assert.strictEqual(yield* next(runs), 1)
      yield* observer.notify(CHANNEL, "key")
      yield* Deferred.await(isHeld)
      for (let sent = 0; sent < 300; sent++) yield* observer.notify(CHANNEL, "key")
      yield* heardBy(sql)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* next(runs), 2)
      assert.strictEqual(yield* next(runs), 3)
      yield* heardBy(sql)
      assert.strictEqual(yield* Queue.size(runs), 0)
    })
  )

  it.effect("runs again when the connection that listens was lost, and hears as before", () =>
    Effect.gen(function* () {
      const { count, name, observer } = yield* watched
      const { applicationName, pool, sql } = yield* processOf()
      const counts = yield* sql.reactiveMailbox([name], countOf(sql, count))
      const others = yield* sql.reactiveMailbox({ other: [1] }, counter())
      assert.strictEqual(yield* next(counts), 0)
      assert.strictEqual(yield* next(others), 1)
      for (let kills = 1; kills <= 3; kills++) {
        yield* observer.execute(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^LISTEN' AND application_name = $1",
          [applicationName]
        )
        assert.strictEqual(yield* next(others), 1 + kills)
        assert.strictEqual(yield* next(counts), kills - 1)
        yield* observer.execute(`INSERT INTO ${name} VALUES (1)`)
        assert.strictEqual(yield* next(counts), kills)
      }
      yield* assertHealthy(pool)
    })
  )

  it.effect("runs although the client cannot listen yet, and runs again once it can", () =>
    Effect.gen(function* () {
      const proxy = yield* proxyTo(yield* TestDatabase)
      const { pool, sql } = yield* processOf({
        host: proxy.host,
        port: proxy.port,
        sslMode: "disable",
        minConnections: 0,
        acquireTimeout: "300 millis"
      })
      proxy.onMessage = (link, { type }) => {
        if (type === "startup") link.reset()
      }
      const runs = yield* sql.reactiveMailbox(["key"], counter())
      assert.strictEqual(yield* next(runs), 1)
      const failed = yield* sql.reactiveMailbox(["key"], sql`SELECT 1`)
      assert.strictEqual((yield* Effect.flip(next(failed))).reason._tag, "ConnectionError")
      proxy.onMessage = () => {}
      assert.strictEqual(yield* next(runs), 2)
      yield* sql.notify(CHANNEL, "key")
      assert.strictEqual(yield* next(runs), 3)
      yield* assertHealthy(pool)
    })
  )

  it.effect("shares one LISTEN with the other queries of its client, which ends with the last of them", () =>
    Effect.gen(function* () {
      const { observer } = yield* watched
      const proxy = yield* proxyTo(yield* TestDatabase)
      const { applicationName, pool, sql } = yield* processOf({
        host: proxy.host,
        port: proxy.port,
        sslMode: "disable"
      })
      let sent = 0
      proxy.onMessage = (_, { bytes, from, type }) => {
        if (from === "client" && type === "Q" && bytes.includes('LISTEN "app changes"')) sent++
      }
      const scopes = yield* Effect.forEach(Array.from({ length: 20 }), () => Scope.make())
      const queues = yield* Effect.forEach(
        scopes,
        (scope) => Scope.provide(sql.reactiveMailbox(["key"], counter()), scope),
        { concurrency: "unbounded" }
      )
      for (const queue of queues) assert.strictEqual(yield* next(queue), 1)
      assert.strictEqual(sent, 1)
      const [first, ...others] = scopes
      for (const scope of others) yield* Scope.close(scope, Exit.void)
      yield* observer.notify(CHANNEL, "key")
      yield* Effect.forEach(queues.slice(0, 1), next)
      assert.strictEqual(yield* valueOf(observer, listeners(applicationName)), 1)
      if (first !== undefined) yield* Scope.close(first, Exit.void)
      yield* eventually(valueOf(observer, listeners(applicationName)), 0)
      // It can begin anew, and beside another listener it leaves by UNLISTEN.
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* pool.listen("another channel")
          yield* Effect.scoped(heardBy(sql))
          const last = `SELECT query FROM pg_stat_activity WHERE application_name = '${applicationName}' AND query ~ 'LISTEN'`
          yield* eventually(valueOf(observer, last), `UNLISTEN "${CHANNEL}"`)
        })
      )
      yield* eventually(valueOf(observer, listeners(applicationName)), 0)
      yield* assertHealthy(pool)
    })
  )

  it.effect("leaves nothing behind if it is interrupted, also while the client begins to listen", () =>
    Effect.gen(function* () {
      const { observer } = yield* watched
      const proxy = yield* proxyTo(yield* TestDatabase)
      const { applicationName, pool, sql } = yield* processOf({
        host: proxy.host,
        port: proxy.port,
        sslMode: "disable"
      })
      let started = 0
      for (const isHeld of [true, false]) {
        proxy.onMessage = (link, { bytes, from, type }) => {
          if (isHeld && from === "client" && type === "Q" && bytes.includes("LISTEN")) link.hold()
        }
        const running = Effect.andThen(
          Effect.sync(() => void started++),
          Effect.never
        )
        const ended = yield* Stream.runDrain(sql.reactive(["key"], running)).pipe(
          Effect.timeoutOption("300 millis"),
          Effect.timeout("5 seconds")
        )
        assert.isTrue(ended._tag === "None")
        assert.strictEqual(started, isHeld ? 0 : 1)
        for (const link of proxy.links) link.letGo()
        yield* eventually(valueOf(observer, listeners(applicationName)), 0)
      }
      yield* heardBy(sql)
      yield* assertHealthy(pool)
    })
  )

  it.effect("fails with its own error, and the client goes on", () =>
    Effect.gen(function* () {
      const { pool, sql } = yield* processOf()
      const failure = yield* Effect.flip(Stream.runDrain(sql.reactive(["key"], sql`SELECT missing`)))
      assert.strictEqual(failure.reason._tag, "SqlSyntaxError")
      yield* heardBy(sql)
      yield* assertHealthy(pool)
    })
  )

  it.effect("fails with SqlError when its pool ends", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { sql } = yield* Scope.provide(processOf(), scope)
      const answers = yield* sql.reactiveMailbox(["key"], sql`SELECT 1`)
      yield* next(answers)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Effect.flip(next(answers))).reason._tag, "ConnectionError")
      const late = yield* sql.reactiveMailbox(["key"], sql`SELECT 1`)
      assert.strictEqual((yield* Effect.flip(next(late))).reason._tag, "ConnectionError")
    })
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("the setting reactiveChannel", (it) => {
  it.effect("is taken by the layer, whose client shares the Reactivity of the application", () =>
    Effect.gen(function* () {
      const settings = yield* liveSettings()
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const { notify } = yield* PgSqlClient.PgSqlClient
        const runs = yield* sql.reactiveMailbox(["key"], counter())
        assert.strictEqual(yield* next(runs), 1)
        yield* notify(CHANNEL, "key")
        assert.strictEqual(yield* next(runs), 2)
        yield* Reactivity.invalidate(["key"])
        assert.strictEqual(yield* next(runs), 3)
      }).pipe(
        Effect.provide(Layer.merge(PgSqlClient.layer({ ...settings, reactiveChannel: CHANNEL }), Reactivity.layer))
      )
    })
  )

  it.effect("has to be a name that PostgreSQL can hold", () =>
    Effect.gen(function* () {
      const settings = yield* liveSettings()
      for (const reactiveChannel of ["", "a\0b", "x".repeat(64)]) {
        const failure = yield* Effect.flip(
          Effect.provide(PgSqlClient.make({ ...settings, reactiveChannel }), Reactivity.layer)
        )
        assert.include(failure.message, "the name of the channel")
        const pool = yield* PgPool.make(settings)
        const onPool = yield* Effect.flip(
          Effect.provide(PgSqlClient.fromClient(pool, { reactiveChannel }), Reactivity.layer)
        )
        assert.include(onPool.message, "the name of the channel")
        const refused = yield* Effect.flip(
          Effect.provide(PgSqlClient.installReactiveTriggers(reactiveChannel, []), PgSqlClient.layer(settings))
        )
        assert.isTrue(isSqlError(refused))
        assert.include(refused.message, "the name of the channel")
      }
    })
  )

  it.effect("is left out by default: then nobody listens", () =>
    Effect.gen(function* () {
      const { applicationName, pool } = yield* processOf()
      const sql = yield* Effect.provide(PgSqlClient.fromClient(pool), Reactivity.layer)
      const runs = yield* sql.reactiveMailbox(["key"], counter())
      assert.strictEqual(yield* next(runs), 1)
      yield* sql.notify(CHANNEL, "key")
      assert.strictEqual(yield* valueOf(pool, listeners(applicationName)), 0)
      assert.strictEqual(yield* Queue.size(runs), 0)
    })
  )
})
