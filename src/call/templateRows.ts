/** Builds the parts of statements that `PgSql` makes from objects, whose keys are the columns to write to. */
import { quoteName } from "../wire/sqlText.ts"
import { compose, faulty, Property, type Statement, tag, Template } from "./template.ts"
import { join, nameFault, unlessTooMany, valuesOf } from "./templateParts.ts"

type Row = Readonly<Record<string, unknown>>

/** Rows with the same keys, and their values in the order of these keys. */
interface Table {
  readonly keys: ReadonlyArray<string>
  readonly values: ReadonlyArray<ReadonlyArray<unknown>>
}

export const insert = (rows: object): Statement => {
  const table = tableOf("sql.insert", rows)
  return typeof table === "string" ? faulty(table) : unlessTooMany("sql.insert", written(table))
}

export interface Upserted {
  readonly conflict: ReadonlyArray<string>
  readonly update?: ReadonlyArray<string> | undefined
}

export const upsert = (rows: object, options: Upserted): Statement => {
  const table = tableOf("sql.upsert", rows)
  if (typeof table === "string") return faulty(table)
  const { conflict, update: given }: Partial<Upserted> = options ?? {}
  const fault = keysFault("conflict", conflict, table) ?? (given && keysFault("update", given, table))
  if (fault !== undefined || conflict === undefined) return faulty(fault ?? NO_CONFLICT)
  const replacedKeys = given ?? table.keys.filter((key) => !conflict.includes(key))
  if (conflict.length === 0) return faulty(NO_CONFLICT)
  if (replacedKeys.length === 0 && given === undefined) return faulty(NOTHING_TO_UPDATE)
  const action = replacedKeys.length === 0 ? tag`NOTHING` : tag`UPDATE SET ${replaced(replacedKeys)}`
  return unlessTooMany("sql.upsert", tag`${written(table)} ON CONFLICT (${namesOf(conflict)}) DO ${action}`)
}

const NO_CONFLICT = "sql.upsert needs at least one key in its option conflict"
const NOTHING_TO_UPDATE = "sql.upsert has no column to update; write `update: []` to leave an existing row as it is"

export const update = (columns: object, omit: ReadonlyArray<string> = []): Statement => {
  if (!isRow(columns)) return faulty("sql.update takes an object of columns")
  if (!Array.isArray(omit)) return faulty("sql.update takes an array of the keys to omit")
  const keys = Object.keys(columns).filter((key) => !omit.includes(key))
  if (keys.length === 0) return faulty("sql.update takes at least one column")
  const fault = keys.map(nameFault).find((found) => found !== undefined)
  if (fault !== undefined) return faulty(fault)
  const missing = keys.find((key) => columns[key] === undefined)
  if (missing !== undefined) {
    return faulty(
      `sql.update does not accept undefined for column ${quoteName(missing)}: use null, or leave the column out`
    )
  }
  return unlessTooMany(
    "sql.update",
    join(keys.map((key) => compose(["", " = ", ""], [new Property(key), columns[key]])))
  )
}

// ------------------------------------------------------------------------------------------------------- text

const namesOf = (keys: ReadonlyArray<string>): Statement => join(keys.map((key) => new Property(key)))

const written = ({ keys, values }: Table): Statement => tag`(${namesOf(keys)}) ${valuesOf(values)}`

const replaced = (keys: ReadonlyArray<string>): Statement =>
  join(keys.map((key) => compose(["", " = EXCLUDED.", ""], [new Property(key), new Property(key)])))

// ------------------------------------------------------------------------------------------------------- checks

const isRow = (row: unknown): row is Row =>
  typeof row === "object" && row !== null && !Array.isArray(row) && !Template.isOne(row)

/** Takes one row or several apart. Returns what is wrong with them if they cannot be written. */
const tableOf = (call: string, given: unknown): Table | string => {
  const rows: ReadonlyArray<unknown> = Array.isArray(given) ? Array.from(given) : [given]
  const [first] = rows
  if (rows.length === 0) return `${call} takes at least one row`
  if (!rows.every(isRow) || !isRow(first)) return `${call} takes an object, or an array of objects`
  const keys = Object.keys(first)
  if (keys.length === 0) return `${call} takes rows with at least one key`
  const fault = keys.map(nameFault).find((found) => found !== undefined)
  if (fault !== undefined) return fault
  const values: Array<ReadonlyArray<unknown>> = []
  for (const [at, row] of rows.entries()) {
    const odd = oddKey(keys, row)
    if (odd !== undefined) return `${call} takes rows with the same keys, but row ${at + 1} ${odd}`
    const rowValues = keys.map((key) => row[key])
    const missing = keys[rowValues.indexOf(undefined)]
    if (missing !== undefined) {
      return (
        `${call} does not accept undefined, but row ${at + 1} has it for ${quoteName(missing)}: ` +
        "use null, sql`DEFAULT`, or leave the key out of all rows"
      )
    }
    values.push(rowValues)
  }
  return { keys, values }
}

/** Says which key a row lacks, or has in addition to those of the first row. */
const oddKey = (keys: ReadonlyArray<string>, row: Row): string | undefined => {
  const absent = keys.find((key) => !Object.hasOwn(row, key))
  if (absent !== undefined) return `has no ${quoteName(absent)}, which the first row has`
  const own = Object.keys(row)
  if (own.length === keys.length) return undefined
  const more = own.find((key) => !keys.includes(key)) ?? ""
  return `has ${quoteName(more)}, which the first row does not have`
}

const keysFault = (option: string, given: unknown, { keys }: Table): string | undefined => {
  if (!Array.isArray(given)) return `sql.upsert takes an array of keys as its option ${option}`
  return given.every((key) => keys.includes(key))
    ? undefined
    : `the option ${option} of sql.upsert has a key that the rows do not have`
}
