/**
 * Runs COPY ... FROM STDIN. Data are collected into messages of some size. A source that has filled one waits until the
 * socket can take more. The server may send an error at any time, which ends the COPY. A CopyFail makes it send one.
 *
 * ```
 * Query                  ->  CopyInResponse
 * CopyData... CopyDone   ->  CommandComplete  ReadyForQuery
 * CopyData... CopyFail   ->  ErrorResponse  ReadyForQuery
 * ```
 */
import type { Buffer } from "node:buffer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as PgError from "../../PgError.ts"
import { Backend } from "../../wire/backendMessage.ts"
import { ByteWriter } from "../../wire/byteWriter.ts"
import { encodeCopyDone, encodeCopyFail } from "../../wire/coldMessages.ts"
import { beginCopyData } from "../../wire/frontendEncoder.ts"
import { circular, CopyExchange } from "./copyExchange.ts"
import { Desynchronised, type Resume } from "../engine/exchange.ts"
import type { Session } from "../engine/session.ts"

/** The messages that can come next, in the words of the error if another one comes. */
const Awaiting = {
  start: "CopyInResponse",
  nothing: "no message except an ErrorResponse while the client sends data",
  completion: "CommandComplete after CopyDone",
  failure: "ErrorResponse after CopyFail",
  ready: "ReadyForQuery"
} as const
type Awaiting = (typeof Awaiting)[keyof typeof Awaiting]

/** How many bytes are collected before they are written. */
export const MESSAGE_BYTES = 65_536

/** The session of a COPY, in the context of the source of its data. */
export const FedSession: Context.Service<Session, Session> = Context.Service<Session>(
  "effectpg/session/copyIn/FedSession"
)

/** The reason in CopyFail, which the server logs. */
const GIVEN_UP = "the client has given up"

export class CopyIn extends CopyExchange {
  bytesWritten = 0
  protected awaiting: Awaiting = Awaiting.start
  private readonly resume: Resume<CopyIn>
  private readonly writer = new ByteWriter()
  /** Where the CopyData message that is being filled begins. */
  private openMessage: number | undefined
  private hasRoom = true

  constructor(session: Session, sql: string, resume: Resume<CopyIn>) {
    super(session, sql, resume)
    this.resume = resume
  }

  protected get hasStarted(): boolean {
    return this.awaiting !== Awaiting.start
  }

  message(type: number, bytes: Buffer, start: number, end: number): void {
    const { awaiting } = this
    switch (type) {
      case Backend.CopyInResponse:
        if (awaiting !== Awaiting.start) break
        this.awaiting = Awaiting.nothing
        // The caller may have left in the meantime, but the server still waits for data.
        if (this.abandoned) this.fail()
        else this.resume(Exit.succeed(this))
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

  // --------------------------------------------------------------------------------------------------- data

  /** The writer for the data. `rewind` can take back what was written since the last `flush`. */
  get data(): ByteWriter {
    if (this.openMessage === undefined) {
      // Room for the row that fills it, too, so that the buffer does not have to grow.
      this.writer.reserve(MESSAGE_BYTES + MESSAGE_BYTES / 16)
      this.openMessage = beginCopyData(this.writer)
    }
    return this.writer
  }

  /** Whether there is enough to `flush`. */
  get isFull(): boolean {
    return this.writer.length >= MESSAGE_BYTES
  }

  flush(): void {
    if (this.openMessage === undefined) return
    this.writer.endMessage(this.openMessage)
    this.bytesWritten += this.writer.length - this.openMessage - LENGTH_BYTES
    this.openMessage = undefined
    this.write(this.writer.take())
  }

  /**
   * Waits until the socket can take more. It always lets the event loop run once, so that an error of the server is
   * noticed even if the socket never fills.
   */
  readonly writable: Effect.Effect<void> = Effect.andThen(
    this.until(() => this.hasRoom || this.isOver),
    Effect.yieldNow
  )

  refusalOf(fiber: Fiber.Fiber<unknown, unknown>): PgError.PgError | undefined {
    return Context.getOrUndefined(fiber.context, FedSession) === this.session ? circular(this.sql) : undefined
  }

  drained(): void {
    this.hasRoom = true
    this.wake()
  }

  /** Writes the rest of the data, and ends the COPY. */
  done(): void {
    if (this.awaiting !== Awaiting.nothing) return
    this.flush()
    this.awaiting = Awaiting.completion
    this.write(encodeCopyDone())
  }

  /** Drops the rest of the data, and has the server undo the COPY. Does nothing if no data are expected. */
  fail(): void {
    if (this.awaiting !== Awaiting.nothing) return
    this.awaiting = Awaiting.failure
    this.write(encodeCopyFail(GIVEN_UP))
  }

  private write(bytes: Buffer): void {
    if (!this.isAnswered && this.session.lost === undefined) {
      this.hasRoom = this.session.writeMore(bytes)
    }
  }

  // ---------------------------------------------------------------------------------------------------- end

  /** Sends CopyFail first, because a server that waits for data does not notice a CancelRequest. */
  override abandon(): void {
    this.fail()
    super.abandon()
  }
}

const LENGTH_BYTES = 4
