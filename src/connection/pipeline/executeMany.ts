/**
 * Runs one statement for many rows of values. The rows of an Iterable are encoded as fast as the socket takes them,
 * with one Sync behind them, which outside of a transaction makes them succeed or fail together. The rows of a Stream
 * are sent in portions inside of a transaction or savepoint, because the stream may use the same session in between.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type * as PgError from "../../PgError.ts"
import { executions, fetches, type Prepared, Rows } from "../../session/request/manyRequest.ts"
import { OwnStatement } from "../../session/statement/heldStatement.ts"
import { type Outcome, Stale } from "../../session/exchange/pipelinePlan.ts"
import type { Request } from "../../session/request/request.ts"
import type { Statements } from "../../session/statement/statements.ts"
import { JOINING_LEVEL, type TransactionLevel } from "../../session/transaction/transactionLevel.ts"
import type { Router } from "../router.ts"
import type { Described } from "../rowSchema.ts"
import { failingTyped, guarded } from "../../call/iterables.ts"
import type { ManyResult, Parameters, Row, RowSource } from "../../call/call.ts"
import { whilePrepared } from "./whilePrepared.ts"

/** How many rows of a Stream are sent in one request. */
const PORTION_ROWS = 1_000

type Answer<A, E = never, R = never> = Effect.Effect<A, E | PgError.PgError, R>

/** Makes the request for one portion of the rows. `offset` is the number of rows before it. */
type Runs<A> = (prepared: Prepared, rows: Rows, offset: number) => Request<Outcome<A>>

/** The SQL to run for each row, and where its statement is kept if not in the cache of the session. */
export interface ManyRuns {
  readonly sql: string
  readonly statements?: Statements | undefined
}

export const executeMany = <E, R>(router: Router, runs: ManyRuns, rows: RowSource<E, R>): Answer<ManyResult, E, R> =>
  Effect.map(many(router, runs, executions, rows), (counts) => ({
    rowCount: counts.reduce((total, rowCount) => total + rowCount, 0)
  }))

export const fetchMany = <E, R>(
  router: Router,
  runs: ManyRuns,
  rows: RowSource<E, R>
): Answer<ReadonlyArray<Described<ReadonlyArray<ReadonlyArray<Row>>>>, E, R> =>
  many(router, runs, describedFetches, rows)

/** Fetches a list of rows for each run, with their columns. */
const describedFetches: Runs<Described<ReadonlyArray<ReadonlyArray<Row>>>> = (prepared, rows, offset) => {
  const request = fetches(prepared, rows, offset)
  const { rowShape, sql } = prepared.statement
  return {
    sql: request.sql,
    params: request.params,
    exchange: (session, resume) =>
      request.exchange(session, (exit) =>
        resume(
          Exit.map(exit, (outcome) =>
            outcome instanceof Stale
              ? outcome
              : { answer: outcome, columns: rowShape?.columns ?? [], types: session.catalogue.types, sql }
          )
        )
      )
  }
}

/** Runs the statement for all rows and returns the answers to all portions. */
const many = <A, E, R>(
  router: Router,
  { sql, statements }: ManyRuns,
  make: Runs<A>,
  rows: RowSource<E, R>
): Answer<ReadonlyArray<A>, E, R> => {
  if (Stream.isStream(rows)) {
    return router.onLevel((level) => atomically(router, level, (inner) => portions(inner, sql, make, rows)))
  }
  const whole = (level: TransactionLevel): Answer<ReadonlyArray<A>> =>
    Effect.map(portion(level, statements ?? level.session.statements, sql, make, rows, 0), (answer) => [answer])
  return router.onLevel((level) =>
    level.isTransaction || level.isBegunInSql ? atomically(router, level, whole) : whole(level)
  )
}

/** Runs an effect in a transaction or savepoint, which undoes the rows already sent if a later row cannot be. */
const atomically = <A, E, R>(
  router: Router,
  level: TransactionLevel,
  use: (level: TransactionLevel) => Answer<A, E, R>
): Answer<A, E, R> => level.within(JOINING_LEVEL, (inner) => router.bind(inner, use(inner)))

/** Runs the portions with a statement prepared just for them, because a stale plan would fail the transaction. */
const portions = <A, E, R>(
  level: TransactionLevel,
  sql: string,
  make: Runs<A>,
  rows: Stream.Stream<Parameters, E, R>
): Answer<ReadonlyArray<A>, E, R> =>
  Effect.suspend(() => {
    const cache = level.session.statements
    const own = new OwnStatement(cache, cache.ownName())
    const answers: Array<A> = []
    let offset = 0
    const each = (values: ReadonlyArray<Parameters>): Answer<void> =>
      Effect.map(portion(level, own, sql, make, values, offset), (answer) => {
        offset += values.length
        answers.push(answer)
      })
    return Stream.rechunk(rows, PORTION_ROWS).pipe(
      Stream.runForEachArray(each),
      Effect.as(answers),
      Effect.ensuring(Effect.sync(() => own.close()))
    )
  })

const portion = <A>(
  level: TransactionLevel,
  statements: Statements,
  sql: string,
  make: Runs<A>,
  values: Iterable<Parameters>,
  offset: number
): Answer<A> =>
  failingTyped(
    Effect.suspend(() => {
      const rows = new Rows(guarded(values, sql))
      return Effect.ensuring(
        whilePrepared(level, [{ sql }], statements, ([statement]) => make({ statement, statements }, rows, offset)),
        Effect.sync(() => rows.stop())
      )
    })
  )
