/** What a row of the table of mistakes has, and how plain JavaScript calls a method. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as PgClient from "../../src/PgClient.ts"
import type * as PgError from "../../src/PgError.ts"
import type { TestDatabase } from "../support/database.ts"

export interface Mistake {
  /** What a newcomer does. */
  readonly mistake: string
  readonly call: (pg: PgClient.PgClient) => Effect.Effect<unknown, unknown, Scope.Scope | TestDatabase>
  readonly tag: PgError.PgError["_tag"] | "ConfigError"
  /** Words of the printed error that say what is wrong and what to do. */
  readonly says: ReadonlyArray<string>
}

/** A value that no printed error may have in it. */
export const SECRET = "secret-of-ada"

type Called = Effect.Effect<unknown, unknown, Scope.Scope>

/** Calls a method as plain JavaScript does: the compiler checks no argument. */
export const js = (on: object, method: string, ...given: ReadonlyArray<unknown>): Called => {
  const called: Called = Reflect.apply(Reflect.get(on, method), on, given)
  return called
}
