/** Gives a pool the clock of Effect, so that a test which moves that clock moves the pool's too. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Timers } from "../../src/pool/timers.ts"

export const clockTimers: Effect.Effect<Timers> = Effect.map(Effect.context<never>(), (context) => {
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
