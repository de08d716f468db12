/**
 * COPY ... FROM STDIN. Data are collected into messages of some size, and a source that has filled one waits until the socket
 * can take more. An error of the server may come at any time and ends it; a CopyFail ends it too, with such an error.
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

/** What has to come next. */
const Awaiting = {
  start: "CopyInResponse",
  nothing: "nothing but an ErrorResponse, while data are sent",
  completion: "CommandComplete, after CopyDone",
  failure: "ErrorResponse, after CopyFail",
  ready: "ReadyForQuery"
} as const
type Awaiting = (typeof Awaiting)[keyof typeof Awaiting]

/** So much is collected before it is written. */
export const MESSAGE_BYTES = 65_536

/** The session of a COPY, in the context of what gives it its data. */
export const FedSession: Context.Service<Session, Session> = Context.Service<Session>(
  "effectpg/session/copyIn/FedSession"
)

/** Goes to the server's log. */
const GIVEN_UP = "the client has given up"

export class CopyIn extends CopyExchange {
  /** How many bytes of data have been written. */
  bytesWritten = 0
  protected awaiting: Awaiting = Awaiting.start
  private readonly resume: Resume<CopyIn>
  private readonly writer = new ByteWriter()
  /** The CopyData that is being filled. */
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

  /** Data are written here. What has been written since the last `flush` can be taken back by `rewind`. */
  get data(): ByteWriter {
    this.openMessage ??= beginCopyData(this.writer)
    return this.writer
  }

  /** Whether it is time to `flush`. */
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
   * Waits until the socket can take more. The event loop always gets a turn, so that an error of the server is seen
   * however fast the socket is.
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

  /** Writes what is left, and says that this was all. */
  done(): void {
    if (this.awaiting !== Awaiting.nothing) return
    this.flush()
    this.awaiting = Awaiting.completion
    this.write(encodeCopyDone())
  }

  /** Drops what is left, and has the server undo all. Nothing happens where no data are expected. */
  fail(): void {
    if (this.awaiting !== Awaiting.nothing) return
    this.awaiting = Awaiting.failure
    this.write(encodeCopyFail(GIVEN_UP))
  }

  private write(bytes: Buffer): void {
    if (!this.isAnswered && this.session.lost === undefined) {
      this.hasRoom = this.session.writeMore((writer) => writer.raw(bytes))
    }
  }

  // ---------------------------------------------------------------------------------------------------- end

  /** While a server waits for data it does not look at a CancelRequest. */
  override abandon(): void {
    this.fail()
    super.abandon()
  }
}

const LENGTH_BYTES = 4
