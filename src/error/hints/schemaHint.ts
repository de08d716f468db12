/** Says which schema or which codec reads a column, if the schema of a call does not fit its value. */
import { resembled } from "../../config/source/likeness.ts"

interface Misfit {
  /** PostgreSQL's name of the column's type. */
  readonly type: string
  /** The value of the column. Only its kind is used. */
  readonly value: unknown
  /** Whether the column itself does not fit, and not something inside its value. */
  readonly isWhole: boolean
}

export const schemaHint = ({ isWhole, type, value }: Misfit): string | undefined => {
  if (!isWhole) return Array.isArray(value) && value.includes(null) ? ARRAY : undefined
  if (value === null) return "The value is NULL. Use Schema.NullOr, or filter the rows in the SQL."
  if (JSON_TYPES.test(type)) return typeof value === "string" ? STRING_DOCUMENT : DOCUMENT
  if (value instanceof Date) {
    return (
      `The client reads ${type} as a Date. Use Schema.Date, Schema.DateTimeUtcFromDate for DateTime.Utc, or the codec ` +
      `PgTypes.${type === "timestamp" ? "timestampAsDateTime" : "timestamptzAsDateTime"} in the setting types.`
    )
  }
  return byType.get(type)
}

const JSON_TYPES = /^jsonb?$/

const DOCUMENT =
  "The client reads a document with JSON.parse. Use the schema of its content, without Schema.fromJsonString."

const STRING_DOCUMENT =
  "The document is a JSON string. If the program stored JSON.stringify(value), store the value itself. To read it as " +
  "it is, use Schema.fromJsonString."

const ARRAY = "The array has NULL elements: use Schema.Array(Schema.NullOr(...)), or PgTypes.ArrayOf."

const byType: ReadonlyMap<string, string> = new Map(
  Object.entries({
    int8:
      "The client reads int8 as a bigint, and count(*) is an int8. Use Schema.BigInt, the codec PgTypes.int8AsNumber " +
      "in the setting types, or a cast: count(*)::int.",
    numeric:
      "The client reads numeric as a string. Use Schema.BigDecimalFromString, Schema.NumberFromString, or the codec " +
      "PgTypes.numericAsBigDecimal in the setting types.",
    date:
      "The client reads date as a string, such as 2024-02-29. Use Schema.String, or cast it to get a Date: " +
      "day::timestamptz.",
    bytea: "The client reads bytea as a Uint8Array. Use Schema.Uint8Array.",
    interval: "The client reads interval as a PgTypes.PgInterval. Use PgTypes.Interval.",
    money: "The client reads money as a string. Cast it to numeric, or use Schema.String."
  })
)

/** Says what a schema may mean by a column that the result does not have. */
export const columnHint = (asked: string, names: ReadonlyArray<string>): string | undefined => {
  const meant = resembled(asked, names)
  if (meant === undefined) return undefined
  return asked === asked.toLowerCase()
    ? `Did you mean ${meant}?`
    : `Did you mean ${meant}? Rename it in the SQL: ${meant} AS "${asked}".`
}
