/** What a pipeline runs, and how it may end besides with what was asked for or with an error. */
import type { DatabaseTypes } from "../codec/databaseTypes.ts"
import { makeRowShape, type UndecodableColumn } from "../codec/rowReader.ts"
import type * as PgError from "../PgError.ts"
import type { CommandTag } from "../wire/commandTag.ts"
import type { RowCollector } from "./rowCollector.ts"
import type { PreparedStatement } from "./statementCache.ts"
import type { RowForm } from "./wanted.ts"

/** What is to be run, in order, and what becomes of the answers. */
export interface Plan<Row, A> {
  /** The values of the next run; undefined at the end. What it throws ends the pipeline. */
  next(): ReadonlyArray<unknown> | undefined
  /** What the run with this index runs. */
  statement(index: number): PreparedStatement
  readonly form: RowForm<Row>
  /** The first run has begun: nothing will have to be run again. */
  started(): void
  /** A run is complete. */
  completed(rows: ReadonlyArray<Row>, tag: CommandTag): void
  result(): A
  /** How many runs went before the first. */
  readonly offset: number
  /** How many bytes are written at a time. */
  readonly blockBytes: number
}

export type Outcome<A> = A | Stale | Unread<A>

/** The server says, before anything has run, that the statement has to be prepared anew. */
export class Stale {
  readonly error: PgError.PgError

  constructor(error: PgError.PgError) {
    this.error = error
  }
}

/** A run that is complete, though its rows may not have been read. */
export interface AnsweredRun<Row> {
  readonly statement: PreparedStatement
  readonly collector: RowCollector<Row>
  readonly tag: CommandTag
}

/** All has run, and there are rows that can be read once their types have been looked up, if they can be. */
export class Unread<A> {
  /** A statement whose rows they are, and what is in the way. */
  readonly statement: PreparedStatement
  readonly column: UndecodableColumn
  /** Reads them with what is known by now; there may be more to look up. */
  readonly read: (types: DatabaseTypes) => A | Unread<A>

  constructor(statement: PreparedStatement, column: UndecodableColumn, read: (types: DatabaseTypes) => A | Unread<A>) {
    this.statement = statement
    this.column = column
    this.read = read
  }

  map<B>(f: (answer: A) => B): Unread<B> {
    return new Unread(this.statement, this.column, (types) => {
      const answer = this.read(types)
      return answer instanceof Unread ? answer.map(f) : f(answer)
    })
  }
}

/** Maps what was asked for. */
export const mapOutcome = <A, B>(outcome: Outcome<A>, f: (answer: A) => B): Outcome<B> => {
  if (outcome instanceof Stale) return outcome
  return outcome instanceof Unread ? outcome.map(f) : f(outcome)
}

/** What is in the way of reading the rows of these runs, which all go to the plan then; undefined where nothing is. */
export const unreadOf = <Row, A>(plan: Plan<Row, A>, runs: ReadonlyArray<AnsweredRun<Row>>): Unread<A> | undefined => {
  const unread = runs.find(({ collector }) => collector.refused !== undefined)
  const column = unread?.collector.refused
  if (unread === undefined || column === undefined) return undefined
  return new Unread(unread.statement, column, (types): A | Unread<A> => {
    for (const { collector, statement } of runs) {
      if (collector.refused !== undefined) readKept(plan, collector, statement, types)
    }
    const more = unreadOf(plan, runs)
    if (more !== undefined) return more
    for (const { collector, tag } of runs) plan.completed(collector.rows, tag)
    return plan.result()
  })
}

const readKept = <Row>(
  { form }: Pick<Plan<Row, unknown>, "form">,
  collector: RowCollector<Row>,
  { rowShape }: PreparedStatement,
  types: DatabaseTypes
): void => {
  collector.readWith(rowShape && form(makeRowShape(rowShape.columns, types, rowShape.resultFormats)))
  collector.readKept()
}
