/**
 * Runs one statement or replication command by the simple protocol, the only one that a replication session knows, and
 * returns its rows as texts.
 *
 * ```
 * Query  ->  RowDescription DataRow... CommandComplete... | CommandComplete...  ReadyForQuery
 * ```
 */
import type { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { readText } from "../../codec/text.ts"
import type * as PgError from "../../PgError.ts"
import { dataRowEnd, HEADER_BYTES } from "../../wire/backendDecoder.ts"
import { Backend, type TransactionStatus } from "../../wire/backendMessage.ts"
import { ByteReader } from "../../wire/byteReader.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import { decodeRowDescription } from "../../wire/coldMessages.ts"
import { readCommandTag } from "../../wire/commandTag.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { writeQuery } from "../../wire/frontendEncoder.ts"
import { Desynchronised, type Exchange, type Resume } from "../engine/exchange.ts"
import { requestRefused, serverError } from "../engine/serverError.ts"
import type { Session } from "../engine/session.ts"

/** A row by the names of its columns. */
export type TextRow = Readonly<Record<string, string | null>>

const Awaiting = {
  start: "RowDescription or CommandComplete",
  rows: "DataRow or CommandComplete",
  ready: "CommandComplete or ReadyForQuery"
} as const
type Awaiting = (typeof Awaiting)[keyof typeof Awaiting]

const MAX_ROWS = 10_000

class TextRows implements Exchange {
  readonly sql: string
  abandoned = false
  readonly exclusive = true
  private readonly session: Session
  private readonly resume: Resume<ReadonlyArray<TextRow>>
  private readonly rows: Array<TextRow> = []
  private names: ReadonlyArray<string> = []
  private awaiting: Awaiting = Awaiting.start

  constructor(session: Session, sql: string, resume: Resume<ReadonlyArray<TextRow>>) {
    this.session = session
    this.sql = sql
    this.resume = resume
  }

  get hasRun(): boolean {
    return this.awaiting === Awaiting.ready
  }

  get mayOutlastError(): boolean {
    return this.hasRun
  }

  encode(writer: ByteWriter): void {
    writeQuery(writer, this.sql)
  }

  refused(failure: unknown): void {
    this.lost(requestRefused(failure, this.sql))
  }

  dataRows(bytes: Buffer, at: number, limit: number): number {
    if (this.awaiting !== Awaiting.rows || this.rows.length === MAX_ROWS) {
      throw new Desynchronised(Backend.DataRow, this.awaiting)
    }
    const end = dataRowEnd(bytes, at, limit)
    const reader = new ByteReader(bytes, at + HEADER_BYTES, end)
    const count = reader.uint16()
    const row: Array<readonly [string, string | null]> = []
    for (let index = 0; index < count; index++) {
      const length = reader.int32()
      const value = length === -1 ? null : reader.view(length)
      row.push([this.names[index] ?? "", value === null ? null : readText(value, 0, value.length)])
    }
    reader.expectEnd("a row")
    this.rows.push(Object.fromEntries(row))
    return end
  }

  message(type: number, bytes: Buffer, start: number, end: number): void {
    if (type === Backend.RowDescription && this.awaiting === Awaiting.start) {
      this.names = decodeRowDescription(bytes, start, end).map(({ name }) => name)
      this.awaiting = Awaiting.rows
    } else if (type === Backend.CommandComplete) {
      // Older servers send two for a replication command.
      this.session.commandCompleted(readCommandTag(bytes, start, end))
      this.awaiting = Awaiting.ready
    } else {
      throw new Desynchronised(type, this.awaiting)
    }
  }

  ready(_status: TransactionStatus, error: ErrorFields | undefined): void {
    if (error !== undefined) return this.lost(serverError(error, this.sql, this))
    if (this.awaiting !== Awaiting.ready) throw new Desynchronised(Backend.ReadyForQuery, this.awaiting)
    this.finish(Exit.succeed(this.rows))
  }

  lost(error: PgError.PgError): void {
    this.finish(Exit.fail(error))
  }

  private finish(exit: Exit.Exit<ReadonlyArray<TextRow>, PgError.PgError>): void {
    if (!this.abandoned) this.resume(exit)
  }
}

/** Runs a statement or a replication command. An interruption cancels it. */
export const textRows = (session: Session, sql: string): Effect.Effect<ReadonlyArray<TextRow>, PgError.PgError> =>
  Effect.callback((resume) => {
    const exchange = new TextRows(session, sql, resume)
    session.submit(exchange)
    return Effect.sync(() => session.abandon(exchange))
  })
