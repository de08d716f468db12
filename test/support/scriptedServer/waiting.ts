/** Waits for events on a socket, each with a bound. */
import * as Effect from "effect/Effect"

/** How long a test waits for an event that must come, and how long it watches that another does not come. */
export const PATIENCE_MILLIS = 5_000
export const QUIET_MILLIS = 60

/** The waits that check again after an event. */
export class Waiters {
  private readonly waiting = new Set<() => void>()

  add(look: () => void): () => void {
    this.waiting.add(look)
    return () => this.waiting.delete(look)
  }

  wake(): void {
    for (const look of this.waiting) look()
  }
}

/** Checks at once and after every event, until there is a result; dies if that takes too long. */
export const waitFor = <A>(what: string, look: () => A | undefined, waiters: () => Waiters): Effect.Effect<A> =>
  Effect.callback<A>((resume) => {
    const attempt = (): void => {
      const seen = look()
      if (seen === undefined) return
      forget()
      resume(Effect.succeed(seen))
    }
    const forget = waiters().add(attempt)
    attempt()
    return Effect.sync(forget)
  }).pipe(
    Effect.timeoutOrElse({
      duration: PATIENCE_MILLIS,
      orElse: () => Effect.die(new Error(`the scripted server waited ${PATIENCE_MILLIS} ms for ${what}`))
    })
  )
