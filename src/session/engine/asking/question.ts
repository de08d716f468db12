/**
 * Asks the server something that one short text answers, as a simple query, which depends on no prepared statement.
 *
 * ```
 * Query  ->  RowDescription DataRow CommandComplete ReadyForQuery
 * ```
 */
import type { Buffer } from "node:buffer"
import { readText } from "../../../codec/text.ts"
import { dataRowEnd } from "../../../wire/backendDecoder.ts"
import { Backend, type TransactionStatus } from "../../../wire/backendMessage.ts"
import type { ByteWriter } from "../../../wire/byteWriter.ts"
import type { ErrorFields } from "../../../wire/errorFields.ts"
import { writeQuery } from "../../../wire/frontendEncoder.ts"
import { Desynchronised, type Exchange } from "../exchange.ts"

/** Where the first value of a DataRow begins: behind the header, the number of columns, and the length of the value. */
const FIRST_VALUE = 5 + 2 + 4

/** The real answers are much shorter. A longer one is ignored. */
const MAX_ROW_BYTES = 1_024

export class Question implements Exchange {
  readonly sql: string
  readonly exclusive = false
  abandoned = false
  hasRun = false
  readonly mayOutlastError = false
  /** The exchange that needs the answer before it can go on, if there is one. */
  readonly whole: Exchange | undefined
  private readonly done: (answer: string | undefined) => void
  private answer: string | undefined

  /** Asked for a request of a borrower, it ends with the borrower. */
  get isControl(): boolean {
    return this.whole === undefined
  }

  /** Calls `done` with undefined if the server does not say. */
  constructor(sql: string, done: (answer: string | undefined) => void, whole?: Exchange) {
    this.sql = sql
    this.done = done
    this.whole = whole
  }

  encode(writer: ByteWriter): void {
    writeQuery(writer, this.sql)
  }

  refused(): void {
    this.done(undefined)
  }

  dataRows(bytes: Buffer, at: number, limit: number): number {
    const end = dataRowEnd(bytes, at, limit)
    if (end >= at + FIRST_VALUE && end - at <= MAX_ROW_BYTES) this.answer = readText(bytes, at + FIRST_VALUE, end)
    return end
  }

  message(type: number): void {
    if (type === Backend.RowDescription) return
    if (type !== Backend.CommandComplete) throw new Desynchronised(type, "RowDescription or CommandComplete")
    this.hasRun = true
  }

  ready(_status: TransactionStatus, error: ErrorFields | undefined): void {
    this.done(error === undefined ? this.answer : undefined)
  }

  lost(): void {
    this.done(undefined)
  }
}
