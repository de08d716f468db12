/** What is to be known of a statement once the server has described it and its types are known. */
import type { DatabaseTypes } from "../codec/databaseTypes.ts"
import { parameterEncoders } from "../codec/parameters.ts"
import { builtinTypes } from "../codec/registry.ts"
import { makeRowShape, type RowShape } from "../codec/rowReader.ts"
import { type ColumnDescription, Format } from "../wire/backendMessage.ts"
import { encodeResultFormats } from "../wire/frontendEncoder.ts"
import { mayCopy } from "./copyGuard.ts"
import type { Session } from "./session.ts"
import { namesSessionState } from "./residue.ts"
import type { PreparedStatement } from "./statementCache.ts"

/** The server's answer to Describe. */
export interface StatementDescription {
  readonly parameterOids: ReadonlyArray<number>
  /** Undefined where the statement returns no rows. */
  readonly columns: ReadonlyArray<ColumnDescription> | undefined
}

/** All types that a statement takes and returns. */
export const typeOids = ({ columns = [], parameterOids }: StatementDescription): ReadonlyArray<number> => [
  ...parameterOids,
  ...columns.map(({ typeOid }) => typeOid)
]

export const preparedStatement = (
  session: Session,
  { key, name, sql }: Pick<PreparedStatement, "key" | "name" | "sql">,
  description: StatementDescription,
  types: DatabaseTypes
): PreparedStatement => {
  const { columns, parameterOids } = description
  const isFixed = ({ typeOid }: ColumnDescription): boolean => types.isFixed(typeOid)
  // Readers of what is the same everywhere are shared by all connections, and outlive what is known of a database.
  const rowShape = columns && makeRowShape(columns, columns.every(isFixed) ? builtinTypes : types)
  return {
    key,
    sql,
    name,
    nameBytes: new TextEncoder().encode(`${name}\0`),
    parameters: parameterEncoders(parameterOids, types),
    parameterOids,
    rowShape,
    resultFormats: encodeResultFormats(rowShape?.resultFormats ?? []),
    // COPY takes no parameters and describes no rows.
    mayCopy: parameterOids.length === 0 && columns === undefined && mayCopy(sql),
    changesSession: namesSessionState(sql),
    preparedAt: performance.now(),
    types: typeOids(description).every((oid) => types.isFixed(oid)) ? undefined : types,
    codecs: types.chosen,
    version: session.catalogue.version,
    path: session.catalogue.path
  }
}

/** Whether the rows of a statement are still what they were when it was described. */
export const returnsSame = (
  { rowShape }: PreparedStatement,
  columns: ReadonlyArray<ColumnDescription> | undefined
): boolean => {
  if (rowShape === undefined || columns === undefined) return rowShape === columns
  return (
    rowShape.columns.length === columns.length &&
    rowShape.columns.every(({ name, typeOid }, index) => {
      const column = columns[index]
      return column !== undefined && column.name === name && column.typeOid === typeOid
    })
  )
}

/**
 * The formats in which rows come that were asked for as those of `shape`: where all of these are the same, Bind names
 * one for as many columns as there are, and none stands for text.
 */
export const formatsAskedFor = (shape: RowShape | undefined, columns: ReadonlyArray<ColumnDescription>) =>
  columns.map((_, index): Format => shape?.resultFormats[index] ?? shape?.resultFormats[0] ?? Format.text)
