/**
 * Tests what a transaction runs after its end: which connection it can use by then, and what happens if it goes wrong.
 */
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import type * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import {
  assertHealthy,
  eventually,
  killBackend,
  liveConnection,
  livePool,
  refusalOf,
  valueOf
} from "../support/live.ts"
import { table } from "./table.ts"

const FAILURE = "the body's own failure"

/** A pool that can serve no caller while a transaction has its connection. */
const poolOfOne = livePool({ maxConnections: 1, acquireTimeout: "2 seconds" })

const inUse = (pool: PgPool.PgPool) => Effect.map(pool.stats, (stats) => stats.inUse)

const assertAllBack = (pool: PgPool.PgPool) =>
  Effect.gen(function* () {
    yield* assertHealthy(pool)
    yield* eventually(inUse(pool), 0)
  })

const took = <E>(ending: Effect.Effect<unknown, E>): Effect.Effect<number, E> =>
  Effect.suspend(() => {
    const began = performance.now()
    return Effect.map(ending, () => performance.now() - began)
  })

/** A table whose rows take long to commit. */
const slowToCommit = (seconds: number) =>
  Effect.gen(function* () {
    const made = yield* table
    yield* made.observer.executeScript(`
      CREATE FUNCTION wait_${made.name}() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(${seconds}); RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON ${made.name} DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait_${made.name}()`)
    return made
  })

layer(TestDatabase.layer, { excludeTestServices: true })("a callback after a transaction", (it) => {
  it.effect("has the connection of a pool of one, however the transaction ended", () =>
    Effect.gen(function* () {
      const { insert, numbers } = yield* table
      const pool = yield* poolOfOne
      const seen: Array<unknown> = []
      const note = Effect.gen(function* () {
        seen.push([yield* inUse(pool), yield* valueOf(pool, "SELECT 7")])
      }).pipe(Effect.orDie)
      yield* pool.withTransaction(Effect.andThen(insert(pool, 1), pool.afterCommit(note)))
      yield* Effect.ignore(pool.withTransaction(Effect.andThen(pool.afterRollback(note), Effect.fail(FAILURE))))
      for (const end of ["commit", "rollback"] as const) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const transaction = yield* pool.begin()
            yield* transaction.withTransaction(transaction.afterCommit(note))
            yield* transaction.withTransaction(transaction.afterRollback(note))
            yield* transaction[end]
          })
        )
      }
      assert.deepStrictEqual(seen, [
        [0, 7],
        [0, 7],
        [0, 7],
        [0, 7]
      ])
      assert.deepStrictEqual(yield* numbers, [1])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("runs after the transaction of a handle, if the handle is asked for it", () =>
    Effect.gen(function* () {
      const { insert, numbers } = yield* table
      const pool = yield* poolOfOne
      const seen: Array<unknown> = []
      const note = (what: string) => Effect.map(Effect.orDie(numbers), (found) => void seen.push([what, found]))
      for (const end of ["commit", "rollback"] as const) {
        const transaction = yield* pool.begin()
        yield* transaction.afterCommit(note("committed"))
        yield* transaction.afterRollback(note("rolled back"))
        yield* insert(transaction, end === "commit" ? 1 : 2)
        yield* transaction[end]
      }
      assert.deepStrictEqual(seen, [
        ["committed", [1]],
        ["rolled back", [1]]
      ])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("holds nothing up and undoes nothing if it dies, and the log reports it", () =>
    Effect.gen(function* () {
      const { insert, numbers } = yield* table
      const pool = yield* poolOfOne
      const ran: Array<string> = []
      const logged: Array<string> = []
      const logger = Logger.make(({ cause, logLevel, message }) => void logged.push(`${logLevel} ${message} ${cause}`))
      const note = (what: string) => pool.afterCommit(Effect.sync(() => void ran.push(what)))
      const body = Effect.gen(function* () {
        yield* insert(pool, 1)
        yield* note("first")
        yield* pool.afterCommit(Effect.die(new Error("no such mailbox")))
        yield* note("last")
        return "done"
      })
      assert.strictEqual(yield* pool.withTransaction(body).pipe(Effect.provide(Logger.layer([logger]))), "done")
      assert.deepStrictEqual(ran, ["first", "last"])
      assert.deepStrictEqual(yield* numbers, [1])
      assert.strictEqual(logged.length, 1)
      assert.match(logged[0] ?? "", /^Error a callback of afterCommit .*no such mailbox/s)
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("can be interrupted", () =>
    Effect.gen(function* () {
      const { insert, numbers } = yield* table
      const pool = yield* poolOfOne
      const body = Effect.andThen(insert(pool, 1), pool.afterCommit(Effect.never))
      const fiber = yield* Effect.forkChild(pool.withTransaction(body), { startImmediately: true })
      yield* eventually(
        Effect.map(numbers, (found) => String(found)),
        "1"
      )
      const began = performance.now()
      yield* Fiber.interrupt(fiber)
      assert.isBelow(performance.now() - began, 300)
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("runs although the fiber was interrupted, if the COMMIT was done by then", () =>
    Effect.gen(function* () {
      const { insert, numbers } = yield* slowToCommit(0.1)
      const pool = yield* poolOfOne
      const ran: Array<unknown> = []
      const note = Effect.map(Effect.orDie(valueOf(pool, "SELECT 7")), (value) => void ran.push(value))
      const body = Effect.andThen(insert(pool, 1), pool.afterCommit(note))
      const fiber = yield* Effect.forkChild(pool.withTransaction(body), { startImmediately: true })
      yield* eventually(valueOf(pool, "SELECT 1").pipe(Effect.timeoutOption(5), Effect.as(true)), true)
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([yield* numbers, ran], [[1], [7]])
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("delays no interrupted fiber and no closing scope, however long it takes", () =>
    Effect.gen(function* () {
      const pool = yield* poolOfOne
      let ran = 0
      const slow = Effect.andThen(
        Effect.sleep("1 second"),
        Effect.sync(() => ran++)
      )
      const begun = yield* Deferred.make<void>()
      const body = pool.afterRollback(slow).pipe(Effect.andThen(Deferred.succeed(begun, undefined)))
      const fiber = yield* Effect.forkChild(pool.withTransaction(Effect.andThen(body, Effect.never)))
      yield* Deferred.await(begun)
      assert.isBelow(yield* took(Fiber.interrupt(fiber)), 600)
      const scope = yield* Scope.make()
      const transaction = yield* Scope.provide(pool.begin(), scope)
      yield* transaction.afterRollback(slow)
      assert.isBelow(yield* took(Scope.close(scope, Exit.void)), 600)
      assert.strictEqual(ran, 0)
      yield* eventually(
        Effect.sync(() => ran),
        2
      )
      yield* assertAllBack(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("does not run, whether for a commit or a rollback, if the outcome is unknown", () =>
    Effect.gen(function* () {
      const { insert, observer } = yield* slowToCommit(60)
      const connection = yield* liveConnection()
      const ran: Array<string> = []
      const after = Effect.andThen(
        connection.afterCommit(Effect.sync(() => void ran.push("committed"))),
        connection.afterRollback(Effect.sync(() => void ran.push("rolled back")))
      )
      const body = Effect.andThen(after, insert(connection, 1))
      const fiber = yield* Effect.forkChild(connection.withTransaction(body), { startImmediately: true })
      yield* eventually(
        valueOf(observer, "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1", [connection.processId]),
        true
      )
      yield* killBackend(observer, connection.processId)
      const refusal = yield* refusalOf(Fiber.join(fiber))
      assert.strictEqual(refusal._tag, "CommitOutcomeUnknownError")
      assert.deepStrictEqual(ran, [])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(connection.fetch("SELECT 1"))))
    }).pipe(Effect.scoped)
  )
})
