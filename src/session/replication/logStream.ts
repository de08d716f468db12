/**
 * Runs START_REPLICATION: the server streams its write-ahead log, and the client reports how far it has come. If too
 * much is waiting for the reader, nothing more is read from the socket; the reports go on by a timer, so that the server
 * never takes a slow reader for a dead one.
 *
 * ```
 * Query  ->  CopyBothResponse  CopyData...  and at the end CopyDone  CommandComplete...  ReadyForQuery
 *        <-                    CopyData...  and at the end CopyDone
 * ```
 */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { MAX_DELAY_MILLIS } from "../../call/realTime.ts"
import { MICROSECONDS_FROM_1970_TO_2000 } from "../../codec/timestamp.ts"
import type * as PgError from "../../PgError.ts"
import { Backend } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import { encodeCopyDone } from "../../wire/coldMessages.ts"
import { type Keepalive, readReplicationData, writeStatus } from "../../wire/copyData/copyBoth.ts"
import { Desynchronised, type Resume } from "../engine/exchange.ts"
import { lostWith } from "../engine/lostErrors.ts"
import type { Session } from "../engine/session.ts"
import { CopyExchange } from "../exchange/copyExchange.ts"

/** The messages that can come next, in the words of the error if another one comes. */
const Awaiting = {
  start: "CopyBothResponse",
  data: "CopyData or CopyDone",
  completion: "CommandComplete or ReadyForQuery"
} as const
type Awaiting = (typeof Awaiting)[keyof typeof Awaiting]

/** A message of the plugin and when it was sent, or the position that the server has reached with nothing more to send. */
export type LogItem =
  | { readonly _tag: "Data"; readonly bytes: Buffer; readonly time: bigint }
  | { readonly _tag: "CaughtUp"; readonly lsn: bigint }

/** Where the reports of the stream take their positions from. */
export interface Progress {
  /** Everything before it has been dealt with, and the server need not send it again. */
  readonly flushed: bigint
  /** Called if the server has reached a position, while the reader waits for more. */
  caughtUp(lsn: bigint): void
}

export interface LogStreamOptions {
  readonly progress: Progress
  /** How often the client reports. */
  readonly statusMillis: number
  /** A server that says nothing for so long counts as lost. 0 means never. */
  readonly silenceMillis: number
  /** If more bytes than this wait for the reader, nothing more is read from the socket. */
  readonly maxWaitingBytes: number
}

/** An acknowledgement is reported no later than this, together with those that follow it. */
const REPORT_SOON_MILLIS = 100

/** How often the client looks whether the server is silent, in the time after which it counts as lost. */
const LOOKS = 4

export class LogStream extends CopyExchange {
  protected awaiting: Awaiting = Awaiting.start
  private readonly options: LogStreamOptions
  private readonly resume: Resume<LogStream>
  private items: Array<LogItem> = []
  private waitingBytes = 0
  private received = 0n
  private isReading = false
  /** Since when nothing is read from the socket; undefined if it is read. */
  private pausedAt: number | undefined
  private isEnding = false
  private isWakeScheduled = false
  private heardAt = performance.now()
  private timer: ReturnType<typeof setInterval> | undefined
  private soon: ReturnType<typeof setTimeout> | undefined

  constructor(session: Session, sql: string, options: LogStreamOptions, resume: Resume<LogStream>) {
    super(session, sql, resume)
    this.options = options
    this.resume = resume
  }

  protected get hasStarted(): boolean {
    return this.awaiting !== Awaiting.start
  }

  // ------------------------------------------------------------------------------------------------- the log

  message(type: number, bytes: Buffer, start: number, end: number): void {
    const { awaiting } = this
    this.heardAt = performance.now()
    switch (type) {
      case Backend.CopyBothResponse:
        if (awaiting !== Awaiting.start) break
        this.awaiting = Awaiting.data
        this.begin()
        return
      case Backend.CopyData:
        // The server may answer our CopyDone in the middle of a transaction, and then send the rest of it.
        if (awaiting !== Awaiting.data && !this.isEnding) break
        this.take(bytes, start, end)
        return
      case Backend.CopyDone:
        if (awaiting !== Awaiting.data) break
        this.awaiting = Awaiting.completion
        this.end()
        return
      case Backend.CommandComplete:
        // A server that shuts down sends no CopyDone before it.
        if (awaiting === Awaiting.start) break
        this.awaiting = Awaiting.completion
        this.complete(bytes, start, end)
        return
      default:
        break
    }
    throw new Desynchronised(type, awaiting)
  }

  private begin(): void {
    const { silenceMillis, statusMillis } = this.options
    const step = silenceMillis === 0 ? statusMillis : Math.min(statusMillis, silenceMillis / LOOKS)
    this.timer = setInterval(this.tick, Math.min(Math.max(step, 1), MAX_DELAY_MILLIS))
    if (this.abandoned) this.end()
    else this.resume(Exit.succeed(this))
  }

  private take(bytes: Buffer, start: number, end: number): void {
    const data = readReplicationData(bytes, start, end)
    if (data.serverEnd > this.received) this.received = data.serverEnd
    if (this.isEnding || this.abandoned) return
    if (data._tag === "Keepalive") return this.keepalive(data)
    this.items.push({ _tag: "Data", bytes: Buffer.from(bytes.subarray(data.dataStart, end)), time: data.time })
    this.waitingBytes += end - start
    if (this.waitingBytes > this.options.maxWaitingBytes && !this.isPaused) this.pause(true)
    this.wakeSoon()
  }

  private keepalive({ serverEnd, wantsReply }: Keepalive): void {
    // A reader that waits has dealt with all that came before. Otherwise it learns of the position when it gets there.
    const { items } = this
    if (this.isReading && items.length === 0) this.options.progress.caughtUp(serverEnd)
    else {
      if (items.at(-1)?._tag === "CaughtUp") items.pop()
      items.push({ _tag: "CaughtUp", lsn: serverEnd })
    }
    this.wakeSoon()
    if (wantsReply) this.report()
  }

  private wakeSoon(): void {
    // The reader gets everything that one read of the socket brings at once.
    if (this.isWakeScheduled) return
    this.isWakeScheduled = true
    queueMicrotask(() => {
      this.isWakeScheduled = false
      this.wake()
    })
  }

  /**
   * Waits for more of the log, and gives it to `receive`, so that an interruption finds it here or there. The reader must
   * have dealt with what it got before. Fails if the connection is lost, or with the error of the server. Returns false if
   * the server has ended the stream.
   */
  next(receive: (items: ReadonlyArray<LogItem>) => void): Effect.Effect<boolean, PgError.PgError> {
    return Effect.suspend(() => {
      this.isReading = true
      return Effect.flatMap(
        this.until(() => this.items.length > 0 || this.isOver),
        () => {
          this.isReading = false
          const { items } = this
          this.items = []
          this.waitingBytes = 0
          if (this.isPaused) this.pause(false)
          if (items.length === 0) return Effect.as(this.ended, false)
          receive(items)
          return Effect.succeed(true)
        }
      )
    })
  }

  private get isPaused(): boolean {
    return this.pausedAt !== undefined
  }

  /** For how long nothing was read from the socket, because too much waits for the reader. */
  get pausedMillis(): number {
    return this.pausedAt === undefined ? 0 : performance.now() - this.pausedAt
  }

  private pause(isPaused: boolean): void {
    this.pausedAt = isPaused ? performance.now() : undefined
    if (!isPaused) this.heardAt = performance.now()
    this.session.keepReading(!isPaused)
  }

  // ------------------------------------------------------------------------------------------------- the reports

  /** Reports soon, because something was acknowledged. */
  acknowledged(): void {
    if (!this.isEnding && !this.isOver) this.soon ??= setTimeout(() => this.report(), REPORT_SOON_MILLIS)
  }

  private readonly tick = (): void => {
    const { silenceMillis } = this.options
    const silentMillis = performance.now() - this.heardAt
    // While nothing is read, nothing can be heard.
    if (silenceMillis === 0 || this.isPaused || silentMillis < silenceMillis / 2) return this.report()
    if (silentMillis < silenceMillis) return this.report(true)
    this.session.die(lostWith(`the server has said nothing for ${Math.round(silentMillis)} ms`, { outcome: "unknown" }))
  }

  private report(wantsReply = false): void {
    clearTimeout(this.soon)
    this.soon = undefined
    if (this.isOver || this.isAnswered || this.isEnding || !this.hasStarted) return
    this.session.writeMore((writer) => this.writeReport(writer, wantsReply))
  }

  private writeReport(writer: ByteWriter, wantsReply: boolean): void {
    const { flushed } = this.options.progress
    const received = this.received > flushed ? this.received : flushed
    writeStatus(writer, {
      received,
      flushed,
      time: BigInt(Date.now()) * 1000n - MICROSECONDS_FROM_1970_TO_2000,
      wantsReply
    })
  }

  // ------------------------------------------------------------------------------------------------- the end

  /** Reports for the last time, and asks the server to end the stream. What is still to come is dropped. */
  end(): void {
    if (this.isEnding || this.isOver || !this.hasStarted) return
    this.report()
    this.isEnding = true
    this.items = []
    if (this.isPaused) this.pause(false)
    if (this.session.lost === undefined) this.session.writeMore(encodeCopyDone())
  }

  /** Ends the stream, and cancels the command if the server goes on for longer than `millis`. */
  endWithin(millis: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.end()
      let isLate = false
      const bound = setTimeout(() => {
        isLate = true
        this.abandon()
        this.wake()
      }, millis)
      return Effect.ensuring(
        this.until(() => this.isOver || isLate),
        Effect.sync(() => clearTimeout(bound))
      )
    })
  }

  override abandon(): void {
    if (this.isPaused) this.pause(false)
    super.abandon()
  }

  protected override finish(answer: Parameters<CopyExchange["finish"]>[0]): void {
    clearInterval(this.timer)
    clearTimeout(this.soon)
    if (this.isPaused && this.session.lost === undefined) this.pause(false)
    super.finish(answer)
  }
}

/** Begins to stream. Succeeds when the server does; an interruption ends the stream. */
export const startLog = (
  session: Session,
  sql: string,
  options: LogStreamOptions
): Effect.Effect<LogStream, PgError.PgError> =>
  Effect.callback((resume) => {
    const stream = new LogStream(session, sql, options, resume)
    session.submit(stream)
    return Effect.sync(() => stream.abandon())
  })
