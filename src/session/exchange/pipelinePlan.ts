/** The plan of a pipeline, and how one ends if the description of a statement was out of date: `Stale`. */
import type * as PgError from "../../PgError.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
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

export type Outcome<A> = A | Stale

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
