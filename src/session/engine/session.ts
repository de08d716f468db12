/**
 * One live conversation with a server: requests go out in order, answers come back in order, each to the exchange that
 * asked. It is plain callbacks on one transport, because every query passes here; what is an Effect begins above.
 *
 * - Requests wait in `waiting` until they are written, all those of one tick in one write, and then stand in
 *   `inFlight` until their ReadyForQuery.
 * - An exclusive exchange lets nothing be written behind it. A fence lets nothing be written at all: see `Fence`.
 * - Messages that the server sends of its own accord are handled here and nowhere else.
 * - `lost` is the one fact about the end: once set it stays, and everything asked afterwards fails with it.
 */
import type { Buffer } from "node:buffer"
import * as Inspectable from "effect/Inspectable"
import type * as PgError from "../../PgError.ts"
import { Backend, isTransactionStatus, mayComeUnasked, TransactionStatus } from "../../wire/backendMessage.ts"
import type { BackendDecoder, FrameSink } from "../../wire/backendDecoder.ts"
import { ByteWriter } from "../../wire/byteWriter.ts"
import { decodeNotification, encodeTerminate } from "../../wire/coldMessages.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import { type ErrorFields, readErrorFields, readNoticeFields } from "../../wire/errorFields.ts"
import { ProtocolViolation } from "../../wire/failure.ts"
import type { TypeCatalogue } from "../types/typeCatalogue.ts"
import { Channels } from "./channels.ts"
import { Desynchronised, type Exchange } from "./exchange.ts"
import { Fence } from "./fence.ts"
import { Fifo } from "./fifo.ts"
import { identify } from "./identification.ts"
import { Listeners } from "./listeners.ts"
import { Liveness } from "./liveness.ts"
import { broken, closed, farewell, isParting, lostWaiting, tellWritten, violation } from "./lostErrors.ts"
import type { Observer } from "../observer.ts"
import { isFatal, mayHaveEnded, NOTHING_ASKED } from "../statement/outcome.ts"
import { serverError } from "./serverError.ts"
import { readParameterStatus } from "./serverParameters.ts"
import { Residue } from "./residue.ts"
import { StatementCache, type StatementCacheLimits } from "../statement/statementCache.ts"
import type { Transport, TransportEvents } from "./transport.ts"
import { abandonWritten, refuseUnwritten } from "./withdrawal.ts"
import { isServerBusy, WRITE_BYTES } from "./writeAhead.ts"

/** How long a server may take to close after our goodbye. */
const GOODBYE_MILLIS = 1000

export interface SessionOptions {
  readonly catalogue: TypeCatalogue
  readonly statementCache: StatementCacheLimits
  /** Unique to the session, for the names of its statements. */
  readonly namespace: string
  /** Bounds the wait for the answer to a CancelRequest, in milliseconds. */
  readonly cancelTimeoutMillis: number
  /** Sends a CancelRequest to this session's backend; calls back when the server has closed that connection. */
  readonly cancel: (closed: () => void) => void
  readonly parameters: ReadonlyMap<string, string>
  readonly processId: number
  /** Who is told of what is asked. */
  readonly observer: Observer
}

export class Session extends Inspectable.Class implements FrameSink, TransportEvents {
  /** What is known of the types. */
  catalogue: TypeCatalogue
  readonly statements: StatementCache
  readonly processId: number
  readonly cancelTimeoutMillis: number
  readonly observer: Observer
  readonly parameters: Map<string, string>
  readonly channels = new Channels()
  readonly noticeListeners = new Set<(notice: ErrorFields) => void>()
  readonly residue = new Residue()
  readonly liveness = new Liveness(this)
  /** How many of the requests are statements that begin, end or clean up, which the server answers at once. */
  controls = 0
  /** As of the last ReadyForQuery. */
  transactionStatus: TransactionStatus = TransactionStatus.idle
  /** The status in which what is being answered began, until its ReadyForQuery has been told. */
  private begunIn: TransactionStatus = TransactionStatus.idle
  /** Set where the owner has begun to close the session: then it is also the reason for its end. */
  closing: PgError.ConnectionLostError | undefined
  /** Why the session is over. Facts about the end are read here and inferred from nothing else. */
  lost: PgError.PgError | undefined
  private readonly transport: Transport
  private readonly decoder: BackendDecoder
  private readonly writer = new ByteWriter()
  private readonly waiting = new Fifo<Exchange>()
  private readonly inFlight = new Fifo<Exchange>()
  private readonly fence: Fence
  private readonly endListeners = new Listeners<PgError.PgError>()
  private readonly idleListeners = new Listeners<void>()
  /** Those who wait until all is answered, where they would wait for somebody that waits for them. */
  readonly stalled = new Listeners<PgError.PgError>()
  /** The transaction that is open, and is told of every command that completes. */
  transaction: Parameters<typeof tellWritten>[3]
  /** The oldest in flight, whose answer is being read. */
  private head: Exchange | undefined
  /** The first ErrorResponse to the head. */
  private headError: ErrorFields | undefined
  /** The notice that says why the server will be gone, until it proves to be there. */
  private parting: ErrorFields | undefined
  private exclusive: Exchange | undefined
  private reading = false
  private pumpScheduled = false
  /** Whether the socket takes no more until it has drained. */
  isSocketFull = false
  constructor(transport: Transport, decoder: BackendDecoder, options: SessionOptions) {
    super()
    this.transport = transport
    this.decoder = decoder
    this.catalogue = options.catalogue
    this.statements = new StatementCache(options.statementCache, options.namespace)
    this.processId = options.processId
    this.cancelTimeoutMillis = options.cancelTimeoutMillis
    this.observer = options.observer
    this.parameters = new Map(options.parameters)
    this.catalogue.follow(this.parameters)
    this.fence = new Fence(this, options.cancel, options.cancelTimeoutMillis)
  }

  /** What else it holds are bytes with values of the user, which nobody wants in a log. */
  toJSON(): unknown {
    const { lost, processId } = this
    return { _id: "effectpg/Session", processId, transactionStatus: String.fromCharCode(this.transactionStatus), lost }
  }

  // ------------------------------------------------------------------------------------------------- requests

  /** Queues a request. It is written with the others of this tick. */
  submit(exchange: Exchange): void {
    const over = this.lost ?? this.closing
    if (over !== undefined) return exchange.lost(lostWaiting(exchange, over))
    if (exchange.isControl !== true) this.residue.isUsed = true
    if (this.catalogue.wantsIdentity) identify(this)
    this.waiting.push(exchange)
    this.schedulePump()
  }

  /** Queues the next part of a request that has been answered in part: it goes before all others. */
  submitFirst(exchange: Exchange): void {
    if (exchange.abandoned) return exchange.withdrawn?.()
    if (this.lost !== undefined) return exchange.lost(lostWaiting(exchange, this.lost))
    this.waiting.unshift(exchange)
    this.schedulePump()
  }

  /** The caller has gone. A request in flight is answered into the void, and cancelled if no live one stands behind it. */
  abandon(exchange: Exchange): void {
    if (exchange.abandoned || this.lost !== undefined) return
    exchange.abandoned = true
    if (this.withdraw(exchange)) return
    if (this.inFlight.last() === exchange) this.fence.raise()
    this.fence.advance()
  }

  /** Takes back a request that has not been written, or whose next part has not; false if it is too late for that. */
  withdraw(exchange: Exchange): boolean {
    if (!this.waiting.remove(exchange)) return false
    exchange.withdrawn?.()
    return true
  }

  /** True where all that was written has been answered. */
  get answered(): boolean {
    return this.inFlight.length === 0
  }

  /** What the server works on. */
  get oldest(): Exchange | undefined {
    return this.head
  }

  /** True where nothing is asked, nothing unanswered, and no cancel under way. */
  get settled(): boolean {
    return this.waiting.length === 0 && this.inFlight.length === 0 && !this.fence.raised
  }

  /** True where nothing is written until a cancelled query has been answered. */
  get isFenced(): boolean {
    return this.fence.raised
  }

  /** True where nothing is asked that could take long. */
  get isQuiet(): boolean {
    return this.waiting.length + this.inFlight.length === this.controls && !this.fence.raised
  }

  /** True if all in flight was abandoned: a cancel can hit nobody else. */
  get onlyAbandoned(): boolean {
    return this.inFlight.length > 0 && !this.inFlight.some(({ abandoned }) => !abandoned)
  }

  schedulePump(): void {
    if (this.reading || this.pumpScheduled) return
    this.pumpScheduled = true
    queueMicrotask(this.pump)
  }

  private readonly pump = (): void => {
    this.pumpScheduled = false
    if (isServerBusy(this.inFlight.length, this.waiting.length)) return
    let refused: Array<() => void> | undefined
    while (this.lost === undefined && !this.isSocketFull && this.exclusive === undefined && !this.fence.raised) {
      const exchange = this.waiting.shift()
      if (exchange === undefined) break
      const mark = this.writer.length
      try {
        exchange.encode(this.writer)
      } catch (failure) {
        this.writer.rewind(mark)
        ;(refused ??= []).push(() => exchange.refused(failure))
        continue
      }
      this.inFlight.push(exchange)
      this.head ??= exchange
      if (exchange.exclusive) this.exclusive = exchange
      if (this.writer.length > WRITE_BYTES) this.flush()
    }
    this.flush()
    if (refused !== undefined) for (const report of refused) report()
    if (this.lost === undefined && this.settled) this.idleListeners.tell()
  }

  private flush(): void {
    if (this.writer.length > 0 && !this.transport.write(this.writer.take())) this.isSocketFull = true
  }

  /** Whether what is being answered was asked outside of a transaction, where a statement may commit by itself. */
  get isAutocommit(): boolean {
    return this.begunIn === TransactionStatus.idle
  }

  /** Writes more of the exclusive request in flight. False where the socket has enough until the exchange is `drained`. */
  writeMore(write: (writer: ByteWriter) => void): boolean {
    write(this.writer)
    this.flush()
    return !this.isSocketFull
  }

  /** Stops reading from the socket for a slow consumer, or resumes. A caller that stops reading must always resume it. */
  keepReading(isReading: boolean): void {
    if (isReading) this.transport.resume()
    else this.transport.pause()
  }

  commandCompleted(tag: CommandTag, hasColumns = true, changesSession = false): void {
    if (tag.command === "DISCARD ALL" || tag.command === "DEALLOCATE ALL") this.statements.clear()
    this.catalogue.commandCompleted(tag, this.head?.sql ?? "", hasColumns)
    this.residue.completed(tag, hasColumns, changesSession)
    // What follows in the same request may commit by itself.
    if (mayHaveEnded(tag.command)) this.begunIn = TransactionStatus.idle
    this.transaction?.completed(tag.command, this.head?.sql ?? "")
  }

  // ------------------------------------------------------------------------------------------------- answers

  /** Takes over from the startup conversation, with the messages that it has received and not read. */
  takeOver(frames: Iterable<{ readonly type: number; readonly body: Buffer }>, broken?: PgError.PgError): void {
    try {
      for (const { body, type } of frames) this.frame(type, body, 0, body.length)
    } catch (failure) {
      this.die(violation(failure))
    }
    if (broken !== undefined) this.die(broken)
  }

  data(bytes: Buffer, length: number): void {
    if (this.lost !== undefined) return
    this.reading = true
    try {
      this.decoder.push(bytes, length)
      const { partialType } = this.decoder
      if (this.head === undefined && partialType !== undefined && !mayComeUnasked(partialType)) {
        throw new Desynchronised(partialType, "nothing, since nothing was asked")
      }
    } catch (failure) {
      this.die(violation(failure))
    }
    this.reading = false
    this.pump()
  }

  frame(type: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case Backend.ReadyForQuery:
        return this.readyForQuery(bytes, start, end)
      case Backend.ErrorResponse:
        return this.errorResponse(readErrorFields(bytes, start, end))
      case Backend.NoticeResponse:
        return this.notice(readNoticeFields(bytes, start, end))
      case Backend.ParameterStatus:
        // A setting has changed, by whatever statement.
        this.residue.isSoiled = true
        return readParameterStatus(this.parameters, bytes, start, end)
      case Backend.NotificationResponse:
        return this.channels.deliver(decodeNotification(bytes, start, end))
      default:
        this.answering(type).message(type, bytes, start, end)
    }
  }

  dataRows(bytes: Buffer, at: number, limit: number): number {
    return this.answering(Backend.DataRow).dataRows(bytes, at, limit)
  }

  /** The request that a message of this type answers. */
  private answering(type: number): Exchange {
    const { head } = this
    if (head === undefined) throw new Desynchronised(type, "nothing, since nothing was asked")
    if (this.headError !== undefined) throw new Desynchronised(type, "ReadyForQuery, after an ErrorResponse")
    return head
  }

  private readyForQuery(bytes: Buffer, start: number, end: number): void {
    const { head } = this
    if (head === undefined) throw new Desynchronised(Backend.ReadyForQuery, "nothing, since nothing was asked")
    const status = bytes[start]
    if (end - start !== 1 || status === undefined || !isTransactionStatus(status)) {
      throw new ProtocolViolation("ReadyForQuery with an unknown transaction status")
    }
    this.inFlight.shift()
    this.parting = undefined
    const error = this.headError
    this.headError = undefined
    this.head = this.inFlight.peek()
    this.transactionStatus = status
    if (this.catalogue.isUnsettled) this.catalogue.answered(status, head.isControl === true)
    if (this.exclusive === head) this.exclusive = undefined
    if (error !== undefined) this.residue.failed(head.sql)
    this.fence.advance()
    try {
      head.ready(status, error)
    } catch (failure) {
      const lost = violation(failure)
      this.die(lost)
      head.lost(lost)
    }
    this.begunIn = status
  }

  private errorResponse(fields: ErrorFields): void {
    const { head } = this
    if (isFatal(fields)) {
      this.farewell(fields)
    } else if (head === undefined) {
      throw new Desynchronised(Backend.ErrorResponse, "nothing, since nothing was asked")
    } else if (this.headError === undefined) {
      this.headError = fields
      head.errorArrived?.()
    }
  }

  /** The server's last word. It is the answer to the oldest request; whatever stands behind it was never reached. */
  private farewell(fields: ErrorFields): void {
    this.headError ??= fields
    this.die(farewell(this.headAnswer))
  }

  /** The error that answers the oldest request, where one has come. */
  private get headAnswer(): PgError.PostgresError | undefined {
    const { head, headError } = this
    return headError && serverError(headError, head?.sql ?? "", head ?? NOTHING_ASKED, { isLastWord: true })
  }

  private notice(notice: ErrorFields): void {
    if (isParting(notice)) this.parting = notice
    for (const listener of this.noticeListeners) listener(notice)
  }

  drain(): void {
    this.isSocketFull = false
    this.exclusive?.drained?.()
    this.schedulePump()
  }

  // ------------------------------------------------------------------------------------------------- the end

  /** Calls back at the end of the session; at once where it is over. Returns how to unsubscribe. */
  onEnd(listener: (error: PgError.PgError) => void): () => void {
    if (this.lost === undefined) return this.endListeners.add(listener)
    listener(this.lost)
    return () => {}
  }

  /** Calls back once all that was asked is answered, now or with `isNext` the next time, or the session is over. */
  onIdle(listener: () => void, isNext = false): () => void {
    if (this.lost === undefined && (isNext || !this.settled)) return this.idleListeners.add(listener)
    listener()
    return () => {}
  }

  closed(error: Error | undefined): void {
    this.die(this.closing ?? broken(error, this.parting))
  }

  /**
   * Ends the session for good: everything that waits fails, each with what became of its request. An error that has
   * answered the oldest request wins over the end that comes before its ReadyForQuery.
   */
  die(error: PgError.PgError): void {
    if (this.lost !== undefined) return
    const answer = error._tag === "ConnectionLostError" ? this.headAnswer : undefined
    this.lost = error
    this.decoder.stop()
    this.transport.destroy()
    this.fence.drop()
    const written = this.inFlight.drain()
    const unwritten = this.waiting.drain()
    this.head = undefined
    tellWritten(written, error, answer, this.transaction)
    for (const exchange of unwritten) exchange.lost(lostWaiting(exchange, error))
    this.endListeners.tell(error)
    this.idleListeners.tell()
  }

  /**
   * Begins the orderly end: nothing more is taken, what runs is cancelled, and when all is answered the server is told
   * goodbye. `onEnd` tells when it has gone, or took too long for that.
   */
  close(): void {
    if (this.lost !== undefined || this.closing !== undefined) return
    const bound = setTimeout(() => this.terminate(), this.cancelTimeoutMillis + GOODBYE_MILLIS)
    this.onEnd(() => clearTimeout(bound))
    this.abandonAll((this.closing = closed("the scope of the connection has closed")))
    this.onIdle(() => {
      if (this.lost === undefined) this.transport.end(encodeTerminate())
    })
  }

  /**
   * Ends the requests of a borrower that has left: each is withdrawn or cancelled, and fails with `error`. Control
   * statements that end its work and clean up go on, because the server answers them at once.
   */
  abandonAll(error: PgError.PgError): void {
    this.refuseWaiting(error)
    if (abandonWritten(this.inFlight, error)) this.fence.raise()
    this.fence.advance()
  }

  /** Refuses what is not written yet, and those who wait until all is answered. */
  refuseWaiting(error: PgError.PgError): void {
    refuseUnwritten(this.waiting, error)
    this.stalled.tell(error)
  }

  /** Ends the session at once, without a goodbye; a CancelRequest is not sent. */
  terminate(): void {
    this.die((this.closing ??= closed("the connection was terminated")))
  }
}
