/**
 * Has the server turn values from their binary form into their text. The types are named by their OIDs.
 *
 * ```
 * Parse Bind Execute Sync  ->  ParseComplete BindComplete DataRow CommandComplete ReadyForQuery
 * ```
 */
import type { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { readText } from "../../codec/text.ts"
import type * as PgError from "../../PgError.ts"
import { dataRowEnd, HEADER_BYTES } from "../../wire/backendDecoder.ts"
import { Backend, Format, type TransactionStatus } from "../../wire/backendMessage.ts"
import { ByteReader } from "../../wire/byteReader.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { Unencodable } from "../../wire/failure.ts"
import {
  bindNames,
  encodeResultFormats,
  type ParameterEncoder,
  writeBind,
  writeExecute,
  writeParse,
  writeSync
} from "../../wire/frontendEncoder.ts"
import { Desynchronised, type Exchange, type Resume } from "../engine/exchange.ts"
import { requestRefused, serverError } from "../engine/serverError.ts"
import type { Session } from "../engine/session.ts"

/** A value in the binary form of its type. */
export interface BinaryValue {
  readonly oid: number
  readonly bytes: Buffer
}

const AS_IT_IS: ParameterEncoder = {
  formatOf: () => Format.binary,
  write: (writer, value) => {
    if (!(value instanceof Uint8Array)) throw new Unencodable("the value is not in a binary form")
    writer.raw(value)
  }
}

const UNNAMED = bindNames("")
const TEXT = encodeResultFormats([])

/** What must come, one after the other. */
const EXPECTED = [Backend.ParseComplete, Backend.BindComplete, Backend.DataRow, Backend.CommandComplete] as const
const NAMES = ["ParseComplete", "BindComplete", "DataRow", "CommandComplete", "ReadyForQuery"] as const

class TextForms implements Exchange {
  readonly sql: string
  abandoned = false
  readonly exclusive = true
  readonly mayOutlastError = false
  private readonly values: ReadonlyArray<BinaryValue>
  private readonly resume: Resume<ReadonlyArray<string>>
  private readonly texts: Array<string> = []
  private step = 0

  constructor(values: ReadonlyArray<BinaryValue>, resume: Resume<ReadonlyArray<string>>) {
    this.values = values
    this.resume = resume
    this.sql = `SELECT ${values.map((_, index) => `$${index + 1}`).join(", ")}`
  }

  get hasRun(): boolean {
    return this.step === EXPECTED.length
  }

  encode(writer: ByteWriter): void {
    const { sql, values } = this
    writeParse(
      writer,
      "",
      sql,
      values.map(({ oid }) => oid)
    )
    const statement = { bindNames: UNNAMED, parameters: values.map(() => AS_IT_IS), resultFormats: TEXT }
    writeBind(
      writer,
      statement,
      values.map(({ bytes }) => bytes)
    )
    writeExecute(writer, 0)
    writeSync(writer)
  }

  refused(failure: unknown): void {
    this.lost(requestRefused(failure, this.sql))
  }

  dataRows(bytes: Buffer, at: number, limit: number): number {
    this.advance(Backend.DataRow)
    const end = dataRowEnd(bytes, at, limit)
    const reader = new ByteReader(bytes, at + HEADER_BYTES, end)
    const count = reader.uint16()
    for (let index = 0; index < count; index++) {
      const text = reader.view(reader.int32())
      this.texts.push(readText(text, 0, text.length))
    }
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
    if (error !== undefined) return this.lost(serverError(error, this.sql, this))
    if (!this.hasRun || this.texts.length !== this.values.length) {
      throw new Desynchronised(Backend.ReadyForQuery, NAMES[this.step] ?? "as many values as were sent")
    }
    if (!this.abandoned) this.resume(Exit.succeed(this.texts))
  }

  lost(error: PgError.PgError): void {
    if (!this.abandoned) this.resume(Exit.fail(error))
  }
}

/** Returns the texts of values that are not NULL, at most as many as a statement has parameters. */
export const textForms = (
  session: Session,
  values: ReadonlyArray<BinaryValue>
): Effect.Effect<ReadonlyArray<string>, PgError.PgError> =>
  Effect.callback((resume) => {
    const exchange = new TextForms(values, resume)
    session.submit(exchange)
    return Effect.sync(() => session.abandon(exchange))
  })
