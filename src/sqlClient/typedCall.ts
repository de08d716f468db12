/**
 * Runs statements of programs that were written for a driver which names the types of parameters itself. If the server
 * cannot tell the type of a parameter whose type was left open, the statement is sent once more with that type named.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Row, StreamOptions } from "../call/call.ts"
import type { Router } from "../connection/router.ts"
import { stream } from "../connection/stream.ts"
import * as PgError from "../PgError.ts"
import type { Make } from "./answers.ts"
import { fullyTyped, typedParameters } from "./parameters.ts"

type Values = ReadonlyArray<unknown>

/** Runs a statement where `router` says. */
export const typedCall = <A>(
  router: Router,
  operation: string,
  make: Make<A>,
  sql: string,
  params: Values
): Effect.Effect<A, PgError.PgError> => {
  const typed = typedParameters(params)
  return Effect.catch(router.run(operation, make(sql, typed), undefined), (error) => {
    const whole = isUndecided(error) ? fullyTyped(typed) : undefined
    if (whole === undefined) return Effect.fail(error)
    return Effect.mapError(router.run(operation, make(sql, whole), undefined), (second) => telling(error, second))
  })
}

/** Streams the rows of a statement. It is sent once more only if no row has been read yet. */
export const typedStream = (
  router: Router,
  sql: string,
  params: Values,
  options?: StreamOptions
): Stream.Stream<Row, PgError.PgError> =>
  Stream.suspend(() => {
    const typed = typedParameters(params)
    let hasRows = false
    const first = Stream.mapArray(stream(router, { sql, params: typed }, options), (page) => {
      hasRows = true
      return page
    })
    return Stream.catch(first, (error) => {
      const whole = !hasRows && isUndecided(error) ? fullyTyped(typed) : undefined
      if (whole === undefined) return Stream.fail(error)
      return Stream.mapError(stream(router, { sql, params: whole }, options), (second) => telling(error, second))
    })
  })

/** The codes with which the server says that it cannot tell the type of a parameter. */
const UNDECIDED: ReadonlySet<string> = new Set(["42P18", "42P38", "42725"])

/** Whether nothing has run, because the server does not know the type of a parameter or takes it for a text. */
const isUndecided = (error: PgError.PgError): boolean =>
  PgError.isPostgresError(error) ? UNDECIDED.has(error.code) : error._tag === "EncodeError" && error.type === "text"

/**
 * Of the errors of both attempts, the one that tells what is wrong: the first, if the second attempt was not accepted
 * either or came into a transaction that the first had made fail.
 */
const telling = (first: PgError.PgError, second: PgError.PgError): PgError.PgError => {
  const isRefused = PgError.isPostgresError(second)
    ? second.code.startsWith("42") || second.code === "25P02"
    : second._tag === "EncodeError"
  return isRefused ? first : second
}
