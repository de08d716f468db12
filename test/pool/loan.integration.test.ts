/** What a borrower gets if it yields to others in the middle of borrowing. */
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, eventually, livePool } from "../support/live.ts"

layer(TestDatabase.layer, { excludeTestServices: true })("a borrower that yields at any of its operations", (it) => {
  it.effect("gets the connection that is given back meanwhile", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1, minConnections: 1 })
      for (let operation = 1; ; operation++) {
        const given = yield* Deferred.make<void>()
        const giveBack = () => Deferred.doneUnsafe(given, Effect.void)
        const holder = yield* Effect.forkChild(pool.withConnection(() => Deferred.await(given)))
        yield* eventually(
          Effect.map(pool.stats, ({ inUse }) => inUse),
          1
        )
        let operations = 0
        const scheduler = new (class extends Scheduler.MixedScheduler {
          override shouldYield(): boolean {
            if (++operations !== operation) return false
            queueMicrotask(giveBack)
            return true
          }
        })()
        const borrowed = Effect.provideService(
          pool.withConnection(({ processId }) => Effect.succeed(processId)),
          Scheduler.Scheduler,
          scheduler
        )
        const borrower = yield* Effect.forkChild(borrowed)
        yield* Effect.sleep(5)
        const isReached = operations >= operation
        if (!isReached) giveBack()
        assert.isNumber(yield* Effect.timeout(Fiber.join(borrower), "5 seconds"), `operation ${operation}`)
        yield* Fiber.join(holder)
        if (isReached) continue
        assert.isAbove(operation, 3)
        break
      }
      yield* assertHealthy(pool)
    })
  )
})
