/** Reads an async iterator as a stream does: the wait for a row can be interrupted, and the end gives back its connection. */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"

export type Read<A> = Pull.Pull<Arr.NonEmptyReadonlyArray<A>, unknown>

/** Opens the iterator that `open` makes for a signal. It is closed with the scope. */
export const readingOf = <A>(
  open: (signal: AbortSignal) => AsyncIterableIterator<A>
): Effect.Effect<Read<A>, unknown, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.try({
        try: () => {
          const controller = new AbortController()
          return { controller, iterator: open(controller.signal) }
        },
        catch: (reason) => reason
      }),
      ({ controller, iterator }, exit) => {
        // An interruption reaches the end of the query, which then does not wait for the server.
        if (Exit.hasInterrupts(exit)) controller.abort()
        const ended = Effect.tryPromise(async (signal) => {
          signal.addEventListener("abort", () => controller.abort(), { once: true })
          return await iterator.return?.()
        })
        return Effect.ignore(Effect.interruptible(ended))
      }
    ),
    ({ controller, iterator }) => {
      const next = Effect.tryPromise({
        try: async (signal) => {
          signal.addEventListener("abort", () => controller.abort(signal.reason), { once: true })
          return await iterator.next()
        },
        catch: (reason) => reason
      })
      return Effect.flatMap(next, (result): Read<A> =>
        result.done === true ? Cause.done() : Effect.succeed(Arr.of(result.value))
      )
    }
  )
