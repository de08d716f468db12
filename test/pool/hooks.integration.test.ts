/** Tests the hooks that a pool runs during a connection's life: how often, in which order, and what a failure does. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as PgConnection from "../../src/PgConnection.ts"
import * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import {
  assertHealthy,
  backendsOf,
  eventually,
  liveConnection,
  liveSettings,
  uniqueName,
  valueOf
} from "../support/live.ts"

const CONNECTIONS = 5
const BORROWINGS = 10

/** A pool with its hooks, whose connections other sessions can count. */
const poolWith = (hooks: PgPool.Hooks, maxConnections = 1) =>
  Effect.gen(function* () {
    const applicationName = uniqueName()
    const settings = yield* liveSettings({ applicationName, minConnections: 0, maxConnections })
    return { applicationName, pool: yield* PgPool.make({ ...settings, ...hooks }) }
  })

const failure = new PgError.UnsupportedError({ feature: "this hook", instead: "it fails on purpose", sql: "" })

/** Remembers the backends on which it was run, and fails in the given runs, counted from 1. */
const hook = (...failsIn: ReadonlyArray<number>) => {
  const backends: Array<number> = []
  return {
    backends,
    run: (connection: PgConnection.PgConnection) =>
      Effect.suspend(() => {
        backends.push(connection.processId)
        return failsIn.includes(backends.length) ? Effect.fail(failure) : Effect.void
      })
  }
}

layer(TestDatabase.layer, { excludeTestServices: true })("the hooks of a pool", (it) => {
  it.effect("are run once for each connection, and once for each borrowing and each return", () =>
    Effect.gen(function* () {
      const [init, setup, reset] = [hook(), hook(), hook()]
      let connects = 0
      const onConnect = Effect.sync(() => {
        connects++
        return {}
      })
      const { pool } = yield* poolWith({ onConnect, init: init.run, setup: setup.run, reset: reset.run }, CONNECTIONS)
      const gate = yield* Latch.make(false)
      let holders = 0
      const borrow = pool.withConnection(() =>
        Effect.suspend(() => (++holders === CONNECTIONS ? gate.open : gate.await))
      )
      yield* Effect.all(
        Array.from({ length: BORROWINGS }, () => borrow),
        { concurrency: "unbounded" }
      )
      yield* eventually(
        Effect.sync(() => reset.backends.length),
        BORROWINGS
      )
      assert.strictEqual(connects, CONNECTIONS)
      assert.strictEqual(init.backends.length, CONNECTIONS)
      assert.strictEqual(new Set(init.backends).size, CONNECTIONS)
      assert.strictEqual(setup.backends.length, BORROWINGS)
      assert.deepStrictEqual(setup.backends.toSorted(), reset.backends.toSorted())
      yield* assertHealthy(pool)
    })
  )

  it.effect("are run before and after the borrower, each after the one before it has ended", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const note = (what: string) => (connection: PgConnection.PgConnection) =>
        Effect.map(connection.execute("SELECT pg_sleep(0.005)"), () => void order.push(what))
      const { pool } = yield* poolWith({
        onConnect: Effect.sync(() => {
          order.push("onConnect")
          return {}
        }),
        init: note("init"),
        setup: note("setup"),
        reset: note("reset")
      })
      yield* pool.withConnection(note("borrower"))
      yield* Effect.scoped(Effect.flatMap(pool.connection, note("scope")))
      yield* pool.withTransaction(Effect.sync(() => void order.push("transaction")))
      yield* pool.execute("SELECT 1")
      yield* eventually(
        Effect.sync(() => order.join(" ")),
        "onConnect init setup borrower reset setup scope reset setup transaction reset setup reset"
      )
    })
  )

  it.effect("give each new connection settings of its own", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      let connects = 0
      const names = [uniqueName(), uniqueName()]
      const onConnect = Effect.sync(() => ({ applicationName: names[connects++]! }))
      const { pool } = yield* poolWith({ onConnect })
      for (const name of names) {
        assert.strictEqual(yield* valueOf(pool, "SHOW application_name"), name)
        assert.strictEqual(yield* backendsOf(observer, name), 1)
        yield* pool.expire
      }
    })
  )

  it.effect("make settings at init that outlive the borrower's settings, and at setup settings for the borrower", () =>
    Effect.gen(function* () {
      const { pool } = yield* poolWith({
        init: (connection) => connection.execute("SET search_path = 'it''s', \"a\\b\""),
        setup: (connection) => connection.execute("SET statement_timeout = '7s'")
      })
      const found = Effect.all([valueOf(pool, "SHOW search_path"), valueOf(pool, "SHOW statement_timeout")])
      const expected = yield* found
      assert.strictEqual(expected[1], "7s")
      assert.notStrictEqual(expected[0], '"$user", public')
      yield* pool.withConnection((connection) =>
        connection.executeScript("SET search_path = pg_catalog; SET statement_timeout = '1s'")
      )
      assert.deepStrictEqual(yield* found, expected)
    })
  )

  it.effect("replace the pool's own reset", () =>
    Effect.gen(function* () {
      const { pool } = yield* poolWith({ reset: (connection) => connection.execute("SET search_path = pg_catalog") })
      yield* pool.withConnection((connection) =>
        connection.executeScript("SET search_path = information_schema; SET statement_timeout = '7s'")
      )
      assert.strictEqual(yield* valueOf(pool, "SHOW search_path"), "pg_catalog")
      assert.strictEqual(yield* valueOf(pool, "SHOW statement_timeout"), "7s")
    })
  )

  it.effect("fail if they use a connection that they have kept", () =>
    Effect.gen(function* () {
      const kept: Array<PgConnection.PgConnection> = []
      const keep = (connection: PgConnection.PgConnection) => Effect.sync(() => void kept.push(connection))
      const { pool } = yield* poolWith({ init: keep, reset: keep })
      yield* pool.withConnection(() => Effect.void)
      yield* assertHealthy(pool)
      assert.isAtLeast(kept.length, 2)
      for (const connection of kept) {
        assert.strictEqual((yield* Effect.flip(connection.fetch("SELECT 1")))._tag, "ConnectionLostError")
      }
    })
  )

  it.effect("fail the waiting callers if a connection cannot be opened with them, and leave no backend", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const init = hook(1)
      let connects = 0
      const onConnect = Effect.suspend(() => (++connects === 1 ? Effect.fail(failure) : Effect.succeed({})))
      const { applicationName, pool } = yield* poolWith({ onConnect, init: init.run })
      const borrow = pool.withConnection(() => Effect.void)
      // The first attempt does not reach a backend; the second has a backend that cannot be used.
      for (const backends of [0, 1]) {
        assert.strictEqual(yield* Effect.flip(borrow), failure)
        assert.strictEqual(init.backends.length, backends)
        yield* eventually(backendsOf(observer, applicationName), 0)
      }
      yield* assertHealthy(pool)
      assert.strictEqual(init.backends.length, 2)
      assert.notStrictEqual(yield* valueOf(pool, "SELECT pg_backend_pid()"), init.backends[0])
    })
  )

  it.effect("fail the pool or the waiting callers with what they throw, and leave no backend", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const boom = new Error("the hook has thrown")
      const { applicationName, pool } = yield* poolWith({ init: () => Effect.die(boom) })
      for (const call of [
        pool.withConnection(() => Effect.void),
        PgPool.make({ ...(yield* liveSettings()), init: () => Effect.die(boom) })
      ]) {
        assert.deepStrictEqual(yield* Effect.exit(Effect.timeout(call, "5 seconds")), Exit.die(boom))
      }
      yield* eventually(backendsOf(observer, applicationName), 0)
      assert.strictEqual((yield* pool.stats).connecting, 0)
    })
  )

  it.effect("close the connection if setup throws or is interrupted", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      for (const setup of [() => Effect.die(new Error("the hook has thrown")), () => Effect.interrupt]) {
        const { applicationName, pool } = yield* poolWith({ setup })
        assert.isTrue(Exit.isFailure(yield* Effect.exit(pool.execute("SELECT 1"))))
        yield* eventually(backendsOf(observer, applicationName), 0)
      }
    })
  )

  it.effect("fail the borrower with the failure of setup, and close the connection", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const setup = hook(1, 2, 3, 4)
      const { applicationName, pool } = yield* poolWith({ setup: setup.run })
      const calls = [
        pool.withConnection(() => Effect.die(new Error("the borrower has it"))),
        Effect.scoped(Effect.andThen(pool.connection, Effect.die(new Error("the borrower has it")))),
        pool.withTransaction(Effect.die(new Error("the borrower has it"))),
        pool.execute("SELECT 1")
      ]
      for (const call of calls) {
        assert.strictEqual(yield* Effect.flip(call), failure)
        yield* eventually(backendsOf(observer, applicationName), 0)
      }
      yield* assertHealthy(pool)
      assert.strictEqual(new Set(setup.backends).size, calls.length + 1)
    })
  )

  it.effect("close the connection if reset fails, and report that to no caller", () =>
    Effect.gen(function* () {
      const reset = hook(1)
      const { applicationName, pool } = yield* poolWith({ reset: reset.run })
      const backends = yield* Effect.all(
        Array.from({ length: 3 }, () => pool.withConnection(({ processId }) => Effect.succeed(processId)))
      )
      assert.strictEqual(new Set(backends).size, 2)
      assert.notStrictEqual(backends[1], backends[0])
      assert.strictEqual(yield* backendsOf(yield* liveConnection(), applicationName), 1)
      yield* assertHealthy(pool)
    })
  )
})
