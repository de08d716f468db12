/** A column that could not be read: what is to be looked up so that it can be, or else the error. */
import type { DatabaseTypes } from "../../codec/databaseTypes.ts"
import type { RowShape, UndecodableColumn } from "../../codec/rowReader.ts"
import * as PgError from "../../PgError.ts"
import type { TypeCatalogue } from "./typeCatalogue.ts"

/** What matters here of a statement. */
interface ReadStatement {
  readonly rowShape: RowShape | undefined
  readonly types: DatabaseTypes | undefined
}

interface HasSql {
  readonly sql: string
}

export interface MissingTypes {
  /** What the column is to be read with, once they know more. */
  readonly types: DatabaseTypes
  readonly unknown: ReadonlyArray<number>
}

/** Undefined where nothing is missing that has not been looked up already. Types that have changed are given up. */
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

/** Makes the error for a column that could not be read because the catalogue did not answer. */
export const unanswered = (column: UndecodableColumn, statement: HasSql): PgError.DecodeError =>
  undecodable(column, statement, `${column.message}, and the catalogue could not be asked`)
