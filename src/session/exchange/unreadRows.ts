/**
 * Reads the rows of an answer that could not be read as they came. The rows wait in the collector meanwhile. Either their
 * types have to be looked up first, or a value has come in a binary form that the client cannot read. That happens to a
 * type that has only a text form for the client, if a statement was run before it was described, or if a column has got
 * such a type since. The statement is not run again. Instead the server is sent the values and asked for their texts, in
 * the same conversation:
 *
 * ```
 * SELECT $1::text, $2::text...
 * Parse Bind Execute Sync  ->  ParseComplete BindComplete DataRow CommandComplete ReadyForQuery
 * ```
 */
import { Buffer } from "node:buffer"
import { dataRowEnd, HEADER_BYTES } from "../../wire/backendDecoder.ts"
import { Backend, Format, type TransactionStatus } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import {
  bindNames,
  encodeResultFormats,
  type ParameterEncoder,
  writeBindExecute,
  writeParse,
  writeSync
} from "../../wire/frontendEncoder.ts"
import { Desynchronised, type Exchange } from "../engine/exchange.ts"
import { serverError } from "../engine/serverError.ts"
import type { Session } from "../engine/session.ts"
import * as Exit from "effect/Exit"
import type { DatabaseTypes } from "../../codec/databaseTypes.ts"
import type { UndecodableColumn } from "../../codec/rowReader.ts"
import * as PgError from "../../PgError.ts"
import type { PreparedStatement } from "../statement/preparedStatement.ts"
import type { StatementInUse, TextColumn } from "../statement/statementInUse.ts"
import { missingTypes, unanswered, undecodable } from "../types/missingTypes.ts"

/** A request whose rows wait to be read. */
export interface HasUnreadRows extends Exchange {
  readonly session: Session
  readonly inUse: StatementInUse
  /** The types that the server was asked for already. */
  readonly lookedUp: ReadonlyArray<number>
  part: Exchange | undefined
  readonly keptRows: ReadonlyArray<Buffer>
  lookUp(
    types: DatabaseTypes,
    oids: ReadonlyArray<number>,
    done: (exit: Exit.Exit<unknown, PgError.PgError>) => void
  ): void
  /** Reads the rows that were kept, or what has been made of them, and goes on. */
  readKept(rows?: ReadonlyArray<Buffer>): void
  withdrawn(): void
}

/** All rows have come, and `column` could not be read. Asks the server for what is missing, and reads them then. */
export const readLater = (query: HasUnreadRows, statement: PreparedStatement, column: UndecodableColumn): void => {
  const { catalogue } = query.session
  const missing = missingTypes(catalogue, statement, column, query.lookedUp)
  if (missing === undefined) {
    const texts = query.keptRows.length === 0 ? [] : query.inUse.textColumns(statement, catalogue.types)
    if (texts.length === 0) query.lost(undecodable(column, query))
    else readTexts(query, statement, column, texts, catalogue.types)
    return
  }
  const { types, unknown } = missing
  query.lookUp(types, unknown, (exit) => {
    if (Exit.isFailure(exit)) {
      query.withdrawn()
      return query.lost(unanswered(column, query))
    }
    query.inUse.readAs(statement, statement.rowShape?.columns, types)
    const texts = query.inUse.textColumns(query.inUse.known ?? statement, types)
    if (texts.length === 0) query.readKept()
    else readTexts(query, statement, column, texts, types)
  })
}

/** Some types of the server can be read in binary form by nobody, not even by the server. */
const ONLY_TEXT = "it has only a text form that can be read; cast it to text"

const readTexts = (
  query: HasUnreadRows,
  statement: PreparedStatement,
  column: UndecodableColumn,
  texts: ReadonlyArray<TextColumn>,
  types: DatabaseTypes
): void => {
  query.part = withTexts(query, query.keptRows, texts, (rows) => {
    query.part = undefined
    if (PgError.isPostgresError(rows)) return query.lost(undecodable(column, query, ONLY_TEXT))
    if (PgError.isPgError(rows)) return query.lost(rows)
    query.inUse.readTexts(statement, texts, types)
    query.readKept(rows)
  })
}

// --------------------------------------------------------------------------------------------------------- texts

type Done = (rows: ReadonlyArray<Buffer> | PgError.PgError) => void

/** A SELECT list has at most 1,664 entries. */
const MAX_VALUES = 1_600
const COUNT_BYTES = 2
const LENGTH_BYTES = 4
const NULL_LENGTH = -1

/** One value of a row; undefined for NULL. */
type Value = Buffer | undefined

/** Sends an encoded value as it came. */
const asItCame: ParameterEncoder = {
  formatOf: () => Format.binary,
  write: (writer, value) => {
    if (value instanceof Buffer) writer.raw(value)
  }
}

const splitRow = (row: Buffer): Array<Value> => {
  const values: Array<Value> = []
  let at = COUNT_BYTES
  for (let count = row.readUInt16BE(0); count > 0; count--) {
    const length = row.readInt32BE(at)
    at += LENGTH_BYTES
    values.push(length === NULL_LENGTH ? undefined : row.subarray(at, (at += length)))
  }
  return values
}

const joinRow = (values: ReadonlyArray<Value>): Buffer => {
  const count = Buffer.alloc(COUNT_BYTES)
  count.writeUInt16BE(values.length)
  const parts = values.flatMap((value) => {
    const length = Buffer.alloc(LENGTH_BYTES)
    length.writeInt32BE(value?.length ?? NULL_LENGTH)
    return value === undefined ? [length] : [length, value]
  })
  return Buffer.concat([count, ...parts])
}

/** A value that is to be replaced by its text. */
interface Cell {
  readonly row: Array<Value>
  readonly column: TextColumn
  readonly value: Buffer
}

/** Replaces the values of `columns` in `rows`, bodies of DataRows, by their texts. Returns the first exchange. */
export const withTexts = (
  whole: Exchange & { readonly session: Session },
  rows: ReadonlyArray<Buffer>,
  columns: ReadonlyArray<TextColumn>,
  done: Done
): Exchange | undefined => {
  const split = rows.map(splitRow)
  const cells = split.flatMap((row) =>
    columns.flatMap((column): ReadonlyArray<Cell> => {
      const value = row[column.index]
      return value === undefined ? [] : [{ row, column, value }]
    })
  )
  const next = (from: number): Exchange | undefined => {
    if (from >= cells.length) return void done(split.map(joinRow))
    const some = cells.slice(from, from + MAX_VALUES)
    const forms = new TextForms(whole, some, (error) =>
      error === undefined ? void next(from + MAX_VALUES) : done(error)
    )
    whole.session.submitFirst(forms)
    return forms
  }
  return next(0)
}

class TextForms implements Exchange {
  readonly sql: string
  readonly whole: Exchange
  readonly exclusive = true
  readonly hasRun = false
  readonly mayOutlastError = false
  abandoned = false
  private readonly cells: ReadonlyArray<Cell>
  private readonly done: (error?: PgError.PgError) => void

  constructor(whole: Exchange, cells: ReadonlyArray<Cell>, done: (error?: PgError.PgError) => void) {
    this.sql = `SELECT ${cells.map((_, index) => `$${index + 1}::pg_catalog.text`).join(", ")}`
    this.whole = whole
    this.cells = cells
    this.done = done
  }

  encode(writer: ByteWriter): void {
    const { cells } = this
    writeParse(
      writer,
      "",
      this.sql,
      cells.map(({ column }) => column.typeOid)
    )
    const bound = { bindNames: bindNames(""), parameters: cells.map(() => asItCame), resultFormats: ALL_TEXT }
    writeBindExecute(
      writer,
      bound,
      cells.map(({ value }) => value)
    )
    writeSync(writer)
  }

  refused(failure: unknown): void {
    this.whole.refused(failure)
  }

  dataRows(bytes: Buffer, at: number, limit: number): number {
    const end = dataRowEnd(bytes, at, limit)
    if (end === 0) return at
    const texts = splitRow(Buffer.from(bytes.subarray(at + HEADER_BYTES, end)))
    this.cells.forEach(({ column, row }, index) => (row[column.index] = texts[index]))
    return end
  }

  message(type: number): void {
    if (!ANSWERS.has(type)) throw new Desynchronised(type, "the texts of values")
  }

  ready(_status: TransactionStatus, error: ErrorFields | undefined): void {
    this.done(error && serverError(error, this.sql, this.whole))
  }

  lost(error: PgError.PgError): void {
    this.done(error)
  }
}

const ALL_TEXT = encodeResultFormats([])
const ANSWERS: ReadonlySet<number> = new Set([Backend.ParseComplete, Backend.BindComplete, Backend.CommandComplete])
