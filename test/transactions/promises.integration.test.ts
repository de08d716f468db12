/** Tests promises inside a transaction: with its context they are part of it, and without it they are not. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as PgError from "../../src/PgError.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, eventually, livePool, refusalOf, valueOf } from "../support/live.ts"
import { table } from "./table.ts"

const asPgError = (error: unknown): PgError.PgError => {
  if (PgError.isPgError(error)) return error
  throw error
}

const FAILURE = "the body's own failure"

layer(TestDatabase.layer, { excludeTestServices: true })("a promise inside a transaction", (it) => {
  it.effect("is part of the transaction if it runs with its context, and otherwise is not", () =>
    Effect.gen(function* () {
      const { insert, numbers } = yield* table
      const pool = yield* livePool({ maxConnections: 2 })
      const body = Effect.gen(function* () {
        const run = Effect.runPromiseWith(yield* Effect.context())
        yield* Effect.promise(async () => {
          await run(insert(pool, 1))
          await Effect.runPromise(insert(pool, 2))
        })
        yield* Effect.fail(FAILURE)
      })
      assert.strictEqual(yield* Effect.flip(pool.withTransaction(body)), FAILURE)
      assert.deepStrictEqual(yield* numbers, [2])
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is refused if it comes after the transaction is over", () =>
    Effect.gen(function* () {
      const { insert, numbers } = yield* table
      const pool = yield* livePool({ maxConnections: 1 })
      const late = yield* pool.withTransaction(
        Effect.map(Effect.context(), (context) => () => Effect.runPromiseWith(context)(insert(pool, 1)))
      )
      const refusal = yield* refusalOf(Effect.tryPromise({ try: late, catch: asPgError }))
      assert.include(["TransactionClosedError", "ConnectionLostError"], refusal._tag)
      assert.deepStrictEqual(yield* numbers, [])
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is canceled with the transaction if it is given the signal", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const backend = yield* valueOf(pool, "SELECT pg_backend_pid()")
      const body = Effect.gen(function* () {
        const run = Effect.runPromiseWith(yield* Effect.context())
        yield* Effect.promise((signal) => run(pool.fetch("SELECT pg_sleep(60)"), { signal }))
      })
      const fiber = yield* Effect.forkChild(pool.withTransaction(body), { startImmediately: true })
      yield* Effect.sleep("50 millis")
      const began = performance.now()
      yield* Fiber.interrupt(fiber)
      assert.isBelow(performance.now() - began, 500)
      yield* eventually(
        Effect.map(pool.stats, ({ inUse }) => inUse),
        0
      )
      assert.strictEqual(yield* valueOf(pool, "SELECT pg_backend_pid()"), backend)
    }).pipe(Effect.scoped)
  )
})
