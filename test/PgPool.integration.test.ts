/** Tests which caller gets which connection of a pool, and when, as the callers and the server see it. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as PgPool from "../src/PgPool.ts"
import { TestDatabase } from "./support/database.ts"
import {
  assertHealthy,
  backendsOf,
  eventually,
  killBackend,
  liveConnection,
  livePool,
  liveSettings,
  refusalOf,
  uniqueName,
  valueOf
} from "./support/live.ts"

const MAX_CONNECTIONS = 3

const BACKEND = "SELECT pg_backend_pid()"

layer(TestDatabase.layer, { excludeTestServices: true })("a pool", (it) => {
  it.effect("opens no more connections than its maximum, and serves all callers with them", () =>
    Effect.gen(function* () {
      const applicationName = uniqueName()
      const observer = yield* liveConnection()
      const pool = yield* livePool({ applicationName, maxConnections: MAX_CONNECTIONS })
      const CALLS = 60
      const calls = Array.from({ length: CALLS }, (_, index) =>
        valueOf(pool, "SELECT $1::int4 FROM pg_sleep(0.01)", [index])
      )
      const fiber = yield* Effect.forkChild(Effect.all(calls, { concurrency: "unbounded" }), { startImmediately: true })
      let most = 0
      while (fiber.pollUnsafe() === undefined) most = Math.max(most, yield* backendsOf(observer, applicationName))
      assert.deepStrictEqual(
        yield* Fiber.join(fiber),
        calls.map((_, index) => index)
      )
      assert.strictEqual(most, MAX_CONNECTIONS)
      yield* assertHealthy(pool)
    })
  )

  it.effect("opens no connection before one is needed, and as few as possible", () =>
    Effect.gen(function* () {
      const applicationName = uniqueName()
      const observer = yield* liveConnection()
      const pool = yield* livePool({ applicationName, minConnections: 0, maxConnections: MAX_CONNECTIONS })
      assert.strictEqual(yield* backendsOf(observer, applicationName), 0)
      for (let n = 0; n < 10; n++) assert.strictEqual(yield* valueOf(pool, "SELECT $1::int4", [n]), n)
      assert.strictEqual(yield* backendsOf(observer, applicationName), 1)
    })
  )

  it.effect("opens connections at its start if it has a minimum", () =>
    Effect.gen(function* () {
      const applicationName = uniqueName()
      const observer = yield* liveConnection()
      yield* livePool({ applicationName, minConnections: 2, maxConnections: MAX_CONNECTIONS })
      assert.strictEqual(yield* backendsOf(observer, applicationName), 2)
    })
  )

  it.effect("cannot be made if its first connections cannot be opened, and then leaves nothing behind", () =>
    Effect.gen(function* () {
      const applicationName = uniqueName()
      const observer = yield* liveConnection()
      const role = `limited_${crypto.randomUUID().replaceAll("-", "")}`
      yield* observer.execute(`CREATE ROLE ${role} LOGIN PASSWORD 'limited' CONNECTION LIMIT 2`)
      const settings = { applicationName, user: role, password: Redacted.make("limited"), maxConnections: 5 }
      const tooMany = livePool({ ...settings, minConnections: 4 })
      assert.strictEqual((yield* refusalOf(yield* captured(tooMany)))._tag, "TooManyConnectionsError")
      yield* eventually(backendsOf(observer, applicationName), 0)
      const wrong = livePool({ ...settings, password: Redacted.make("wrong"), minConnections: 4 })
      assert.strictEqual((yield* refusalOf(yield* captured(wrong)))._tag, "InvalidPasswordError")
      yield* eventually(backendsOf(observer, applicationName), 0)
      yield* assertHealthy(yield* livePool({ ...settings, minConnections: 2 }))
    })
  )

  it.effect("serves waiting callers in their order", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1, multiplex: false })
      const served: Array<number> = []
      const holder = yield* Effect.forkChild(pool.execute("SELECT pg_sleep(0.1)"), { startImmediately: true })
      const waiters = yield* Effect.forEach([0, 1, 2, 3, 4, 5], (n) => {
        const call = Effect.andThen(
          pool.execute("SELECT 1"),
          Effect.sync(() => served.push(n))
        )
        return Effect.forkChild(n % 2 === 0 ? call : pool.withTransaction(call), { startImmediately: true })
      })
      yield* Fiber.join(holder)
      yield* Effect.forEach(waiters, Fiber.join)
      assert.deepStrictEqual(served, [0, 1, 2, 3, 4, 5])
    })
  )

  it.effect("fails a caller at the end of acquireTimeout, and says why it took so long", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1, acquireTimeout: "60 millis" })
      yield* assertHealthy(pool)
      const holder = yield* Effect.forkChild(pool.execute("SELECT pg_sleep(0.4)"), { startImmediately: true })
      const startedAt = performance.now()
      const calls = [
        pool.execute("SELECT 1"),
        pool.withTransaction(Effect.void),
        pool.withConnection(() => Effect.void)
      ]
      const errors = yield* Effect.forEach(calls, refusalOf, { concurrency: "unbounded" })
      assert.isBelow(performance.now() - startedAt, 350)
      for (const [index, error] of errors.entries()) {
        if (error._tag !== "AcquireTimeoutError") return assert.fail(String(error))
        assert.deepStrictEqual([error.waitedMillis, error.inUse, error.connecting], [60, 1, 0])
        assert.strictEqual(error.waiting, calls.length - 1 - index)
        assert.strictEqual(error.outcome, "none")
        for (const number of ["60 ms", "1 in use", "0 connecting"]) assert.include(error.message, number)
      }
      yield* Fiber.join(holder)
      yield* assertHealthy(pool)
    })
  )

  it.effect("loses no connection if waiting callers are interrupted", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const holder = yield* Effect.forkChild(pool.execute("SELECT pg_sleep(0.1)"), { startImmediately: true })
      const impatient = [pool.execute("SELECT 1"), pool.withTransaction(Effect.void), Effect.scoped(pool.connection)]
      const waiters = yield* Effect.forEach([...impatient, ...impatient], (call) =>
        Effect.forkChild(Effect.asVoid(call), { startImmediately: true })
      )
      const patient = yield* Effect.forkChild(valueOf(pool, "SELECT 'served'"), { startImmediately: true })
      yield* Fiber.interruptAll(waiters)
      assert.strictEqual(yield* Fiber.join(patient), "served")
      yield* Fiber.join(holder)
      yield* assertHealthy(pool)
    })
  )

  it.effect("gives the connection of an interrupted query to one caller only", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      let holders = 0
      const hold = pool.withConnection(() =>
        Effect.gen(function* () {
          assert.strictEqual(++holders, 1)
          yield* Effect.sleep("1 millis")
          holders--
        })
      )
      for (let round = 0; round < 10; round++) {
        yield* Effect.timeoutOption(pool.execute("SELECT pg_sleep(60)"), "5 millis")
        if (round % 2 === 0) yield* Effect.all([hold, hold, hold], { concurrency: "unbounded" })
        yield* assertHealthy(pool)
        const { idle, size } = yield* pool.stats
        assert.deepStrictEqual({ idle, size }, { idle: 1, size: 1 })
      }
      yield* Effect.all([hold, hold, hold], { concurrency: "unbounded" })
    })
  )

  it.effect("rolls back the open transaction of a caller before the next one has the connection", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      yield* pool.execute("CREATE TABLE left_open (n int4)")
      yield* pool.executeScript("BEGIN; INSERT INTO left_open VALUES (1)")
      assert.strictEqual(yield* valueOf(pool, "SELECT count(*)::int4 FROM left_open"), 0)
      yield* pool.executeScript("BEGIN; SELECT 1")
      assert.strictEqual(yield* pool.withTransaction(valueOf(pool, "SELECT count(*)::int4 FROM left_open")), 0)
      yield* pool.withConnection((connection) => connection.executeScript("BEGIN; INSERT INTO left_open VALUES (2)"))
      yield* Effect.ignore(pool.executeScript("BEGIN; SELECT 1 / 0"))
      assert.strictEqual(yield* valueOf(pool, "SELECT count(*)::int4 FROM left_open"), 0)
      yield* assertHealthy(pool)
    })
  )

  it.effect("lends one connection for as long as the lease lasts", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 2 })
      const lent = yield* pool.withConnection((connection) =>
        Effect.gen(function* () {
          yield* connection.execute("CREATE TEMPORARY TABLE mine (n int4)")
          yield* connection.execute("BEGIN")
          yield* connection.execute("INSERT INTO mine VALUES (1)")
          yield* connection.execute("COMMIT")
          assert.strictEqual(yield* valueOf(connection, "SELECT n FROM mine"), 1)
          const other = yield* valueOf(pool, BACKEND)
          assert.notStrictEqual(other, connection.processId)
          return connection
        })
      )
      const error = yield* refusalOf(lent.fetch("SELECT 1"))
      if (error._tag !== "ConnectionLostError") return assert.fail(String(error))
      assert.include(error.message, "given back")
      assert.isTrue(error.safeToRetry)
      assert.strictEqual((yield* refusalOf(lent.withTransaction(Effect.void)))._tag, "ConnectionLostError")
      yield* assertHealthy(pool)
    })
  )

  it.effect("takes a connection back, with everything that still runs on it, when the scope of the lease closes", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const scope = yield* Scope.make()
      const connection = yield* pool.connection.pipe(Scope.provide(scope))
      const running = yield* Effect.forkChild(connection.execute("SELECT pg_sleep(60)"), { startImmediately: true })
      yield* Effect.sleep("20 millis")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* refusalOf(Fiber.join(running)))._tag, "ConnectionLostError")
      assert.strictEqual((yield* refusalOf(connection.fetch("SELECT 1")))._tag, "ConnectionLostError")
      assert.strictEqual(yield* valueOf(pool, BACKEND), connection.processId)
      yield* assertHealthy(pool)
    })
  )

  it.effect("takes a connection back from an effect that fails, dies or is interrupted", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const endings = [Effect.fail("failure"), Effect.die("defect"), Effect.interrupt]
      for (const ending of endings) {
        assert.isTrue(Exit.isFailure(yield* Effect.exit(pool.withConnection(() => ending))))
        yield* assertHealthy(pool)
      }
    })
  )

  it.effect("does not lend a connection whose backend was killed while it was idle, and opens another", () =>
    Effect.gen(function* () {
      const applicationName = uniqueName()
      const observer = yield* liveConnection()
      const pool = yield* livePool({ applicationName, minConnections: 0, maxConnections: 3 })
      const sleeps = Array.from({ length: 3 }, () => valueOf(pool, "SELECT pg_backend_pid() FROM pg_sleep(0.5)"))
      const killed = yield* Effect.all(sleeps, { concurrency: "unbounded" })
      assert.strictEqual(new Set(killed).size, 3)
      for (const processId of killed) yield* killBackend(observer, Number(processId))
      // The client cannot know it until the server's message has come.
      yield* eventually(
        Effect.map(pool.stats, ({ size }) => size),
        0
      )
      const calls = Array.from({ length: 6 }, () => valueOf(pool, "SELECT pg_backend_pid() FROM pg_sleep(0.01)"))
      const backends = yield* Effect.all(calls, { concurrency: "unbounded" })
      for (const backend of backends) assert.notInclude(killed, backend)
      yield* assertHealthy(pool)
    })
  )

  it.effect("recovers if a backend is killed under a query, and only that query fails", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const pool = yield* livePool({ maxConnections: 1 })
      const processId = Number(yield* valueOf(pool, BACKEND))
      const running = yield* Effect.forkChild(pool.execute("SELECT pg_sleep(60)"), { startImmediately: true })
      const waiting = yield* Effect.forkChild(valueOf(pool, BACKEND), { startImmediately: true })
      yield* killBackend(observer, processId)
      assert.strictEqual((yield* refusalOf(Fiber.join(running)))._tag, "AdminShutdownError")
      assert.notStrictEqual(yield* Fiber.join(waiting), processId)
      yield* assertHealthy(pool)
    })
  )

  it.effect("ends with its scope: it cancels running queries, refuses waiting callers, and leaves no backend", () =>
    Effect.gen(function* () {
      const applicationName = uniqueName()
      const observer = yield* liveConnection()
      const scope = yield* Scope.make()
      const pool = yield* livePool({ applicationName, maxConnections: 2, closeTimeout: "50 millis" }).pipe(
        Scope.provide(scope)
      )
      const sleep = pool.execute("SELECT pg_sleep(60)")
      const running = yield* Effect.forEach([sleep, pool.withTransaction(sleep)], (call) =>
        Effect.forkChild(call, { startImmediately: true })
      )
      const active = "SELECT count(*)::int4 FROM pg_stat_activity WHERE application_name = $1 AND query ~ 'pg_sleep'"
      yield* eventually(valueOf(observer, active, [applicationName]), 2)
      const waiting = yield* Effect.forEach([sleep, pool.withTransaction(sleep)], (call) =>
        Effect.forkChild(call, { startImmediately: true })
      )
      const startedAt = performance.now()
      yield* Scope.close(scope, Exit.void)
      assert.isBelow(performance.now() - startedAt, 2_000)
      for (const fiber of waiting) assert.strictEqual((yield* refusalOf(Fiber.join(fiber)))._tag, "PoolClosedError")
      for (const fiber of running) assert.strictEqual((yield* refusalOf(Fiber.join(fiber)))._tag, "ConnectionLostError")
      yield* eventually(backendsOf(observer, applicationName), 0, 1_000)
      assert.strictEqual((yield* refusalOf(pool.fetch("SELECT 1")))._tag, "PoolClosedError")
      assert.strictEqual((yield* refusalOf(pool.withTransaction(Effect.void)))._tag, "PoolClosedError")
    })
  )

  it.effect("lets queries finish at its end if they need no longer than closeTimeout", () =>
    Effect.gen(function* () {
      const applicationName = uniqueName()
      const observer = yield* liveConnection()
      yield* observer.execute("CREATE TABLE finished (n int4)")
      const scope = yield* Scope.make()
      const pool = yield* livePool({ applicationName, minConnections: 2 }).pipe(Scope.provide(scope))
      const insert = pool.execute("INSERT INTO finished SELECT 1 FROM pg_sleep(0.5)")
      const calls = [insert, pool.withTransaction(Effect.andThen(insert, insert))]
      const running = yield* Effect.forEach(calls, (call) => Effect.forkChild(call, { startImmediately: true }))
      const active = "SELECT count(*)::int4 FROM pg_stat_activity WHERE application_name = $1 AND query ~ 'pg_sleep'"
      yield* eventually(valueOf(observer, active, [applicationName]), 2)
      yield* Scope.close(scope, Exit.void)
      for (const fiber of running) assert.deepStrictEqual(yield* Fiber.join(fiber), { command: "INSERT", rowCount: 1 })
      assert.strictEqual(yield* valueOf(observer, "SELECT count(*)::int4 FROM finished"), 3)
      yield* eventually(backendsOf(observer, applicationName), 0, 1_000)
    })
  )

  it.effect("ends with its scope even while it is connecting", () =>
    Effect.gen(function* () {
      const applicationName = uniqueName()
      const observer = yield* liveConnection()
      for (let round = 0; round < 5; round++) {
        const scope = yield* Scope.make()
        const pool = yield* livePool({ applicationName, maxConnections: 5, closeTimeout: 1 }).pipe(Scope.provide(scope))
        const calls = yield* Effect.forEach([1, 2, 3, 4, 5], () =>
          Effect.forkChild(refusalOf(pool.execute("SELECT pg_sleep(60)")), { startImmediately: true })
        )
        yield* Effect.sleep(round * 4)
        yield* Scope.close(scope, Exit.void)
        const errors = yield* Effect.forEach(calls, Fiber.join)
        for (const { _tag } of errors) assert.include(["PoolClosedError", "ConnectionLostError"], _tag)
      }
      yield* eventually(backendsOf(observer, applicationName), 0, 1_000)
      yield* assertHealthy(observer)
    })
  )

  it.effect("is provided as a layer, for as long as the layer lives", () =>
    Effect.gen(function* () {
      const settings = yield* liveSettings()
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(PgPool.layer(settings), scope)
      const pool = yield* Effect.provide(PgPool.PgPool, context)
      yield* assertHealthy(pool)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* refusalOf(pool.fetch("SELECT 1")))._tag, "PoolClosedError")
    })
  )

  it.effect("has a transaction for each fiber, and every call of a fiber goes to that fiber's transaction", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: MAX_CONNECTIONS })
      const work = Effect.gen(function* () {
        const ids = yield* Effect.all([
          valueOf(pool, "SELECT pg_current_xact_id()::text"),
          Effect.andThen(pool.execute("SELECT pg_sleep(0.005)"), valueOf(pool, "SELECT pg_current_xact_id()::text")),
          pool.withTransaction(valueOf(pool, "SELECT pg_current_xact_id_if_assigned()::text"))
        ])
        assert.strictEqual(ids[0], ids[1])
        return ids[0]
      })
      const transactions = Array.from({ length: 12 }, () => pool.withTransaction(work))
      const ids = yield* Effect.all(transactions, { concurrency: "unbounded" })
      assert.strictEqual(new Set(ids).size, transactions.length)
      assert.deepStrictEqual(yield* pool.fetchValue("SELECT pg_current_xact_id_if_assigned()"), Option.some(null))
      yield* assertHealthy(pool)
    })
  )

  it.effect("keeps a connection that was borrowed and not used, however often", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const processId = yield* valueOf(pool, "SELECT pg_backend_pid()")
      for (let round = 0; round < 20; round++) yield* pool.withConnection(() => Effect.void)
      yield* pool.withConnection((connection) => connection.execute("SET search_path = pg_catalog"))
      yield* pool.withConnection(() => Effect.void)
      assert.strictEqual(yield* valueOf(pool, "SELECT pg_backend_pid()"), processId)
      assert.strictEqual(yield* valueOf(pool, "SHOW search_path"), '"$user", public')
      yield* assertHealthy(pool)
    })
  )

  it.effect("replaces a connection after its maximum number of uses, which does not count the pool's own resets", () =>
    Effect.gen(function* () {
      const MAX_USES = 3
      const pool = yield* livePool({ maxConnections: 1, maxUses: MAX_USES })
      const backends: Array<number> = []
      for (let borrowing = 0; borrowing < 2 * MAX_USES; borrowing++) {
        yield* pool.withConnection((connection) => {
          backends.push(connection.processId)
          return connection.executeScript("BEGIN; SET search_path = pg_catalog")
        })
      }
      assert.deepStrictEqual(backends, [
        ...Array.from({ length: MAX_USES }, () => backends[0]),
        ...Array.from({ length: MAX_USES }, () => backends[MAX_USES])
      ])
      assert.notStrictEqual(backends[0], backends[MAX_USES])
      yield* assertHealthy(pool)
    })
  )

  it.effect("replaces a connection whose lifetime is over", () =>
    Effect.gen(function* () {
      const applicationName = uniqueName()
      const observer = yield* liveConnection()
      const pool = yield* livePool({ applicationName, maxConnections: 1, maxLifetime: "300 millis" })
      const first = yield* valueOf(pool, BACKEND)
      yield* eventually(backendsOf(observer, applicationName), 0)
      assert.notStrictEqual(yield* valueOf(pool, BACKEND), first)
      yield* pool.withConnection((connection) => connection.execute("SELECT pg_sleep(0.4)"))
      yield* eventually(backendsOf(observer, applicationName), 0)
      yield* assertHealthy(pool)
    })
  )

  it.effect("resets nothing if the borrower has sent nothing", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const pool = yield* livePool({ maxConnections: 1 })
      const backend = yield* valueOf(pool, BACKEND)
      const looks = pool.withConnection((connection) => connection.status)
      assert.deepStrictEqual(yield* Effect.all([looks, looks, looks]), ["open", "open", "open"])
      yield* Effect.sleep("50 millis")
      assert.strictEqual(
        yield* valueOf(observer, "SELECT query FROM pg_stat_activity WHERE pid = $1", [backend]),
        BACKEND
      )
      yield* assertHealthy(pool)
    })
  )

  it.effect("resets what a borrower has done while the previous reset was under way", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      yield* pool.withConnection((connection) => connection.execute("SET search_path = pg_catalog"))
      yield* pool.withConnection((connection) =>
        Effect.forkDetach(connection.execute("SET search_path = information_schema"), { startImmediately: true })
      )
      yield* Effect.sleep("50 millis")
      assert.strictEqual(yield* valueOf(pool, "SHOW search_path"), '"$user", public')
      yield* assertHealthy(pool)
    })
  )
})

/** Makes a pool in a scope that closes at once, for the database of this test. */
const captured = <A, E>(made: Effect.Effect<A, E, TestDatabase | Scope.Scope>) =>
  Effect.map(TestDatabase, (database) => Effect.scoped(Effect.provideService(made, TestDatabase, database)))
