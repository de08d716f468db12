/** Tests the stream of the log against a server that answers as the test tells it to. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import {
  type LogItem,
  type LogStream,
  type LogStreamOptions,
  startLog
} from "../../../src/session/replication/logStream.ts"
import { openReplication } from "../../../src/session/replication/commands.ts"
import { textRows } from "../../../src/session/replication/textRows.ts"
import { Backend } from "../../../src/wire/backendMessage.ts"
import {
  configOf,
  establish,
  failureOf,
  type FrontendMessage,
  type Peer,
  Say,
  scriptedServer
} from "../../support/scriptedServer.ts"
import { frame, hex } from "../../wire/frames.ts"

const int64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}

const copyBoth = frame(Backend.CopyBothResponse, hex("00 0000"))
const data = (payload: string | Buffer): Buffer =>
  frame(Backend.CopyData, Buffer.concat([hex("77"), int64(1n), int64(1n), int64(0n), Buffer.from(payload)]))
const keepalive = (end: bigint, wantsReply = false): Buffer =>
  frame(Backend.CopyData, Buffer.concat([hex("6b"), int64(end), int64(0n), Buffer.of(wantsReply ? 1 : 0)]))

/** A report of the client: what it has received and flushed, and whether it wants an answer. */
const reportOf = ({ body, type }: FrontendMessage) => {
  assert.strictEqual(type, "d")
  assert.strictEqual(String.fromCharCode(body[0]!), "r")
  assert.strictEqual(body.readBigUInt64BE(9), body.readBigUInt64BE(17))
  return { received: body.readBigUInt64BE(1), flushed: body.readBigUInt64BE(9), wantsReply: body[33] === 1 }
}

class Progress {
  flushed = 5n
  readonly caught: Array<bigint> = []
  caughtUp(lsn: bigint): void {
    this.caught.push(lsn)
    this.flushed = lsn
  }
}

const streaming = (options: Partial<LogStreamOptions> = {}) =>
  Effect.gen(function* () {
    const server = yield* scriptedServer
    const { peer, session } = yield* establish(server)
    const progress = new Progress()
    const starting = yield* Effect.forkChild(
      startLog(session, "START_REPLICATION", {
        progress,
        statusMillis: 10_000,
        silenceMillis: 0,
        maxWaitingBytes: 1_000,
        ...options
      }),
      { startImmediately: true }
    )
    assert.strictEqual((yield* peer.message).type, "Q")
    peer.send(copyBoth)
    return { server, peer, session, progress, log: yield* Fiber.join(starting) }
  })

const textsOf = (items: ReadonlyArray<LogItem>): ReadonlyArray<string | bigint> =>
  items.map((item) => (item._tag === "Data" ? String(item.bytes) : item.lsn))

/** What comes next; nothing if the server has ended the stream. */
const next = (log: LogStream) => {
  let received: ReadonlyArray<LogItem> = []
  return Effect.map(
    log.next((items) => (received = items)),
    () => received
  )
}
const read = (log: LogStream) => Effect.map(next(log), textsOf)

/** Waits until the client wants an answer. */
const untilAsked = (peer: Peer): Effect.Effect<void> =>
  Effect.flatMap(peer.message, (message) => (reportOf(message).wantsReply ? Effect.void : untilAsked(peer)))

/** The messages of the client until one that is not a report. */
const untilNoReport = (peer: Peer): Effect.Effect<FrontendMessage> =>
  Effect.flatMap(peer.message, (message) => (message.type === "d" ? untilNoReport(peer) : Effect.succeed(message)))

const over = [Say.copyDone, Say.commandComplete("COPY 0"), Say.commandComplete("START_REPLICATION"), Say.ready()]

describe("the stream of a log", () => {
  it.live("gives messages in order, and the position of a keepalive behind them", () =>
    Effect.gen(function* () {
      const { log, peer, progress } = yield* streaming()
      peer.send(data("one"), data("two"), keepalive(7n), keepalive(8n))
      assert.deepStrictEqual(yield* read(log), ["one", "two", 8n])
      assert.deepStrictEqual(progress.caught, [])
      const waiting = yield* Effect.forkChild(read(log), { startImmediately: true })
      peer.send(keepalive(9n))
      yield* Effect.sleep(50)
      assert.deepStrictEqual(progress.caught, [9n])
      peer.send(data("three"))
      assert.deepStrictEqual(yield* Fiber.join(waiting), ["three"])
    }).pipe(Effect.scoped)
  )

  it.live("answers a keepalive that asks for it at once, also while nobody reads", () =>
    Effect.gen(function* () {
      const { peer } = yield* streaming()
      peer.send(data("one"), keepalive(9n, true))
      assert.deepStrictEqual(reportOf(yield* peer.message), { received: 9n, flushed: 5n, wantsReply: false })
    }).pipe(Effect.scoped)
  )

  it.live("reports by a timer and soon after an acknowledgement, also while it reads nothing from the socket", () =>
    Effect.gen(function* () {
      const { log, peer, progress } = yield* streaming({ statusMillis: 50 })
      const piece = data("x".repeat(100_000))
      for (let count = 0; count < 200; count++) peer.send(piece)
      for (let count = 0; count < 3; count++) assert.strictEqual(reportOf(yield* peer.message).flushed, 5n)
      assert.isAbove(peer.unsentBytes, 0)
      progress.flushed = 6n
      log.acknowledged()
      for (let flushed = 5n; flushed !== 6n;) ({ flushed } = reportOf(yield* peer.message))
      let seen = 0
      while (seen < 200) seen += (yield* next(log)).length
      assert.strictEqual(seen, 200)
    }).pipe(Effect.scoped)
  )

  it.live("asks a silent server to say something, and gives it up if it does not", () =>
    Effect.gen(function* () {
      const { log, peer, session } = yield* streaming({ silenceMillis: 300 })
      const reading = yield* Effect.forkChild(read(log), { startImmediately: true })
      yield* untilAsked(peer)
      peer.send(keepalive(6n))
      yield* Effect.sleep(50)
      yield* untilAsked(peer)
      assert.isUndefined(session.lost)
      const error = yield* failureOf(reading)
      assert.strictEqual(error._tag, "ConnectionLostError")
      assert.match(error.message, /the server has said nothing for \d+ ms/)
    }).pipe(Effect.scoped)
  )

  it.live("ends with CopyDone in both directions, after a last report, and the session is healthy", () =>
    Effect.gen(function* () {
      const { log, peer, progress, session } = yield* streaming()
      progress.flushed = 8n
      const ending = yield* Effect.forkChild(log.endWithin(2_000), { startImmediately: true })
      assert.strictEqual(reportOf(yield* peer.message).flushed, 8n)
      assert.strictEqual((yield* peer.message).type, "c")
      // The server may be in the middle of a transaction.
      peer.send(data("late"), Say.copyDone, data("later"), Say.commandComplete("COPY 0"), Say.ready())
      yield* Fiber.join(ending)
      const asking = yield* Effect.forkChild(textRows(session, "IDENTIFY_SYSTEM"), { startImmediately: true })
      assert.strictEqual((yield* peer.message).type, "Q")
      peer.send(
        Say.rowDescription([Say.column("a", 25), Say.column("b", 25)]),
        Say.commandComplete("IDENTIFY_SYSTEM"),
        Say.ready()
      )
      assert.deepStrictEqual(yield* Fiber.join(asking), [])
    }).pipe(Effect.scoped)
  )

  it.live("cancels the command if the server does not end the stream within its time", () =>
    Effect.gen(function* () {
      const { log, peer, server } = yield* streaming()
      const ending = yield* Effect.forkChild(log.endWithin(100), { startImmediately: true })
      assert.strictEqual((yield* untilNoReport(peer)).type, "c")
      const cancel = yield* server.accept
      assert.strictEqual((yield* cancel.startupPacket)._tag, "CancelRequest")
      yield* Fiber.join(ending)
      peer.send(Say.error({ code: "57014" }), Say.ready())
    }).pipe(Effect.scoped)
  )

  it.live("ends if the server ends it, with or without CopyDone", () =>
    Effect.gen(function* () {
      for (const answer of [over, over.slice(1)]) {
        const { log, peer } = yield* streaming()
        const reading = yield* Effect.forkChild(read(log), { startImmediately: true })
        peer.send(...answer)
        assert.deepStrictEqual(yield* Fiber.join(reading), [])
      }
    }).pipe(Effect.scoped)
  )

  it.live("fails with the server's error, and with ProtocolError for bytes that cannot come", () =>
    Effect.gen(function* () {
      const cases = [
        [Buffer.concat([Say.error({ code: "XX000" }), Say.ready()]), "InternalServerError"],
        [frame(Backend.CopyData, hex("78 00")), "ProtocolError"],
        [frame(Backend.CopyData, hex("77 00")), "ProtocolError"],
        [frame(Backend.CopyData, Buffer.alloc(0)), "ProtocolError"],
        [copyBoth, "ProtocolError"],
        [Say.row(Buffer.from("1")), "ProtocolError"]
      ] as const
      for (const [bytes, tag] of cases) {
        const { log, peer } = yield* streaming()
        const reading = yield* Effect.forkChild(read(log), { startImmediately: true })
        peer.send(bytes)
        assert.strictEqual((yield* failureOf(reading))._tag, tag)
      }
    }).pipe(Effect.scoped)
  )
})

describe("a replication session", () => {
  it.live("says at startup that it is for replication, and reads rows as texts", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* Effect.forkScoped(openReplication(configOf(server)), { startImmediately: true })
      const peer = yield* server.accept
      const packet = yield* peer.startupPacket
      assert.isTrue(packet._tag === "Startup")
      if (packet._tag === "Startup") assert.strictEqual(packet.parameters["replication"], "database")
      peer.send(Say.authenticationOk, Say.settings)
      const session = yield* Fiber.join(connecting)
      const asking = yield* Effect.forkChild(textRows(session, "SHOW x"), { startImmediately: true })
      assert.strictEqual((yield* peer.message).type, "Q")
      peer.send(
        Say.rowDescription([Say.column("x", 25)]),
        Say.row(Buffer.from("on")),
        Say.commandComplete("SHOW"),
        Say.ready()
      )
      assert.deepStrictEqual(yield* Fiber.join(asking), [{ x: "on" }])
    }).pipe(Effect.scoped)
  )
})
