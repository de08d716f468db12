/**
 * How much of what SELECT 1+1 costs is the system's: `node bench/socketFloor.ts [rounds]` compares effectpg and
 * `@effect/sql-pg` with plain sockets of Node that write one prepared request and look at nothing of the answer but its
 * number and where it ends. On ten connections, in rounds that take turns; medians of the client's CPU time per query.
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
import { median } from "./statistics.ts"

const ROUNDS = Number(process.argv[2] ?? 9)
const ROUND_MILLIS = 500
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

/** A socket on which somebody else has logged in. */
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

/** Asks again and again until the time is over; gives how often. */
type Loop = (isOver: () => boolean) => Effect.Effect<number, unknown>

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

const effectLoop =
  (query: Effect.Effect<unknown, unknown>): Loop =>
  (isOver) =>
    Effect.gen(function* () {
      let count = 0
      while (!isOver()) {
        yield* query
        count++
      }
      return count
    })

const cpuPerQuery = (loops: ReadonlyArray<Loop>): Effect.Effect<number, unknown> =>
  Effect.gen(function* () {
    const end = performance.now() + ROUND_MILLIS
    const before = process.cpuUsage()
    const counts = yield* Effect.forEach(loops, (loop) => loop(() => performance.now() > end), {
      concurrency: "unbounded"
    })
    const { system, user } = process.cpuUsage(before)
    return (system + user) / counts.reduce((sum, count) => sum + count, 0)
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
  const contenders: ReadonlyArray<readonly [name: string, loops: ReadonlyArray<Loop>]> = [
    ["plain sockets", sockets.map(plainLoop)],
    ["effectpg", ours.map((connection) => effectLoop(connection.fetch(SQL)))],
    ["@effect/sql-pg", theirs.map((connection) => effectLoop(connection.query(SQL)))]
  ]
  const samples = contenders.map((): Array<number> => [])
  for (let round = 0; round < ROUNDS; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (round + turn) % contenders.length
      const [, loops = []] = contenders[index] ?? []
      samples[index]?.push(yield* cpuPerQuery(loops))
    }
  }
  for (const [index, [name]] of contenders.entries()) {
    yield* Console.log(
      `${name.padEnd(16)}${median(samples[index] ?? [])
        .toFixed(1)
        .padStart(8)} us of CPU per query`
    )
  }
})

await Effect.runPromise(Effect.scoped(program))
await stop()
