/** The whole answer to a statement: what `executeRaw` gives, in the shape that users of `pg` know. */
import * as Exit from "effect/Exit"
import type { ObjectRow } from "../codec/rowReader.ts"
import * as Request from "../session/request/request.ts"
import { ALL } from "../session/statement/wanted.ts"

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

export const rawAnswer = (sql: string, params: ReadonlyArray<unknown>): Request.StatementRequest<RawAnswer> =>
  Request.query<ObjectRow, RawAnswer>(sql, params, {
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
  })
