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
import { type Make, objectRows, rawAnswer, tupleRows, unkeptObjectRows, unkeptTupleRows } from "./answers.ts"
import type { RawAnswer } from "./rawAnswer.ts"
import { sqlErrorOf } from "./sqlErrors.ts"
import { typedCall, typedStream } from "./typedCall.ts"

type Answer<A> = Effect.Effect<A, SqlError>
type Values = ReadonlyArray<unknown>
/** Changes the names of the columns of rows. */
type TransformRows = <A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>

/** Makes the connection whose calls `router` routes. */
export const connectionOf = (router: Router): Connection => {
  /** `empty` is the answer to a text without a statement, such as a migration of comments alone. */
  const run = <A>(operation: string, make: Make<A>, sql: string, params: Values, empty: () => A): Answer<A> =>
    Effect.catch(typedCall(router, operation, make, sql, params), (error) =>
      error._tag === "EmptyQueryError" ? Effect.sync(empty) : Effect.fail(sqlErrorOf(error, operation))
    )
  const rows = (
    operation: string,
    make: Make<ReadonlyArray<object>>,
    sql: string,
    params: Values,
    transform: TransformRows | undefined
  ): Answer<ReadonlyArray<object>> => {
    const answer = run(operation, make, sql, params, noRows)
    return transform === undefined ? answer : Effect.map(answer, transform)
  }
  return {
    execute: (sql, params, transform) => rows("execute", objectRows, sql, params, transform),
    executeUnprepared: (sql, params, transform) => rows("executeUnprepared", unkeptObjectRows, sql, params, transform),
    executeValues: (sql, params) => run("executeValues", tupleRows, sql, params, noRows),
    executeValuesUnprepared: (sql, params) => run("executeValuesUnprepared", unkeptTupleRows, sql, params, noRows),
    executeRaw: (sql, params) => run("executeRaw", rawAnswer, sql, params, noAnswer),
    executeStream: (sql, params, transform) => {
      const streamed = router.reading({ texts: [sql], readOnly: undefined }, (chosen) =>
        Effect.succeed(typedStream(chosen, sql, params))
      )
      const rows = Stream.mapError(Stream.unwrap(streamed), (error) => sqlErrorOf(error, "executeStream"))
      return transform === undefined
        ? rows
        : Stream.mapArray(rows, (page) => {
            const changed = transform(page)
            return Arr.isReadonlyArrayNonEmpty(changed) ? changed : page
          })
    }
  }
}

// A caller may change the rows that it gets.
const noRows = (): ReadonlyArray<never> => []
const noAnswer = (): RawAnswer => ({ command: "", rowCount: 0, rows: [], fields: [] })
