/** The plan of a pipeline, and the two ways in which one can end without a result or an error: `Stale` and `Unread`. */
import type { DatabaseTypes } from "../../codec/databaseTypes.ts"
import { makeRowShape, type UndecodableColumn } from "../../codec/rowReader.ts"
import type * as PgError from "../../PgError.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import type { RowCollector } from "./rowCollector.ts"
import type { PreparedStatement } from "../statement/preparedStatement.ts"
import type { RowForm } from "../statement/wanted.ts"

/** The runs of a pipeline in order, and what becomes of their answers. */
export interface Plan<Row, A> {
  /** Returns the values of the next run, or undefined at the end. If it throws, the pipeline ends. */
  next(): ReadonlyArray<unknown> | undefined
  /** Returns the statement of the run with this index. */
  statement(index: number): PreparedStatement
  readonly form: RowForm<Row>
  /** Called before the first run is written. Statements that the server no longer keeps become unnamed ones. */
  beforeFirst(): void
  /** Called when the server has described the statement of this run, which could not be described earlier. */
  learned(index: number, statement: PreparedStatement): void
  /** Called when the first run has begun. From then on, the pipeline will not be run again. */
  started(): void
  /** Called when a run is complete. */
  completed(rows: ReadonlyArray<Row>, tag: CommandTag): void
  result(): A
  /** How many runs of the call were in earlier pipelines. */
  readonly offset: number
  /** About how many bytes are written at a time. */
  readonly blockBytes: number
}

export type Outcome<A> = A | Stale | Unread<A>

interface Staleness {
  readonly statement: PreparedStatement
  /** Makes the error to report. `isDropped` says that the statement was dropped, so the caller has to start again. */
  readonly error: (isDropped: boolean) => PgError.PgError
  /** Whether it is certain that the description of the statement is out of date. */
  readonly isCertain: boolean
  /** Whether nothing has run, so that the pipeline can be run again. */
  readonly mayRepeat: boolean
  /** The type that could not encode a value. */
  readonly refusedType?: number
}

/** The pipeline failed, and the description of one of its statements is, or may be, out of date. */
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

/** A completed run, whose rows may not have been read yet. */
export interface AnsweredRun<Row> {
  readonly statement: PreparedStatement
  readonly collector: RowCollector<Row>
  readonly tag: CommandTag
}

/** Everything has run, but some rows can be read only after their types have been looked up. */
export class Unread<A> {
  /** A statement with such rows, and the column that could not be read. */
  readonly statement: PreparedStatement
  readonly column: UndecodableColumn
  /** Reads the rows with the types that are known by now. More types may have to be looked up after that. */
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

/** Maps the result, if there is one. */
export const mapOutcome = <A, B>(outcome: Outcome<A>, f: (answer: A) => B): Outcome<B> => {
  if (outcome instanceof Stale) return outcome
  return outcome instanceof Unread ? outcome.map(f) : f(outcome)
}

/** Returns undefined if all rows of these runs have been read. `read` passes them to the plan once all are. */
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
