/**
 * Tests what a pool says once it knows that a pooler gives each transaction another server process: LISTEN hears nothing,
 * and an advisory lock of a session cannot be kept.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as PgError from "../../../src/PgError.ts"
import * as PgPool from "../../../src/PgPool.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, eventually, livePool, liveSettings, refusalOf, valueOf } from "../../support/live.ts"
import { type LoggedLine, loggingTo } from "../../support/logging.ts"
import { type PoolerOptions, type TransactionPooler, transactionPooler } from "../../support/transactionPooler.ts"

const behind = <A>(
  options: PoolerOptions,
  use: (
    pool: PgPool.PgPool,
    warnings: () => number,
    pooler: TransactionPooler
  ) => Effect.Effect<A, PgError.PgError, Scope.Scope>
) => {
  const lines: Array<LoggedLine> = []
  const warnings = () => lines.filter(({ text }) => text.includes("listen may hear nothing")).length
  return Effect.gen(function* () {
    const pooler = yield* transactionPooler(options)
    const pool = yield* PgPool.make({ ...(yield* liveSettings({ maxConnections: 2 })), ...pooler.settings })
    yield* use(pool, warnings, pooler)
    yield* assertHealthy(pool)
  }).pipe(Effect.scoped, Effect.provide(loggingTo(lines)))
}

/** Runs transactions, each of which is followed by a reset. The resets tell which processes serve the sessions. */
const transactions = (pool: PgPool.PgPool) =>
  Effect.forEach([1, 2, 3, 4], () => pool.withTransaction(pool.executeScript("SELECT 1")))

layer(TestDatabase.layer, { excludeTestServices: true })("a pool whose sessions a pooler moves", (it) => {
  it.effect("warns once of listen, if the pooler has been recognized before or after it", () =>
    Effect.forEach([true, false], (isBefore) =>
      behind({ connections: 3 }, (pool, warnings) =>
        Effect.gen(function* () {
          if (isBefore) yield* transactions(pool)
          yield* pool.listen("channel")
          if (!isBefore) yield* transactions(pool)
          yield* eventually(Effect.sync(warnings), 1)
          yield* pool.listen("another")
          yield* transactions(pool)
          assert.strictEqual(warnings(), 1)
        })
      )
    )
  )

  it.effect("warns of nothing if the pooler keeps a server process for each session, or if there is none", () =>
    Effect.gen(function* () {
      yield* behind({ connections: 6, isInSessionMode: true }, (pool, warnings) =>
        Effect.gen(function* () {
          yield* pool.listen("channel")
          yield* transactions(pool)
          assert.deepStrictEqual(yield* pool.withAdvisoryLock(1, valueOf(pool, "SELECT 1")), 1)
          assert.strictEqual(warnings(), 0)
        })
      )
      const lines: Array<LoggedLine> = []
      yield* Effect.gen(function* () {
        const pool = yield* livePool({ maxConnections: 2 })
        yield* pool.listen("channel")
        yield* transactions(pool)
        assert.deepStrictEqual(yield* pool.withAdvisoryLock(1, valueOf(pool, "SELECT 1")), 1)
        yield* assertHealthy(pool)
      }).pipe(Effect.scoped, Effect.provide(loggingTo(lines)))
      assert.deepStrictEqual(lines, [])
    })
  )

  it.effect("refuses advisory locks outside of a transaction, and takes them inside of one", () =>
    behind({ connections: 2 }, (pool) =>
      Effect.gen(function* () {
        yield* transactions(pool)
        for (const call of [
          pool.withAdvisoryLock(1, Effect.succeed(1)),
          pool.withAdvisoryLockIfAvailable(1, Effect.succeed(1))
        ]) {
          const error = yield* refusalOf(call)
          assert.strictEqual(error._tag, "UnsupportedError")
          assert.strictEqual(error.outcome, "none")
          assert.include(error.message, "withTransaction")
        }
        assert.strictEqual(yield* pool.withTransaction(pool.withAdvisoryLock(1, valueOf(pool, "SELECT 1"))), 1)
        assert.deepStrictEqual(
          yield* pool.withTransaction(pool.withAdvisoryLockIfAvailable(1, Effect.succeed(1))),
          Option.some(1)
        )
      })
    )
  )

  it.effect("does not report success for a lock that turns out to be on another server process", () =>
    behind({ connections: 2 }, (pool, _warnings, pooler) =>
      Effect.gen(function* () {
        pooler.takes = "newest"
        const elsewhere = Effect.gen(function* () {
          pooler.takes = "oldest"
          yield* pool.executeScript("SELECT 1")
          pooler.takes = "newest"
        })
        const error = yield* refusalOf(pool.withAdvisoryLock(1, elsewhere))
        assert.strictEqual(error._tag, "UnsupportedError")
        assert.strictEqual(error.outcome, "unknown")
        assert.strictEqual((yield* refusalOf(pool.withAdvisoryLock(1, Effect.void))).outcome, "none")
      })
    )
  )
})
