/**
 * One live conversation with a server. Requests go out in order, and answers come back in the same order, each to the
 * exchange that asked. It uses plain callbacks, because every query passes through it; the layers above use Effects.
 *
 * - A request is in `waiting` until it is written, and then in `inFlight` until its ReadyForQuery. All requests of one
 *   tick share a write.
 * - Nothing is written behind an exclusive exchange until it is answered, and nothing at all while a `Fence` is raised.
 * - Only this file handles the messages that the server sends of its own accord.
 * - Only `lost` says that the session has ended. It is set once, and every later request fails with it.
 */
import type { Buffer } from "node:buffer"
import * as Inspectable from "effect/Inspectable"
import type * as PgError from "../../PgError.ts"
import { Backend, mayComeUnasked, TransactionStatus } from "../../wire/backendMessage.ts"
import type { BackendDecoder, FrameSink } from "../../wire/backendDecoder.ts"
import { ByteWriter } from "../../wire/byteWriter.ts"
import { decodeNotification, encodeTerminate } from "../../wire/coldMessages.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import { type ErrorFields, readErrorFields, readNoticeFields } from "../../wire/errorFields.ts"
import { ProtocolViolation } from "../../wire/failure.ts"
import type { TypeCatalogue } from "../types/typeCatalogue.ts"
import { Channels } from "./channels.ts"
import { Desynchronised, type Exchange, isNoControl, unasked, wholeOf } from "./exchange.ts"
import { Fence } from "./fence.ts"
import { Fifo } from "./fifo.ts"
import { identify } from "./asking/identification.ts"
import { Listeners } from "./listeners.ts"
import { Liveness } from "./liveness.ts"
import { broken, CLOSED, farewell, isParting, lostWaiting, lostWith, tellWritten, violation } from "./lostErrors.ts"
import type { Observer } from "../observing/observer.ts"
import { isFatal, mayHaveEnded, NOTHING_ASKED } from "../statement/outcome.ts"
import { FirstFailure } from "./firstFailure.ts"
import { serverError } from "./serverError.ts"
import { changesRowsOnly } from "../statement/soiling.ts"
import { readParameterStatus } from "./serverParameters.ts"
import { Residue } from "./residue.ts"
import { type CacheOptions, openCache, type StatementCache } from "../statement/statementCache.ts"
import type { Transport, TransportEvents } from "./transport.ts"
import { abandonWritten, refuseUnwritten } from "./withdrawal.ts"

/** One write grows to about this size before the session asks the socket whether it can take more. */
const WRITE_BYTES = 262_144

/**
 * A server that has so many requests before it, and more than are waiting, is not about to run out of work. The session
 * then lets the waiting ones gather for one write, because a write costs as much as a short query.
 */
const BUSY_REQUESTS = 16

/** How long the server may take to close the connection after our Terminate message. */
const GOODBYE_MILLIS = 1000

export interface SessionOptions extends CacheOptions {
  readonly catalogue: TypeCatalogue
  /** Bounds the wait for the answer to a CancelRequest, in milliseconds. */
  readonly cancelTimeoutMillis: number
  /** Sends a CancelRequest to this session's backend; calls back when the server has closed that connection. */
  readonly cancel: (closed: () => void) => void
  readonly parameters: ReadonlyMap<string, string>
  readonly processId: number
  readonly observer: Observer
}

export class Session extends Inspectable.Class implements FrameSink, TransportEvents {
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
  /** The status that the last ReadyForQuery reported. */
  transactionStatus: TransactionStatus = TransactionStatus.idle
  /** The transaction status in which the request that is being answered began. */
  begunIn: TransactionStatus = TransactionStatus.idle
  /** Set once the owner has begun to close the session; it is then also the reason for the end. */
  closing: PgError.ConnectionLostError | undefined
  /** Why the session has ended. Nothing else says that it has. */
  lost: PgError.PgError | undefined
  private readonly transport: Transport
  private readonly decoder: BackendDecoder
  private readonly writer = new ByteWriter()
  private readonly waiting = new Fifo<Exchange>()
  private readonly inFlight = new Fifo<Exchange>()
  private readonly fence: Fence
  private readonly endListeners = new Listeners<PgError.PgError>()
  /** Created for the first listener: most sessions have none. */
  private idleListeners: Listeners<void> | undefined
  /** Fibers that wait for all requests to be answered. They can be refused, as a request may wait for one of them. */
  readonly stalled = new Listeners<PgError.PgError>()
  /** The open transaction, which hears of every command that completes. */
  transaction: Parameters<typeof tellWritten>[3]
  /** The oldest exchange in flight: the server is working on it, and its answer is read next. */
  oldest: Exchange | undefined
  /** The first ErrorResponse to the head. */
  private headError: ErrorFields | undefined
  private readonly firstFailure = new FirstFailure()
  /** The notice of a shutdown. ReadyForQuery clears it, because the server is then still there. */
  private parting: ErrorFields | undefined
  private exclusive: Exchange | undefined
  private reading = false
  private pumpScheduled = false
  isSocketFull = false
  constructor(transport: Transport, decoder: BackendDecoder, options: SessionOptions) {
    super()
    this.transport = transport
    this.decoder = decoder
    this.catalogue = options.catalogue
    this.statements = openCache(options)
    this.processId = options.processId
    this.cancelTimeoutMillis = options.cancelTimeoutMillis
    this.observer = options.observer
    this.parameters = new Map(options.parameters)
    this.catalogue.follow(this.parameters)
    this.fence = new Fence(this, this.inFlight, options.cancel, options.cancelTimeoutMillis)
  }

  /** Leaves out everything else, because the buffers hold values of the user, which must not reach a log. */
  toJSON(): unknown {
    const { lost, processId } = this
    return { _id: "effectpg/Session", processId, transactionStatus: String.fromCharCode(this.transactionStatus), lost }
  }

  // ------------------------------------------------------------------------------------------------- requests

  /** Queues a request. It is written with the others of this tick. */
  submit(exchange: Exchange): void {
    const over = this.lost ?? this.closing
    if (over !== undefined) return exchange.lost(lostWaiting(exchange, over))
    this.residue.due?.alone()
    if (exchange.isControl !== true) this.residue.lastSql = exchange.sql
    if (this.catalogue.wantsIdentity) identify(this)
    this.waiting.push(exchange)
    this.schedulePump()
  }

  /** Queues the next part of a partly answered request, ahead of all others. */
  submitFirst(exchange: Exchange): void {
    if (exchange.abandoned) return exchange.withdrawn?.()
    if (this.lost !== undefined) return wholeOf(exchange).lost(lostWaiting(exchange, this.lost))
    this.waiting.unshift(exchange)
    this.schedulePump()
  }

  /** The caller has gone. Drops the answer, and cancels the query unless a request behind it is still wanted. */
  abandon(exchange: Exchange): void {
    if (exchange.abandoned || this.lost !== undefined) return
    exchange.abandoned = true
    const { part = exchange } = exchange
    part.abandoned = true
    if (part !== exchange) exchange.withdrawn?.()
    if (this.withdraw(part)) return
    if (this.inFlight.last() === part) this.fence.raise()
    this.fence.advance()
  }

  /** Takes back a request, or its next part, that has not been written. Returns false if it is too late. */
  withdraw(exchange: Exchange): boolean {
    if (!this.waiting.remove(exchange)) return false
    exchange.withdrawn?.()
    return true
  }

  /** Whether no request waits, none is unanswered, and no cancel is under way. */
  get settled(): boolean {
    return this.waiting.length === 0 && this.inFlight.length === 0 && !this.fence.raised
  }

  /** Whether nothing is written because a canceled query has not been answered yet. */
  get isFenced(): boolean {
    return this.fence.raised
  }

  /** Whether only control statements are waiting or in flight, and no cancel is under way. */
  get isQuiet(): boolean {
    return !this.fence.raised && !this.inFlight.some(isNoControl) && !this.waiting.some(isNoControl)
  }

  schedulePump(): void {
    if (this.reading || this.pumpScheduled) return
    this.pumpScheduled = true
    queueMicrotask(this.pump)
  }

  private readonly pump = (): void => {
    this.pumpScheduled = false
    const unanswered = this.inFlight.length
    if (unanswered >= BUSY_REQUESTS && unanswered > this.waiting.length) return
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
      this.oldest ??= exchange
      if (exchange.exclusive) this.exclusive = exchange
      if (this.writer.length > WRITE_BYTES) this.flush()
    }
    this.flush()
    if (refused !== undefined) for (const report of refused) report()
    if (this.idleListeners !== undefined && this.lost === undefined && this.settled) this.idleListeners.tell()
  }

  private flush(): void {
    if (this.writer.length > 0 && !this.transport.write(this.writer.take())) this.isSocketFull = true
  }

  /** Whether the request that is being answered began outside a transaction, where a statement may commit by itself. */
  get isAutocommit(): boolean {
    return this.begunIn === TransactionStatus.idle
  }

  /** Writes more of the exclusive request in flight. If it returns false, the caller must wait for `drained`. */
  writeMore(more: Buffer | ((writer: ByteWriter) => void)): boolean {
    if (typeof more === "function") more(this.writer)
    else if (!this.transport.write(more)) this.isSocketFull = true
    this.flush()
    return !this.isSocketFull
  }

  /** Stops reading from the socket for a slow consumer, or resumes. A caller that stops reading must always resume it. */
  keepReading(isReading: boolean): void {
    if (isReading) this.transport.resume()
    else this.transport.pause()
  }

  commandCompleted(tag: CommandTag, hasColumns = true, changesSession = false): void {
    if (changesSession || !changesRowsOnly(tag.command, hasColumns)) this.noteChange(tag, hasColumns, changesSession)
    this.transaction?.completed(tag.command, this.oldest?.sql ?? "")
  }

  private noteChange(tag: CommandTag, hasColumns: boolean, changesSession: boolean): void {
    if (tag.command === "DISCARD ALL" || tag.command === "DEALLOCATE ALL") this.statements.clear()
    this.catalogue.commandCompleted(tag, this.oldest?.sql ?? "", hasColumns)
    this.residue.completed(tag, hasColumns, changesSession)
    // The rest of the same request may now commit by itself.
    if (mayHaveEnded(tag.command)) this.begunIn = TransactionStatus.idle
  }

  // ------------------------------------------------------------------------------------------------- answers

  /** Takes over from the startup, which hands over the messages that it received but did not read. */
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
      if (this.oldest === undefined && partialType !== undefined && !mayComeUnasked(partialType)) {
        throw unasked(partialType)
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
        // This means that a setting has changed, whichever statement did it.
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
    const head = this.oldest
    if (head === undefined) throw unasked(type)
    if (this.headError !== undefined) throw new Desynchronised(type, "ReadyForQuery after an ErrorResponse")
    return head
  }

  private readyForQuery(bytes: Buffer, start: number, end: number): void {
    const head = this.oldest
    if (head === undefined) throw unasked(Backend.ReadyForQuery)
    const status = bytes[start]
    const { failed, idle, inTransaction } = TransactionStatus
    if (end - start !== 1 || (status !== idle && status !== inTransaction && status !== failed)) {
      throw new ProtocolViolation("ReadyForQuery with an unknown transaction status")
    }
    this.inFlight.shift()
    this.parting = undefined
    const error = this.headError
    this.headError = undefined
    this.oldest = this.inFlight.peek()
    this.transactionStatus = status
    if (this.catalogue.place.isUnsettled) this.catalogue.answered(status, head.isControl === true)
    if (this.exclusive === head) this.exclusive = undefined
    if (error !== undefined) this.residue.failed(head.sql, error.code)
    if (this.fence.raised) this.fence.advance()
    try {
      head.ready(status, error)
    } catch (failure) {
      const lost = violation(failure)
      this.die(lost)
      wholeOf(head).lost(lost)
    }
    this.begunIn = status
  }

  private errorResponse(fields: ErrorFields): void {
    const head = this.oldest
    if (isFatal(fields)) {
      this.farewell(fields)
    } else if (head === undefined) {
      throw unasked(Backend.ErrorResponse)
    } else if (this.headError === undefined) {
      this.headError = this.firstFailure.noted(fields, head.sql)
      head.errorArrived?.()
    }
  }

  /** Handles an error that ends the connection. It answers the oldest request; the others were never reached. */
  private farewell(fields: ErrorFields): void {
    this.headError ??= fields
    this.die(farewell(this.headAnswer))
  }

  /** The error that the server gave to the oldest request, if it gave one. */
  private get headAnswer(): PgError.PostgresError | undefined {
    const { headError, oldest } = this
    const head = oldest && wholeOf(oldest)
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

  /** Calls back when the session ends, or at once if it has ended. Returns a function that unsubscribes. */
  onEnd(listener: (error: PgError.PgError) => void): () => void {
    if (this.lost === undefined) return this.endListeners.add(listener)
    listener(this.lost)
    return () => {}
  }

  /** Calls back when all requests are answered or the session ends. With `isNext`, it does not call back at once. */
  onIdle(listener: () => void, isNext = false): () => void {
    if (this.lost === undefined && (isNext || !this.settled))
      return (this.idleListeners ??= new Listeners()).add(listener)
    listener()
    return () => {}
  }

  closed(error: Error | undefined): void {
    this.die(this.closing ?? broken(error, this.parting))
  }

  /**
   * Ends the session for good, and fails all requests. If the connection broke after the server had answered the oldest
   * request with an error, that request fails with the server's error.
   */
  die(error: PgError.PgError): void {
    if (this.lost !== undefined) return
    const answer = error._tag === "ConnectionLostError" ? this.headAnswer : undefined
    this.lost = error
    this.decoder.stop()
    this.transport.destroy()
    this.fence.drop()
    const written = this.inFlight.drain().map(wholeOf)
    const unwritten = this.waiting.drain().map(wholeOf)
    this.oldest = undefined
    tellWritten(written, error, answer, this.transaction)
    for (const exchange of unwritten) exchange.lost(lostWaiting(exchange, error))
    this.transaction?.sessionLost()
    this.endListeners.tell(error)
    this.idleListeners?.tell()
  }

  /**
   * Begins the orderly end: refuses new requests, cancels the running ones, and sends Terminate once all are answered.
   * `onEnd` reports when the connection is closed, or when that took too long.
   */
  close(): void {
    if (this.lost !== undefined || this.closing !== undefined) return
    const bound = setTimeout(() => this.terminate(), this.cancelTimeoutMillis + GOODBYE_MILLIS)
    this.onEnd(() => clearTimeout(bound))
    this.abandonAll((this.closing = CLOSED))
    this.onIdle(() => {
      if (this.lost === undefined) this.transport.end(encodeTerminate())
    })
  }

  /**
   * Ends the requests of a borrower that has left: each is withdrawn or canceled, and fails with `error`. Control
   * statements go on, because they clean up after the borrower and the server answers them at once.
   */
  abandonAll(error: PgError.PgError): void {
    this.refuseWaiting(error)
    if (abandonWritten(this.inFlight, error)) this.fence.raise()
    this.fence.advance()
  }

  /** Refuses the requests that are not written yet, and the fibers that wait for all requests to be answered. */
  refuseWaiting(error: PgError.PgError): void {
    refuseUnwritten(this.waiting, error)
    this.stalled.tell(error)
  }

  /** Ends the session at once, without a Terminate message or a CancelRequest. */
  terminate(): void {
    this.die((this.closing ??= lostWith("the client terminated the connection")))
  }
}
