/**
 * Bytes to and from one server, over TCP or a unix socket, in the clear or under TLS. It is the only file that knows
 * sockets. Opening one is a sequence of waits and is written as such; an open one is callbacks, because every byte of
 * every query passes here.
 */
import { Buffer } from "node:buffer"
import * as net from "node:net"
import * as tls from "node:tls"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { SslMode } from "../../PgConfig.ts"
import * as PgError from "../../PgError.ts"
import { encodeSslRequest } from "../../wire/coldMessages.ts"

/** Much of what larger answers cost is the number of reads that they take. Memory that no answer needs is never touched. */
const RECEIVE_BYTES = 131_072

/** Where to connect to. `name` is what the user called the host: certificates are checked against it. */
export type Address =
  | { readonly _tag: "Tcp"; readonly name: string; readonly host: string; readonly port: number }
  | { readonly _tag: "Unix"; readonly path: string }

export interface TransportOptions {
  readonly sslMode: SslMode
  /** PEM. Without it the certificate authorities that Node trusts count. */
  readonly sslRootCert: string | undefined
  readonly sslCert: string | undefined
  readonly sslKey: string | undefined
  /** After how many idle milliseconds TCP probes the peer; undefined probes never. */
  readonly keepAliveMillis: number | undefined
}

/** Who takes the bytes. `data` may not keep `bytes`: they are read into again. */
export interface TransportEvents {
  data(bytes: Buffer, length: number): void
  /** The socket can take more again. */
  drain(): void
  /** The end, for whatever reason; nothing comes after it. */
  closed(error: Error | undefined): void
}

export interface Transport {
  readonly encrypted: boolean
  /** True where nothing leaves this machine: a unix socket, or the loopback network. */
  readonly isLocal: boolean
  /** The address that was reached, under the name that was asked for: a CancelRequest goes to the same. */
  readonly address: Address
  /** The receiver of what arrives. The code that takes the transport over sets it. */
  events: TransportEvents
  /** False where the socket has enough for now; `drain` says when it can take more. */
  write(bytes: Buffer): boolean
  /** Reads nothing more, so that in the end the server waits; not even the end of the connection is noticed. */
  pause(): void
  /** Reads again. */
  resume(): void
  /** Writes the last bytes and closes. */
  end(bytes: Buffer): void
  /** Closes at once. */
  destroy(): void
}

type OpenError = PgError.ConnectError | PgError.ProtocolError

/** Lets an effect be interrupted again, inside of what cannot be. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Opens a transport and negotiates encryption as libpq's sslmode asks. An interruption leaves nothing behind. Call
 * it in an uninterruptible region, or an interruption right after it could lose the transport before it is closed.
 */
export const open = (
  address: Address,
  options: TransportOptions,
  restore: Restore
): Effect.Effect<Transport, OpenError> =>
  Effect.suspend(() => {
    const link = new Link(address)
    return restore(negotiate(link, options)).pipe(
      Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Effect.sync(() => link.destroy())))
    )
  })

const negotiate = Effect.fnUntraced(function* (
  link: Link,
  options: TransportOptions
): Effect.fn.Return<Transport, OpenError> {
  yield* link.connect(options)
  if (link.address._tag === "Unix" || options.sslMode === "disable") return link
  if (yield* link.askForTls) {
    yield* link.startTls(options)
  } else if (options.sslMode !== "prefer") {
    return yield* link.failure("tls", `the server refuses TLS, and sslMode ${options.sslMode} demands it`)
  }
  return link
})

/** Nobody: between two steps of the opening the server has nothing to say, and a broken socket shows in the next step. */
const NOBODY: TransportEvents = { data: () => {}, drain: () => {}, closed: () => {} }

/** SSLRequest's one-byte answers. */
const TLS_ACCEPTED = 0x53 // S
const TLS_REFUSED = 0x4e // N
/** The first byte of an ErrorResponse, from a server that does not know SSLRequest. What it says is not to be trusted. */
const ERROR_RESPONSE = 0x45 // E

class Link implements Transport {
  address: Address
  encrypted = false
  events: TransportEvents = NOBODY
  private raw: net.Socket | undefined
  /** The socket to write to: the raw one, or TLS over it. */
  private socket: net.Socket | undefined
  private readonly receiveBuffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES)
  private brokenBy: Error | undefined

  constructor(address: Address) {
    this.address = address
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
    return new PgError.ConnectError({
      stage,
      attempts: [{ ...describe(this.address), address: undefined, stage, reason }]
    })
  }

  connect(options: TransportOptions): Effect.Effect<void, PgError.ConnectError> {
    return Effect.callback((resume) => {
      const raw = net.connect({
        ...(this.address._tag === "Unix"
          ? { path: this.address.path }
          : { host: this.address.host, port: this.address.port }),
        noDelay: true,
        keepAlive: options.keepAliveMillis !== undefined,
        keepAliveInitialDelay: options.keepAliveMillis ?? 0,
        onread: {
          buffer: this.receiveBuffer,
          callback: (length) => {
            this.events.data(this.receiveBuffer, length)
            return true
          }
        }
      })
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

  /** From now on the end of the socket is the end of the link, and no event goes unhandled. */
  private listen(socket: net.Socket): void {
    socket.on("error", (error) => (this.brokenBy ??= error))
    socket.on("end", () => socket.destroy())
    socket.on("close", () => this.events.closed(this.brokenBy))
    socket.on("drain", () => this.events.drain())
  }

  /** Sends SSLRequest. The answer must be one byte: what follows it in the clear could be anybody's (CVE-2021-23222). */
  readonly askForTls: Effect.Effect<boolean, OpenError> = Effect.callback((resume) => {
    const fail = (reason: string) => resume(this.failure("tls", reason))
    this.events = {
      data: (bytes, length) => {
        this.events = NOBODY
        if (length === 1 && bytes[0] === TLS_ACCEPTED) resume(Effect.succeed(true))
        else if (length === 1 && bytes[0] === TLS_REFUSED) resume(Effect.succeed(false))
        else if (bytes[0] === ERROR_RESPONSE) fail("the server answered the request for TLS with an error")
        else resume(notOneByte(length))
      },
      drain: () => {},
      closed: (error) => fail(`the server closed the connection when asked for TLS${because(error)}`)
    }
    this.write(encodeSslRequest())
  })

  startTls(options: TransportOptions): Effect.Effect<void, PgError.ConnectError> {
    return Effect.callback((resume) => {
      let secured: tls.TLSSocket
      try {
        secured = this.secure(options)
      } catch (error) {
        const reason = because(error instanceof Error ? error : undefined)
        return resume(this.failure("tls", `sslCert, sslKey or sslRootCert is unusable${reason}`))
      }
      this.socket = secured
      const refused = (error: Error | undefined): void =>
        resume(this.failure("tls", `the TLS handshake failed${because(error)}`))
      secured.on("error", refused)
      this.events = { ...NOBODY, closed: refused }
      secured.once("secureConnect", () => {
        this.events = NOBODY
        this.encrypted = true
        this.listen(secured)
        secured.on("data", (bytes: Buffer) => this.events.data(bytes, bytes.length))
        resume(Effect.void)
      })
    })
  }

  /** Throws for a certificate or a key that cannot be used. */
  private secure(options: TransportOptions): tls.TLSSocket {
    const name = this.address._tag === "Tcp" ? this.address.name : "localhost"
    return tls.connect({
      ...(this.raw === undefined ? {} : { socket: this.raw }),
      host: name,
      ...(net.isIP(name) === 0 ? { servername: name } : {}),
      ...(options.sslRootCert === undefined ? {} : { ca: options.sslRootCert }),
      ...(options.sslCert === undefined ? {} : { cert: options.sslCert }),
      ...(options.sslKey === undefined ? {} : { key: options.sslKey }),
      rejectUnauthorized: verifiesChain(options),
      ...(options.sslMode === "verify-full" ? {} : { checkServerIdentity: () => undefined })
    })
  }
}

export const isLocalAddress = (address: Address): boolean => {
  if (address._tag === "Unix") return true
  if (net.isIP(address.host) === 4) return address.host.startsWith("127.")
  return /^(::1|::ffff:127\..*)$/i.test(address.host)
}

/** libpq: `require` and `prefer` verify nothing, unless a root certificate was given: then `require` is verify-ca. */
const verifiesChain = (options: TransportOptions): boolean => {
  switch (options.sslMode) {
    case "disable":
    case "prefer":
      return false
    case "require":
      return options.sslRootCert !== undefined
    case "verify-ca":
    case "verify-full":
      return true
  }
}

const notOneByte = (length: number): PgError.ProtocolError =>
  new PgError.ProtocolError({
    received: length === 1 ? "a byte that means nothing" : "more than one byte before TLS",
    expected: "S or N, the answer to the request for TLS"
  })

const because = (error: Error | undefined): string => (error === undefined ? "" : `: ${error.message}`)

const describe = (address: Address): { readonly host: string; readonly port: number | undefined } =>
  address._tag === "Unix" ? { host: address.path, port: undefined } : { host: address.name, port: address.port }

const RESOLVER_CODES: ReadonlySet<string> = new Set(["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "EAI_NODATA", "EAI_NONAME"])

/** Node tries every address that a name resolves to, and reports them together. */
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
