/** Builds the parts of statements that `PgSql` makes from names and from lists of values. */
import { MAX_COUNT, MAX_NAME_BYTES } from "../wire/limits.ts"
import { quoteName } from "../wire/sqlText.ts"
import { compose, faulty, plain, type Statement, tag, Template } from "./template.ts"

export const id = (...path: readonly [string, ...ReadonlyArray<string>]): Statement => {
  const fault = path.map(nameFault).find((found) => found !== undefined)
  return fault === undefined ? plain(path.map(quoteName).join(".")) : faulty(fault)
}

const utf8 = new TextEncoder()

/** The server would truncate a longer name, so that two names that differ only at the end would be the same. */
export const nameFault = (name: unknown): string | undefined => {
  if (typeof name !== "string") return "an identifier must be a string"
  if (name === "") return "an identifier is empty"
  if (name.includes("\0")) return "an identifier contains a NUL character (\\u0000), which PostgreSQL does not accept"
  if (!name.isWellFormed()) return "an identifier contains a lone surrogate, which UTF-8 cannot encode"
  const { length } = utf8.encode(name)
  return length > MAX_NAME_BYTES
    ? `an identifier has ${length} bytes, but PostgreSQL keeps at most ${MAX_NAME_BYTES}`
    : undefined
}

/** Refuses a part with more values than a statement can have. */
export const unlessTooMany = (call: string, part: Statement): Statement => {
  const { length } = part.params
  return length <= MAX_COUNT
    ? part
    : faulty(
        `${call} got ${length} values, but a statement can have at most ${MAX_COUNT}: write so many rows with ` +
          "copyInRows, or with unnest and one array for each column"
      )
}

export const isAmong = (values: ReadonlyArray<unknown>): Statement =>
  Array.isArray(values) ? tag`= ANY (${values})` : faulty("sql.in takes an array of values")

export const values = (rows: ReadonlyArray<ReadonlyArray<unknown>>): Statement => {
  if (!Array.isArray(rows) || !Array.from(rows).every(Array.isArray)) return faulty("sql.values takes an array of rows")
  const [first] = rows
  if (first === undefined) return faulty("sql.values takes at least one row")
  const odd = rows.findIndex(({ length }) => length !== first.length)
  if (odd > 0) {
    return faulty(
      `sql.values takes rows of the same length, but row 1 has ${first.length} values and ` +
        `row ${odd + 1} has ${rows[odd]?.length}`
    )
  }
  return unlessTooMany("sql.values", valuesOf(rows))
}

/** Makes the rows of VALUES, without looking at them. */
export const valuesOf = (rows: ReadonlyArray<ReadonlyArray<unknown>>): Statement =>
  tag`VALUES ${join(rows.map((row) => tag`(${join(row)})`))}`

export const join = (parts: ReadonlyArray<unknown>, separator: Statement = COMMA): Statement => {
  if (!Array.isArray(parts)) return faulty("sql.join takes an array of parts")
  if (!Template.isOne(separator)) return faulty("the separator of sql.join must be a template, such as sql` AND `")
  const interpolated = parts.flatMap((part, at) => (at === 0 ? [part] : [separator, part]))
  return compose(Array<string>(interpolated.length + 1).fill(""), interpolated)
}

const COMMA = tag`, `
