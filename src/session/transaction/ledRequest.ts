/**
 * A request with commands in front of it that must succeed before it runs. They cost no round trip:
 *
 * ```
 * (Parse Bind Execute)...  (Parse Bind...) Sync  ->  (ParseComplete BindComplete (DataRow) CommandComplete)...
 *                                                    (the answer) ReadyForQuery
 * ```
 * If one of the commands fails, the server skips everything before the Sync. So the request cannot run without them. A
 * request that is not an extended query is written once the commands are answered, because the server would not skip it.
 */
import type { Buffer } from "node:buffer"
import type * as Fiber from "effect/Fiber"
import type * as PgError from "../../PgError.ts"
import { dataRowEnd } from "../../wire/backendDecoder.ts"
import { Backend, backendMessageName, type TransactionStatus } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { writeSync } from "../../wire/frontendEncoder.ts"
import { Desynchronised, type Exchange } from "../engine/exchange.ts"
import type { Session } from "../engine/session.ts"

export abstract class LedRequest implements Exchange {
  readonly mayShareSync = true
  readonly exclusive = true
  protected readonly session: Session
  protected readonly request: Exchange
  /** The types of the messages that answer the commands, in their order. */
  private readonly answers: ReadonlyArray<number>
  private answered = 0
  /** Whether the request is not in this write: it is no extended query, or it could not be encoded. */
  protected isAlone = false
  private refusal: { readonly failure: unknown } | undefined
  /** Whether the request goes on without the commands. */
  protected isOver = false

  constructor(session: Session, request: Exchange, answers: ReadonlyArray<number>) {
    this.session = session
    this.request = request
    this.answers = answers
  }

  /** Writes the commands, without a Sync. Never throws. */
  protected abstract writeCommands(writer: ByteWriter): void
  /** The commands have succeeded. What follows answers the request. */
  protected abstract led(): void
  /** ReadyForQuery has come, and the commands had succeeded. */
  protected abstract settled(): void
  /** One of the commands has failed. Returns the error for the request, which has not run. */
  protected abstract failed(error: ErrorFields): PgError.PgError
  /** The commands were not written, because the caller of the request has gone. */
  protected abstract unwritten(): void

  protected get isLed(): boolean {
    return this.answered === this.answers.length
  }

  get sql(): string {
    return this.request.sql
  }

  get abandoned(): boolean {
    return this.request.abandoned
  }

  set abandoned(abandoned: boolean) {
    this.request.abandoned = abandoned
  }

  get part(): Exchange | undefined {
    return this.isOver ? (this.request.part ?? this.request) : undefined
  }

  get asksOnly(): boolean {
    return this.isAlone || this.request.asksOnly === true
  }

  get hasRun(): boolean {
    return this.request.hasRun
  }

  get mayOutlastError(): boolean {
    return this.request.mayOutlastError
  }

  get row(): number | undefined {
    return this.request.row
  }

  encode(writer: ByteWriter): void {
    this.writeCommands(writer)
    const mark = writer.length
    try {
      if (this.request.mayShareSync === true) return this.request.encode(writer)
    } catch (failure) {
      writer.rewind(mark)
      this.refusal = { failure }
    }
    this.isAlone = true
    writeSync(writer)
  }

  /** Never called, since `encode` does not throw. */
  refused(failure: unknown): void {
    this.request.refused(failure)
  }

  dataRows(bytes: Buffer, at: number, limit: number): number {
    if (this.isLed && !this.isAlone) return this.request.dataRows(bytes, at, limit)
    this.expect(Backend.DataRow)
    return dataRowEnd(bytes, at, limit)
  }

  message(type: number, bytes: Buffer, start: number, end: number): void {
    if (this.isLed && !this.isAlone) return this.request.message(type, bytes, start, end)
    this.expect(type)
    if (this.isLed) this.led()
  }

  private expect(type: number): void {
    const next = this.answers[this.answered]
    if (type !== next) throw new Desynchronised(type, backendMessageName(next ?? Backend.ReadyForQuery))
    this.answered++
  }

  errorArrived(): void {
    if (this.isLed && !this.isAlone) this.request.errorArrived?.()
  }

  drained(): void {
    this.request.drained?.()
  }

  refusalOf(fiber: Fiber.Fiber<unknown, unknown>): PgError.PgError | undefined {
    return this.request.refusalOf?.(fiber)
  }

  ready(status: TransactionStatus, error: ErrorFields | undefined): void {
    const { request, session } = this
    this.isOver = true
    if (!this.isLed) {
      if (error === undefined) this.expect(Backend.ReadyForQuery)
      else request.lost(this.failed(error))
      return
    }
    this.settled()
    if (!this.isAlone) request.ready(status, error)
    else if (this.refusal === undefined) session.submitFirst(request)
    else request.refused(this.refusal.failure)
  }

  withdrawn(): void {
    const { isOver, request } = this
    this.isOver = true
    // A request that goes on is told by the session, unless a part stands for it.
    if (!isOver || request.part !== undefined) request.withdrawn?.()
    if (!isOver) this.unwritten()
  }

  lost(error: PgError.PgError): void {
    if (!this.isOver) this.settled()
    this.isOver = true
    this.request.lost(error)
  }
}
