/**
 * Runs COPY ... TO STDOUT. Data are collected until the reader asks for them. If too much is waiting, nothing is read
 * from the socket until the reader has taken it.
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

/** The messages that can come next, in the words of the error if another one comes. */
const Awaiting = {
  start: "CopyOutResponse",
  data: "CopyData or CopyDone",
  completion: "CommandComplete",
  ready: "ReadyForQuery"
} as const
type Awaiting = (typeof Awaiting)[keyof typeof Awaiting]

/** If more bytes than this wait for the reader, nothing more is read from the socket. */
const MAX_WAITING_BYTES = 131_072

/** If the reader takes nothing for this long, the requests behind the COPY are refused. */
const STARVING_MILLIS = 1000

const starved = (sql: string): PgError.UnsupportedError =>
  new PgError.UnsupportedError({
    feature: "a statement on the connection of a COPY whose reader has stopped reading",
    instead: "use another connection for it, or collect the rows first",
    sql
  })

/** The text of a COPY: as sent to the server, and as errors and reports show it, without the parameter values. */
export interface CopyText {
  readonly sent: string
  readonly told: string
}

/** Collects the data of a COPY in the form that its reader wants. */
export interface Collector<A> {
  /** How many rows have come; undefined if the form does not separate rows. */
  readonly rows: number | undefined
  /** Takes a piece of the data. It must not keep `bytes`. If it throws a `PgError`, the COPY ends. */
  take(bytes: Buffer, start: number, end: number): void
  /** Called when the data are complete. */
  end(): void
  /** Returns what has been collected since the last call. */
  collected(): ReadonlyArray<A>
}

export class CopyOut<A> extends CopyExchange {
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

  /** Whether the data still have a reader. */
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
    // The reader gets everything that one read of the socket brings at once.
    if (this.isWakeScheduled) return
    this.isWakeScheduled = true
    queueMicrotask(this.wakeReader)
  }

  private readonly wakeReader = (): void => {
    this.isWakeScheduled = false
    this.wake()
  }

  /** Waits for data, and returns what has been collected. Returns an empty array at the end. */
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
   * Stops or resumes reading from the socket. While it is stopped, nothing else on the connection can go on, and the
   * reader may be waiting for just that. So the requests behind the COPY are refused after a while.
   */
  private pause(isPaused: boolean): void {
    this.isPaused = isPaused
    this.session.keepReading(!isPaused)
    clearInterval(this.starvation)
    if (isPaused) this.starvation = setInterval(() => this.session.refuseWaiting(starved(this.sql)), STARVING_MILLIS)
  }

  /** Drops the data that are still to come. */
  override abandon(): void {
    if (this.isPaused) this.pause(false)
    super.abandon()
  }

  /** Removes the position from an error if `sql` is not the text that was sent, in which the server counts. */
  override ready(status: TransactionStatus, error: ErrorFields | undefined): void {
    const isElsewhere = error !== undefined && this.sent !== this.sql
    super.ready(status, isElsewhere ? { ...error, position: undefined } : error)
  }

  override lost(error: PgError.PgError): void {
    if (this.isPaused) this.pause(false)
    super.lost(error)
  }
}
