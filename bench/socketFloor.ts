/**
 * Shows how much of the cost of SELECT 1+1 is that of Node and the system: `node bench/socketFloor.ts [rounds]`
 * compares effectpg and `@effect/sql-pg` with plain Node sockets. These write a constant request, and read only the
 * number and the end of the answer. All use ten connections and take turns. Prints the medians of the client's CPU time
 * per query.
 */
import * as SqlPg from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Buffer } from "node:buffer"
import type { Socket } from "node:net"
import pg from "pg"
import * as PgConnection from "../src/PgConnection.ts"
import { start } from "../test/support/postgres.ts"
import { compare, effectLoop, type Loop } from "./turns.ts"

const ROUNDS = Number(process.argv[2] ?? 9)
const CONNECTIONS = 10
const SQL = "SELECT 1+1 AS sum"

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
const PARSE = Buffer.concat([message("P", text("s"), text(SQL), words(0)), SYNC])
const BIND_EXECUTE = Buffer.concat([
  message("B", text(""), text("s"), words(0, 0, 1, 1)),
  message("E", text(""), words(0, 0)),
  SYNC
])

/** A socket of a connection that `pg` has opened. */
class PlainSocket {
  sum = 0
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
      if (bytes[at] === DATA_ROW) this.sum = bytes.readInt32BE(at + FIRST_VALUE_AT)
      if (bytes[at] === READY_FOR_QUERY) this.done()
    }
  }
}

const plainLoop =
  (socket: PlainSocket): Loop =>
  (isOver) =>
    Effect.callback((resume) => {
      let count = 0
      const next = (): void => {
        count++
        if (isOver()) resume(Effect.succeed(count))
        else socket.ask(BIND_EXECUTE, next)
      }
      socket.ask(BIND_EXECUTE, next)
    })

const { host, port, user, password, database, stop } = await start()

const openSocket = async (): Promise<PlainSocket> => {
  const client = new pg.Client({ host, port, user, password, database })
  await client.connect()
  const { connection }: { readonly connection?: { readonly stream: Socket } } = Object(client)
  if (connection === undefined) throw new Error("pg keeps its socket elsewhere by now")
  const socket = new PlainSocket(connection.stream)
  await new Promise<void>((resolve) => socket.ask(PARSE, resolve))
  return socket
}

const plainSocket = Effect.acquireRelease(Effect.promise(openSocket), (socket) => Effect.sync(() => socket.close()))

const secret = Redacted.make(password)

const program: Effect.Effect<void, unknown, Scope.Scope> = Effect.gen(function* () {
  const each = Array.from({ length: CONNECTIONS })
  const sockets = yield* Effect.forEach(each, () => plainSocket)
  const ours = yield* Effect.forEach(each, () =>
    PgConnection.make({ host, port, user, password: secret, database, sslMode: "disable" })
  )
  const theirs = yield* Effect.forEach(each, () =>
    SqlPg.make({ host, port, username: user, password: secret, database, ssl: false })
  )
  yield* compare(ROUNDS, [
    { name: "plain sockets", loops: sockets.map(plainLoop) },
    { name: "effectpg", loops: ours.map((connection) => effectLoop(connection.fetch(SQL))) },
    { name: "@effect/sql-pg", loops: theirs.map((connection) => effectLoop(connection.query(SQL))) }
  ])
})

await Effect.runPromise(Effect.scoped(program))
await stop()
