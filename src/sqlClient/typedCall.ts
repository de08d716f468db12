/**
 * Runs statements of programs that were written for a driver which names the types of parameters itself. If the first
 * choice of types does not suit the server or a value, nothing has run, and another one is tried.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { namedTypes } from "../codec/typedParameter.ts"
import type { Row, StreamOptions } from "../call/call.ts"
import type { Router } from "../connection/router.ts"
import { stream } from "../connection/paging/stream.ts"
import * as PgError from "../PgError.ts"
import { preparation } from "../session/request/request.ts"
import { rememberedIn } from "../session/statement/statementInUse.ts"
import { statementKey } from "../session/statement/statements.ts"
import { JOINING_LEVEL } from "../session/transaction/transactionLevel.ts"
import { TransactionStatus } from "../wire/backendMessage.ts"
import type { Make } from "./answers.ts"
import {
  ELSEWHERE,
  firstTyping,
  hasOtherTyping,
  isDecided,
  otherTyping,
  timeZoneOf,
  typedParameters,
  type Typing
} from "./parameters.ts"

type Values = ReadonlyArray<unknown>
type Answer<A> = Effect.Effect<A, PgError.PgError>

/** Runs a statement where `router` says. */
export const typedCall = <A>(
  router: Router,
  operation: string,
  make: Make<A>,
  sql: string,
  params: Values
): Answer<A> => {
  if (!params.some(hasOtherTyping)) return router.run(operation, make(sql, params), undefined)
  const attempt = (typing?: Typing) => router.run(operation, make(sql, params, typing), undefined)
  return Effect.catch(guarded(router, sql, params, attempt()), (error) => otherwise(router, params, error, attempt))
}

/** Streams the rows of a statement. Another attempt is made only if no row has been read yet. */
export const typedStream = (
  router: Router,
  sql: string,
  params: Values,
  options?: StreamOptions
): Stream.Stream<Row, PgError.PgError> => {
  const attempt = (typing: Typing) => stream(router, { sql, params: typedParameters(params, typing) }, options)
  if (!params.some(hasOtherTyping)) return attempt(ELSEWHERE)
  return Stream.unwrap(
    router.onTransaction((level) => {
      const typing = level === undefined ? ELSEWHERE : firstTyping(timeZoneOf(level.session))
      let hasRows = false
      const first = Stream.mapArray(attempt(typing), (page) => {
        hasRows = true
        return page
      })
      const again = (error: PgError.PgError) =>
        hasRows ? Effect.fail(error) : otherwise(router, params, error, (other) => Effect.succeed(attempt(other)))
      // The server may refuse the statement, and the client a value.
      const whole = Stream.catch(first, (error) => Stream.unwrap(again(error)))
      // Outside a transaction a refusal of the server costs nothing, so the statement is not described before.
      if (level === undefined || isDecided(params, typing)) return Effect.succeed(whole)
      // The stream alone is reported.
      const described = router.onLevel((inner) => inner.run(preparation(sql, typedParameters(params, typing))))
      return Effect.catch(Effect.as(guarded(router, sql, params, described), whole), again)
    })
  )
}

/**
 * Makes another attempt with other types of parameters, if nothing has run because of those of the first. In a
 * transaction that the server's error has aborted there is none.
 */
const otherwise = <A>(
  router: Router,
  params: Values,
  error: PgError.PgError,
  again: (typing: Typing) => Answer<A>
): Answer<A> =>
  router.onTransaction((level) => {
    const typing = isOfTypes(error) && error.outcome === "none" ? otherTyping(params, refusedBy(error)) : undefined
    if (typing === undefined || level?.session.transactionStatus === TransactionStatus.failed) return Effect.fail(error)
    return Effect.mapError(again(typing), (last) => (isOfTypes(last) ? error : last))
  })

/**
 * Runs a first attempt in a savepoint, if it is in a transaction and the server may not take its parameters. Otherwise
 * its error would abort the transaction. The server has taken those of a statement that the session keeps.
 */
const guarded = <A>(router: Router, sql: string, params: Values, attempt: Answer<A>): Answer<A> =>
  router.onTransaction((level) => {
    if (level === undefined) return attempt
    const { catalogue, statements } = level.session
    const typing = firstTyping(timeZoneOf(level.session))
    if (isDecided(params, typing)) return attempt
    const key = statementKey(sql, namedTypes(typedParameters(params, typing)))
    if (rememberedIn(statements, key, catalogue) !== undefined) return attempt
    return level.within(JOINING_LEVEL, (inner) => router.bind(inner, attempt))
  })

/**
 * The codes with which the server refuses a statement for the types of its parameters: it cannot tell one, or there is no
 * such function or operator, or a column has another type.
 */
const OF_TYPES: ReadonlySet<string> = new Set(["42725", "42804", "42883", "42P18", "42P38"])

/** Whether an error may come from the types of parameters. */
const isOfTypes = (error: PgError.PgError): boolean =>
  PgError.isPostgresError(error) ? OF_TYPES.has(error.code) : error._tag === "EncodeError"

/** The type that did not take a value; `unknown` if the server could not tell the type of a parameter. */
const refusedBy = (error: PgError.PgError): string | undefined => {
  if (error._tag === "EncodeError") return error.type
  return PgError.isPostgresError(error) && INDETERMINATE.has(error.code) ? "unknown" : undefined
}

const INDETERMINATE: ReadonlySet<string> = new Set(["42P18", "42P38"])
