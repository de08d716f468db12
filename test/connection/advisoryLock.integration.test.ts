/**
 * Tests advisory locks as scoped values: who holds one, on which connection, and that it is released however its effect
 * ends.
 */
import { assert, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
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

type Made = Effect.Effect<PgConnection.Queryable, PgError.PgError, TestDatabase | Scope.Scope>

const makers: ReadonlyArray<readonly [string, Made]> = [
  ["a connection", liveConnection()],
  ["a pool of one", livePool({ maxConnections: 1 })],
  ["a pool that multiplexes", livePool({ maxConnections: 2, multiplex: true })]
]

/** A condition for the locks of this database. */
const HERE = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"

/** How many sessions hold advisory locks in this database, or wait for one. */
const locks = (observer: PgConnection.Queryable, isGranted: boolean) =>
  valueOf(
    observer,
    `SELECT count(*)::int4 FROM pg_locks WHERE locktype = 'advisory' AND granted = $1
     AND ${HERE}`,
    [isGranted]
  )

const held = (observer: PgConnection.Queryable) => locks(observer, true)
const backendOf = (pg: PgConnection.Queryable) => valueOf(pg, "SELECT pg_backend_pid()")

const KEY = -(2n ** 63n)

for (const [what, make] of makers) {
  layer(TestDatabase.layer, { excludeTestServices: true })(`an advisory lock of ${what}`, (it) => {
    it.effect("is held exactly while its effect runs, for keys of both kinds", () =>
      Effect.gen(function* () {
        const observer = yield* liveConnection()
        const pg = yield* make
        for (const key of [7, KEY, [-2147483648, 2147483647]] as const) {
          const inside = Effect.all([held(observer), observer.withAdvisoryLockIfAvailable(key, Effect.void)])
          assert.deepStrictEqual(yield* pg.withAdvisoryLock(key, inside), [1, Option.none()])
          assert.deepStrictEqual(yield* pg.withAdvisoryLockIfAvailable(key, held(observer)), Option.some(1))
          assert.strictEqual(yield* held(observer), 0)
        }
        yield* assertHealthy(pg)
      })
    )

    it.effect("is released if its effect fails, dies or is interrupted, and the exit is that of the effect", () =>
      Effect.gen(function* () {
        const observer = yield* liveConnection()
        const pg = yield* make
        const endings: ReadonlyArray<
          readonly [Effect.Effect<never, string>, (cause: Cause.Cause<unknown>) => boolean]
        > = [
          [Effect.fail("no"), (cause) => Cause.squash(cause) === "no"],
          [Effect.die("no"), Cause.hasDies],
          [Effect.interrupt, Cause.hasInterruptsOnly]
        ]
        for (const [ending, isSame] of endings) {
          const exit = yield* Effect.exit(pg.withAdvisoryLock(KEY, ending))
          if (Exit.isSuccess(exit)) return assert.fail("it succeeded")
          assert.isTrue(isSame(exit.cause), String(exit))
          assert.strictEqual(yield* held(observer), 0)
        }
        const refusal = yield* refusalOf(pg.withAdvisoryLock(KEY, pg.execute("SELECT 1 / 0")))
        assert.strictEqual(refusal._tag, "DivisionByZeroError")
        assert.strictEqual(yield* held(observer), 0)
        yield* assertHealthy(pg)
      })
    )

    it.effect("is released if its effect is interrupted in the middle of a query", () =>
      Effect.gen(function* () {
        const observer = yield* liveConnection()
        const pg = yield* make
        const fiber = yield* Effect.forkChild(pg.withAdvisoryLock(KEY, pg.execute("SELECT pg_sleep(60)")))
        yield* eventually(held(observer), 1)
        yield* Fiber.interrupt(fiber)
        // The fiber leaves within the grace; on a slow machine the server may answer the unlock a little later.
        yield* eventually(held(observer), 0)
        yield* assertHealthy(pg)
      })
    )

    it.effect("is waited for no longer than its timeout, and not after an interruption", () =>
      Effect.gen(function* () {
        const observer = yield* liveConnection()
        const holder = yield* liveConnection()
        const pg = yield* make
        yield* holder.withAdvisoryLock(
          KEY,
          Effect.gen(function* () {
            const refusal = yield* refusalOf(pg.withAdvisoryLock(KEY, Effect.void, { timeout: "20 millis" }))
            assert.strictEqual(refusal._tag, "QueryTimeoutError")
            const waiting = yield* Effect.forkChild(pg.withAdvisoryLock(KEY, Effect.void))
            yield* eventually(locks(observer, false), 1)
            yield* Fiber.interrupt(waiting)
            yield* eventually(locks(observer, false), 0)
            yield* assertHealthy(pg)
          })
        )
        assert.strictEqual(yield* held(observer), 0)
      })
    )

    it.effect("gives its effect the connection that holds it, with transactions on that connection", () =>
      Effect.gen(function* () {
        const observer = yield* liveConnection()
        const pg = yield* make
        // Other tests have locks in their databases.
        const owner = valueOf(observer, `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND ${HERE}`)
        const committed: Array<string> = []
        const inside = Effect.gen(function* () {
          assert.strictEqual(yield* backendOf(pg), yield* owner)
          yield* pg.withTransaction(
            Effect.gen(function* () {
              assert.strictEqual(yield* backendOf(pg), yield* owner)
              yield* pg.afterCommit(Effect.sync(() => committed.push("in the transaction")))
              yield* pg.withTransaction(pg.execute("SELECT 1"))
            }),
            { isolation: "serializable" }
          )
          yield* pg.afterCommit(Effect.sync(() => committed.push("outside of it")))
          // One session may hold a lock more than once.
          yield* pg.withAdvisoryLock(KEY, Effect.void)
          assert.strictEqual(yield* held(observer), 1)
          const handle = yield* Effect.scoped(Effect.flatMap(pg.begin(), (transaction) => backendOf(transaction)))
          assert.strictEqual(handle, yield* owner)
        })
        yield* pg.withAdvisoryLock(KEY, inside)
        assert.deepStrictEqual(committed, ["in the transaction", "outside of it"])
        assert.strictEqual(yield* held(observer), 0)
        yield* assertHealthy(pg)
      })
    )

    it.effect("belongs to the transaction inside one: it is held until COMMIT or ROLLBACK", () =>
      Effect.gen(function* () {
        const observer = yield* liveConnection()
        const pg = yield* make
        const inside = Effect.gen(function* () {
          yield* pg.withAdvisoryLock(KEY, Effect.void)
          assert.deepStrictEqual(yield* pg.withAdvisoryLockIfAvailable(8, Effect.succeed("x")), Option.some("x"))
          return yield* held(observer)
        })
        assert.strictEqual(yield* pg.withTransaction(inside), 2)
        assert.strictEqual(yield* held(observer), 0)
        const failing = pg.withTransaction(pg.withAdvisoryLock(KEY, pg.execute("SELECT 1 / 0")))
        assert.strictEqual((yield* refusalOf(failing))._tag, "DivisionByZeroError")
        assert.strictEqual(yield* held(observer), 0)
        yield* assertHealthy(pg)
      })
    )

    it.effect("refuses a key that the server cannot have, and runs nothing", () =>
      Effect.gen(function* () {
        const pg = yield* make
        for (const key of [2n ** 63n, 1.5, NaN, [1, 2 ** 31]] as const) {
          const refusal = yield* refusalOf(pg.withAdvisoryLock(key, Effect.die("it has run")))
          assert.strictEqual(refusal._tag, "EncodeError")
        }
        yield* assertHealthy(pg)
      })
    )
  })
}

layer(TestDatabase.layer, { excludeTestServices: true })("advisory locks", (it) => {
  it.effect("let one holder in after the other", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 4 })
      let inside = 0
      let most = 0
      const work = Effect.gen(function* () {
        inside++
        most = Math.max(most, inside)
        yield* pool.execute("SELECT pg_sleep(0.01)")
        inside--
      })
      const calls = Array.from({ length: 8 }, () => pool.withAdvisoryLock(KEY, work))
      yield* Effect.all(calls, { concurrency: "unbounded" })
      assert.strictEqual(most, 1)
    })
  )

  it.effect("are held together by fibers of one connection, because the session holds them", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const [first, second] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const meeting = (mine: Deferred.Deferred<void>, other: Deferred.Deferred<void>) =>
        connection.withAdvisoryLock(
          KEY,
          Effect.andThen(Deferred.succeed(mine, undefined), () => Deferred.await(other))
        )
      yield* Effect.all([meeting(first, second), meeting(second, first)], { concurrency: 2 })
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("may be held by many at once if they are shared, and then by none alone", () =>
    Effect.gen(function* () {
      const [one, two, other] = [yield* liveConnection(), yield* liveConnection(), yield* liveConnection()]
      const both = one.withAdvisoryLock(
        KEY,
        two.withAdvisoryLock(KEY, other.withAdvisoryLockIfAvailable(KEY, Effect.void), { shared: true }),
        { shared: true }
      )
      assert.deepStrictEqual(yield* both, Option.none())
      assert.deepStrictEqual(yield* other.withAdvisoryLockIfAvailable(KEY, Effect.succeed(1)), Option.some(1))
    })
  )

  it.effect("are held until everything that their effect has left running is over, however long that takes", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const pool = yield* livePool({ maxConnections: 1, cancelTimeout: "50 millis" })
      const sleep = pool.fetchValue("SELECT pg_sleep(0.3)::text")
      const sleeping = yield* pool.withAdvisoryLock(KEY, Effect.forkChild(sleep, { startImmediately: true }))
      assert.strictEqual(yield* held(observer), 0)
      assert.deepStrictEqual(yield* Fiber.join(sleeping), Option.some(""))
      yield* assertHealthy(pool)
    })
  )

  it.effect("are lost with their connection, and the effects that run under them end", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const pool = yield* livePool({ maxConnections: 2 })
      const locked = yield* Deferred.make<number>()
      const killed = yield* Deferred.make<void>()
      const inside = Effect.gen(function* () {
        yield* Deferred.succeed(locked, Number(yield* backendOf(pool)))
        yield* Deferred.await(killed)
        yield* pool.execute("SELECT 1")
      })
      const fiber = yield* Effect.forkChild(pool.withAdvisoryLock(KEY, inside))
      yield* killBackend(observer, yield* Deferred.await(locked))
      yield* Deferred.succeed(killed, undefined)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(yield* pool.withAdvisoryLockIfAvailable(KEY, Effect.succeed(1)), Option.some(1))
      yield* assertHealthy(pool)
    })
  )

  it.effect("close their connection if its own transaction prevents their release", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const connection = yield* liveConnection()
      const inside = Effect.andThen(connection.execute("BEGIN"), connection.execute("SELECT 1 / 0"))
      const refusal = yield* refusalOf(connection.withAdvisoryLock(KEY, inside))
      assert.strictEqual(refusal._tag, "DivisionByZeroError")
      const { reason } = yield* connection.awaitClosed
      assert.match(reason.message, /advisory lock could not be released/)
      yield* eventually(held(observer), 0)
    })
  )
})
