/**
 * Delivers the messages of the startup, one at a time: the reader asks for the next one and waits. It handles errors,
 * notices and the end of the connection, so that the startup itself reads from top to bottom.
 */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as PgError from "../../PgError.ts"
import { Backend, backendMessageName } from "../../wire/backendMessage.ts"
import { BackendDecoder, type FrameSink } from "../../wire/backendDecoder.ts"
import { type ErrorFields, readErrorFields } from "../../wire/errorFields.ts"
import { violation, lostWith } from "../engine/lostErrors.ts"
import { refusalOfPooler } from "./poolerRefusal.ts"
import { withHint } from "../engine/serverError.ts"
import { foreignServer, type Transport, type TransportEvents } from "../engine/transport.ts"

export interface Frame {
  readonly type: number
  readonly body: Buffer
}

/** A real server sends some dozens of short messages before it is ready. */
const MAX_FRAMES = 1000
const MAX_BYTES = 1_048_576

/** Also when pg_hba.conf has entries for encrypted connections only. */
const NO_ENTRY = "28000"

export class Inbox implements FrameSink, TransportEvents {
  readonly decoder: BackendDecoder
  private readonly transport: Transport
  private readonly frames: Array<Frame> = []
  private isFirstChunk = true
  private received = 0
  private receivedBytes = 0
  private failure: PgError.PgError | undefined
  private waiting: (() => void) | undefined
  /** Knows more of an error that the server may send at this point than the error itself. */
  hintFor: (fields: ErrorFields) => string | undefined = ({ code }) => {
    const { tlsFailure } = this.transport
    if (tlsFailure === undefined || code !== NO_ENTRY) return undefined
    return `The connection is not encrypted, because ${tlsFailure}.`
  }

  constructor(transport: Transport) {
    this.transport = transport
    this.decoder = new BackendDecoder(this)
    transport.events = this
  }

  /** Waits for the next message. Fails at an ErrorResponse, a broken protocol or the end of the connection. */
  readonly next: Effect.Effect<Frame, PgError.PgError> = Effect.suspend(() => this.arrived ?? this.arrival)

  private get arrived(): Effect.Effect<Frame, PgError.PgError> | undefined {
    const frame = this.frames.shift()
    if (frame !== undefined) return Effect.succeed(frame)
    return this.failure && Effect.fail(this.failure)
  }

  private readonly arrival = Effect.callback<Frame, PgError.PgError>((resume) => {
    this.waiting = () => resume(this.next)
  })

  /** Puts back a message that somebody else is to read. */
  giveBack(frame: Frame): void {
    this.frames.unshift(frame)
  }

  /** Decodes a message, and turns what the decoder throws into a failure. */
  read<A>(decode: () => A): Effect.Effect<A, PgError.ProtocolError> {
    return Effect.try({ try: decode, catch: violation })
  }

  refuse(frame: Frame, expected: string): Effect.Effect<never, PgError.ProtocolError> {
    return Effect.fail(new PgError.ProtocolError({ received: backendMessageName(frame.type), expected }))
  }

  /** Hands the decoder and the transport over to the session. Returns the messages that came behind ReadyForQuery. */
  handOver(session: FrameSink & TransportEvents): ReadonlyArray<Frame> {
    this.decoder.sink = session
    this.transport.events = session
    return this.frames
  }

  /** The error after which no message will come. */
  get broken(): PgError.PgError | undefined {
    return this.failure
  }

  data(bytes: Buffer, length: number): void {
    const foreign = this.isFirstChunk ? foreignServer(this.transport.address, bytes, length) : undefined
    this.isFirstChunk = false
    if (foreign !== undefined) return this.fail(foreign)
    try {
      this.decoder.push(bytes, length)
    } catch (failure) {
      this.fail(violation(failure))
    }
    // The reader is woken once for all that has come, because each wait costs more than reading a message.
    if (this.frames.length > 0) this.wake()
  }

  frame(type: number, bytes: Buffer, start: number, end: number): void {
    if (type === Backend.NoticeResponse) return
    if (type === Backend.ErrorResponse) {
      const said = readErrorFields(bytes, start, end)
      const fields = refusalOfPooler(said)
      const hint = said.hint ?? this.hintFor(said) ?? fields.hint
      this.fail(
        PgError.fromServer(withHint({ ...fields, hint }), { sql: undefined, outcome: "none", place: this.place })
      )
      return
    }
    this.received++
    this.receivedBytes += end - start
    if (this.received > MAX_FRAMES || this.receivedBytes > MAX_BYTES) {
      const received = `${this.received} messages with ${this.receivedBytes} bytes in total`
      this.fail(new PgError.ProtocolError({ received, expected: "ReadyForQuery" }))
      return
    }
    this.frames.push({ type, body: Buffer.from(bytes.subarray(start, end)) })
  }

  drain(): void {}

  closed(error: Error | undefined): void {
    const because = error === undefined ? "" : `: ${error.message}`
    this.fail(lostWith(`the server closed the connection during startup${because}`, { safeToRetry: true }))
  }

  private get place(): PgError.ConnectPlace {
    const { address } = this.transport
    return address._tag === "Unix"
      ? { host: address.path, port: undefined, address: undefined, stage: "startup" }
      : { host: address.name, port: address.port, address: address.host, stage: "startup" }
  }

  private fail(error: PgError.PgError): void {
    this.failure ??= error
    this.decoder.stop()
    this.transport.destroy()
    this.wake()
  }

  private wake(): void {
    const { waiting } = this
    this.waiting = undefined
    waiting?.()
  }
}
