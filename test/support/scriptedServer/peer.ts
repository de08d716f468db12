/** One connection, seen from the server. */
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import type * as net from "node:net"
import * as tls from "node:tls"
import { QUIET_MILLIS, waitFor, Waiters } from "./waiting.ts"

export interface FrontendMessage {
  /** `Q`, `P`, `B`... */
  readonly type: string
  readonly body: Buffer
}

/** A packet without a type byte, which begins a connection. */
export type StartupPacket =
  | {
      readonly _tag: "Startup"
      /** Int16 major, Int16 minor. */
      readonly version: number
      readonly parameters: Readonly<Record<string, string>>
      readonly bytes: Buffer
    }
  | { readonly _tag: "SslRequest" }
  | { readonly _tag: "CancelRequest"; readonly processId: number; readonly secret: Buffer }

const SSL_REQUEST = 80877103
const CANCEL_REQUEST = 80877102
const PROTOCOL_3_0 = 196608
const PROTOCOL_3_2 = 196610

export class Peer {
  /** The received message, with its header. */
  readonly chunks: Array<Buffer> = []
  /** Set if the server is not to close its side when the client has closed its own, or has sent a CancelRequest. */
  lingers = false
  private readonly raw: net.Socket
  private socket: net.Socket
  private secured: tls.TLSSocket | undefined
  private unread: Buffer = Buffer.alloc(0)
  private over = false
  private readonly waiters = new Waiters()

  constructor(socket: net.Socket) {
    this.raw = socket
    this.socket = socket
    socket.setNoDelay(true)
    this.listen(socket)
  }

  private listen(socket: net.Socket): void {
    socket.on("data", this.take)
    socket.on("end", this.ended)
    socket.on("close", this.ended)
    // Many tests have a client that breaks the connection off.
    socket.on("error", this.ended)
  }

  private readonly take = (bytes: Buffer): void => {
    this.chunks.push(bytes)
    this.unread = Buffer.concat([this.unread, bytes])
    this.waiters.wake()
  }

  private readonly ended = (): void => {
    this.over = true
    if (!this.lingers) this.socket.end()
    this.waiters.wake()
  }

  // -------------------------------------------------------------------------------------------------- listening

  private wait<A>(what: string, look: () => A | undefined): Effect.Effect<A> {
    return waitFor(what, look, () => this.waiters)
  }

  private shift(bytes: number): Buffer {
    const taken = this.unread.subarray(0, bytes)
    this.unread = this.unread.subarray(bytes)
    return taken
  }

  /** The packet that begins the connection. */
  readonly startupPacket: Effect.Effect<StartupPacket> = Effect.suspend(() =>
    this.wait("a startup packet", () => {
      if (this.unread.length < 8 || this.unread.length < this.unread.readInt32BE(0)) return undefined
      const bytes = this.shift(this.unread.readInt32BE(0))
      const code = bytes.readInt32BE(4)
      switch (code) {
        case SSL_REQUEST:
          return { _tag: "SslRequest" as const }
        case CANCEL_REQUEST:
          if (!this.lingers) this.socket.end()
          return { _tag: "CancelRequest" as const, processId: bytes.readInt32BE(8), secret: bytes.subarray(12) }
        case PROTOCOL_3_0:
        case PROTOCOL_3_2:
          return { _tag: "Startup" as const, version: code, parameters: pairs(bytes.toString("utf8", 8)), bytes }
        default:
          throw new Error(`a startup packet of kind ${code}`)
      }
    })
  )

  private whole(): FrontendMessage | undefined {
    if (this.unread.length < 5 || this.unread.length < 1 + this.unread.readInt32BE(1)) return undefined
    const frame = this.shift(1 + this.unread.readInt32BE(1))
    return { type: String.fromCharCode(frame[0]!), body: frame.subarray(5) }
  }

  /** The next message. */
  readonly message: Effect.Effect<FrontendMessage> = Effect.suspend(() => this.wait("a message", () => this.whole()))

  /** The next message, however long it takes; undefined at the end of the connection. */
  readonly anyMessage: Effect.Effect<FrontendMessage | undefined> = Effect.callback((resume) => {
    const attempt = (): void => {
      const message = this.whole()
      if (message === undefined && !this.over) return
      forget()
      resume(Effect.succeed(message))
    }
    const forget = this.waiters.add(attempt)
    attempt()
    return Effect.sync(forget)
  })

  /** All messages up to and including the next Sync. */
  readonly cycle: Effect.Effect<ReadonlyArray<FrontendMessage>> = Effect.suspend(() => {
    const messages: Array<FrontendMessage> = []
    return this.wait("a Sync", () => {
      for (let message = this.whole(); message !== undefined; message = this.whole()) {
        messages.push(message)
        if (message.type === "S") return messages
      }
      return undefined
    })
  })

  /** The types of the messages up to the next Sync, as in `BES`. */
  readonly cycleTypes: Effect.Effect<string> = Effect.suspend(() =>
    Effect.map(this.cycle, (messages) => messages.map(({ type }) => type).join(""))
  )

  /** Completes when a message has come that was not read. */
  readonly something: Effect.Effect<void> = Effect.suspend(() =>
    Effect.asVoid(this.wait("any byte", () => (this.hasUnread ? true : undefined)))
  )

  /** Whether bytes have come that were not read. */
  get hasUnread(): boolean {
    return this.unread.length > 0
  }

  /** True if nothing comes for a while. */
  readonly staysQuiet: Effect.Effect<boolean> = Effect.suspend(() =>
    Effect.map(Effect.sleep(QUIET_MILLIS), () => !this.hasUnread)
  )

  /** Completes when the client has closed its side, or broken it. */
  readonly closed: Effect.Effect<void> = Effect.suspend(() =>
    Effect.asVoid(this.wait("the end of the connection", () => (this.over ? true : undefined)))
  )

  /** Completes when the client does not receive any more either; the server has to write to find out. */
  readonly gone: Effect.Effect<void> = Effect.suspend(() => {
    const saying = setInterval(() => this.send(Buffer.of(0)), QUIET_MILLIS / 4)
    return Effect.asVoid(this.wait("the client to be gone", () => (this.socket.destroyed ? true : undefined))).pipe(
      Effect.ensuring(Effect.sync(() => clearInterval(saying)))
    )
  })

  get isClosed(): boolean {
    return this.over
  }

  // ---------------------------------------------------------------------------------------------------- talking

  /** Sends everything in one write. */
  send(...frames: ReadonlyArray<Uint8Array>): void {
    this.socket.write(Buffer.concat(frames))
  }

  /** How much of the sent data has found no room at the client. */
  get unsentBytes(): number {
    return this.socket.writableLength
  }

  /** Sends everything, and then no more; the client's messages are still received. */
  end(...frames: ReadonlyArray<Uint8Array>): void {
    this.socket.end(Buffer.concat(frames))
  }

  destroy(): void {
    this.socket.destroy()
    this.raw.destroy()
  }

  /** Breaks the connection off with RST. */
  reset(): void {
    this.raw.resetAndDestroy()
  }

  /** Reads no more from the socket, until `resumeReading`. */
  pauseReading(): void {
    this.socket.pause()
  }

  resumeReading(): void {
    this.socket.resume()
  }

  /** Accepts SSLRequest, and becomes the server of the TLS handshake that must follow. */
  startTls(options: tls.TLSSocketOptions): Effect.Effect<void> {
    return Effect.andThen(
      Effect.sync(() => this.raw.write("S")),
      this.startDirectTls(options)
    )
  }

  /** Becomes the server of a TLS handshake, which the client may have begun. */
  startDirectTls(options: tls.TLSSocketOptions): Effect.Effect<void> {
    return Effect.sync(() => {
      this.raw.removeListener("data", this.take)
      if (this.unread.length > 0) this.raw.unshift(this.shift(this.unread.length))
      const secured = new tls.TLSSocket(this.raw, { ...options, isServer: true })
      this.socket = secured
      this.listen(secured)
      this.secured = secured
    })
  }

  /** The server's end of TLS. */
  get tls(): tls.TLSSocket {
    if (this.secured === undefined) throw new Error("a connection without TLS")
    return this.secured
  }
}

const pairs = (text: string): Readonly<Record<string, string>> => {
  const strings = text.split("\0")
  const found: Record<string, string> = {}
  for (let index = 0; index + 1 < strings.length && strings[index] !== ""; index += 2) {
    found[strings[index]!] = strings[index + 1]!
  }
  return found
}

/** The only parameter of a Bind message, an int4 in binary. */
export const boundInt4 = (messages: ReadonlyArray<FrontendMessage>): number => {
  const bind = messages.find(({ type }) => type === "B")
  if (bind === undefined) throw new Error("no Bind in a cycle")
  return bind.body.readInt32BE(bind.body.indexOf(0, 1) + 1 + 2 + 2 + 2 + 4)
}
