/** Finds the types to look up for a column that could not be read, or makes its error. */
import type { DatabaseTypes } from "../../codec/databaseTypes.ts"
import type { RowShape, UndecodableColumn } from "../../codec/rowReader.ts"
import * as PgError from "../../PgError.ts"
import type { TypeCatalogue } from "./typeCatalogue.ts"

/** The part of a prepared statement that matters here. */
interface ReadStatement {
  readonly rowShape: RowShape | undefined
  readonly types: DatabaseTypes | undefined
}

interface HasSql {
  readonly sql: string
}

export interface MissingTypes {
  /** The types with which to read the column, once the unknown ones are added. */
  readonly types: DatabaseTypes
  readonly unknown: ReadonlyArray<number>
}

/** Returns undefined if everything has been looked up already. Drops the known types if one of them has changed. */
export const missingTypes = (
  catalogue: TypeCatalogue,
  { rowShape, types: known }: ReadStatement,
  { unresolved }: UndecodableColumn,
  lookedUp: ReadonlyArray<number>
): MissingTypes | undefined => {
  const { isOutdated = false, oids = [] } = unresolved ?? {}
  if (oids.every((oid) => lookedUp.includes(oid))) return undefined
  if (isOutdated && known !== undefined) catalogue.outdate(known)
  const { types } = catalogue
  const columns = rowShape?.columns ?? []
  return { types, unknown: types.unknownAmong([...oids, ...columns.map(({ typeOid }) => typeOid)]) }
}

export const undecodable = (
  { column, message, typeName }: UndecodableColumn,
  { sql }: HasSql,
  reason = message
): PgError.DecodeError => new PgError.DecodeError({ column, type: typeName, reason, sql })

export const unanswered = (column: UndecodableColumn, statement: HasSql): PgError.DecodeError =>
  undecodable(column, statement, `${column.message}; the client could not look it up on the server`)
