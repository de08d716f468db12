/**
 * Tests servers that send without end, in tiny pieces, or too much: memory is bounded, and the event loop stays free.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { Buffer } from "node:buffer"
import { pgType } from "../../../src/codec/oid.generated.ts"
import { fromRoot } from "../../../src/connection/connection.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import { TransactionLevel } from "../../../src/session/transaction/transactionLevel.ts"
import { Backend } from "../../../src/wire/backendMessage.ts"
import { COPY_HEADER, COPY_TRAILER } from "../../../src/wire/copyData/copyBinary.ts"
import { MAX_ERROR_BYTES, MAX_MESSAGE_BYTES, MAX_NOTICE_BYTES } from "../../../src/wire/limits.ts"
import { dataRow } from "../../fixtures/dataRow.ts"
import {
  answering,
  assertHealthy,
  configOf,
  establish,
  failureOf,
  type Peer,
  Say,
  scriptedServer
} from "../../support/scriptedServer.ts"
import { cstring, frame, int16, int32 } from "../../wire/frames.ts"

const MEGABYTE = 1_048_576

/** In milliseconds of the processor, because the machine has other work and takes this process off it at any time. */
const LONGEST_TURN_MILLIS = 50
/** The garbage collector may run within a turn, so the best of several attempts counts. */
const ATTEMPTS = { retry: 4 }

const processorMillis = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1_000
}

/** Runs an effect, during which no turn of the event loop may be long. The server runs in this process too. */
const withFreeLoop = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    let longest = 0
    let last = processorMillis()
    const turn = (): void => {
      const now = processorMillis()
      longest = Math.max(longest, now - last)
      last = now
      next = setImmediate(turn)
    }
    let next = setImmediate(turn)
    return effect.pipe(
      Effect.ensuring(Effect.sync(() => clearImmediate(next))),
      Effect.tap(() => Effect.sync(() => assert.isBelow(longest, LONGEST_TURN_MILLIS)))
    )
  })

const begin = Effect.gen(function* () {
  const server = yield* scriptedServer
  const { peer, session } = yield* establish(server)
  return { server, peer, session, pg: fromRoot(TransactionLevel.root(session)) }
})

/** A client that copies rows of one bytea out, after the answer CopyOutResponse. */
const copyingRows = Effect.gen(function* () {
  const all = yield* begin
  const { peer, pg } = all
  const rows: Array<unknown> = []
  const reading = yield* Effect.forkChild(
    Stream.runForEach(pg.copyOutRows({ query: "SELECT b" }), (row) => Effect.sync(() => rows.push(row))),
    { startImmediately: true }
  )
  yield* peer.cycle
  peer.send(Say.described([Say.column("b", pgType.bytea.oid)]))
  if ((yield* peer.message).type === "S") yield* peer.message
  peer.send(Say.copyOut, frame(Backend.CopyData, COPY_HEADER))
  return { ...all, reading, rows }
})

const end = [frame(Backend.CopyData, COPY_TRAILER), Say.copyDone, Say.commandComplete("COPY 1"), Say.ready()]

/** Sends bytes again and again, as fast as the client takes them, until so many are sent or the client has gone. */
const flood = (peer: Peer, bytes: number, piece: Buffer) =>
  Effect.gen(function* () {
    let sent = 0
    for (; sent < bytes && !peer.isClosed; sent += piece.length) {
      peer.send(piece)
      while (peer.unsentBytes > 4 * piece.length && !peer.isClosed) yield* Effect.sleep(1)
    }
    return sent
  })

describe("a server", () => {
  it.live(
    "may send a row of COPY in pieces of one byte",
    () =>
      Effect.gen(function* () {
        const { peer, reading, rows, session } = yield* copyingRows
        const value = MEGABYTE / 4
        const piece = Buffer.concat(Array.from({ length: 4_096 }, () => frame(Backend.CopyData, Buffer.of(7))))
        yield* withFreeLoop(
          Effect.gen(function* () {
            peer.send(frame(Backend.CopyData, Buffer.concat([int16(1), int32(value)])))
            yield* flood(peer, value * 6, piece)
            peer.send(...end)
            yield* Fiber.join(reading)
          })
        )
        assert.lengthOf(rows, 1)
        yield* assertHealthy({ peer, session })
      }),
    ATTEMPTS
  )

  it.live(
    "may give the header of a COPY an extension of any size",
    () =>
      Effect.gen(function* () {
        const server = yield* begin
        const { peer, pg, session } = server
        const reading = yield* Effect.forkChild(Stream.runCollect(pg.copyOutRows({ query: "SELECT b" })), {
          startImmediately: true
        })
        yield* peer.cycle
        peer.send(Say.described([Say.column("b", pgType.bytea.oid)]))
        yield* peer.message
        const size = 150 * MEGABYTE
        peer.send(Say.copyOut, frame(Backend.CopyData, Buffer.concat([COPY_HEADER.subarray(0, 15), int32(size)])))
        const before = process.memoryUsage().arrayBuffers
        yield* withFreeLoop(flood(peer, size + (size / 65_536) * 5, frame(Backend.CopyData, Buffer.alloc(65_536))))
        // What the garbage collector has not come to yet counts too.
        assert.isBelow(process.memoryUsage().arrayBuffers - before, 100 * MEGABYTE)
        peer.send(frame(Backend.CopyData, dataRow([Buffer.of(1)])), ...end)
        assert.lengthOf(yield* Fiber.join(reading), 1)
        yield* assertHealthy({ peer, session })
      }),
    ATTEMPTS
  )

  it.live("may not send an endless row of COPY", () =>
    Effect.gen(function* () {
      const { peer, reading, session } = yield* copyingRows
      peer.send(frame(Backend.CopyData, Buffer.concat([int16(2), int32(4), int32(7), int32(MAX_MESSAGE_BYTES - 5)])))
      const error = yield* failureOf(reading)
      assert.strictEqual(error._tag, "ProtocolError")
      assert.include(error.message, "a row of more than")
      assert.strictEqual(session.lost?._tag, "ProtocolError")
    })
  )

  it.live(
    "may report an error of 100 MB, whose beginning is reported",
    () =>
      Effect.gen(function* () {
        const { peer, pg, session } = yield* begin
        const asking = yield* Effect.forkChild(pg.fetch("SELECT 1/0"), { startImmediately: true })
        yield* peer.cycle
        const size = 100 * MEGABYTE
        const beginning = Buffer.concat([cstring("SERROR"), cstring("VERROR"), cstring("C22012"), Buffer.from("M")])
        yield* withFreeLoop(
          Effect.gen(function* () {
            peer.send(Buffer.concat([Buffer.of(Backend.ErrorResponse), int32(4 + beginning.length + size), beginning]))
            yield* flood(peer, size, Buffer.alloc(65_536, "x"))
            peer.send(Say.ready())
            const error = yield* failureOf(asking)
            assert.strictEqual(error._tag, "DivisionByZeroError")
            assert.isAbove(error.message.length, 1_000)
            assert.isAtMost(error.message.length, MAX_ERROR_BYTES)
          })
        )
        yield* assertHealthy({ peer, session })
      }),
    ATTEMPTS
  )

  it.live("may send a notice of any size, whose beginning is reported", () =>
    Effect.gen(function* () {
      const { peer, pg, session } = yield* begin
      const first = yield* Effect.forkChild(Stream.runHead(pg.notices), { startImmediately: true })
      yield* Effect.yieldNow
      peer.send(Say.notice("x".repeat(10 * MEGABYTE)))
      const notice = yield* Fiber.join(first)
      if (notice._tag === "None") return assert.fail("no notice")
      assert.isAtMost(notice.value.message.length, MAX_NOTICE_BYTES)
      yield* assertHealthy({ peer, session })
    })
  )

  const endless: ReadonlyArray<readonly [what: string, piece: Buffer]> = [
    [
      "run-time parameters",
      Buffer.concat(Array.from({ length: 2_000 }, (_, at) => Say.parameterStatus(`p${at}`, "x")))
    ],
    [
      "long run-time parameters",
      Buffer.concat(Array.from({ length: 100 }, () => Say.parameterStatus("p", "x".repeat(20_000))))
    ]
  ]
  for (const [what, piece] of endless) {
    it.live(`may not send ${what} without end before it is ready`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const connecting = yield* Effect.forkScoped(connect(configOf(server)), { startImmediately: true })
        const peer = yield* server.accept
        yield* peer.startupPacket
        peer.send(Say.authenticationOk)
        const sent = yield* flood(peer, 100 * MEGABYTE, piece)
        assert.isBelow(sent, 90 * MEGABYTE)
        assert.strictEqual((yield* failureOf(connecting))._tag, "ProtocolError")
      })
    )
  }

  it.live("may not complete a script more often than it has statements", () =>
    Effect.gen(function* () {
      const { peer, pg, session } = yield* begin
      const running = yield* Effect.forkChild(pg.executeScript("VACUUM; VACUUM"), { startImmediately: true })
      yield* peer.message
      peer.send(Buffer.concat(Array.from({ length: 100 }, () => Say.commandComplete("VACUUM"))))
      assert.strictEqual((yield* failureOf(running))._tag, "ProtocolError")
      assert.strictEqual(session.lost?._tag, "ProtocolError")
    })
  )

  it.live(
    "may send data without a request, of which nothing is kept",
    () =>
      Effect.gen(function* () {
        const { peer, pg, session } = yield* begin
        yield* answering(peer, { statements: [["SELECT", { columns: [Say.column("n", pgType.int4.oid)], rows: [] }]] })
        const unasked = Buffer.concat([
          Say.notification("nobody", "x".repeat(7_000)),
          Say.notice("x"),
          Say.parameterStatus("TimeZone", "UTC")
        ])
        const many = Buffer.concat(Array.from({ length: 100 }, () => unasked))
        yield* withFreeLoop(flood(peer, 50 * MEGABYTE, many))
        assert.deepStrictEqual(yield* pg.fetch("SELECT"), [])
        assert.isUndefined(session.lost)
      }),
    ATTEMPTS
  )
})
