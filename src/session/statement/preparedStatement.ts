/** What is known of a prepared statement, and how that is made of what the server has described. */
import type { DatabaseTypes } from "../../codec/databaseTypes.ts"
import { parameterEncoders, type TypedParameterEncoder } from "../../codec/parameters.ts"
import { builtinTypes } from "../../codec/registry.ts"
import { makeRowShape, type RowShape, UndecodableColumn } from "../../codec/rowReader.ts"
import { type ColumnDescription, Format } from "../../wire/backendMessage.ts"
import { UnresolvedType } from "../../wire/failure.ts"
import { bindNames, encodeResultFormats } from "../../wire/frontendEncoder.ts"
import { mayCopy } from "./mayCopy.ts"
import { namesSessionState } from "./soiling.ts"
import { kindOf, type StatementKind } from "./statementKind.ts"
import type { Provenance, TypeCatalogue } from "../types/typeCatalogue.ts"

/** All that has to be known of a statement to run it again without asking the server. */
export interface PreparedStatement extends Provenance {
  /** What it is kept under, from `statementKey`. */
  readonly key: string
  readonly sql: string
  /** Empty for the unnamed statement, which each run prepares anew. */
  readonly name: string
  /** The result of `bindNames`. */
  readonly bindNames: Uint8Array
  readonly parameters: ReadonlyArray<TypedParameterEncoder>
  readonly parameterOids: ReadonlyArray<number>
  /** The rows that it returns; undefined where it returns none. */
  readonly rowShape: RowShape | undefined
  /** The result formats as the Bind message carries them. */
  readonly resultFormats: Uint8Array
  /** Whether it has been described: false for what can only be described when it is its turn to run. */
  readonly isDescribed: boolean
  /** How long what is known of it stays true. */
  readonly kind: StatementKind
  /** Whether it may start a COPY: then nothing may be written behind it before it is answered. */
  readonly mayCopy: boolean
  /** Whether it names a function that changes the session. */
  readonly changesSession: boolean
  /** The clock of `get`, in milliseconds. */
  readonly preparedAt: number
}

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

/** What is known of a statement before it is described. */
export type StatementIdentity = Pick<PreparedStatement, "key" | "name" | "sql"> &
  Partial<Pick<PreparedStatement, "kind">>

/** What knows of the types. */
interface Knowing {
  readonly catalogue: TypeCatalogue
}

export const preparedStatement = (
  session: Knowing,
  { key, kind, name, sql }: StatementIdentity,
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
    bindNames: bindNames(name),
    parameters: parameterEncoders(parameterOids, types),
    parameterOids,
    rowShape,
    resultFormats: encodeResultFormats(rowShape?.resultFormats ?? []),
    kind: kind ?? kindOf(sql),
    isDescribed: true,
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

/** A statement of which nothing is known before it is its turn to run. */
export const undescribed = (session: Knowing, sql: string, key: string): PreparedStatement => ({
  ...silent(session, sql, key),
  isDescribed: false
})

/** A statement that takes and returns nothing. */
export const silent = (session: Knowing, sql: string, key: string): PreparedStatement =>
  preparedStatement(session, { key, name: "", sql }, NOTHING_KNOWN, session.catalogue.types)

const NOTHING_KNOWN: StatementDescription = { parameterOids: [], columns: undefined }

/** The same statement under no name: each run prepares it. */
export const unnamed = (statement: PreparedStatement): PreparedStatement =>
  statement.name === "" ? statement : { ...statement, name: "", bindNames: NO_NAME }

const NO_NAME = bindNames("")

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
 * Returns the formats of the rows that arrive if Bind asked for those of `shape`. If all formats are equal, Bind names
 * one format for all columns; if it names no format, all columns are text.
 */
const formatsAskedFor = (shape: RowShape | undefined, columns: ReadonlyArray<ColumnDescription>) =>
  columns.map((_, index): Format => shape?.resultFormats[index] ?? shape?.resultFormats[0] ?? Format.text)

/** What a statement turns out to return when its rows have been asked for already. */
interface Redescribed {
  /** The statement as its next run is to ask for it. */
  readonly kept: PreparedStatement
  /** The statement as the rows of this run are to be read. */
  readonly readable: PreparedStatement
  /** A column that cannot be read before its type has been looked up. */
  readonly unknown: UndecodableColumn | undefined
}

/** `asked` is the shape whose formats Bind asked for. */
export const redescribed = (
  session: Knowing,
  statement: PreparedStatement,
  columns: ReadonlyArray<ColumnDescription> | undefined,
  { asked, types }: { readonly asked: RowShape | undefined; readonly types: DatabaseTypes }
): Redescribed => {
  const { parameterOids } = statement
  const kept = preparedStatement(session, statement, { parameterOids, columns }, types)
  if (columns === undefined) return { kept, readable: kept, unknown: undefined }
  const readable = { ...kept, rowShape: makeRowShape(columns, types, formatsAskedFor(asked, columns)) }
  const unknown = types.unknownAmong(typeOids({ columns, parameterOids: [] }))
  return { kept, readable, unknown: unknown.length === 0 ? undefined : unknownColumn(columns, unknown, types) }
}

const NO_TYPE = 0

/** The first column whose type is not known. */
const unknownColumn = (
  columns: ReadonlyArray<ColumnDescription>,
  unknown: ReadonlyArray<number>,
  types: DatabaseTypes
): UndecodableColumn => {
  const index = columns.findIndex(({ typeOid }) => unknown.includes(typeOid))
  const { name = "", typeOid = NO_TYPE } = columns[index] ?? {}
  const reason = new UnresolvedType("its type is not known", unknown, { isOutdated: false })
  return new UndecodableColumn({ name, typeName: types.typeName(typeOid) }, index, reason)
}
