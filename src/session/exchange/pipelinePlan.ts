/** What a pipeline runs, and how it may end besides with what was asked for or with an error. */
import type { DatabaseTypes } from "../../codec/databaseTypes.ts"
import { makeRowShape, type UndecodableColumn } from "../../codec/rowReader.ts"
import type * as PgError from "../../PgError.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import type { RowCollector } from "./rowCollector.ts"
import type { PreparedStatement } from "../statement/preparedStatement.ts"
import type { RowForm } from "../statement/wanted.ts"

/** What is to be run, in order, and what becomes of the answers. */
export interface Plan<Row, A> {
  /** The values of the next run; undefined at the end. What it throws ends the pipeline. */
  next(): ReadonlyArray<unknown> | undefined
  /** What the run with this index runs. */
  statement(index: number): PreparedStatement
  readonly form: RowForm<Row>
  /** The first run is about to be written: what the server keeps no longer has to be prepared in it. */
  beforeFirst(): void
  /** The server has described what the run with this index runs, which could not be described before. */
  learned(index: number, statement: PreparedStatement): void
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

interface Staleness {
  readonly statement: PreparedStatement
  /** Makes the error to report. `isDropped` says that the statement left the cache and the caller has to start again. */
  readonly error: (isDropped: boolean) => PgError.PgError
  /** Whether it is certain that what was known of the statement is wrong. */
  readonly isCertain: boolean
  /** Whether nothing has run, and the same can be asked again. */
  readonly mayRepeat: boolean
  /** The type that a value was refused for. */
  readonly refusedType?: number
}

/** A statement of the pipeline, by all signs, is no longer what it was when it was described. */
export class Stale {
  readonly statement: PreparedStatement
  readonly error: (isDropped: boolean) => PgError.PgError
  readonly isCertain: boolean
  readonly mayRepeat: boolean
  readonly refusedType: number | undefined

  constructor({ error, isCertain, mayRepeat, refusedType, statement }: Staleness) {
    this.statement = statement
    this.error = error
    this.isCertain = isCertain
    this.mayRepeat = mayRepeat
    this.refusedType = refusedType
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
  collector.reader = rowShape && form(makeRowShape(rowShape.columns, types, rowShape.resultFormats))
  collector.readKept()
}
