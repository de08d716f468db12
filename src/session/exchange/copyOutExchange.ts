/**
 * COPY ... TO STDOUT. What comes is collected until it is asked for; where more waits than a reader should have to hold,
 * nothing is read from the socket until it has been taken.
 *
 * ```
 * Query  ->  CopyOutResponse  CopyData...  CopyDone  CommandComplete  ReadyForQuery
 * ```
 */
import type { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as PgError from "../../PgError.ts"
import { Backend, type TransactionStatus } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { writeQuery } from "../../wire/frontendEncoder.ts"
import { circular, CopyExchange } from "./copyExchange.ts"
import { Desynchronised, type Resume } from "../engine/exchange.ts"
import type { Session } from "../engine/session.ts"

/** What has to come next. */
const Awaiting = {
  start: "CopyOutResponse",
  data: "CopyData or CopyDone",
  completion: "CommandComplete",
  ready: "ReadyForQuery"
} as const
type Awaiting = (typeof Awaiting)[keyof typeof Awaiting]

/** With so many bytes waiting for the reader, the socket waits too. */
const MAX_WAITING_BYTES = 131_072

/** How long the reader of a COPY may take nothing while others wait behind it. */
const STARVING_MILLIS = 1000

const starved = (sql: string): PgError.UnsupportedError =>
  new PgError.UnsupportedError({
    feature: "a statement on the connection of a COPY whose reader takes nothing meanwhile",
    instead: "use another connection for it, or collect the rows first",
    sql
  })

/** A COPY as the server is sent it, and as everybody else is told of it: without the values that it was given. */
export interface CopyText {
  readonly sent: string
  readonly told: string
}

/** Collects the data of a COPY as what its reader wants. */
export interface Collector<A> {
  /** How many rows have come; undefined where rows are not told apart. */
  readonly rows: number | undefined
  /** Takes a piece; it may keep nothing of `bytes`. A `PgError` that it throws ends the COPY. */
  take(bytes: Buffer, start: number, end: number): void
  /** The data are complete. */
  end(): void
  /** What has been collected since this was asked last. */
  collected(): ReadonlyArray<A>
}

export class CopyOut<A> extends CopyExchange {
  /** How many bytes of data have come. */
  bytesRead = 0
  readonly collector: Collector<A>
  protected awaiting: Awaiting = Awaiting.start
  private readonly resume: Resume<CopyOut<A>>
  private waitingBytes = 0
  private isPaused = false
  private starvation: ReturnType<typeof setInterval> | undefined
  private isWakeScheduled = false
  private reader: Fiber.Fiber<unknown, unknown> | undefined
  private readonly sent: string

  constructor(session: Session, { sent, told }: CopyText, collector: Collector<A>, resume: Resume<CopyOut<A>>) {
    super(session, told, resume)
    this.sent = sent
    this.collector = collector
    this.resume = resume
  }

  protected get hasStarted(): boolean {
    return this.awaiting !== Awaiting.start
  }

  /** Whether there is still somebody who reads. */
  private get isWanted(): boolean {
    return !this.isOver && !this.abandoned
  }

  override encode(writer: ByteWriter): void {
    writeQuery(writer, this.sent)
  }

  message(type: number, bytes: Buffer, start: number, end: number): void {
    const { awaiting } = this
    switch (type) {
      case Backend.CopyOutResponse:
        if (awaiting !== Awaiting.start) break
        this.awaiting = Awaiting.data
        if (!this.abandoned) this.resume(Exit.succeed(this))
        return
      case Backend.CopyData:
        if (awaiting !== Awaiting.data) break
        if (this.isWanted) this.collect(bytes, start, end)
        return
      case Backend.CopyDone:
        if (awaiting !== Awaiting.data) break
        this.awaiting = Awaiting.completion
        if (this.isWanted) this.collector.end()
        return
      case Backend.CommandComplete:
        if (awaiting !== Awaiting.completion) break
        this.complete(bytes, start, end)
        this.awaiting = Awaiting.ready
        return
      default:
        break
    }
    throw new Desynchronised(type, awaiting)
  }

  private collect(bytes: Buffer, start: number, end: number): void {
    try {
      this.collector.take(bytes, start, end)
    } catch (failure) {
      if (!PgError.isPgError(failure)) throw failure
      this.abandon()
      this.lost(failure)
      return
    }
    this.bytesRead += end - start
    this.waitingBytes += end - start
    if (this.waitingBytes > MAX_WAITING_BYTES && !this.isPaused) this.pause(true)
    // What one read of the socket brings is handed over together.
    if (this.isWakeScheduled) return
    this.isWakeScheduled = true
    queueMicrotask(this.wakeReader)
  }

  private readonly wakeReader = (): void => {
    this.isWakeScheduled = false
    this.wake()
  }

  /** The next of what has come, at least one; none at the end. */
  readonly next: Effect.Effect<ReadonlyArray<A>, PgError.PgError> = Effect.withFiber((fiber) => {
    this.reader = fiber
    return Effect.flatMap(
      this.until(() => this.waitingBytes > 0 || this.isOver),
      () => {
        this.waitingBytes = 0
        if (this.isPaused) this.pause(false)
        const collected = this.collector.collected()
        if (collected.length > 0) return Effect.succeed(collected)
        return this.isOver ? Effect.as(this.ended, []) : this.next
      }
    )
  })

  refusalOf(fiber: Fiber.Fiber<unknown, unknown>): PgError.PgError | undefined {
    return fiber === this.reader && this.isWanted ? circular(this.sql) : undefined
  }

  /**
   * While the reader takes nothing, nothing else on the connection can go on, and the reader may be waiting for just that.
   * So the requests behind the COPY are refused after a while.
   */
  private pause(isPaused: boolean): void {
    this.isPaused = isPaused
    this.session.keepReading(!isPaused)
    clearInterval(this.starvation)
    if (isPaused) this.starvation = setInterval(() => this.session.refuseWaiting(starved(this.sql)), STARVING_MILLIS)
  }

  /** What is not read any more is read past, up to the end. */
  override abandon(): void {
    if (this.isPaused) this.pause(false)
    super.abandon()
  }

  /** The server counts positions in the text that it was sent. */
  override ready(status: TransactionStatus, error: ErrorFields | undefined): void {
    const isElsewhere = error !== undefined && this.sent !== this.sql
    super.ready(status, isElsewhere ? { ...error, position: undefined } : error)
  }

  override lost(error: PgError.PgError): void {
    if (this.isPaused) this.pause(false)
    super.lost(error)
  }
}
