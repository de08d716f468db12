/**
 * A proxy between a client and a real server that knows where messages begin and end. It passes every message on, in
 * both directions, and reports each before it does. A test can then hold, cut or break the link, and so decides at
 * which message boundary something happens. CancelRequests pass too, unless they are to be lost.
 *
 * It does not speak TLS: the client's `sslMode` has to be `disable`.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Buffer } from "node:buffer"
import * as net from "node:net"

export interface ProxiedMessage {
  readonly from: "client" | "server"
  /** The type byte as a letter; `startup` for the packet that begins a connection. */
  readonly type: string
  /** The whole message. */
  readonly bytes: Buffer
}

const CANCEL_REQUEST = 80877102
const STARTUP_HEADER_BYTES = 8
const HEADER_BYTES = 5
const BACKEND_KEY_DATA = "K"

/** Cuts a stream into messages. */
export class Framer {
  private unread: Buffer = Buffer.alloc(0)
  private startupAwaited: boolean

  constructor(startupAwaited: boolean) {
    this.startupAwaited = startupAwaited
  }

  push(chunk: Buffer): void {
    this.unread = this.unread.length === 0 ? chunk : Buffer.concat([this.unread, chunk])
  }

  next(): { readonly type: string; readonly bytes: Buffer } | undefined {
    const typeBytes = this.startupAwaited ? 0 : 1
    if (this.unread.length < (this.startupAwaited ? STARTUP_HEADER_BYTES : HEADER_BYTES)) return undefined
    const length = typeBytes + this.unread.readInt32BE(typeBytes)
    if (this.unread.length < length) return undefined
    const bytes = this.unread.subarray(0, length)
    this.unread = this.unread.subarray(length)
    const type = this.startupAwaited ? "startup" : String.fromCharCode(bytes[0] ?? 0)
    this.startupAwaited = false
    return { type, bytes }
  }
}

/** One direction of a link: held messages are passed on in order when it is released. */
class Lane {
  private readonly to: net.Socket
  private held: Array<Buffer> | undefined
  private closed = false
  private endsAfter = false

  constructor(to: net.Socket) {
    this.to = to
  }

  get isHeld(): boolean {
    return this.held !== undefined
  }

  pass(bytes: Buffer): void {
    if (this.closed) return
    if (this.held === undefined) this.to.write(bytes)
    else this.held.push(bytes)
  }

  /** The end of the data. */
  end(): void {
    if (this.held === undefined) this.to.end()
    else this.endsAfter = true
  }

  hold(): void {
    this.held ??= []
  }

  letGo(): void {
    const { held = [] } = this
    this.held = undefined
    if (!this.closed && held.length > 0) this.to.write(Buffer.concat(held))
    if (this.endsAfter) this.to.end()
  }

  /** Closes the connection to the receiver, and passes nothing more. */
  close(): void {
    this.closed = true
    this.held = undefined
    this.to.end()
  }
}

/** One connection of a client, and the connection to the server to which it is passed on. */
export class ProxiedLink {
  private readonly client: net.Socket
  private readonly server: net.Socket
  private readonly toClient: Lane
  private readonly toServer: Lane
  private readonly serverEnded: Promise<void>
  /** The server's process, once the server has named it. */
  processId: number | undefined
  private isCut = false

  constructor(client: net.Socket, server: net.Socket) {
    this.client = client
    this.server = server
    this.toClient = new Lane(client)
    this.toServer = new Lane(server)
    this.serverEnded = new Promise((resolve) => {
      const ended = () => {
        this.toClient.end()
        resolve()
      }
      server.once("end", ended)
      server.once("close", ended)
    })
    // A client that leaves while nothing passes would never be missed: neither side would hear of the other.
    client.on("end", () => (this.toServer.isHeld ? this.destroy() : this.toServer.end()))
    // A side that has gone needs nothing from the other.
    client.on("close", () => {
      if (!this.isCut) server.destroy()
    })
  }

  /** Completes when the server has closed its side, or it was closed from here. */
  readonly untilServerEnds: Effect.Effect<void> = Effect.promise(() => this.serverEnded)

  pass(from: ProxiedMessage["from"], bytes: Buffer): void {
    if (from === "client") this.toServer.pass(bytes)
    else this.toClient.pass(bytes)
  }

  /** Passes nothing on, in either direction, until it is released. */
  hold(): void {
    this.toClient.hold()
    this.toServer.hold()
  }

  letGo(): void {
    this.toServer.letGo()
    this.toClient.letGo()
  }

  /**
   * Closes the server's side towards the client, as a server does that sends no more; the client's messages still pass.
   */
  halfClose(): void {
    this.toClient.close()
  }

  /**
   * Passes nothing more in either direction. Both sides still have what was passed before, and the server does what it
   * was told to do by then, because it cannot know that the client has gone before it reads again.
   */
  cut(): void {
    this.isCut = true
    this.toClient.close()
    this.toServer.close()
  }

  /** Breaks the connection off with RST. */
  reset(): void {
    this.client.resetAndDestroy()
    this.server.destroy()
  }

  destroy(): void {
    this.client.destroy()
    this.server.destroy()
  }
}

/** The server's address: over TCP, or its Unix socket. */
export type Upstream = { readonly host: string; readonly port: number } | { readonly path: string }

export class Proxy {
  readonly host = "127.0.0.1"
  readonly port: number
  /** Receives each message, in the order in which they come, before it is passed on. */
  onMessage: (link: ProxiedLink, message: ProxiedMessage) => void = () => {}
  /** Set if a CancelRequest is accepted, and neither passed on nor answered. */
  losesCancels = false
  /** The delay of each message in either direction, in milliseconds. Set it before anything is sent. */
  latencyMillis = 0
  /** The open connections. */
  readonly links = new Set<ProxiedLink>()
  private readonly listener: net.Server
  private readonly upstream: Upstream
  private readonly sockets = new Set<net.Socket>()

  constructor(listener: net.Server, upstream: Upstream) {
    const address = listener.address()
    if (address === null || typeof address === "string") throw new Error("a proxy that does not listen")
    this.port = address.port
    this.listener = listener
    this.upstream = upstream
    listener.on("connection", (client) => this.begin(client))
  }

  /** The first packet decides what the connection is for. */
  private begin(client: net.Socket): void {
    this.keep(client)
    const framer = new Framer(true)
    const listen = (chunk: Buffer): void => {
      framer.push(chunk)
      const packet = framer.next()
      if (packet === undefined) return
      client.off("data", listen)
      if (packet.bytes.readInt32BE(4) === CANCEL_REQUEST) this.passCancel(client, packet.bytes)
      else this.link(client, framer, packet.bytes)
    }
    client.on("data", listen)
  }

  private passCancel(client: net.Socket, request: Buffer): void {
    if (this.losesCancels) return void client.resume()
    const server = this.connect()
    server.write(request)
    client.resume()
    server.resume()
    // Its end is the server's answer, and this side of the connection would stay open for it.
    server.once("end", () => server.destroy())
    server.once("close", () => client.destroy())
  }

  private link(client: net.Socket, framer: Framer, startup: Buffer): void {
    const server = this.connect()
    const link = new ProxiedLink(client, server)
    this.links.add(link)
    client.once("close", () => this.links.delete(link))
    const take = (from: ProxiedMessage["from"], frames: Framer) => {
      for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
        if (from === "server" && frame.type === BACKEND_KEY_DATA) link.processId = frame.bytes.readInt32BE(HEADER_BYTES)
        this.onMessage(link, { from, ...frame })
        if (this.latencyMillis === 0) link.pass(from, frame.bytes)
        else setTimeout(() => link.pass(from, frame.bytes), this.latencyMillis)
      }
    }
    const answers = new Framer(false)
    this.onMessage(link, { from: "client", type: "startup", bytes: startup })
    link.pass("client", startup)
    take("client", framer)
    client.on("data", (chunk: Buffer) => {
      framer.push(chunk)
      take("client", framer)
    })
    server.on("data", (chunk: Buffer) => {
      answers.push(chunk)
      take("server", answers)
    })
  }

  private connect(): net.Socket {
    const server = net.connect({ ...this.upstream, noDelay: true, allowHalfOpen: true })
    this.keep(server)
    return server
  }

  private keep(socket: net.Socket): void {
    socket.setNoDelay(true)
    this.sockets.add(socket)
    socket.once("close", () => this.sockets.delete(socket))
    // A broken connection is what the proxy is for.
    socket.on("error", () => socket.destroy())
  }

  close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    return new Promise((resolve) => this.listener.close(() => resolve()))
  }
}

/** A proxy to a server, until the scope closes. */
export const proxyTo = (upstream: Upstream): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<Proxy>((resolve, reject) => {
          const listener = net.createServer({ allowHalfOpen: true })
          listener.once("error", reject)
          listener.listen({ host: "127.0.0.1", port: 0 }, () => resolve(new Proxy(listener, upstream)))
        })
    ),
    (proxy) => Effect.promise(() => proxy.close())
  )
