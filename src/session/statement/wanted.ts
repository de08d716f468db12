/** What a request wants of its statement, and what it makes of the answer. */
import * as Exit from "effect/Exit"
import type { DatabaseTypes } from "../../codec/databaseTypes.ts"
import type { RowReader, RowShape, TupleRow } from "../../codec/rowReader.ts"
import type * as PgError from "../../PgError.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import type { Statements } from "./statements.ts"
import type { PreparedStatement } from "./preparedStatement.ts"

/** Picks the reader for a statement's rows; undefined drops them. */
export type RowForm<Row> = (shape: RowShape) => RowReader<Row> | undefined

/** Drops the rows. */
export const none: RowForm<never> = () => undefined

/** No limit to the number of rows. */
export const ALL = 0

/** What the server has answered. */
export interface Answer<Row> {
  readonly sql: string
  readonly rows: ReadonlyArray<Row>
  /** How many bytes the rows were on the wire. */
  readonly rowBytes: number
  /** The columns of the rows; empty if the statement returns none. */
  readonly columns: RowShape["columns"]
  /** Known once the command is complete. A suspended portal has none. */
  readonly tag: CommandTag | undefined
  readonly completed: boolean
  readonly statement: PreparedStatement | undefined
}

/** A portal with a name. */
export interface NamedPortal {
  readonly nameBytes: Uint8Array
  /** The statement that it runs, once it is open. */
  statement: PreparedStatement | undefined
  /** Whether opening it failed because the statement's description may be out of date. It has been dropped. */
  isOutOfDate: boolean
}

export interface Wanted<Row, A> {
  readonly form: RowForm<Row>
  /** After how many rows to stop; 0 means never. */
  readonly maxRows: number
  readonly result: (answer: Answer<Row>) => Exit.Exit<A, PgError.PgError>
  /** Where the statement is kept; the session's cache by default. */
  readonly statements?: Statements | undefined
  /**
   * Whether the statement is kept in the session's cache only if its text comes again, and run before it is described
   * if the types of all its parameters are named, even if it returns rows. They are then asked for in binary form.
   */
  readonly isPassing?: boolean | undefined
  /** The types that read and write its values; those of the session's catalogue by default. */
  readonly types?: DatabaseTypes | undefined
  /** Where to stop: once the statement is prepared, or its portal is open. By default the request runs to its end. */
  readonly until?: "prepared" | "bound"
  /** Whether nothing may be written behind the run before it is answered. */
  readonly isExclusive?: boolean
  /** The portal to run in, `maxRows` rows at a time. By default it is the unnamed portal, which runs once. */
  readonly portal?: NamedPortal | undefined
}

/** All rows, as tuples. */
export const allTuples = {
  form: (shape) => shape.tuple,
  maxRows: ALL,
  result: ({ rows }) => Exit.succeed(rows)
} satisfies Wanted<TupleRow, ReadonlyArray<TupleRow>>
