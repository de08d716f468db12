/**
 * A server that says what a test tells it to, over a real socket. The test plays the server's part itself, in a
 * straight line: it accepts a connection, reads what the client sent, and answers, or does not. No wait is longer than
 * `PATIENCE_MILLIS`; a longer one dies and tells what it waited for.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { Peer } from "./scriptedServer/peer.ts"
import { waitFor, Waiters } from "./scriptedServer/waiting.ts"

export { boundInt4, type FrontendMessage, Peer } from "./scriptedServer/peer.ts"
export { answering, type Conduct, type Statement } from "./scriptedServer/automaton.ts"
export { answerBegin, answerFirst, begin, expectQuery } from "./scriptedServer/transaction.ts"
export * as Say from "./scriptedServer/say.ts"
export {
  addressOf,
  type Answer,
  ask,
  assertHealthy,
  configOf,
  establish,
  failureOf,
  play,
  query
} from "./scriptedServer/client.ts"

export class ScriptedServer {
  /** Empty for a Unix socket. */
  readonly host: string
  readonly port: number
  /** Empty for TCP. */
  readonly path: string
  /** Set if connections made from now on stay open when the client closes its side of them. */
  lingers = false
  /** All connections that were ever made. */
  readonly peers: Array<Peer> = []
  private readonly server: net.Server
  private readonly waiters = new Waiters()
  private accepted = 0

  constructor(server: net.Server) {
    const address = server.address()
    if (address === null) throw new Error("a scripted server that does not listen")
    this.server = server
    this.host = typeof address === "string" ? "" : address.address
    this.port = typeof address === "string" ? 0 : address.port
    this.path = typeof address === "string" ? address : ""
    server.on("connection", (socket) => {
      const peer = new Peer(socket)
      peer.lingers = this.lingers
      this.peers.push(peer)
      this.waiters.wake()
    })
  }

  /** The next connection that has not been accepted. */
  readonly accept: Effect.Effect<Peer> = waitFor(
    "a connection",
    () => {
      const peer = this.peers[this.accepted]
      if (peer !== undefined) this.accepted++
      return peer
    },
    () => this.waiters
  )

  /** How many connections wait to be accepted. */
  get unaccepted(): number {
    return this.peers.length - this.accepted
  }

  /** Refuses further connections; open ones stay open. */
  stopListening(): void {
    this.server.close()
  }

  close(): Promise<void> {
    for (const peer of this.peers) peer.destroy()
    return new Promise((resolve) => this.server.close(() => resolve()))
  }
}

/** Where a scripted server may listen. */
const anyTcpPort = { host: "127.0.0.1", port: 0 }
const newUnixPath = () => ({ path: path.join(os.tmpdir(), `effectpg-${randomBytes(6).toString("hex")}`) })

const listen = (address: net.ListenOptions): Effect.Effect<ScriptedServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<ScriptedServer>((resolve, reject) => {
          const server = net.createServer({ allowHalfOpen: true })
          server.once("error", reject)
          server.listen(address, () => resolve(new ScriptedServer(server)))
        })
    ),
    (server) => Effect.promise(() => server.close())
  )

/** A server on the loopback, until the scope closes. */
export const scriptedServer: Effect.Effect<ScriptedServer, never, Scope.Scope> = listen(anyTcpPort)

export const scriptedUnixServer: Effect.Effect<ScriptedServer, never, Scope.Scope> = Effect.suspend(() =>
  listen(newUnixPath())
)

/** A port of the loopback on which no server listens. */
export const closedPort: Effect.Effect<number> = Effect.scoped(Effect.map(scriptedServer, ({ port }) => port))
