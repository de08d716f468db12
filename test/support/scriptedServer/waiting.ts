/** Waits of a test for what happens on a socket, each with a bound. */
import * as Effect from "effect/Effect"

/** How long a test waits for what must come, and how long it watches to see that something does not. */
export const PATIENCE_MILLIS = 5_000
export const QUIET_MILLIS = 60

/** Who wants to look again when something has happened. */
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

/** Looks, at once and after every event, until there is something to see; dies where that takes too long. */
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
