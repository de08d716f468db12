/**
 * The connection of effect/sql. It holds no session: each call goes where the fiber's calls go, to the transaction that
 * the fiber is in, or else to the source of its router. So one connection serves a whole pool.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type { Router } from "../connection/router.ts"
import { stream } from "../connection/stream.ts"
import * as PgError from "../PgError.ts"
import { type Make, objectRows, rawAnswer, tupleRows, unkeptObjectRows, unkeptTupleRows } from "./answers.ts"
import { fullyTyped, typedParameters } from "./parameters.ts"
import { sqlErrorOf } from "./sqlErrors.ts"

type Answer<A> = Effect.Effect<A, SqlError>
type Values = ReadonlyArray<unknown>
/** Changes the names of the columns of rows. */
type TransformRows = <A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>
/** Makes the connection whose calls `router` routes. */
export const connectionOf = (router: Router): Connection => {
  const run = <A>(operation: string, make: Make<A>, sql: string, params: Values): Answer<A> => {
    const typed = typedParameters(params)
    return Effect.catch(router.run(operation, make(sql, typed), undefined), (error) => {
      const whole = isUndecided(error) ? fullyTyped(typed) : undefined
      if (whole === undefined) return Effect.fail(sqlErrorOf(error, operation))
      return Effect.mapError(router.run(operation, make(sql, whole), undefined), () => sqlErrorOf(error, operation))
    })
  }
  const rows = (
    operation: string,
    make: Make<ReadonlyArray<object>>,
    sql: string,
    params: Values,
    transform: TransformRows | undefined
  ): Answer<ReadonlyArray<object>> => {
    const answer = run(operation, make, sql, params)
    return transform === undefined ? answer : Effect.map(answer, transform)
  }
  return {
    execute: (sql, params, transform) => rows("execute", objectRows, sql, params, transform),
    executeUnprepared: (sql, params, transform) => rows("executeUnprepared", unkeptObjectRows, sql, params, transform),
    executeValues: (sql, params) => run("executeValues", tupleRows, sql, params),
    executeValuesUnprepared: (sql, params) => run("executeValuesUnprepared", unkeptTupleRows, sql, params),
    executeRaw: (sql, params) => run("executeRaw", rawAnswer, sql, params),
    executeStream: (sql, params, transform) => {
      const rows = Stream.mapError(stream(router, { sql, params: typedParameters(params) }, undefined), (error) =>
        sqlErrorOf(error, "executeStream")
      )
      return transform === undefined
        ? rows
        : Stream.mapArray(rows, (page) => {
            const changed = transform(page)
            return Arr.isReadonlyArrayNonEmpty(changed) ? changed : page
          })
    }
  }
}

/** The codes with which the server says that it cannot tell the type of a parameter. */
const UNDECIDED: ReadonlySet<string> = new Set(["42P18", "42P38", "42725"])

/** Whether nothing has run, because the server does not know the type of a parameter or takes it for a text. */
const isUndecided = (error: PgError.PgError): boolean =>
  PgError.isPostgresError(error) ? UNDECIDED.has(error.code) : error._tag === "EncodeError" && error.type === "text"
