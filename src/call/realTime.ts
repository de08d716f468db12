/**
 * Waits in real time. What the library waits for happens in the outer world, on servers and networks, which do not follow
 * the clock of a test.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** The longest time that a timer of the platform can wait. */
export const MAX_DELAY_MILLIS = 2 ** 31 - 1

/** Calls back once after that time, which may be longer than a timer can wait. Returns a function that takes it back. */
export const after = (millis: number, callback: () => void): (() => void) => {
  let left = millis
  const next = (): void => {
    const step = Math.min(left, MAX_DELAY_MILLIS)
    left -= step
    timer = setTimeout(left > 0 ? next : callback, step)
  }
  let timer: ReturnType<typeof setTimeout>
  next()
  return () => clearTimeout(timer)
}

/** Completes after that time, or never if it is infinite. */
export const passed = (millis: number): Effect.Effect<void> =>
  Number.isFinite(millis)
    ? Effect.callback((resume) => {
        const takeBack = after(millis, () => resume(Effect.void))
        return Effect.sync(takeBack)
      })
    : Effect.never

/** As `Effect.timeoutOption`. If the time is over before it begins, the effect does not run at all. */
export const timeoutOption = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  millis: number
): Effect.Effect<Option.Option<A>, E, R> =>
  millis <= 0 ? Effect.succeedNone : Effect.raceFirst(Effect.asSome(effect), Effect.as(passed(millis), Option.none()))

/** As `Effect.timeoutOrElse`. */
export const timeoutOrElse = <A, E, R, A2, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  millis: number,
  orElse: () => Effect.Effect<A2, E2, R2>
): Effect.Effect<A | A2, E | E2, R | R2> =>
  Effect.flatMap(timeoutOption(effect, millis), (answer): Effect.Effect<A | A2, E2, R2> =>
    Option.isNone(answer) ? orElse() : Effect.succeed(answer.value)
  )
