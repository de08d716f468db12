/** Asks the real libpq how it connects, for as long as a scope. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type LibpqAnswer, startLibpq } from "./library.ts"

interface Question {
  /** A URL, or a string of `key=value`. */
  readonly conninfo: string
  /** Where libpq looks for `.postgresql`; by default there is nothing. */
  readonly home?: string
  /** Run if the connection succeeds. */
  readonly sql?: string
}

export interface Libpq {
  readonly ask: (question: Question) => Effect.Effect<LibpqAnswer>
}

/** libpq without variables of its own. Undefined, with a message, where it cannot be loaded. */
export const libpq: Effect.Effect<Libpq | undefined, never, Scope.Scope> = Effect.gen(function* () {
  const library = yield* Effect.acquireRelease(Effect.promise(startLibpq), (started) =>
    Effect.sync(() => typeof started !== "string" && started.end())
  )
  if (typeof library === "string") {
    yield* Effect.logWarning(`libpq cannot be asked on this machine, so nothing is compared with it: ${library}`)
    return undefined
  }
  return {
    ask: ({ conninfo, home = "/nonexistent", sql }) =>
      Effect.promise(() =>
        library.ask({ text: conninfo, environment: { HOME: home }, ...(sql === undefined ? {} : { sql }) })
      )
  }
})
