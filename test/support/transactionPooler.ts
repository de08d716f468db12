/**
 * A pooler in transaction mode before a real server, for what PgBouncer does and a test has to decide: which connection
 * to the server each transaction gets. By default each one gets the connection that has been idle for the longest time,
 * so two transactions of a client run on two server processes if both are idle.
 *
 * Like PgBouncer 1.18, it keeps the five parameters that it knows for each client, gives each client a process id of its
 * own, refuses or ignores other parameters of the startup, and knows nothing of prepared statements. It speaks no TLS,
 * asks for no password, and does not pass CancelRequests on.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Buffer } from "node:buffer"
import * as net from "node:net"
import pg from "pg"
import type * as PgConfig from "../../src/PgConfig.ts"
import { type Database, TestDatabase } from "./database.ts"
import { Framer } from "../../src/pgTest/proxy.ts"

/** The parameters that it keeps for each client. */
const TRACKED = ["application_name", "client_encoding", "DateStyle", "standard_conforming_strings", "TimeZone"]

export interface PoolerOptions {
  /** How many connections to the server it has. */
  readonly connections?: number
  /** Parameters of the startup that it takes and does nothing about. All others that it does not know are refused. */
  readonly ignored?: ReadonlyArray<string>
  /** Parameters of the startup that it sets when a client gets its first connection to the server. */
  readonly applied?: ReadonlyArray<string>
  /** Whether clients keep their connection to the server until they leave. */
  readonly isInSessionMode?: boolean
}

export interface TransactionPooler {
  readonly settings: PgConfig.Settings
  /** The SQL of each simple query that has come from clients. */
  readonly queries: ReadonlyArray<string>
  /** The names of the statements that clients have prepared, each as often as it was prepared. */
  readonly prepared: ReadonlyArray<string>
  /** Which idle connection the next transaction gets: the one that was used last, or the one that was not. */
  takes: "newest" | "oldest"
}

/** A pooler for the test's database, until the scope closes. */
export const transactionPooler = (
  options: PoolerOptions = {}
): Effect.Effect<TransactionPooler, never, TestDatabase | Scope.Scope> =>
  Effect.flatMap(TestDatabase, (database) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.promise(() => Pooler.start(database, options)),
        (pooler) => Effect.promise(() => pooler.close())
      ),
      (pooler): TransactionPooler => pooler
    )
  )

/** A connection to the server. */
class Upstream {
  readonly socket: net.Socket
  readonly parameters: Map<string, string>
  /** The client that has it, if one has. */
  client: Client | undefined
  /** How many answers to the pooler's own queries are still to come. */
  private own = 0
  private readonly framer = new Framer(false)
  private readonly freed: (upstream: Upstream) => void

  constructor(socket: net.Socket, parameters: Map<string, string>, freed: (upstream: Upstream) => void) {
    this.socket = socket
    this.parameters = parameters
    this.freed = freed
    socket.on("data", (chunk) => {
      this.framer.push(chunk)
      for (let next = this.framer.next(); next !== undefined; next = this.framer.next()) this.take(next)
    })
  }

  ask(sql: string): void {
    this.own++
    this.socket.write(message("Q", Buffer.from(`${sql}\0`)))
  }

  private take({ bytes, type }: { readonly type: string; readonly bytes: Buffer }): void {
    const { client } = this
    if (type === "S") {
      const [name = "", value = ""] = textsOf(bytes)
      this.parameters.set(name, value)
      if (this.own === 0) client?.parameters.set(name, value)
    }
    if (this.own > 0) {
      if (type === "Z") this.own--
      return
    }
    client?.socket.write(bytes)
    if (type === "Z" && client !== undefined) {
      client.unanswered--
      const isIdle = bytes.at(-1) === "I".charCodeAt(0)
      if (isIdle && client.unanswered === 0 && !client.staysLinked) this.release()
    }
  }

  release(): void {
    if (this.client !== undefined) this.client.upstream = undefined
    this.client = undefined
    this.freed(this)
  }
}

interface Client {
  readonly socket: net.Socket
  readonly parameters: Map<string, string>
  readonly staysLinked: boolean
  /** What is set when it gets its first connection to the server. */
  applied: Array<string>
  upstream: Upstream | undefined
  /** What waits for a connection to the server. */
  waiting: Array<Buffer>
  unanswered: number
}

class Pooler implements TransactionPooler {
  readonly queries: Array<string> = []
  readonly prepared: Array<string> = []
  takes: TransactionPooler["takes"] = "oldest"
  settings: PgConfig.Settings = {}
  private readonly listener = net.createServer((socket) => this.accept(socket))
  private readonly all: Array<pg.Client> = []
  private readonly idle: Array<Upstream> = []
  private readonly queue: Array<Client> = []
  private readonly sockets = new Set<net.Socket>()
  private readonly options: PoolerOptions
  private defaults: ReadonlyMap<string, string> = new Map()
  private clients = 0

  private constructor(options: PoolerOptions) {
    this.options = options
  }

  static async start(database: Database, options: PoolerOptions): Promise<Pooler> {
    const pooler = new Pooler(options)
    for (let n = 0; n < (options.connections ?? 2); n++) await pooler.connect(database)
    await new Promise<void>((resolve) => pooler.listener.listen(0, "127.0.0.1", resolve))
    const address = pooler.listener.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    pooler.settings = { host: "127.0.0.1", port, sslMode: "disable" }
    return pooler
  }

  /** Opens a connection to the server with node-postgres, and then speaks on it without node-postgres. */
  private async connect({ database, host, password, port, user }: Database): Promise<void> {
    const client = new pg.Client({ host, port, user, password, database })
    const parameters = new Map<string, string>()
    const { connection } = client as unknown as {
      readonly connection: NodeJS.EventEmitter & { readonly stream: net.Socket }
    }
    connection.on("parameterStatus", ({ parameterName, parameterValue }) =>
      parameters.set(String(parameterName), String(parameterValue))
    )
    await client.connect()
    connection.stream.removeAllListeners("data")
    connection.stream.setNoDelay(true)
    this.all.push(client)
    this.defaults = new Map(parameters)
    this.idle.push(new Upstream(connection.stream, parameters, (upstream) => this.freed(upstream)))
  }

  async close(): Promise<void> {
    this.listener.close()
    for (const socket of this.sockets) socket.destroy()
    await Promise.all(
      this.all.map(async (client) => {
        client.on("error", () => {})
        await new Promise<void>((resolve) => {
          client.once("end", resolve)
          ;(client as unknown as { readonly connection: { readonly stream: net.Socket } }).connection.stream.destroy()
        })
      })
    )
  }

  private accept(socket: net.Socket): void {
    this.sockets.add(socket)
    socket.setNoDelay(true)
    const framer = new Framer(true)
    let client: Client | undefined
    socket.on("error", () => {})
    socket.on("close", () => {
      this.sockets.delete(socket)
      this.left(client)
    })
    socket.on("data", (chunk) => {
      framer.push(chunk)
      for (let next = framer.next(); next !== undefined; next = framer.next()) {
        if (next.type === "startup") client = this.welcome(socket, next.bytes)
        else if (next.type === "X") this.left(client)
        else if (client !== undefined) this.take(client, next.type, next.bytes)
      }
    })
  }

  private welcome(socket: net.Socket, startup: Buffer): Client | undefined {
    const texts = textsOf(startup.subarray(3))
    const given = new Map<string, string>()
    for (let at = 0; at + 1 < texts.length; at += 2) given.set(texts[at] ?? "", texts[at + 1] ?? "")
    const parameters = new Map(this.defaults)
    given.delete("")
    for (const [name, value] of given) {
      const tracked = TRACKED.find((known) => known.toLowerCase() === name.toLowerCase())
      if (tracked !== undefined) parameters.set(tracked, value)
      else if (!["user", "database", ...(this.options.ignored ?? []), ...(this.options.applied ?? [])].includes(name)) {
        const fields = ["SFATAL", "VFATAL", "C08P01", `Munsupported startup parameter: ${name}`, ""]
        socket.end(message("E", Buffer.from(fields.join("\0") + "\0")))
        return undefined
      }
    }
    const key = Buffer.alloc(8)
    key.writeInt32BE(1_000_000_000 + this.clients++)
    socket.write(
      Buffer.concat([
        message("R", Buffer.alloc(4)),
        ...Array.from(parameters, ([name, value]) => message("S", Buffer.from(`${name}\0${value}\0`))),
        message("K", key),
        message("Z", Buffer.from("I"))
      ])
    )
    return {
      socket,
      parameters,
      staysLinked: this.options.isInSessionMode === true,
      applied: (this.options.applied ?? []).flatMap((name) =>
        given.has(name) ? [`SET ${name} TO '${given.get(name)}'`] : []
      ),
      upstream: undefined,
      waiting: [],
      unanswered: 0
    }
  }

  private take(client: Client, type: string, bytes: Buffer): void {
    const [text = ""] = textsOf(bytes)
    if (type === "Q") this.queries.push(text)
    if (type === "P" && text !== "") this.prepared.push(text)
    if (type === "Q" || type === "S") client.unanswered++
    if (client.upstream !== undefined) return void client.upstream.socket.write(bytes)
    client.waiting.push(bytes)
    if (client.waiting.length > 1) return
    const upstream = this.takes === "oldest" ? this.idle.shift() : this.idle.pop()
    if (upstream === undefined) this.queue.push(client)
    else this.link(client, upstream)
  }

  private link(client: Client, upstream: Upstream): void {
    upstream.client = client
    client.upstream = upstream
    const different = TRACKED.filter((name) => client.parameters.get(name) !== upstream.parameters.get(name))
    if (different.length > 0) {
      upstream.ask(
        different
          .map((name) => `SET ${name} TO '${client.parameters.get(name)?.replaceAll("'", "''") ?? ""}'`)
          .join(";")
      )
    }
    for (const sql of client.applied.splice(0)) upstream.ask(sql)
    for (const bytes of client.waiting.splice(0)) upstream.socket.write(bytes)
  }

  private freed(upstream: Upstream): void {
    const next = this.queue.shift()
    if (next === undefined) this.idle.push(upstream)
    else this.link(next, upstream)
  }

  /** What a client leaves in session mode is removed; in transaction mode only an open transaction. */
  private left(client: Client | undefined): void {
    const upstream = client?.upstream
    if (client === undefined || upstream === undefined) return
    upstream.client = undefined
    client.upstream = undefined
    upstream.ask("ROLLBACK")
    if (client.staysLinked) upstream.ask("DISCARD ALL")
    upstream.release()
  }
}

/** The texts of a message that end with NUL. */
const textsOf = (bytes: Buffer): ReadonlyArray<string> => bytes.subarray(HEADER_BYTES).toString().split("\0")

const HEADER_BYTES = 5

const message = (type: string, body: Buffer): Buffer => {
  const header = Buffer.alloc(HEADER_BYTES)
  header.write(type)
  header.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([header, body])
}
