/** What a caller wants of a statement and of its answer. */
import * as Exit from "effect/Exit"
import type { DatabaseTypes } from "../../codec/databaseTypes.ts"
import type { RowReader, RowShape, TupleRow } from "../../codec/rowReader.ts"
import type * as PgError from "../../PgError.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import type { Statements } from "./statements.ts"
import type { PreparedStatement } from "./preparedStatement.ts"

/** Picks the reader for a statement's rows; undefined where the caller does not want them. */
export type RowForm<Row> = (shape: RowShape) => RowReader<Row> | undefined

/** Of a caller that does not want the rows. */
export const none: RowForm<never> = () => undefined

/** No limit to the number of rows. */
export const ALL = 0

/** What came. */
export interface Answer<Row> {
  readonly sql: string
  readonly rows: ReadonlyArray<Row>
  /** The columns of the rows; none where the statement returns no rows. */
  readonly columns: RowShape["columns"]
  /** Known once the command is complete; a suspended portal has none. */
  readonly tag: CommandTag | undefined
  readonly completed: boolean
  readonly statement: PreparedStatement | undefined
}

/** A portal with a name. */
export interface NamedPortal {
  /** With the terminating NUL. */
  readonly nameBytes: Uint8Array
  /** What it runs, once it is open. */
  statement: PreparedStatement | undefined
  /** Whether it could not be opened because what was known of the statement may be wrong, and has been given up. */
  isOutOfDate: boolean
}

export interface Wanted<Row, A> {
  readonly form: RowForm<Row>
  /** After how many rows to stop; 0 is for all. */
  readonly maxRows: number
  readonly result: (answer: Answer<Row>) => Exit.Exit<A, PgError.PgError>
  /** Where the statement is kept; the session's cache by default. */
  readonly statements?: Statements | undefined
  /** How its values are read and written; by default as the session's catalogue says. */
  readonly types?: DatabaseTypes | undefined
  /** Where to stop: once the statement is prepared, or once its portal is open; at its answer by default. */
  readonly until?: "prepared" | "bound"
  /** What to run it in, a page of `maxRows` at a time; by default the unnamed portal, which has one page. */
  readonly portal?: NamedPortal | undefined
}

/** All rows, in column order. */
export const allTuples = {
  form: (shape) => shape.tuple,
  maxRows: ALL,
  result: ({ rows }) => Exit.succeed(rows)
} satisfies Wanted<TupleRow, ReadonlyArray<TupleRow>>
