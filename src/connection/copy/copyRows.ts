/** Writes rows for a COPY into a table: finds their columns and format, and says what is wrong with a row. */
import * as Effect from "effect/Effect"
import { type CopyColumns, copyColumns, type CopyFormat, needsText, rowWriter } from "../../codec/copyRow.ts"
import type * as PgCopy from "../../PgCopy.ts"
import * as PgError from "../../PgError.ts"
import { wrapperHint } from "../../error/hints/valueHint.ts"
import { ownTupleRows } from "../../session/request/request.ts"
import type { TransactionLevel } from "../../session/transaction/transactionLevel.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import { COPY_HEADER, COPY_TRAILER } from "../../wire/copyData/copyBinary.ts"
import { Unencodable } from "../../wire/failure.ts"
import { description, selectFrom } from "./copySource.ts"
import { quoteText } from "../../wire/sqlText.ts"
import { tableName } from "./copyStatement.ts"
import { isArray, isSafely } from "../../call/shape.ts"

export interface CopyPlan {
  /** The names of the columns. */
  readonly names: ReadonlyArray<string>
  /** The properties that have the values of these columns, if a row is an object. */
  readonly properties: ReadonlyArray<string>
  readonly columns: CopyColumns
  readonly format: CopyFormat
  /** Whether a row may have no other properties, because the first row has named the columns. */
  readonly isExhaustive: boolean
}

/** Selects the names of the columns that can be written. `SELECT *` would include generated columns, which cannot. */
const writableColumns = (table: PgCopy.Table): string => `SELECT a.attname::pg_catalog.text
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid OPERATOR(pg_catalog.=) ${quoteText(tableName(table))}::pg_catalog.regclass
  AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped AND a.attgenerated OPERATOR(pg_catalog.=) ''
ORDER BY a.attnum`

/** Takes the columns from the options, or from the first row if it is an object, or from the table. */
export const copyPlan = (
  level: TransactionLevel,
  table: PgCopy.Table,
  first: unknown,
  format: CopyFormat | undefined
): Effect.Effect<CopyPlan, PgError.PgError> =>
  Effect.gen(function* () {
    const { columnOf, propertyOf } = level.session.catalogue.names
    const given = table.columns === undefined && isObject(first) ? keysOf(first) : undefined
    const names =
      given?.map(columnOf) ??
      table.columns ??
      (yield* level.run(ownTupleRows(writableColumns(table)))).map(([name]) => String(name))
    const properties = given ?? names.map(propertyOf)
    const { rowShape } = yield* description(level, selectFrom(table, names))
    const oids = (rowShape?.columns ?? []).map(({ typeOid }) => typeOid)
    const columns = copyColumns(oids, level.session.catalogue.types)
    return {
      names,
      properties,
      columns,
      format: format ?? formatFor(properties, columns, first),
      isExhaustive: given !== undefined
    }
  })

/** Returns no keys for a Proxy that throws. Its row is refused when it is written. */
const keysOf = (row: object): ReadonlyArray<string> => {
  try {
    return Object.keys(row)
  } catch {
    return []
  }
}

const formatFor = (properties: ReadonlyArray<string>, columns: CopyColumns, first: unknown): CopyFormat => {
  const values = (): ReadonlyArray<unknown> =>
    isObject(first) ? properties.map((property) => first[property]) : isArray(first) ? first : []
  return isSafely(() => needsText(columns, values()), undefined) ? "csv" : "binary"
}

const isObject = (row: unknown): row is Readonly<Record<string, unknown>> =>
  typeof row === "object" && row !== null && !isArray(row)

/** Copies a row, so that later changes have no effect. An instance of a class may have getters and is not copied. */
export const asItIs = (row: unknown): unknown => {
  try {
    if (isArray(row)) return row.slice()
    return isObject(row) && Object.getPrototypeOf(row) === Object.prototype ? { ...row } : row
  } catch {
    return row
  }
}

export class CopyRows {
  written = 0
  private readonly plan: CopyPlan
  private readonly sql: string
  private readonly writeRow: ReturnType<typeof rowWriter>
  /** The values of the current row in column order, if it is an object. */
  private readonly values: Array<unknown> = []

  constructor(plan: CopyPlan, sql: string) {
    this.plan = plan
    this.sql = sql
    this.writeRow = rowWriter(plan.columns, plan.format)
  }

  begin(writer: ByteWriter): void {
    if (this.plan.format === "binary") writer.raw(COPY_HEADER)
  }

  end(writer: ByteWriter): void {
    if (this.plan.format === "binary") writer.raw(COPY_TRAILER)
  }

  /** Writes a row. If that fails, writes nothing of it and returns the error. */
  write(writer: ByteWriter, row: unknown): PgError.EncodeError | undefined {
    const mark = writer.length
    try {
      this.writeRow(writer, this.valuesOf(row))
      this.written++
      return undefined
    } catch (failure) {
      writer.rewind(mark)
      return this.refusal(
        failure instanceof Unencodable ? failure : new Unencodable("reading the row threw an error"),
        row
      )
    }
  }

  private valuesOf(row: unknown): ReadonlyArray<unknown> {
    const { isExhaustive, properties } = this.plan
    if (isArray(row)) {
      if (row.length !== properties.length) {
        throw new Unencodable(`the row has ${row.length} values for ${properties.length} columns`)
      }
      return row
    }
    if (!isObject(row)) throw new Unencodable("a row must be an array or an object")
    const { values } = this
    for (let index = 0; index < properties.length; index++) {
      const property = properties[index]!
      const value = row[property]
      if (value === undefined && !(property in row)) throw new Unencodable(`the row has no property "${property}"`)
      values[index] = value
    }
    if (isExhaustive) this.refuseMore(row)
    return values
  }

  /** Refuses properties that the first row did not have, because they would be lost without an error. */
  private refuseMore(row: Readonly<Record<string, unknown>>): void {
    const { properties } = this.plan
    const keys = Object.keys(row)
    if (keys.length === properties.length) return
    const extra = keys.filter((key) => !properties.includes(key))
    throw new Unencodable(
      `the row has properties that the first row does not have: ${extra.join(", ")}; ` +
        "name the columns in { table, columns }"
    )
  }

  private refusal({ kind, message, parameter = 0 }: Unencodable, row: unknown): PgError.EncodeError {
    const { columns, format, names } = this.plan
    const value = parameter === 0 ? undefined : (isArray(row) ? row : this.values)[parameter - 1]
    const csv = format === "binary" && typeof value === "string" ? '; set format: "csv" to send strings' : ""
    return new PgError.EncodeError({
      parameter,
      type: columns.encoders[parameter - 1]?.typeName ?? "row",
      reason: `${message}${csv}`,
      sql: this.sql,
      hint: wrapperHint(kind),
      row: this.written + 1,
      column: names[parameter - 1]
    })
  }
}
