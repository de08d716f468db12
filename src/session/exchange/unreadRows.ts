/**
 * Reads the rows of an answer that could not be read as they came. The rows wait in the collector meanwhile. Either their
 * types have to be looked up first, or a value has come in a binary form that the client cannot read. That happens to a
 * type that has only a text form for the client, if a statement was run before it was described, or if a column has got
 * such a type since. The statement is not run again. Instead the server is sent the values and asked for their texts, in
 * the same conversation:
 *
 * ```
 * SELECT $1, $2...
 * Parse Bind Execute Sync  ->  ParseComplete BindComplete DataRow CommandComplete ReadyForQuery
 * ```
 */
import { Buffer } from "node:buffer"
import { dataRowEnd, HEADER_BYTES } from "../../wire/backendDecoder.ts"
import { Backend, Format, type TransactionStatus } from "../../wire/backendMessage.ts"
import { ByteReader } from "../../wire/byteReader.ts"
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
import { requestRefused, serverError } from "../engine/serverError.ts"
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

/** Receives buffers, of rows or of texts, or the error. */
type Done = (buffers: ReadonlyArray<Buffer> | PgError.PgError) => void

const COUNT_BYTES = 2
const LENGTH_BYTES = 4
const NULL_LENGTH = -1

/** One value of a row; undefined for NULL. */
type Value = Buffer | undefined

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
interface Cell extends BinaryValue {
  readonly row: Array<Value>
  readonly index: number
}

/** Replaces the values of `columns` in `rows`, bodies of DataRows, by their texts. Returns the first exchange. */
const withTexts = (
  whole: Exchange & { readonly session: Session },
  rows: ReadonlyArray<Buffer>,
  columns: ReadonlyArray<TextColumn>,
  done: Done
): Exchange | undefined => {
  const split = rows.map(splitRow)
  const cells = split.flatMap((row) =>
    columns.flatMap(({ index, typeOid: oid }): ReadonlyArray<Cell> => {
      const bytes = row[index]
      return bytes === undefined ? [] : [{ row, index, oid, bytes }]
    })
  )
  const next = (from: number): Exchange | undefined => {
    if (from >= cells.length) return void done(split.map(joinRow))
    const some = cells.slice(from, from + MAX_TEXT_FORMS)
    const forms = new TextForms(
      some,
      (texts) => {
        if (PgError.isPgError(texts)) return done(texts)
        for (const [at, { index, row }] of some.entries()) row[index] = texts[at]
        next(from + MAX_TEXT_FORMS)
      },
      whole
    )
    whole.session.submitFirst(forms)
    return forms
  }
  return next(0)
}

/** A value in the binary form of its type. */
export interface BinaryValue {
  readonly oid: number
  readonly bytes: Buffer
}

/** So many values are sent at once at most: a SELECT list has at most 1,664 entries. */
export const MAX_TEXT_FORMS = 1_600

/** Sends a value as it came. */
const asItCame: ParameterEncoder = {
  formatOf: () => Format.binary,
  write: (writer, value) => {
    if (value instanceof Buffer) writer.raw(value)
  }
}

const ALL_TEXT = encodeResultFormats([])

/** What must come, one after the other. */
const EXPECTED = [Backend.ParseComplete, Backend.BindComplete, Backend.DataRow, Backend.CommandComplete] as const
const NAMES = ["ParseComplete", "BindComplete", "DataRow", "CommandComplete", "ReadyForQuery"] as const

/** Has the server turn at most `MAX_TEXT_FORMS` values into texts: for itself, or as a part of another request. */
export class TextForms implements Exchange {
  readonly sql: string
  readonly whole: Exchange | undefined
  readonly exclusive = true
  readonly hasRun = false
  readonly mayOutlastError = false
  abandoned = false
  private readonly values: ReadonlyArray<BinaryValue>
  private readonly done: Done
  private texts: ReadonlyArray<Buffer> = []
  private step = 0

  constructor(values: ReadonlyArray<BinaryValue>, done: Done, whole?: Exchange) {
    this.sql = `SELECT ${values.map((_, index) => `$${index + 1}`).join(", ")}`
    this.values = values
    this.done = done
    this.whole = whole
  }

  encode(writer: ByteWriter): void {
    const { sql, values } = this
    writeParse(
      writer,
      "",
      sql,
      values.map(({ oid }) => oid)
    )
    const bound = { bindNames: bindNames(""), parameters: values.map(() => asItCame), resultFormats: ALL_TEXT }
    writeBindExecute(
      writer,
      bound,
      values.map(({ bytes }) => bytes)
    )
    writeSync(writer)
  }

  refused(failure: unknown): void {
    if (this.whole === undefined) this.lost(requestRefused(failure, this.sql))
    else this.whole.refused(failure)
  }

  dataRows(bytes: Buffer, at: number, limit: number): number {
    this.advance(Backend.DataRow)
    const end = dataRowEnd(bytes, at, limit)
    const reader = new ByteReader(bytes, at + HEADER_BYTES, end)
    this.texts = Array.from({ length: reader.uint16() }, () => Buffer.from(reader.view(reader.int32())))
    reader.expectEnd("a row")
    return end
  }

  message(type: number): void {
    this.advance(type)
  }

  private advance(type: number): void {
    if (EXPECTED[this.step] !== type) throw new Desynchronised(type, NAMES[this.step] ?? "ReadyForQuery")
    this.step++
  }

  ready(_status: TransactionStatus, error: ErrorFields | undefined): void {
    if (error !== undefined) return this.lost(serverError(error, this.sql, this.whole ?? this))
    if (this.step < EXPECTED.length || this.texts.length !== this.values.length) {
      throw new Desynchronised(Backend.ReadyForQuery, NAMES[this.step] ?? "as many values as were sent")
    }
    if (!this.abandoned) this.done(this.texts)
  }

  lost(error: PgError.PgError): void {
    if (!this.abandoned) this.done(error)
  }
}
