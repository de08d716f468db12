/** The whole answer to a statement of effect/sql, for programs that ask for more than its rows. */

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
  readonly rows: ReadonlyArray<Readonly<Record<string, unknown>>>
  /** The columns of the rows, also if there are no rows. */
  readonly fields: ReadonlyArray<RawField>
}
