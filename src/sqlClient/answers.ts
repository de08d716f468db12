/** What the calls of a connection of effect/sql make of an answer: objects, tuples, or the whole answer. */
import * as Exit from "effect/Exit"
import type { ObjectRow, TupleRow } from "../codec/rowReader.ts"
import * as Request from "../session/request/request.ts"
import { UNKEPT } from "../session/statement/statements.ts"
import { ALL, allTuples, type Wanted } from "../session/statement/wanted.ts"

/**
 * A column of a `RawAnswer`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RawField {
  readonly name: string
  /** The OID of the column's type. */
  readonly dataTypeId: number
  /** The type's modifier, such as the length of a `varchar`; -1 if it has none. */
  readonly typeModifier: number
  /** The OID of the table that the column comes from; 0 if it comes from none. */
  readonly tableId: number
}

/**
 * The whole answer to a statement, as `sql\`...\`.raw` gives it.
 *
 * @category models
 * @since 0.1.0
 */
export interface RawAnswer {
  /** What the statement did: `SELECT`, `INSERT`, `CREATE TABLE`. */
  readonly command: string
  /** How many rows it returned or changed; 0 for a command that counts none. */
  readonly rowCount: number
  readonly rows: ReadonlyArray<ObjectRow>
  /** The columns of the rows, also if there are no rows. */
  readonly fields: ReadonlyArray<RawField>
}

/** Makes the request for a statement with parameters. */
export type Make<A> = (sql: string, params: ReadonlyArray<unknown>) => Request.StatementRequest<A>

/** A statement that is kept only if its text comes again, because modules of Effect write many texts with values. */
const passing = <Row, A>(wanted: Wanted<Row, A>): Make<A> => {
  const kept = { ...wanted, isPassing: true }
  return (sql, params) => Request.query(sql, params, kept)
}

/** A statement that leaves the cache alone. */
const unkept = <Row, A>(wanted: Wanted<Row, A>): Make<A> => passing({ ...wanted, statements: UNKEPT })

const objects: Wanted<ObjectRow, ReadonlyArray<ObjectRow>> = {
  form: Request.objects,
  maxRows: ALL,
  result: ({ rows }) => Exit.succeed(rows)
}

const raw: Wanted<ObjectRow, RawAnswer> = {
  form: Request.objects,
  maxRows: ALL,
  result: ({ columns, rows, tag }) =>
    Exit.succeed({
      command: tag?.command ?? "",
      rowCount: tag?.rowCount ?? 0,
      rows,
      fields: columns.map(({ name, tableOid, typeModifier, typeOid }) => ({
        name,
        dataTypeId: typeOid,
        typeModifier,
        tableId: tableOid
      }))
    })
}

export const objectRows: Make<ReadonlyArray<ObjectRow>> = passing(objects)
export const unkeptObjectRows: Make<ReadonlyArray<ObjectRow>> = unkept(objects)
export const tupleRows: Make<ReadonlyArray<TupleRow>> = passing(allTuples)
export const unkeptTupleRows: Make<ReadonlyArray<TupleRow>> = unkept(allTuples)
export const rawAnswer: Make<RawAnswer> = passing(raw)
