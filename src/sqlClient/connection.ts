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
import {
  type Make,
  objectRows,
  type RawAnswer,
  rawAnswer,
  tupleRows,
  unkeptObjectRows,
  unkeptTupleRows
} from "./answers.ts"
import { sqlErrorOf } from "./sqlErrors.ts"
import { typedCall, typedStream } from "./typedCall.ts"

type Answer<A> = Effect.Effect<A, SqlError>
type Values = ReadonlyArray<unknown>
/** Changes the names of the columns of rows. */
type TransformRows = <A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>

/** Makes the connection whose calls `router` routes. */
export const connectionOf = (router: Router): Connection => new RoutedConnection(router)

/** A class, because each transaction has a connection of its own, and closures would be made anew for each. */
class RoutedConnection implements Connection {
  private readonly router: Router

  constructor(router: Router) {
    this.router = router
  }

  execute(sql: string, params: Values, transform: TransformRows | undefined): Answer<ReadonlyArray<object>> {
    return transformed(this.run("execute", objectRows, sql, params, NO_ROWS), transform)
  }

  executeUnprepared(sql: string, params: Values, transform: TransformRows | undefined): Answer<ReadonlyArray<object>> {
    return transformed(this.run("executeUnprepared", unkeptObjectRows, sql, params, NO_ROWS), transform)
  }

  executeValues(sql: string, params: Values): Answer<ReadonlyArray<ReadonlyArray<unknown>>> {
    return this.run("executeValues", tupleRows, sql, params, NO_ROWS)
  }

  executeValuesUnprepared(sql: string, params: Values): Answer<ReadonlyArray<ReadonlyArray<unknown>>> {
    return this.run("executeValuesUnprepared", unkeptTupleRows, sql, params, NO_ROWS)
  }

  executeRaw(sql: string, params: Values): Answer<RawAnswer> {
    return this.run("executeRaw", rawAnswer, sql, params, NO_ANSWER)
  }

  executeStream(sql: string, params: Values, transform: TransformRows | undefined): Stream.Stream<object, SqlError> {
    const rows = Stream.mapError(typedStream(this.router, sql, params), (error) => sqlErrorOf(error, "executeStream"))
    return transform === undefined
      ? rows
      : Stream.mapArray(rows, (page) => {
          const changed = transform(page)
          return Arr.isReadonlyArrayNonEmpty(changed) ? changed : page
        })
  }

  /** `empty` is the answer to a text without a statement, such as a migration of comments alone. */
  private run<A>(operation: string, make: Make<A>, sql: string, params: Values, empty: A): Answer<A> {
    return Effect.catch(typedCall(this.router, operation, make, sql, params), (error) =>
      error._tag === "EmptyQueryError" ? Effect.succeed(empty) : Effect.fail(sqlErrorOf(error, operation))
    )
  }
}

const transformed = (
  answer: Answer<ReadonlyArray<object>>,
  transform: TransformRows | undefined
): Answer<ReadonlyArray<object>> => (transform === undefined ? answer : Effect.map(answer, transform))

const NO_ROWS: ReadonlyArray<never> = []
const NO_ANSWER: RawAnswer = { command: "", rowCount: 0, rows: [], fields: [] }
