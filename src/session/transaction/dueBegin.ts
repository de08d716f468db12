/**
 * The BEGIN of a transaction together with the transaction's first request, so that BEGIN costs no round trip. If it
 * fails, the request does not run outside the transaction either; see `LedRequest`.
 */
import * as PgError from "../../PgError.ts"
import { Backend, TransactionStatus } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { writeCommand } from "../../wire/frontendEncoder.ts"
import type { Exchange, Resume } from "../engine/exchange.ts"
import { serverError } from "../engine/serverError.ts"
import type { Session } from "../engine/session.ts"
import { ask, type Request } from "../request/request.ts"
import { mayEnd, NOTHING_ASKED } from "../statement/outcome.ts"
import { LedRequest } from "./ledRequest.ts"

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

/** The messages that answer BEGIN. */
const ANSWERS: ReadonlyArray<number> = [Backend.ParseComplete, Backend.BindComplete, Backend.CommandComplete]

class BeginAndRequest extends LedRequest {
  private readonly begin: string
  private readonly due: DueBegin
  /** The statements that the request closes. */
  private closes: ReadonlyArray<string> = []

  constructor(session: Session, begin: string, request: Exchange, due: DueBegin) {
    super(session, request, ANSWERS)
    this.begin = begin
    this.due = due
  }

  /** A request that may end the transaction is not covered by its rollback. */
  override get asksOnly(): boolean {
    return super.asksOnly || (!this.isLed && !mayEnd(this.sql))
  }

  override encode(writer: ByteWriter): void {
    const { statements } = this.session
    // If it closes any, the cache collects later ones elsewhere.
    const { evictions } = statements
    super.encode(writer)
    if (statements.evictions !== evictions) this.closes = evictions
  }

  protected writeCommands(writer: ByteWriter): void {
    writeCommand(writer, this.begin)
  }

  protected led(): void {
    this.session.begunIn = TransactionStatus.inTransaction
  }

  protected settled(): void {
    this.due.settled()
  }

  protected failed(error: ErrorFields): PgError.PgError {
    const { request, session } = this
    const isCancel = request.abandoned && error.code === QUERY_CANCELED
    const failure = isCancel ? canceledTogether() : serverError(error, this.begin, NOTHING_ASKED)
    for (const name of this.closes) session.statements.close(name)
    request.withdrawn?.()
    this.due.failed(failure)
    return failure
  }

  protected unwritten(): void {
    this.due.withdrawn()
  }
}
