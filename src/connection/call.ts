/** The two forms in which a call takes its statement: SQL and parameters, or a template that holds both. */
import * as Effect from "effect/Effect"
import * as PgError from "../PgError.ts"
import type { Call, Parameters } from "./queryable.ts"

const NO_PARAMETERS: Parameters = []

type InTwo<Options> = Extract<Call<Options>, readonly [string, ...ReadonlyArray<unknown>]>

const isInTwo = <Options>(call: Call<Options>): call is InTwo<Options> => typeof call[0] === "string"

/** Hands on what a call was given. A statement that cannot be one is refused before anything is done. */
export const withStatement = <Options, A, E, R>(
  call: Call<Options>,
  use: (sql: string, params: Parameters, options: Options | undefined) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | PgError.PgError, R> => {
  if (isInTwo(call)) return use(call[0], call[1] ?? NO_PARAMETERS, call[2])
  const [{ fault, params, sql }, options] = call
  if (fault === undefined) return use(sql, params, options)
  return Effect.fail(new PgError.EncodeError({ parameter: 0, type: "SQL text", reason: fault, sql }))
}
