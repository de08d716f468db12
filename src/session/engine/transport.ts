/**
 * Carries bytes to and from one server, over TCP or a Unix socket, with or without TLS. No other file uses sockets.
 * Opening a transport is written as an Effect, because it is a sequence of waits. An open transport uses callbacks,
 * because every byte of every query passes through it.
 */
import { Buffer } from "node:buffer"
import * as net from "node:net"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PgError from "../../PgError.ts"
import { encodeSslRequest } from "../../wire/coldMessages.ts"
import { foreignProtocol } from "../../wire/foreignProtocol.ts"
import { facts, secure, type TlsFacts, type TlsOptions } from "../encryption/tlsSocket.ts"

/**
 * Where all connections receive: what one read brings is taken before the next read, of whichever connection. Large,
 * because each read from a socket costs time.
 */
const receiveBuffer = Buffer.allocUnsafeSlow(131_072)

/** Deno reads into such a buffer too, but then TLS over the socket would never see a byte. */
const READS_IN_PLACE = !("Deno" in globalThis)

/** Where to connect to. `name` is the host as the user wrote it; the server's certificate must match it. */
export type Address =
  | { readonly _tag: "Tcp"; readonly name: string; readonly host: string; readonly port: number }
  | { readonly _tag: "Unix"; readonly path: string }

export interface TransportOptions extends TlsOptions {
  /** After how many idle milliseconds TCP probes the peer. If undefined, it never does. */
  readonly keepAliveMillis: number | undefined
  /** The time between probes that are not answered, and how many of them are lost before the connection is. */
  readonly keepAliveIntervalMillis?: number | undefined
  readonly keepAliveCount?: number | undefined
}

/**
 * Receives what happens on the socket. `data` must not keep `bytes`, because the next read overwrites them, also one of
 * another connection.
 */
export interface TransportEvents {
  data(bytes: Buffer, length: number): void
  /** The socket can take more again. */
  drain(): void
  /** The connection has ended. Nothing is called after it. */
  closed(error: Error | undefined): void
}

export interface Transport {
  readonly encrypted: boolean
  /** What the TLS handshake has told; undefined without TLS. */
  readonly tls: TlsFacts | undefined
  /** Why TLS has failed, if it was tried and sslMode `prefer` goes on without it. */
  readonly tlsFailure?: string | undefined
  /** Whether the bytes stay on this machine: over a Unix socket or the loopback network. */
  readonly isLocal: boolean
  /** The address that was reached. A CancelRequest goes to the same one. */
  readonly address: Address
  /** Receives what arrives. The code that takes the transport over sets it. */
  events: TransportEvents
  /** Returns false if the socket should get no more until `drain`. */
  write(bytes: Buffer): boolean
  /** Stops reading. In the end the server has to wait. Meanwhile even the end of the connection goes unnoticed. */
  pause(): void
  /** Reads again after `pause`. */
  resume(): void
  /** Writes the last bytes and closes. */
  end(bytes: Buffer): void
  /** Closes at once. */
  destroy(): void
}

type OpenError = PgError.ConnectError | PgError.ProtocolError

/** Makes an effect interruptible within an uninterruptible region. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Opens a transport and negotiates encryption according to `sslMode`, as libpq does. With `allow` it insists on
 * encryption, because the caller has already tried to connect without. If it is interrupted, it closes what it has
 * opened. Call it in an uninterruptible region: otherwise an interruption right after it could lose an open transport.
 * `reachedTls` is called when TLS begins to be negotiated.
 */
export const open = (
  address: Address,
  options: TransportOptions,
  restore: Restore,
  reachedTls: () => void = () => {}
): Effect.Effect<Transport, OpenError> =>
  Effect.catchIf(negotiated(address, options, restore, reachedTls), isHandshakeFailure, ({ error }) =>
    options.sslMode === "prefer" ? openWithoutTls(address, options, restore, error) : Effect.fail(error)
  )

const openWithoutTls = (
  address: Address,
  options: TransportOptions,
  restore: Restore,
  { attempts }: PgError.ConnectError
): Effect.Effect<Transport, OpenError> =>
  Effect.map(negotiated(address, { ...options, sslMode: "disable" }, restore), (link) => {
    link.tlsFailure = attempts[0]?.reason
    return link
  }).pipe(Effect.catchIf(isHandshakeFailure, ({ error }) => Effect.fail(error)))

const negotiated = (
  address: Address,
  options: TransportOptions,
  restore: Restore,
  reachedTls: () => void = () => {}
): Effect.Effect<Link, OpenError | HandshakeFailure> =>
  Effect.suspend(() => {
    const link = new Link(address)
    return restore(negotiate(link, options, reachedTls)).pipe(
      Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Effect.sync(() => link.destroy())))
    )
  })

/** TLS has begun and failed. Only this lets `prefer` connect again without TLS. */
class HandshakeFailure {
  readonly error: PgError.ConnectError

  constructor(error: PgError.ConnectError) {
    this.error = error
  }
}

const isHandshakeFailure = (error: OpenError | HandshakeFailure): error is HandshakeFailure =>
  error instanceof HandshakeFailure

const negotiate = Effect.fnUntraced(function* (
  link: Link,
  options: TransportOptions,
  reachedTls: () => void
): Effect.fn.Return<Link, OpenError | HandshakeFailure> {
  yield* link.connect(options)
  if (link.address._tag === "Unix" || options.sslMode === "disable") return link
  reachedTls()
  if (options.sslNegotiation === "direct" || (yield* link.askForTls)) {
    yield* link.startTls(options)
  } else if (options.sslMode !== "prefer") {
    return yield* link.failure("tls", `the server refuses TLS, but sslMode ${options.sslMode} requires it`)
  }
  return link
})

/** Used between two steps of the opening. The server says nothing then, and the next step notices a broken socket. */
const NOBODY: TransportEvents = { data: () => {}, drain: () => {}, closed: () => {} }

/** The two valid answers to SSLRequest, one byte each. */
const TLS_ACCEPTED = 0x53 // S
const TLS_REFUSED = 0x4e // N
/**
 * The first byte of an ErrorResponse, from a server that does not know SSLRequest. Its text is not shown, because
 * anybody on the network could have sent it.
 */
const ERROR_RESPONSE = 0x45 // E

class Link implements Transport {
  address: Address
  tls: TlsFacts | undefined
  tlsFailure: string | undefined
  events: TransportEvents = NOBODY
  private raw: net.Socket | undefined
  /** The socket to write to: the raw one, or TLS over it. */
  private socket: net.Socket | undefined
  private brokenBy: Error | undefined

  constructor(address: Address) {
    this.address = address
  }

  get encrypted(): boolean {
    return this.tls !== undefined
  }

  get isLocal(): boolean {
    return isLocalAddress(this.address)
  }

  write(bytes: Buffer): boolean {
    return this.socket === undefined || this.socket.write(bytes)
  }

  pause(): void {
    this.socket?.pause()
  }

  resume(): void {
    this.socket?.resume()
  }

  end(bytes: Buffer): void {
    this.socket?.end(bytes)
  }

  destroy(): void {
    this.socket?.destroy()
    this.raw?.destroy()
  }

  failure(stage: PgError.ConnectStage, reason: string): PgError.ConnectError {
    return failureAt(this.address, stage, reason)
  }

  /** The failure of TLS, which may mean that the server itself is not there any more. */
  private failedInTls(reason: string, error: NodeJS.ErrnoException | undefined, needed = ""): PgError.ConnectError {
    const wasClosed = error === undefined || CUT_OFF.has(error.code ?? "")
    return failureAt(
      this.address,
      "tls",
      reason + because(withoutPlace(error)) + needed,
      wasClosed ? { wasClosed } : {}
    )
  }

  private readonly received = (bytes: Buffer): void => this.events.data(bytes, bytes.length)

  private readonly receivedInPlace = (length: number): boolean => {
    this.events.data(receiveBuffer, length)
    return true
  }

  connect(options: TransportOptions): Effect.Effect<void, PgError.ConnectError> {
    return Effect.callback((resume) => {
      const raw = net.connect({
        ...(this.address._tag === "Unix"
          ? { path: this.address.path.replace(/^@/, "\0") }
          : { host: this.address.host, port: this.address.port }),
        noDelay: true,
        keepAlive: options.keepAliveMillis !== undefined,
        keepAliveInitialDelay: options.keepAliveMillis ?? 0,
        ...(READS_IN_PLACE ? { onread: { buffer: receiveBuffer, callback: this.receivedInPlace } } : {})
      })
      if (!READS_IN_PLACE) raw.on("data", this.received)
      const { keepAliveCount, keepAliveIntervalMillis, keepAliveMillis } = options
      if (keepAliveIntervalMillis !== undefined || keepAliveCount !== undefined) {
        raw.setKeepAlive(true, keepAliveMillis, keepAliveIntervalMillis, keepAliveCount)
      }
      this.raw = raw
      this.socket = raw
      raw.once("connect", () => {
        if (this.address._tag === "Tcp" && raw.remoteAddress !== undefined) {
          this.address = { ...this.address, host: raw.remoteAddress }
        }
        this.listen(raw)
        resume(Effect.void)
      })
      const refused = (error: Error): void => resume(Effect.fail(connectFailure(this.address, error)))
      raw.on("error", refused)
    })
  }

  /** From now on, reports the end of the socket to `events`, and handles every event that it emits. */
  private listen(socket: net.Socket): void {
    socket.on("error", (error) => (this.brokenBy ??= error))
    socket.on("end", () => socket.destroy())
    socket.on("close", () => this.events.closed(this.brokenBy))
    socket.on("drain", () => this.events.drain())
  }

  /**
   * Sends SSLRequest. The answer must be exactly one byte, because an attacker could have added whatever follows it
   * unencrypted (CVE-2021-23222).
   */
  readonly askForTls: Effect.Effect<boolean, OpenError> = Effect.callback((resume) => {
    const fail = (reason: string) => resume(this.failure("tls", reason))
    this.events = {
      data: (bytes, length) => {
        this.events = NOBODY
        const foreign = foreignServer(this.address, bytes, length)
        if (foreign !== undefined) resume(foreign)
        else if (length === 1 && bytes[0] === TLS_ACCEPTED) resume(Effect.succeed(true))
        else if (length === 1 && bytes[0] === TLS_REFUSED) resume(Effect.succeed(false))
        else if (bytes[0] === ERROR_RESPONSE) fail("the server answered the request for TLS with an error")
        else resume(notOneByte(length))
      },
      drain: () => {},
      closed: (error) =>
        resume(this.failedInTls("the server closed the connection when the client asked for TLS", error))
    }
    this.write(encodeSslRequest())
  })

  startTls(options: TransportOptions): Effect.Effect<void, HandshakeFailure> {
    return Effect.callback((resume) => {
      const refuse = (reason: string): void => resume(Effect.fail(new HandshakeFailure(this.failure("tls", reason))))
      const { raw } = this
      if (raw === undefined) return
      raw.off("data", this.received)
      let secured: ReturnType<typeof secure>
      try {
        secured = secure(raw, this.address._tag === "Tcp" ? this.address.name : "localhost", options)
      } catch (error) {
        const reason = because(error instanceof Error ? error : undefined)
        return refuse(`the client cannot use sslCert, sslKey, sslRootCert or sslCrl${reason}`)
      }
      this.socket = secured
      const failed = (error: Error | undefined): void => {
        const needed = options.sslNegotiation === "direct" ? NEEDED_BY_DIRECT : ""
        resume(Effect.fail(new HandshakeFailure(this.failedInTls("the TLS handshake failed", error, needed))))
      }
      secured.on("error", failed)
      this.events = { ...NOBODY, closed: failed }
      secured.once("secureConnect", () => {
        this.events = NOBODY
        const told = facts(secured, options)
        if (typeof told === "string") return refuse(told)
        this.tls = told
        this.listen(secured)
        secured.on("data", this.received)
        resume(Effect.void)
      })
    })
  }
}

export const isLocalAddress = (address: Address): boolean => {
  if (address._tag === "Unix") return true
  if (net.isIP(address.host) === 4) return address.host.startsWith("127.")
  return /^(::1|::ffff:127\..*)$/i.test(address.host)
}

const notOneByte = (length: number): PgError.ProtocolError =>
  new PgError.ProtocolError({
    received: length === 1 ? "an unknown byte" : "more than one byte before the TLS handshake",
    expected: "S or N as the answer to the request for TLS"
  })

/** OpenSSL puts the place in its source around the reason, which tells nothing to the reader. */
const withoutPlace = (error: Error | undefined): Error | undefined => {
  if (error === undefined || !("reason" in error) || typeof error.reason !== "string") return error
  return new Error(error.reason === "wrong version number" ? "the server does not answer with TLS" : error.reason)
}

const NEEDED_BY_DIRECT = ' (sslNegotiation "direct" needs PostgreSQL 17 or later)'

const because = (error: Error | undefined): string => (error === undefined ? "" : `: ${error.message}`)

/** The error for an address that has failed at that stage. `protocol` is what the server speaks if it is another. */
export const failureAt = (
  address: Address,
  stage: PgError.ConnectStage,
  reason: string,
  more: Pick<PgError.ConnectAttempt, "protocol" | "wasClosed"> = {}
): PgError.ConnectError =>
  new PgError.ConnectError({ stage, attempts: [{ ...describe(address), address: undefined, stage, reason, ...more }] })

/** How a connection ends that the other side has given up. */
const CUT_OFF: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED"])

/**
 * The error if the first bytes of a server show that it is not PostgreSQL. Of its answer, only the name of the protocol
 * is shown, because anybody on the network could have sent it.
 */
export const foreignServer = (address: Address, bytes: Buffer, length: number): PgError.ConnectError | undefined => {
  const protocol = foreignProtocol(bytes, length)
  if (protocol === undefined) return undefined
  const reason = `a server that speaks ${protocol}, not PostgreSQL, answers there; check host and port`
  return failureAt(address, "startup", reason, { protocol })
}

const describe = (address: Address): { readonly host: string; readonly port: number | undefined } =>
  address._tag === "Unix" ? { host: address.path, port: undefined } : { host: address.name, port: address.port }

const RESOLVER_CODES: ReadonlySet<string> = new Set(["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "EAI_NODATA", "EAI_NONAME"])

/** Node tries every address of a name, and reports their failures together. */
const connectFailure = (address: Address, error: NodeJS.ErrnoException): PgError.ConnectError => {
  const errors: ReadonlyArray<NodeJS.ErrnoException> = error instanceof AggregateError ? error.errors : [error]
  const stage = RESOLVER_CODES.has(error.code ?? "") ? "resolve" : "tcp"
  return new PgError.ConnectError({
    stage,
    attempts: errors.map((each) => ({
      ...describe(address),
      address: "address" in each && typeof each.address === "string" ? each.address : undefined,
      stage,
      reason: each.code ?? each.message
    }))
  })
}
