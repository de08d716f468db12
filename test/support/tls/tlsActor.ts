/** A server that plays one part in the negotiation of TLS, again for each connection, and then lets everybody in. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Buffer } from "node:buffer"
import * as net from "node:net"
import * as tls from "node:tls"
import * as Say from "../scriptedServer/say.ts"

export interface TlsPart {
  /** What it says to SSLRequest; undefined to close the connection. */
  readonly answer: Uint8Array | undefined
  /** What it does after that: TLS, the same as without TLS, or these bytes. */
  readonly then: tls.TLSSocketOptions | "no TLS" | Uint8Array
  /** What it says to the startup message. */
  readonly welcome?: Buffer
}

export interface TlsActor {
  readonly port: number
  /** For each connection: whether it was encrypted in the end, or asked for that at all. */
  readonly seen: Array<"asked for TLS" | "TLS" | "in clear">
}

const SSL_REQUEST = 80877103
const LET_IN = Buffer.concat([Say.authenticationOk, Say.settings])

export const tlsActor = (part: TlsPart): Effect.Effect<TlsActor, never, Scope.Scope> =>
  Effect.gen(function* () {
    const seen: TlsActor["seen"] = []
    const sockets = new Set<net.Socket>()
    const server = yield* Effect.acquireRelease(
      Effect.promise(
        () =>
          new Promise<net.Server>((resolve) => {
            const listening = net.createServer((socket) => {
              sockets.add(socket)
              socket.on("error", () => {})
              serve(socket, part, seen)
            })
            listening.listen({ host: "127.0.0.1", port: 0 }, () => resolve(listening))
          })
      ),
      (listening) =>
        Effect.promise(() => {
          for (const socket of sockets) socket.destroy()
          return new Promise<void>((resolve) => listening.close(() => resolve()))
        })
    )
    const address = server.address()
    if (address === null || typeof address === "string") return yield* Effect.die(new Error("no port"))
    return { port: address.port, seen }
  })

const serve = (socket: net.Socket, { answer, then, welcome = LET_IN }: TlsPart, seen: TlsActor["seen"]): void => {
  const greet = (bytes: Buffer, how: "TLS" | "in clear", to: net.Socket): void => {
    if (bytes.length < 9) return
    seen.push(how)
    to.write(welcome)
    to.on("data", () => {})
  }
  socket.once("data", (bytes) => {
    if (bytes.length !== 8 || bytes.readInt32BE(4) !== SSL_REQUEST) return greet(bytes, "in clear", socket)
    seen.push("asked for TLS")
    if (answer === undefined) return socket.end()
    socket.write(answer)
    if (then === "no TLS") return void socket.once("data", (startup: Buffer) => greet(startup, "in clear", socket))
    if (then instanceof Uint8Array) return void socket.once("data", () => socket.end(then))
    const secured = new tls.TLSSocket(socket, { ...then, isServer: true })
    secured.on("error", () => {})
    secured.once("data", (startup: Buffer) => greet(startup, "TLS", secured))
  })
}
