/**
 * Tests the order of turns on a connection that many fibers use, and what happens to work that a body leaves open or
 * running.
 */
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../src/PgConnection.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, eventually, liveConnection, livePool, refusalOf, valueOf } from "../support/live.ts"
import { makers, table } from "./table.ts"

const PATIENCE = "3 seconds"
const immediately = { startImmediately: true } as const
const FAILURE = "the body's own failure"

/** Four fibers that always have a query unanswered, for the scope. */
const busy = (queryable: PgConnection.Queryable) =>
  Effect.forEach(
    [1, 2, 3, 4],
    (n) =>
      Effect.forkScoped(
        Effect.forever(Effect.ignore(queryable.fetch("SELECT $1::int4 FROM pg_sleep(0.003)", [n]))),
        immediately
      ),
    { discard: true }
  )

/** Fails if it does not end in time. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.timeoutOrElse(effect, { duration: PATIENCE, orElse: () => Effect.die(new Error("it does not end")) })

layer(TestDatabase.layer, { excludeTestServices: true })(
  "a connection whose fibers always have a query under way",
  (it) => {
    const beginnings: ReadonlyArray<
      readonly [string, (connection: PgConnection.PgConnection) => Effect.Effect<unknown, unknown, Scope.Scope>]
    > = [
      ["withTransaction", (connection) => connection.withTransaction(connection.fetch("SELECT 1"))],
      ["begin", (connection) => Effect.flatMap(connection.begin(), (transaction) => transaction.commit)],
      ["cursor", (connection) => Effect.flatMap(connection.cursor("SELECT 1 AS one"), (cursor) => cursor.fetch(1))],
      ["stream", (connection) => Stream.runCollect(connection.stream("SELECT 1 AS one"))],
      ["withAdvisoryLock", (connection) => connection.withAdvisoryLock(4711, connection.fetch("SELECT 1"))]
    ]
    for (const [what, begin] of beginnings) {
      it.effect(`gives ${what} its turn`, () =>
        Effect.gen(function* () {
          const connection = yield* liveConnection()
          yield* Effect.scoped(Effect.andThen(busy(connection), inTime(Effect.scoped(begin(connection)))))
          yield* assertHealthy(connection)
        }).pipe(Effect.scoped)
      )
    }

    for (const [what, begin] of beginnings) {
      it.effect(`lets a fiber go at once that is interrupted before its turn with ${what}`, () =>
        Effect.gen(function* () {
          const connection = yield* liveConnection()
          const slow = yield* Effect.forkChild(connection.fetch("SELECT pg_sleep(60)"), immediately)
          const waiting = yield* Effect.forkChild(Effect.scoped(begin(connection)), immediately)
          yield* inTime(Fiber.interrupt(waiting))
          yield* Fiber.interrupt(slow)
          yield* assertHealthy(connection)
        }).pipe(Effect.scoped)
      )
    }

    it.effect("commits a transaction whose own children go on asking", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const connection = yield* liveConnection()
        const body = Effect.gen(function* () {
          yield* insert(connection, 1)
          yield* busy(connection)
          yield* insert(connection, 2)
        })
        yield* Effect.scoped(inTime(connection.withTransaction(body)))
        assert.deepStrictEqual(yield* numbers, [1, 2])
        yield* assertHealthy(connection)
      }).pipe(Effect.scoped)
    )

    it.effect("answers a query between two transactions that a fiber runs one after the other", () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const transactions = Effect.forever(connection.withTransaction(connection.fetch("SELECT 1")))
            yield* Effect.forkScoped(transactions, immediately)
            for (let n = 0; n < 20; n++) {
              assert.strictEqual(yield* inTime(valueOf(connection, "SELECT $1::int4", [n])), n)
            }
          })
        )
        yield* assertHealthy(connection)
      }).pipe(Effect.scoped)
    )

    it.effect("serves waiting fibers in their order", () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        const order: Array<string> = []
        const end = yield* Deferred.make<void>()
        const body = Effect.andThen(connection.fetch("SELECT 1"), Deferred.await(end))
        const held = yield* Effect.forkChild(connection.withTransaction(body), immediately)
        yield* eventually(connection.transactionStatus, "inTransaction")
        const asking = (what: string, ask: Effect.Effect<unknown, unknown>) =>
          Effect.forkChild(
            Effect.andThen(
              ask,
              Effect.sync(() => order.push(what))
            ),
            immediately
          )
        const query = connection.fetch("SELECT 1")
        const waiting = [
          yield* asking("query", query),
          yield* asking("transaction", connection.withTransaction(query)),
          yield* asking("second query", query),
          yield* asking("second transaction", connection.withTransaction(query))
        ]
        yield* Deferred.succeed(end, undefined)
        yield* inTime(Fiber.joinAll([held, ...waiting]))
        assert.deepStrictEqual(order, ["query", "transaction", "second query", "second transaction"])
        yield* assertHealthy(connection)
      }).pipe(Effect.scoped)
    )

    it.effect("goes on if a fiber is interrupted that had its turn or waited for it", () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        const slow = yield* Effect.forkChild(connection.fetch("SELECT pg_sleep(0.1)"), immediately)
        const first = yield* Effect.forkChild(connection.withTransaction(Effect.void), immediately)
        const second = yield* Effect.forkChild(connection.withTransaction(Effect.void), immediately)
        const query = yield* Effect.forkChild(valueOf(connection, "SELECT 7"), immediately)
        yield* Fiber.interrupt(second)
        yield* Fiber.interrupt(first)
        assert.strictEqual(yield* inTime(Fiber.join(query)), 7)
        yield* Fiber.join(slow)
        yield* assertHealthy(connection)
      }).pipe(Effect.scoped)
    )
  }
)

for (const [what, make] of makers) {
  layer(TestDatabase.layer, { excludeTestServices: true })(
    `work that the body of a transaction of ${what} leaves`,
    (it) => {
      it.effect("is rolled back with it, and refuses calls, if it is a transaction of an outer scope", () =>
        Effect.gen(function* () {
          const { insert, numbers } = yield* table
          const pg = yield* make
          const scope = yield* Scope.make()
          const left = yield* inTime(
            pg.withTransaction(
              Effect.gen(function* () {
                yield* insert(pg, 1)
                const transaction = yield* Scope.provide(pg.begin(), scope)
                yield* insert(transaction, 2)
                return transaction
              })
            )
          )
          assert.deepStrictEqual(yield* numbers, [1])
          assert.strictEqual((yield* refusalOf(left.commit))._tag, "TransactionClosedError")
          yield* Scope.close(scope, Exit.void)
          yield* assertHealthy(pg)
        }).pipe(Effect.scoped)
      )

      it.effect("does not delay its end, or that of a lock, if it is an open cursor of an outer scope", () =>
        Effect.gen(function* () {
          const { insert, numbers, observer } = yield* table
          const pg = yield* make
          const scope = yield* Scope.make()
          const open = Scope.provide(pg.cursor("SELECT generate_series(1, 9) AS i"), scope)
          const cursor = yield* inTime(pg.withTransaction(Effect.andThen(insert(pg, 1), open)))
          assert.deepStrictEqual(yield* numbers, [1])
          assert.isTrue(Exit.isFailure(yield* Effect.exit(cursor.fetch(1))))
          yield* inTime(pg.withAdvisoryLock(4712, open))
          // A cursor that only reads loses nothing if its connection is gone, and reports nothing.
          yield* eventually(valueOf(observer, "SELECT count(*)::int4 FROM pg_locks WHERE objid = 4712"), 0)
          yield* inTime(Scope.close(scope, Exit.void))
          yield* assertHealthy(pg)
        }).pipe(Effect.scoped)
      )

      it.effect("is canceled with a typed error if it is running when the body fails, and no connection is lost", () =>
        Effect.gen(function* () {
          const { insert, numbers } = yield* table
          const pg = yield* make
          const backend = yield* valueOf(pg, "SELECT pg_backend_pid()")
          for (const depth of [1, 2]) {
            const body = Effect.gen(function* () {
              yield* insert(pg, 1)
              const left = yield* Effect.forkDetach(pg.fetch("SELECT pg_sleep(60)"), immediately)
              yield* Effect.sleep("20 millis")
              return yield* Effect.fail(left)
            })
            const began = performance.now()
            const inner = depth === 1 ? body : pg.withTransaction(body)
            const left = yield* Effect.flip(pg.withTransaction(inner))
            assert.isBelow(performance.now() - began, 500)
            if (!Fiber.isFiber(left)) return assert.fail(String(left))
            const exit = yield* inTime(Fiber.await(left))
            assert.include(String(exit), "TransactionClosedError")
            assert.deepStrictEqual(yield* numbers, [])
            assert.strictEqual(yield* valueOf(pg, "SELECT pg_backend_pid()"), backend)
            yield* assertHealthy(pg)
          }
        }).pipe(Effect.scoped)
      )

      it.effect("is read to its end if it is a stream that is pulled inside a savepoint", () =>
        Effect.gen(function* () {
          const pg = yield* make
          const rows = yield* inTime(
            pg.withTransaction(
              Effect.gen(function* () {
                const pull = yield* Stream.toPull(pg.stream("SELECT generate_series(1, 5) AS i", [], { fetchSize: 2 }))
                const first = yield* pull
                const second = yield* pg.withTransaction(pull)
                yield* Effect.ignore(pg.withTransaction(Effect.fail(FAILURE)))
                return [...first, ...second, ...(yield* pull)].map(({ i }) => i)
              }).pipe(Effect.scoped)
            )
          )
          assert.deepStrictEqual(rows, [1, 2, 3, 4, 5])
          yield* assertHealthy(pg)
        }).pipe(Effect.scoped)
      )
    }
  )
}

layer(TestDatabase.layer, { excludeTestServices: true })("a pool of one", (it) => {
  it.effect("has its connection again when a transaction by hand is ended, before its scope closes", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1, acquireTimeout: "2 seconds" })
      for (const end of ["commit", "rollback"] as const) {
        const transaction = yield* pool.begin()
        yield* transaction[end]
        assert.strictEqual(yield* valueOf(pool, "SELECT 7"), 7)
        assert.strictEqual((yield* refusalOf(transaction.fetch("SELECT 1")))._tag, "TransactionClosedError")
      }
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})
