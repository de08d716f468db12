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
import * as PgError from "../../PgError.ts"
import { Backend, TransactionStatus } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { writeCommand, writeSync } from "../../wire/frontendEncoder.ts"
import { Desynchronised, type Exchange, type Resume } from "../engine/exchange.ts"
import { serverError } from "../engine/serverError.ts"
import type { Session } from "../engine/session.ts"
import { ask, type Request } from "../request/request.ts"
import { mayEnd, NOTHING_ASKED } from "../statement/outcome.ts"

/** The level of a transaction whose BEGIN is due. */
interface Begins {
  readonly session: Session
  /** Lets other requests wait until `handOn`. They must not be written before BEGIN has succeeded. */
  take(): void
  handOn(): void
  notBegun(error: PgError.PgError): void
}

const ISOLATION = "isolation\\s+level\\s+(?:serializable|repeatable\\s+read|read\\s+(?:committed|uncommitted))"
const MODE = `(?:${ISOLATION}|read\\s+(?:write|only)|(?:not\\s+)?deferrable)`

/**
 * One statement that begins a transaction, in the modes that PostgreSQL knows. A program may give any other text.
 * Such a text is sent at once, as it is: it may be wrong, and then the body is not to run; and several statements, or one
 * with a comment at its end, can neither be an extended query nor stand in front of a savepoint.
 */
const BEGINS_ONLY = new RegExp(
  `^\\s*(?:begin(?:\\s+(?:work|transaction))?|start\\s+transaction)(?:[\\s,]+${MODE})*\\s*;?\\s*$`,
  "i"
)

/** A BEGIN that has not been sent. The first request of its transaction takes it along. */
export class DueBegin {
  private readonly level: Begins
  private readonly sql: string
  isDue = true
  /** Whether a request has taken it along, and it is not answered. */
  private isUnanswered = false

  /** Whether the statement can wait for the first request. A session that has ended refuses it at once. */
  static canWait({ closing, lost }: Session, sql: string): boolean {
    return lost === undefined && closing === undefined && (sql === "BEGIN" || BEGINS_ONLY.test(sql))
  }

  constructor(level: Begins, sql: string) {
    this.level = level
    this.sql = sql
  }

  ask<A>(request: Request<A>, resume: Resume<A>): Exchange | undefined {
    return ask(this.level.session, request, resume, (exchange) => {
      this.isDue = false
      this.isUnanswered = true
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
    if (!this.isUnanswered) return
    this.isUnanswered = false
    this.level.handOn()
  }

  failed(error: PgError.PgError): void {
    this.isUnanswered = false
    this.level.notBegun(error)
  }

  /** BEGIN was not written, because the caller of the request has gone. */
  withdrawn(): void {
    this.isDue = true
    this.settled()
  }
}

const QUERY_CANCELED = "57014"

/** The error for those who did not give up, if the cancel of the request has hit its BEGIN. */
const canceledTogether = (): PgError.TransactionRolledBackError =>
  new PgError.TransactionRolledBackError({
    reason: "its first statement was given up by interruption or timeout, and BEGIN was canceled together with it"
  })

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
  /** The statements that the request closes. */
  private closes: ReadonlyArray<string> = []

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

  /** A request that may end the transaction is not covered by its rollback. */
  get asksOnly(): boolean {
    if (this.isAlone || this.request.asksOnly === true) return true
    return this.awaiting !== Awaiting.request && !mayEnd(this.sql)
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
    const { statements } = this.session
    // If it closes any, the cache collects later ones elsewhere.
    const { evictions } = statements
    this.writeBoth(writer)
    if (statements.evictions !== evictions) this.closes = evictions
  }

  private writeBoth(writer: ByteWriter): void {
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
    if (this.awaiting === Awaiting.request && !this.isAlone) this.request.errorArrived?.()
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
      const isCancel = request.abandoned && error.code === QUERY_CANCELED
      const failure = isCancel ? canceledTogether() : serverError(error, this.begin, NOTHING_ASKED)
      for (const name of this.closes) session.statements.close(name)
      request.withdrawn?.()
      this.due.failed(failure)
      return request.lost(failure)
    }
    this.due.settled()
    if (!this.isAlone) request.ready(status, error)
    else if (this.refusal === undefined) session.submitFirst(request)
    else request.refused(this.refusal.failure)
  }

  withdrawn(): void {
    const { isOver, request } = this
    this.isOver = true
    // A request that goes on is told by the session, unless a part stands for it.
    if (!isOver || request.part !== undefined) request.withdrawn?.()
    if (!isOver) this.due.withdrawn()
  }

  lost(error: PgError.PgError): void {
    if (!this.isOver) this.due.settled()
    this.isOver = true
    this.request.lost(error)
  }
}
