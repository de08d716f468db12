/**
 * One statement for many rows of values. Rows of an Iterable are encoded as the socket takes them, and outside of a
 * transaction the one Sync behind them makes them one. A Stream may ask the same session for its rows, so that they go in
 * portions inside of a transaction, or a savepoint where there is one.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { namedTypes } from "../codec/typedParameter.ts"
import type * as PgError from "../PgError.ts"
import { readDescriptions, typeQuery } from "../session/catalogue.ts"
import { executions, fetches, Rows } from "../session/executeMany.ts"
import { OwnStatement } from "../session/ownStatement.ts"
import { mapOutcome, type Outcome, Stale, Unread } from "../session/plan.ts"
import { ownTupleRows, preparation, type Request } from "../session/request.ts"
import { serverVersionOf } from "../session/serverVersion.ts"
import { type PreparedStatement, statementKey, type Statements } from "../session/statementCache.ts"
import { JOINING_LEVEL, type TransactionLevel } from "../session/transaction.ts"
import { missingTypes, unanswered, undecodable } from "../session/undecodable.ts"
import type { Place } from "./place.ts"
import type { Described } from "./rowSchema.ts"
import { failingTyped, guarded } from "./source.ts"
import type { ManyResult, Parameters, Row, RowSource } from "./vocabulary.ts"

/** So many rows of a Stream are sent in one request. */
const PORTION_ROWS = 1_000

type Answer<A, E = never, R = never> = Effect.Effect<A, E | PgError.PgError, R>

/** Makes the request for one portion of the rows; `offset` is the number of those before. */
type Runs<A> = (statement: PreparedStatement, rows: Rows, offset: number) => Request<Outcome<A>>

/** A statement that is to be prepared, for parameters of the types that these name. */
export interface StatementText {
  readonly sql: string
  readonly params?: Parameters | undefined
}

/** What is run for each row, and where its statement is kept if not in the cache of the session. */
export interface ManyRuns {
  readonly sql: string
  readonly statements?: Statements | undefined
}

export const executeMany = <E, R>(place: Place, runs: ManyRuns, rows: RowSource<E, R>): Answer<ManyResult, E, R> =>
  Effect.map(many(place, runs, executions, rows), (counts) => ({
    rowCount: counts.reduce((total, rowCount) => total + rowCount, 0)
  }))

export const fetchMany = <E, R>(
  place: Place,
  runs: ManyRuns,
  rows: RowSource<E, R>
): Answer<ReadonlyArray<Described<ReadonlyArray<ReadonlyArray<Row>>>>, E, R> =>
  many(place, runs, describedFetches, rows)

/** A list of rows for each run, and what is known of their columns. */
const describedFetches: Runs<Described<ReadonlyArray<ReadonlyArray<Row>>>> = (statement, rows, offset) => {
  const request = fetches(statement, rows, offset)
  const { rowShape, sql } = statement
  return {
    ...request,
    exchange: (session, resume) =>
      request.exchange(session, (exit) =>
        resume(
          Exit.map(exit, (outcome) =>
            mapOutcome(outcome, (answer) => ({
              answer,
              columns: rowShape?.columns ?? [],
              types: session.catalogue.types,
              sql
            }))
          )
        )
      )
  }
}

/** The answers to all portions. */
const many = <A, E, R>(
  place: Place,
  { sql, statements }: ManyRuns,
  make: Runs<A>,
  rows: RowSource<E, R>
): Answer<ReadonlyArray<A>, E, R> => {
  if (Stream.isStream(rows)) {
    return place.onLevel((level) => atomically(place, level, (inner) => portions(inner, sql, make, rows)))
  }
  const whole = (level: TransactionLevel): Answer<ReadonlyArray<A>> =>
    Effect.map(portion(level, statements ?? level.session.statements, sql, make, rows, 0), (answer) => [answer])
  return place.onLevel((level) =>
    level.isTransaction || level.isBegunInSql ? atomically(place, level, whole) : whole(level)
  )
}

/** All or nothing, also where a part has been sent before it turns out that the rest cannot be. */
const atomically = <A, E, R>(
  place: Place,
  level: TransactionLevel,
  use: (level: TransactionLevel) => Answer<A, E, R>
): Answer<A, E, R> => level.within(JOINING_LEVEL, (inner) => place.within(inner, use(inner)))

/** Prepared for the occasion: a plan that turns out to be stale would end the transaction. */
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
        whilePrepared(level, [{ sql }], statements, ([statement]) => make(statement, rows, offset)),
        Effect.sync(() => rows.stop())
      )
    })
  )

/**
 * Runs a request that needs its statements prepared. Where the server says that one of them is stale and nothing has
 * run, all are prepared anew, once.
 */
export const whilePrepared = <A>(
  level: TransactionLevel,
  texts: readonly [StatementText, ...ReadonlyArray<StatementText>],
  statements: Statements,
  make: (prepared: readonly [PreparedStatement, ...ReadonlyArray<PreparedStatement>]) => Request<Outcome<A>>
): Answer<A> => {
  const attempt: Answer<readonly [A | Stale, ReadonlyArray<PreparedStatement>]> = Effect.gen(function* () {
    const [first, ...others] = texts
    const prepare = (text: StatementText): Answer<PreparedStatement> => prepared(level, text, statements)
    const all: [PreparedStatement, ...Array<PreparedStatement>] = [yield* prepare(first)]
    for (const text of others) all.push(yield* prepare(text))
    const outcome = yield* level.run(make(all))
    return [outcome instanceof Unread ? yield* readAgain(level, outcome) : outcome, all] as const
  })
  return Effect.flatMap(attempt, ([answer, stale]) => {
    if (!(answer instanceof Stale)) return Effect.succeed(answer)
    for (const statement of stale) statements.evict(statement)
    return Effect.flatMap(attempt, ([second]) =>
      second instanceof Stale ? Effect.fail(second.error) : Effect.succeed(second)
    )
  })
}

/** Looks up the types that are not known, or have changed, and reads what could not be read without them. */
const readAgain = <A>(
  level: TransactionLevel,
  { column, read, statement }: Unread<A>,
  lookedUp: ReadonlyArray<number> = []
): Answer<A> =>
  Effect.gen(function* () {
    const { catalogue, parameters } = level.session
    const missing = missingTypes(catalogue, statement, column, lookedUp)
    if (missing === undefined) return yield* undecodable(column, statement)
    const { types, unknown } = missing
    const descriptions = yield* Effect.mapError(
      level.run(ownTupleRows(typeQuery(serverVersionOf(parameters).major), [unknown])),
      () => unanswered(column, statement)
    )
    types.add(readDescriptions(descriptions))
    const answer = read(types)
    return answer instanceof Unread ? yield* readAgain(level, answer, [...lookedUp, ...unknown]) : answer
  })

const prepared = (
  level: TransactionLevel,
  { params = [], sql }: StatementText,
  statements: Statements
): Answer<PreparedStatement> =>
  Effect.suspend(() => {
    const { session } = level
    const found = statements.get(statementKey(sql, namedTypes(params)), performance.now())
    return found !== undefined && session.catalogue.isCurrent(found)
      ? Effect.succeed(found)
      : level.run(preparation(sql, params).with(statements))
  })
