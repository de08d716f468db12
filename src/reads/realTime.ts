/** Waits for the real time, also under a test's clock, because servers do not follow that. */
import * as Effect from "effect/Effect"
import { realTimers } from "../pool/timers.ts"

export const passed = (millis: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const cancel = realTimers.after(millis, () => resume(Effect.void))
    return Effect.sync(cancel)
  })
