/**
 * The connection of effect/sql. It holds no session: each call goes where the fiber's calls go, to the transaction that
 * the fiber is in, or else to the source of its router. So one connection serves a whole pool.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type { Row } from "../call/call.ts"
import type { Router } from "../connection/router.ts"
import { stream } from "../connection/stream.ts"
import * as PgError from "../PgError.ts"
import {
  type Make,
  objectRows,
  type RawAnswer,
  rawAnswer,
  tupleRows,
  unkeptObjectRows,
  unkeptTupleRows
} from "./answers.ts"
import {
  ELSEWHERE,
  firstTyping,
  isDecided,
  otherTyping,
  timeZoneOf,
  typedParameters,
  type Typing,
  undecidedKey
} from "./parameters.ts"
import { preparation } from "../session/request/request.ts"
import { JOINING_LEVEL } from "../session/transaction/transactionLevel.ts"
import { TransactionStatus } from "../wire/backendMessage.ts"
import { sqlErrorOf } from "./sqlErrors.ts"

type Answer<A> = Effect.Effect<A, SqlError>
type Values = ReadonlyArray<unknown>
/** Changes the names of the columns of rows. */
type TransformRows = <A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>

/** Makes the connection whose calls `router` routes. */
export const connectionOf = (router: Router): Connection => {
  const rows = (
    operation: string,
    make: Make<ReadonlyArray<object>>,
    sql: string,
    params: Values,
    transform: TransformRows | undefined
  ): Answer<ReadonlyArray<object>> => {
    const answer = run(router, operation, make, sql, params, NO_ROWS)
    return transform === undefined ? answer : Effect.map(answer, transform)
  }
  return {
    execute: (sql, params, transform) => rows("execute", objectRows, sql, params, transform),
    executeUnprepared: (sql, params, transform) => rows("executeUnprepared", unkeptObjectRows, sql, params, transform),
    executeValues: (sql, params) => run(router, "executeValues", tupleRows, sql, params, NO_ROWS),
    executeValuesUnprepared: (sql, params) =>
      run(router, "executeValuesUnprepared", unkeptTupleRows, sql, params, NO_ROWS),
    executeRaw: (sql, params) => run(router, "executeRaw", rawAnswer, sql, params, NO_ANSWER),
    executeStream: (sql, params, transform) => {
      const rows = Stream.mapError(streamed(router, sql, params), (error) => sqlErrorOf(error, "executeStream"))
      return transform === undefined
        ? rows
        : Stream.mapArray(rows, (page) => {
            const changed = transform(page)
            return Arr.isReadonlyArrayNonEmpty(changed) ? changed : page
          })
    }
  }
}

const NO_ROWS: ReadonlyArray<never> = []
const NO_ANSWER: RawAnswer = { command: "", rowCount: 0, rows: [], fields: [] }

/** Runs a statement. `empty` is the answer to a text without a statement, such as a migration of comments alone. */
const run = <A>(router: Router, operation: string, make: Make<A>, sql: string, params: Values, empty: A): Answer<A> => {
  const attempt = (typing?: Typing) => router.run(operation, make(sql, params, typing), undefined)
  const first = otherTyping(params) === undefined ? attempt() : guarded(router, sql, params, attempt())
  return Effect.catch(first, (error) =>
    error._tag === "EmptyQueryError"
      ? Effect.succeed(empty)
      : Effect.mapError(otherwise(router, params, error, attempt), (last) => sqlErrorOf(last, operation))
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
  again: (typing: Typing) => Effect.Effect<A, PgError.PgError>
): Effect.Effect<A, PgError.PgError> =>
  router.onTransaction((level) => {
    const typing =
      isOfTypes(error) && error.outcome === "none"
        ? otherTyping(params, error._tag === "EncodeError" ? error.type : undefined)
        : undefined
    if (typing === undefined || level?.session.transactionStatus === TransactionStatus.failed) return Effect.fail(error)
    return Effect.mapError(again(typing), (last) => (isOfTypes(last) ? error : last))
  })

/** The statements whose parameters the server has taken as they are typed first, of all clients. */
const decided = new Set<string>()
const MAX_DECIDED = 1_000

/**
 * Runs a first attempt in a savepoint, if it is in a transaction and the server may not take its parameters. Otherwise
 * its error would abort the transaction.
 */
const guarded = <A>(
  router: Router,
  sql: string,
  params: Values,
  attempt: Effect.Effect<A, PgError.PgError>
): Effect.Effect<A, PgError.PgError> =>
  router.onTransaction((level) => {
    const key = undecidedKey(sql, params)
    if (level === undefined || decided.has(key) || isDecided(params, firstTyping(timeZoneOf(level.session)))) {
      return attempt
    }
    const probe = level.within(JOINING_LEVEL, (inner) => router.bind(inner, attempt))
    return Effect.tap(probe, () =>
      Effect.sync(() => {
        if (decided.size >= MAX_DECIDED) decided.clear()
        decided.add(key)
      })
    )
  })

/**
 * The codes with which the server refuses a statement for the types of its parameters: it cannot tell one, or there is no
 * such function or operator, or a column has another type.
 */
const OF_TYPES: ReadonlySet<string> = new Set(["42725", "42804", "42883", "42P18", "42P38"])

/** Whether an error may come from the types of parameters. */
const isOfTypes = (error: PgError.PgError): boolean =>
  PgError.isPostgresError(error) ? OF_TYPES.has(error.code) : error._tag === "EncodeError"

/** Streams the rows of a statement. The stream has no rows yet when another attempt is made. */
const streamed = (router: Router, sql: string, params: Values): Stream.Stream<Row, PgError.PgError> => {
  const attempt = (typing: Typing) => stream(router, { sql, params: typedParameters(params, typing) }, undefined)
  const other = otherTyping(params)
  if (other === undefined) return attempt(ELSEWHERE)
  return Stream.unwrap(
    router.onTransaction((level) => {
      const first = level === undefined ? ELSEWHERE : firstTyping(timeZoneOf(level.session))
      const described = router.run("executeStream", preparation(sql, typedParameters(params, first)), undefined)
      const again = (error: PgError.PgError) =>
        otherwise(router, params, error, (typing) => Effect.succeed(attempt(typing)))
      // The server may refuse the statement, and the client a value.
      const asFirst = Stream.catch(attempt(first), (error) => Stream.unwrap(again(error)))
      return Effect.catch(Effect.as(guarded(router, sql, params, described), asFirst), again)
    })
  )
}
