/**
 * Tests that nothing is lost if a fiber acquires it, yields right after, and is interrupted there. Each way to acquire
 * something from a pool is interrupted at every operation of its fiber.
 */
import { assert, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import type * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import {
  assertHealthy,
  backendsOf,
  eventually,
  liveConnection,
  livePool,
  liveSettings,
  uniqueName
} from "../support/live.ts"
import { interruptAtEveryOperation } from "../support/yields.ts"

const PATIENCE = "10 seconds"

type Use = (pool: PgPool.PgPool) => Effect.Effect<unknown, PgError.PgError, Scope.Scope>

const uses: Readonly<Record<string, Use>> = {
  "a query": (pool) => pool.fetch("SELECT 1 AS one"),
  "a script": (pool) => pool.executeScript("SELECT 1; SELECT 2"),
  withConnection: (pool) => pool.withConnection((connection) => connection.fetch("SELECT 1 AS one")),
  "a connection of a scope": (pool) =>
    Effect.flatMap(pool.connection, (connection) => connection.fetch("SELECT 1 AS one")),
  withTransaction: (pool) => pool.withTransaction(pool.fetch("SELECT 1 AS one")),
  begin: (pool) => Effect.flatMap(pool.begin(), (transaction) => transaction.fetch("SELECT 1 AS one")),
  withAdvisoryLock: (pool) => pool.withAdvisoryLock(7, Effect.void),
  withAdvisoryLockIfAvailable: (pool) => pool.withAdvisoryLockIfAvailable(7, Effect.void),
  "a stream": (pool) => Stream.runDrain(pool.stream("SELECT generate_series(1, 3) AS n")),
  "a cursor": (pool) => Effect.flatMap(pool.cursor("SELECT 1 AS one"), (cursor) => cursor.fetch(1)),
  "a batch": (pool) => pool.batch([{ sql: "SELECT 1 AS one" }, { sql: "SELECT 2 AS two" }]),
  executeMany: (pool) => pool.executeMany("SELECT $1::int4", [[1], [2], [3]]),
  "COPY out": (pool) => Stream.runDrain(pool.copyOut({ query: "SELECT generate_series(1, 3)" })),
  "COPY rows out": (pool) => Stream.runDrain(pool.copyOutRows({ query: "SELECT generate_series(1, 3) AS n" })),
  "COPY in": (pool) => pool.copyInRows({ table: "yields" }, [[1], [2], [3]]),
  prepare: (pool) => Effect.flatMap(pool.prepare("SELECT 1 AS one"), (statement) => statement.fetch())
}

const endsProperly = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)

layer(TestDatabase.layer, { excludeTestServices: true })("interrupted at any of its operations,", (it) => {
  for (const isShared of [false, true]) {
    for (const [what, use] of Object.entries(uses)) {
      it.effect(`${what} gives everything back to ${isShared ? "a pool that multiplexes" : "its pool"}`, () =>
        Effect.gen(function* () {
          const pool = yield* livePool({ maxConnections: 1, minConnections: 1, multiplex: isShared })
          yield* pool.executeScript("CREATE TABLE IF NOT EXISTS yields (n int4)")
          yield* Effect.scoped(use(pool))
          const atRest = Effect.map(pool.stats, ({ connecting, idle, size, waiting }) =>
            JSON.stringify({ connecting, inUse: size - idle, waiting })
          )
          const operations = yield* interruptAtEveryOperation(Effect.scoped(use(pool)), (exit, operation) =>
            Effect.gen(function* () {
              assert.isTrue(endsProperly(exit), `operation ${operation}: ${String(exit)}`)
              yield* eventually(atRest, JSON.stringify({ connecting: 0, inUse: 0, waiting: 0 }), 2_000)
              yield* Effect.timeout(pool.fetch("SELECT 1 AS one"), PATIENCE)
            })
          )
          assert.isAbove(operations, 3)
          // Two fibers with the same connection at the same time would share their transactions.
          const alone = pool.withTransaction(Effect.andThen(pool.fetch("SELECT pg_sleep(0.001)"), pool.stats))
          const stats = yield* Effect.all([alone, alone, alone], { concurrency: "unbounded" })
          assert.deepStrictEqual(
            stats.map(({ inUse, size }) => ({ inUse, size })),
            [
              { inUse: 1, size: 1 },
              { inUse: 1, size: 1 },
              { inUse: 1, size: 1 }
            ]
          )
          yield* assertHealthy(pool)
        })
      )
    }
  }

  it.effect("a connection that is being opened leaves no backend", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const applicationName = uniqueName()
      const make = Effect.flatMap(liveSettings({ applicationName }), PgConnection.make)
      yield* interruptAtEveryOperation(Effect.scoped(make), (exit) =>
        Effect.sync(() => assert.isTrue(endsProperly(exit), String(exit)))
      )
      yield* eventually(backendsOf(observer, applicationName), 0)
    })
  )

  it.effect("a reader of notifications leaves no connection", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const applicationName = uniqueName()
      const pool = yield* livePool({ applicationName, maxConnections: 1, minConnections: 1 })
      yield* interruptAtEveryOperation(Effect.scoped(pool.listen("yields")), (exit, operation) =>
        Effect.gen(function* () {
          assert.isTrue(endsProperly(exit), `operation ${operation}: ${String(exit)}`)
          yield* eventually(backendsOf(observer, applicationName), 1, 2_000)
        })
      )
      yield* assertHealthy(pool)
    })
  )

  it.effect("a connection with an advisory lock does not keep it", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const observer = yield* liveConnection()
      for (const lock of [
        connection.withAdvisoryLock(8, Effect.void),
        connection.withAdvisoryLockIfAvailable(8, Effect.void)
      ]) {
        yield* interruptAtEveryOperation(lock, () =>
          eventually(
            Effect.map(
              observer.fetchValue("SELECT count(*)::int4 FROM pg_locks WHERE locktype = 'advisory' AND pid = $1", [
                connection.processId
              ]),
              (count) => JSON.stringify(count)
            ),
            JSON.stringify({ _id: "Option", _tag: "Some", value: 0 })
          )
        )
      }
      yield* assertHealthy(connection)
    })
  )
})
