/**
 * Shows how much of the cost of a small query is that of Node, of the system and of Effect: `node bench/socketFloor.ts
 * [rounds]` compares effectpg and `@effect/sql-pg` with plain Node sockets, for SELECT 1+1 and for a row by its primary
 * key. The sockets write a constant request, and read only one number and the end of the answer. They are driven by
 * callbacks, and by a fiber for each, as the clients are. All use ten connections and take turns. Prints the medians of
 * the client's CPU time per query.
 */
import * as SqlPg from "@effect/sql-pg/PgConnection"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Buffer } from "node:buffer"
import type { Socket } from "node:net"
import pg from "pg"
import * as PgConnection from "../src/PgConnection.ts"
import { start } from "../test/support/postgres.ts"
import { administer, withDatabase } from "./database.ts"
import type { Address } from "./protocol.ts"
import { compare, effectLoop, type Loop } from "./turns.ts"
import { primaryKey } from "./workloads/primaryKey.ts"

const ROUNDS = Number(process.argv[2] ?? 9)
const CONNECTIONS = 10
const SUM = "SELECT 1+1 AS sum"
const ACCOUNT = "SELECT id, name, balance, opened FROM account WHERE id = $1"
const ACCOUNT_ID = 4711

const READY_FOR_QUERY = 0x5a
const DATA_ROW = 0x44
const HEADER_BYTES = 5
/** DataRow: type, Int32 length, Int16 number of columns, Int32 length of the first, its bytes. */
const FIRST_VALUE_AT = 11

const message = (type: string, ...parts: ReadonlyArray<Buffer>): Buffer => {
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(HEADER_BYTES)
  head.write(type, 0, "latin1")
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
const text = (value: string): Buffer => Buffer.from(`${value}\0`)
const words = (...values: ReadonlyArray<number>): Buffer =>
  Buffer.from(values.flatMap((value) => [value >> 8, value & 0xff]))

const SYNC = message("S")
const parse = (name: string, sql: string): Buffer =>
  Buffer.concat([message("P", text(name), text(sql), words(0)), SYNC])
const bindExecute = (name: string, ...bind: ReadonlyArray<Buffer>): Buffer =>
  Buffer.concat([message("B", text(""), text(name), ...bind), message("E", text(""), words(0, 0)), SYNC])

const PARSE_SUM = parse("sum", SUM)
const PARSE_ACCOUNT = parse("account", ACCOUNT)
const ASK_SUM = bindExecute("sum", words(0, 0, 1, 1))
/** One parameter in binary format, of 4 bytes; all results in binary format. */
const ASK_ACCOUNT = bindExecute("account", words(1, 1, 1, 0, 4, 0, ACCOUNT_ID, 1, 1))

/** A socket of a connection that `pg` has opened. */
class PlainSocket {
  value = 0
  private done = (): void => {}
  private readonly socket: Socket

  constructor(socket: Socket) {
    this.socket = socket
    socket.removeAllListeners()
    socket.on("data", (bytes) => this.read(bytes))
  }

  close(): void {
    this.socket.destroy()
  }

  ask(request: Buffer, done: () => void): void {
    this.done = done
    this.socket.write(request)
  }

  private read(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
      if (bytes[at] === DATA_ROW) this.value = bytes.readInt32BE(at + FIRST_VALUE_AT)
      if (bytes[at] === READY_FOR_QUERY) this.done()
    }
  }
}

const callbackLoop =
  (request: Buffer) =>
  (socket: PlainSocket): Loop =>
  (isOver) =>
    Effect.callback((resume) => {
      let count = 0
      const next = (): void => {
        count++
        if (isOver()) resume(Effect.succeed(count))
        else socket.ask(request, next)
      }
      socket.ask(request, next)
    })

const fiberLoop =
  (request: Buffer) =>
  (socket: PlainSocket): Loop =>
    effectLoop(
      Effect.callback((resume) => {
        socket.ask(request, () => resume(Effect.succeed(socket.value)))
      })
    )

/** A query as the plain sockets and the clients ask it. */
interface Question {
  readonly title: string
  readonly request: Buffer
  readonly sql: string
  readonly parameters: ReadonlyArray<number>
}

const QUESTIONS: ReadonlyArray<Question> = [
  { title: "SELECT 1+1", request: ASK_SUM, sql: SUM, parameters: [] },
  { title: "a row by its primary key", request: ASK_ACCOUNT, sql: ACCOUNT, parameters: [ACCOUNT_ID] }
]

const openSocket = async (address: Address): Promise<PlainSocket> => {
  const client = new pg.Client({ ...address })
  await client.connect()
  const { connection }: { readonly connection?: { readonly stream: Socket } } = Object(client)
  if (connection === undefined) throw new Error("pg keeps its socket elsewhere by now")
  const socket = new PlainSocket(connection.stream)
  await new Promise<void>((resolve) => socket.ask(PARSE_SUM, resolve))
  await new Promise<void>((resolve) => socket.ask(PARSE_ACCOUNT, resolve))
  return socket
}

const plainSocket = (address: Address) =>
  Effect.acquireRelease(
    Effect.promise(() => openSocket(address)),
    (socket) => Effect.sync(() => socket.close())
  )

const measure = (address: Address): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { host, port, user, database } = address
    const password = Redacted.make(address.password)
    const each = Array.from({ length: CONNECTIONS })
    const sockets = yield* Effect.forEach(each, () => plainSocket(address))
    const ours = yield* Effect.forEach(each, () =>
      PgConnection.make({ host, port, user, password, database, sslMode: "disable" })
    )
    const theirs = yield* Effect.forEach(each, () =>
      SqlPg.make({ host, port, username: user, password, database, ssl: false })
    )
    for (const { title, request, sql, parameters } of QUESTIONS) {
      yield* Console.log(title)
      yield* compare(ROUNDS, [
        { name: "plain sockets", loops: sockets.map(callbackLoop(request)) },
        { name: "plain sockets, with fibers", loops: sockets.map(fiberLoop(request)) },
        { name: "effectpg", loops: ours.map((connection) => effectLoop(connection.fetch(sql, parameters))) },
        { name: "@effect/sql-pg", loops: theirs.map((connection) => effectLoop(connection.query(sql, parameters))) }
      ])
    }
  })

const { stop, ...server } = await start()

await withDatabase(server, async (database) => {
  await administer(database, primaryKey.setup)
  await Effect.runPromise(Effect.scoped(measure(database)))
})
await stop()
