/**
 * The BEGIN of a transaction together with the transaction's first request, so that BEGIN costs no round trip:
 *
 * ```
 * Parse Bind Execute  (Parse Bind...) Sync  ->  ParseComplete BindComplete CommandComplete  (the answer) ReadyForQuery
 * ```
 * If BEGIN fails, the server skips everything before the Sync. So the request cannot run outside the transaction. A request
 * that is not an extended query is written once BEGIN is answered, because the server would not skip it.
 */
import type { Buffer } from "node:buffer"
import type * as Fiber from "effect/Fiber"
import type * as PgError from "../../PgError.ts"
import { Backend, TransactionStatus } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { writeCommand, writeSync } from "../../wire/frontendEncoder.ts"
import { Desynchronised, type Exchange, type Resume } from "../engine/exchange.ts"
import { serverError } from "../engine/serverError.ts"
import type { Session } from "../engine/session.ts"
import { ask, type Request } from "../request/request.ts"
import { NOTHING_ASKED } from "../statement/outcome.ts"

/** The level of a transaction whose BEGIN is due. */
interface Begins {
  readonly session: Session
  /** Lets other requests wait until `handOn`. They must not be written before BEGIN has succeeded. */
  take(): void
  handOn(): void
  notBegun(error: PgError.PgError): void
}

/** A BEGIN that has not been sent. The first request of its transaction takes it along. */
export class DueBegin {
  private readonly level: Begins
  private readonly sql: string
  isDue = true

  constructor(level: Begins, sql: string) {
    this.level = level
    this.sql = sql
  }

  ask<A>(request: Request<A>, resume: Resume<A>): Exchange | undefined {
    return ask(this.level.session, request, resume, (exchange) => {
      this.isDue = false
      this.level.take()
      return new BeginAndRequest(this.level.session, this.sql, exchange, this)
    })
  }

  /** Returns the text of a control statement with BEGIN in front of it. */
  takeAlong(sql: string): string {
    this.isDue = false
    return `${this.sql}; ${sql}`
  }

  /** BEGIN has succeeded, or the session is lost. */
  settled(): void {
    this.level.handOn()
  }

  failed(error: PgError.PgError): void {
    this.level.notBegun(error)
  }

  /** BEGIN was not written, because the caller of the request has gone. */
  withdrawn(): void {
    this.isDue = true
    this.level.handOn()
  }
}

/** The messages that answer BEGIN, in their order. */
const Awaiting = {
  parseComplete: "ParseComplete",
  bindComplete: "BindComplete",
  commandComplete: "CommandComplete",
  request: "the answer to the first request"
} as const
type Awaiting = (typeof Awaiting)[keyof typeof Awaiting]

class BeginAndRequest implements Exchange {
  readonly exclusive = true
  private readonly session: Session
  private readonly begin: string
  private readonly request: Exchange
  private readonly due: DueBegin
  private awaiting: Awaiting = Awaiting.parseComplete
  /** Whether the request is not in this write: it is no extended query, or it could not be encoded. */
  private isAlone = false
  private refusal: { readonly failure: unknown } | undefined
  /** Whether the request goes on without BEGIN. */
  private isOver = false

  constructor(session: Session, begin: string, request: Exchange, due: DueBegin) {
    this.session = session
    this.begin = begin
    this.request = request
    this.due = due
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
    return this.awaiting !== Awaiting.request || this.request.asksOnly === true
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
    writeCommand(writer, this.begin)
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
    if (this.isAlone || this.awaiting !== Awaiting.request) throw new Desynchronised(Backend.DataRow, this.awaiting)
    return this.request.dataRows(bytes, at, limit)
  }

  message(type: number, bytes: Buffer, start: number, end: number): void {
    switch (this.awaiting) {
      case Awaiting.parseComplete:
        if (type !== Backend.ParseComplete) break
        this.awaiting = Awaiting.bindComplete
        return
      case Awaiting.bindComplete:
        if (type !== Backend.BindComplete) break
        this.awaiting = Awaiting.commandComplete
        return
      case Awaiting.commandComplete:
        if (type !== Backend.CommandComplete) break
        this.awaiting = Awaiting.request
        this.session.begunIn = TransactionStatus.inTransaction
        return
      case Awaiting.request:
        if (this.isAlone) break
        return this.request.message(type, bytes, start, end)
    }
    throw new Desynchronised(type, this.isAlone && this.awaiting === Awaiting.request ? "ReadyForQuery" : this.awaiting)
  }

  errorArrived(): void {
    if (this.awaiting === Awaiting.request) this.request.errorArrived?.()
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
    if (this.awaiting !== Awaiting.request) {
      if (error === undefined) throw new Desynchronised(Backend.ReadyForQuery, this.awaiting)
      const failure = serverError(error, this.begin, NOTHING_ASKED)
      this.due.failed(failure)
      request.withdrawn?.()
      return request.lost(failure)
    }
    this.due.settled()
    if (!this.isAlone) request.ready(status, error)
    else if (this.refusal === undefined) session.submitFirst(request)
    else request.refused(this.refusal.failure)
  }

  withdrawn(): void {
    if (!this.isOver) this.due.withdrawn()
    this.isOver = true
    this.request.withdrawn?.()
  }

  lost(error: PgError.PgError): void {
    if (!this.isOver) this.due.settled()
    this.isOver = true
    this.request.lost(error)
  }
}
