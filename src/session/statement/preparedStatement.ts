/** What is known of a prepared statement, and how it is made from the server's description. */
import { withProperties } from "../../codec/columnNames.ts"
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
  /** Its key in the cache, from `statementKey`. */
  readonly key: string
  readonly sql: string
  /** Empty for an unnamed statement, which each run prepares again. */
  readonly name: string
  /** The result of `bindNames`. */
  readonly bindNames: Uint8Array
  readonly parameters: ReadonlyArray<TypedParameterEncoder>
  readonly parameterOids: ReadonlyArray<number>
  /** The shape of its rows; undefined if it returns none. */
  readonly rowShape: RowShape | undefined
  /** The result formats as Bind carries them. */
  readonly resultFormats: Uint8Array
  /** Whether it has been described. False if it can be described only when it is its turn to run. */
  readonly isDescribed: boolean
  /** Its kind, which says how long its description stays true. */
  readonly kind: StatementKind
  /** Whether it may start a COPY, so that nothing may be written behind it before it is answered. */
  readonly mayCopy: boolean
  /** Whether its text names a function that changes the session. */
  readonly changesSession: boolean
  /** When it was prepared, in milliseconds of `performance.now()`. */
  readonly preparedAt: number
}

/** The server's answer to Describe. */
export interface StatementDescription {
  readonly parameterOids: ReadonlyArray<number>
  /** Undefined if the statement returns no rows. */
  readonly columns: ReadonlyArray<ColumnDescription> | undefined
}

/** The types of all its parameters and columns. */
export const typeOids = ({ columns = [], parameterOids }: StatementDescription): ReadonlyArray<number> => [
  ...parameterOids,
  ...columns.map(({ typeOid }) => typeOid)
]

/** What is known of a statement before it is described. What its text says may be known from before. */
export type StatementIdentity = Pick<PreparedStatement, "key" | "name" | "sql"> &
  Partial<Pick<PreparedStatement, "bindNames" | "changesSession" | "kind">>

/** The part of a session that this file needs. */
interface Knowing {
  readonly catalogue: TypeCatalogue
}

export const preparedStatement = (
  session: Knowing,
  identity: StatementIdentity,
  description: StatementDescription,
  types: DatabaseTypes
): PreparedStatement => {
  const { key, name, sql } = identity
  const { columns, parameterOids } = description
  const { catalogue } = session
  // If all columns have types that are the same on every server, all connections share their readers.
  const areColumnsFixed = columns === undefined || columns.every(({ typeOid }) => types.isFixed(typeOid))
  const rowShape =
    columns && makeRowShape(withProperties(columns, catalogue.names), areColumnsFixed ? builtinTypes : types)
  return {
    key,
    sql,
    name,
    bindNames: identity.bindNames ?? (name === "" ? NO_NAME : bindNames(name)),
    parameters: parameterEncoders(parameterOids, types),
    parameterOids,
    rowShape,
    resultFormats: encodeResultFormats(rowShape?.resultFormats ?? []),
    kind: identity.kind ?? kindOf(sql),
    isDescribed: true,
    // COPY has no parameters, and no columns that are described.
    mayCopy: parameterOids.length === 0 && columns === undefined && mayCopy(sql),
    changesSession: identity.changesSession ?? namesSessionState(sql),
    preparedAt: performance.now(),
    types: areColumnsFixed && parameterOids.every((oid) => types.isFixed(oid)) ? undefined : types,
    codecs: types.chosen,
    version: catalogue.version,
    path: catalogue.path
  }
}

/** A statement that can be described only when it is its turn to run. */
export const undescribed = (session: Knowing, sql: string, key: string): PreparedStatement => ({
  ...silent(session, sql, key),
  isDescribed: false
})

/** A statement without parameters and rows. */
export const silent = (session: Knowing, sql: string, key: string): PreparedStatement =>
  preparedStatement(session, { key, name: "", sql }, NOTHING_KNOWN, session.catalogue.types)

const NOTHING_KNOWN: StatementDescription = { parameterOids: [], columns: undefined }

/** Returns the statement without its name, so that each run prepares it. */
export const unnamed = (statement: PreparedStatement): PreparedStatement =>
  statement.name === "" ? statement : { ...statement, name: "", bindNames: NO_NAME }

const NO_NAME = bindNames("")

/** Whether the server describes the columns as it did when the statement was described. */
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

/** If Bind names one format, it is for all columns; if it names none, all columns are text. */
export const formatsOf = (asked: ReadonlyArray<Format>, columns: ReadonlyArray<ColumnDescription>) =>
  columns.map((_, index): Format => asked[index] ?? asked[0] ?? Format.text)

/** A statement that turned out to return other columns, after Bind had asked for the formats of the old ones. */
interface Redescribed {
  /** The statement for later runs. */
  readonly kept: PreparedStatement
  /** The statement with which to read the rows of this run. */
  readonly readable: PreparedStatement
  /** The first column that cannot be read before its type has been looked up. */
  readonly unknown: UndecodableColumn | undefined
}

/** `asked` are the formats that Bind asked for. */
export const redescribed = (
  session: Knowing,
  statement: PreparedStatement,
  columns: ReadonlyArray<ColumnDescription> | undefined,
  { asked, types }: { readonly asked: ReadonlyArray<Format>; readonly types: DatabaseTypes }
): Redescribed => {
  const { parameterOids } = statement
  const kept = preparedStatement(session, statement, { parameterOids, columns }, types)
  if (columns === undefined) return { kept, readable: kept, unknown: undefined }
  const formats = formatsOf(asked, columns)
  const named = withProperties(columns, session.catalogue.names)
  const areSame = kept.rowShape?.resultFormats.every((format, index) => format === formats[index]) === true
  const readable = areSame ? kept : { ...kept, rowShape: makeRowShape(named, types, formats) }
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
  const reason = new UnresolvedType("the client does not know its type", unknown, { isOutdated: false })
  return new UndecodableColumn({ name, typeName: types.typeName(typeOid) }, index, reason)
}
