/** Tests a transaction that is begun and ended by hand: which calls belong to it, and what its end does. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as PgTransaction from "../../src/PgTransaction.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, livePool, refusalOf, valueOf } from "../support/live.ts"
import { makers, table } from "./table.ts"

/** Every call of a handle. */
const callsOf = (handle: PgTransaction.Transaction) => [
  handle.fetch("SELECT 1"),
  handle.executeScript("SELECT 1"),
  handle.withTransaction(Effect.void),
  Effect.scoped(handle.begin()),
  handle.commit,
  handle.rollback
]

const FAILURE = "the body's own failure"

for (const [what, make] of makers) {
  layer(TestDatabase.layer, { excludeTestServices: true })(`a transaction of ${what} that is ended by hand`, (it) => {
    it.effect("is visible to others after it is committed, and not before", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        const transaction = yield* pg.begin()
        yield* insert(transaction, 1)
        assert.deepStrictEqual(yield* numbers, [])
        yield* transaction.commit
        assert.deepStrictEqual(yield* numbers, [1])
        yield* assertHealthy(pg)
      }).pipe(Effect.scoped)
    )

    it.effect("leaves nothing after it is rolled back", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        const transaction = yield* pg.begin()
        yield* insert(transaction, 1)
        yield* transaction.rollback
        assert.deepStrictEqual(yield* numbers, [])
        yield* assertHealthy(pg)
      }).pipe(Effect.scoped)
    )

    it.effect("refuses everything after its end, of either kind", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        for (const [end, survivors, reason] of [
          ["commit", [1], "committed"],
          ["rollback", [1], "rolled back"]
        ] as const) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const transaction = yield* pg.begin()
              yield* insert(transaction, 1)
              yield* transaction[end]
              for (const call of callsOf(transaction)) {
                const error = yield* refusalOf(call)
                if (error._tag !== "TransactionClosedError") return assert.fail(String(error))
                assert.include(error.message, reason)
              }
            })
          )
          assert.deepStrictEqual(yield* numbers, survivors)
          yield* assertHealthy(pg)
        }
      })
    )

    it.effect("is rolled back with its scope if it was not ended", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        for (const ending of [Exit.void, Exit.fail(FAILURE), Exit.die(FAILURE)]) {
          const scope = yield* Scope.make()
          const transaction = yield* pg.begin().pipe(Scope.provide(scope))
          yield* insert(transaction, 1)
          yield* Scope.close(scope, ending)
          assert.deepStrictEqual(yield* numbers, [])
          for (const call of callsOf(transaction)) {
            assert.strictEqual((yield* refusalOf(call))._tag, "TransactionClosedError")
          }
          yield* assertHealthy(pg)
        }
      })
    )

    it.effect("is a savepoint inside withTransaction, and accepts no options there", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        const body = Effect.gen(function* () {
          yield* insert(pg, 1)
          const undone = yield* pg.begin()
          yield* insert(undone, 2)
          yield* undone.rollback
          const kept = yield* pg.begin()
          yield* insert(kept, 3)
          yield* kept.commit
          yield* insert(yield* pg.begin().pipe(Scope.provide(yield* Effect.scope)), 4)
        })
        yield* pg.withTransaction(Effect.scoped(body))
        assert.deepStrictEqual(yield* numbers, [1, 3])

        const wrong: ReadonlyArray<PgTransaction.Options> = [
          { isolation: "serializable" },
          { access: "read only" },
          { deferrable: true },
          { trackOutcome: true }
        ]
        for (const options of wrong) {
          const refused = pg.withTransaction(Effect.andThen(insert(pg, 5), Effect.scoped(pg.begin(options))))
          const error = yield* refusalOf(refused)
          if (error._tag !== "InvalidConfigError") return assert.fail(String(error))
          assert.include(error.message, "outermost")
        }
        assert.deepStrictEqual(yield* numbers, [1, 3])
        yield* assertHealthy(pg)
      })
    )

    it.effect("has the modes that it is given", () =>
      Effect.gen(function* () {
        const pg = yield* make
        const transaction = yield* pg.begin({ isolation: "repeatable read", access: "read only" })
        assert.strictEqual(yield* valueOf(transaction, "SHOW transaction_isolation"), "repeatable read")
        assert.strictEqual(yield* valueOf(transaction, "SHOW transaction_read_only"), "on")
        yield* transaction.commit
        const wrong: PgTransaction.Options = JSON.parse('{ "isolation": "snapshot" }')
        assert.strictEqual((yield* refusalOf(Effect.scoped(pg.begin(wrong))))._tag, "InvalidConfigError")
        yield* assertHealthy(pg)
      }).pipe(Effect.scoped)
    )

    it.effect("can contain savepoints", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        const transaction = yield* pg.begin()
        yield* insert(transaction, 1)
        const undone = Effect.andThen(insert(transaction, 2), Effect.fail(FAILURE))
        yield* Effect.ignore(transaction.withTransaction(undone))
        yield* transaction.withTransaction(insert(transaction, 3))
        yield* transaction.commit
        assert.deepStrictEqual(yield* numbers, [1, 3])
        yield* assertHealthy(pg)
      }).pipe(Effect.scoped)
    )

    it.effect("cannot be committed after a statement in it has failed", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        const transaction = yield* pg.begin()
        yield* insert(transaction, 1)
        assert.strictEqual((yield* refusalOf(transaction.execute("SELECT 1 / 0")))._tag, "DivisionByZeroError")
        const error = yield* refusalOf(transaction.commit)
        assert.strictEqual(error._tag, "TransactionRolledBackError")
        assert.strictEqual(error.outcome, "none")
        assert.deepStrictEqual(yield* numbers, [])
        yield* assertHealthy(pg)
      }).pipe(Effect.scoped)
    )
  })
}

layer(TestDatabase.layer, { excludeTestServices: true })(
  "a transaction of a connection that is ended by hand",
  (it) => {
    it.effect("makes its connection refuse other statements, instead of letting them hang", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const connection = yield* liveConnection()
        const begunOnIt = Effect.gen(function* () {
          const transaction = yield* connection.begin()
          yield* insert(transaction, 1)
          for (const call of [insert(connection, 2), connection.withTransaction(Effect.void), connection.begin()]) {
            const refusal = yield* refusalOf(Effect.scoped(call))
            if (refusal._tag !== "UnsupportedError") return assert.fail(String(refusal))
            assert.include(refusal.message, "run it on the handle")
          }
          yield* transaction.commit
        })
        yield* Effect.scoped(begunOnIt)
        assert.deepStrictEqual(yield* numbers, [1])
        yield* connection.withTransaction(Effect.scoped(begunOnIt))
        assert.deepStrictEqual(yield* numbers, [1, 1])
        yield* assertHealthy(connection)
      }).pipe(Effect.scoped)
    )
  }
)

layer(TestDatabase.layer, { excludeTestServices: true })("a transaction of a pool that is ended by hand", (it) => {
  it.effect("does not belong to the fiber: calls on the pool are not part of it", () =>
    Effect.gen(function* () {
      const { insert, numbers } = yield* table
      const pool = yield* livePool({ maxConnections: 2 })
      const transaction = yield* pool.begin()
      yield* insert(transaction, 1)
      yield* insert(pool, 2)
      assert.deepStrictEqual(yield* numbers, [2])
      yield* transaction.rollback
      assert.deepStrictEqual(yield* numbers, [2])
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})
