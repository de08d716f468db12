/**
 * Makes a fiber yield at the operation that a test chooses, and interrupts it there. A fiber yields after so many
 * operations, anywhere: also between two operations that look like one.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"

export interface Interrupted<A, E> {
  readonly exit: Exit.Exit<A, E>
  /** False if the fiber had ended before that operation. */
  readonly isReached: boolean
}

/** Runs an effect whose fiber yields at the operation with that number, counted from 1, and is interrupted there. */
const interruptedAtOperation = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  operation: number
): Effect.Effect<Interrupted<A, E>, never, R> =>
  Effect.gen(function* () {
    let operations = 0
    let victim: Fiber.Fiber<A, E> | undefined
    const scheduler = new (class extends Scheduler.MixedScheduler {
      override shouldYield(): boolean {
        if (++operations !== operation) return false
        queueMicrotask(() => victim?.interruptUnsafe())
        return true
      }
    })()
    victim = yield* Effect.forkChild(Effect.provideService(effect, Scheduler.Scheduler, scheduler))
    const exit = yield* Fiber.await(victim)
    return { exit, isReached: operations >= operation }
  })

/** Does so at every operation in turn, until the effect ends before it is reached. Returns how many there were. */
export const interruptAtEveryOperation = <E, R, E2, R2>(
  effect: Effect.Effect<unknown, E, R>,
  check: (exit: Exit.Exit<unknown, E>, operation: number) => Effect.Effect<void, E2, R2>
): Effect.Effect<number, E2, R | R2> =>
  Effect.gen(function* () {
    for (let operation = 1; ; operation++) {
      const { exit, isReached } = yield* interruptedAtOperation(effect, operation)
      yield* check(exit, operation)
      if (!isReached) return operation - 1
    }
  })
