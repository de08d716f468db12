/** The clock of a pool: that of Effect, so that a test which stops time stops the pool's too. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

export interface Timers {
  /** In milliseconds. */
  now(): number
  /** Calls back once after so many milliseconds. Returns how to call it off. */
  after(millis: number, callback: () => void): () => void
}

export const make: Effect.Effect<Timers> = Effect.map(Effect.context<never>(), (context) => {
  const clock = Context.get(context, Clock.Clock)
  const run = Effect.runForkWith(context)
  return {
    now: () => clock.currentTimeMillisUnsafe(),
    after: (millis, callback) => {
      const fiber = run(Effect.andThen(Effect.sleep(millis), Effect.sync(callback)))
      return () => fiber.interruptUnsafe()
    }
  }
})
