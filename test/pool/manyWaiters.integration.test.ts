/** Tests that many waiting calls can be interrupted at once in time that is linear in their number. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as PgError from "../../src/PgError.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, livePool, refusalOf } from "../support/live.ts"

const WAITERS = 20_000
/** On a slow machine, forking and interrupting so many fibers takes a third of it by itself. */
const MAX_MILLIS = 2_000

const orders: Readonly<Record<string, (n: number) => number>> = {
  "the first first": (n) => n,
  "the last first": (n) => WAITERS - 1 - n,
  "the last and then the first": (n) => (n === 0 ? WAITERS - 1 : n - 1),
  "any first": (n) => (n * 7919) % WAITERS
}

/** Interrupts so many waiting calls in one tick, and measures how long the event loop stood still. */
const interruptAll = (call: Effect.Effect<unknown, PgError.PgError>, order: (n: number) => number) =>
  Effect.gen(function* () {
    const fibers = yield* Effect.forEach(Array.from({ length: WAITERS }), () =>
      Effect.forkChild(call, { startImmediately: true })
    )
    yield* Effect.sleep("20 millis")
    const began = performance.now()
    for (let n = 0; n < WAITERS; n++) fibers[order(n)]?.interruptUnsafe()
    const millis = performance.now() - began
    for (const fiber of fibers) assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
    return millis
  })

layer(TestDatabase.layer, { excludeTestServices: true })("20,000 calls that are interrupted at once", (it) => {
  for (const [name, order] of Object.entries(orders)) {
    it.effect(`leave a pool's queue in a moment, ${name}`, () =>
      Effect.gen(function* () {
        for (const multiplex of [false, true]) {
          const pool = yield* livePool({ maxConnections: 1, multiplex })
          const call = pool.fetch("SELECT 1 AS n")
          yield* Effect.forEach([1, 2, 3], () => call)
          const millis = yield* pool.withConnection(() => interruptAll(call, order))
          assert.isBelow(millis, MAX_MILLIS, `multiplex: ${multiplex}`)
          assert.strictEqual((yield* pool.stats).waiting, 0)
          yield* assertHealthy(pool)
        }
      })
    )

    it.effect(`leave a connection in a moment, ${name}`, () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        const locker = yield* liveConnection()
        const call = connection.fetch("SELECT 1 AS n")
        yield* call
        // Written and unanswered; and then not even written.
        const blocked = connection.execute("SELECT pg_advisory_xact_lock(21)")
        for (const before of [Effect.exit(blocked), Effect.void]) {
          const millis = yield* locker.withTransaction(
            Effect.gen(function* () {
              yield* locker.execute("SELECT pg_advisory_xact_lock(21)")
              yield* Effect.forkChild(before, { startImmediately: true })
              return yield* interruptAll(before === Effect.void ? blocked : call, order)
            })
          )
          assert.isBelow(millis, MAX_MILLIS)
          yield* assertHealthy(connection)
        }
      })
    )
  }

  it.effect("are refused at once if their connection is lost", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const fibers = yield* Effect.forEach(Array.from({ length: WAITERS }), () =>
        Effect.forkChild(refusalOf(connection.fetch("SELECT pg_sleep(60)")), { startImmediately: true })
      )
      yield* Effect.sleep("20 millis")
      const began = performance.now()
      yield* connection.terminate
      assert.isBelow(performance.now() - began, MAX_MILLIS)
      for (const fiber of fibers) assert.strictEqual((yield* Fiber.join(fiber))._tag, "ConnectionLostError")
    })
  )
})
