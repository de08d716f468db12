/**
 * Two servers behind one address that leads to one of them at a time, as after a failover. Both are new and made in the
 * same way. They give the same OIDs to objects that are made in the same order, and equal OIDs to different objects if
 * the order differs.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as net from "node:net"
import pg from "pg"
import type * as PgConfig from "../../src/PgConfig.ts"
import { startEmbedded } from "./server/embedded.ts"
import type { PgServer } from "./server/server.ts"

/** The name of one of the two. */
export type Which = 0 | 1

export interface TwoServers {
  readonly servers: readonly [PgServer, PgServer]
  /** How to reach a database by the address, on the server to which it currently leads. */
  readonly settings: (database: string) => PgConfig.Settings
  /** Makes the address lead to that server from now on, and breaks off the connections to the other. */
  readonly failOverTo: (which: Which) => Effect.Effect<void>
  /** Runs a script on one of them, with another client. */
  readonly run: (which: Which, database: string, script: string) => Effect.Effect<void>
}

/** It needs no password, so that many connections open quickly. */
const USER = "trust_user"

/** autovacuum is off, because its locks would disturb a program. */
const SETTINGS = { autovacuum: "off" }

const server = Effect.acquireRelease(
  Effect.promise(() => startEmbedded({ settings: SETTINGS })),
  ({ stop }) => Effect.promise(stop)
)

/** Two servers, each with a database of that name, until the scope closes. */
export const twoServers: Effect.Effect<TwoServers, never, Scope.Scope> = Effect.gen(function* () {
  const servers = yield* Effect.all([server, server], { concurrency: 2 })
  const junction = yield* Effect.acquireRelease(
    Effect.promise(() => Junction.listen(servers)),
    (junction) => Effect.promise(() => junction.close())
  )
  for (const which of [0, 1] as const) {
    yield* Effect.promise(() => runScript(servers[which], `ALTER ROLE ${USER} SUPERUSER`))
  }
  return {
    servers,
    settings: (database) => ({
      host: "127.0.0.1",
      port: junction.port,
      user: USER,
      database,
      sslMode: "disable"
    }),
    failOverTo: (which) => Effect.sync(() => junction.leadTo(which)),
    run: (which, database, script) => Effect.promise(() => runScript({ ...servers[which], database }, script))
  }
})

const runScript = async ({ database, host, password, port, user }: PgServer, script: string): Promise<void> => {
  const client = new pg.Client({ host, port, user, password, database })
  await client.connect()
  try {
    await client.query(script)
  } finally {
    await client.end()
  }
}

class Junction {
  readonly port: number
  private readonly listener: net.Server
  private readonly servers: readonly [PgServer, PgServer]
  private readonly sockets = new Set<net.Socket>()
  private current: Which = 0

  private constructor(listener: net.Server, servers: readonly [PgServer, PgServer]) {
    const address = listener.address()
    if (address === null || typeof address === "string") throw new Error("a junction that does not listen")
    this.port = address.port
    this.listener = listener
    this.servers = servers
    listener.on("connection", (client) => this.link(client))
  }

  static listen(servers: readonly [PgServer, PgServer]): Promise<Junction> {
    return new Promise((resolve, reject) => {
      const listener = net.createServer()
      listener.once("error", reject)
      listener.listen({ host: "127.0.0.1", port: 0 }, () => resolve(new Junction(listener, servers)))
    })
  }

  leadTo(which: Which): void {
    this.current = which
    for (const socket of this.sockets) socket.destroy()
  }

  close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    return new Promise((resolve) => this.listener.close(() => resolve()))
  }

  private link(client: net.Socket): void {
    const { port } = this.servers[this.current]
    const server = net.connect({ host: "127.0.0.1", port, noDelay: true })
    for (const [socket, other] of [
      [client, server],
      [server, client]
    ] as const) {
      socket.setNoDelay(true)
      this.sockets.add(socket)
      socket.on("error", () => socket.destroy())
      socket.once("close", () => {
        this.sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  }
}
