/**
 * Tests COPY TO STDOUT against a server that answers as the test tells it to, at moments that a real server seldom
 * meets.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Stream from "effect/Stream"
import { Buffer } from "node:buffer"
import { copyBytesOut } from "../../../src/connection/copy/copyOut.ts"
import { levelSource, Router } from "../../../src/connection/router.ts"
import type { Session } from "../../../src/session/engine/session.ts"
import { TransactionLevel } from "../../../src/session/transaction/transactionLevel.ts"
import { Backend } from "../../../src/wire/backendMessage.ts"
import { assertHealthy, establish, failureOf, type Peer, Say, scriptedServer } from "../../support/scriptedServer.ts"
import { frame } from "../../wire/frames.ts"

const KILOBYTE = 1_024

const conversation = Effect.gen(function* () {
  const server = yield* scriptedServer
  return { server, ...(yield* establish(server)) }
})

const copying = (session: Session) =>
  copyBytesOut(new Router(levelSource(TransactionLevel.root(session))), { table: "t" }, {})

/** Reads all of a COPY that has begun. */
const reading = Effect.gen(function* () {
  const all = yield* conversation
  const text = Stream.mkString(Stream.decodeText(copying(all.session)))
  const fiber = yield* Effect.forkChild(text, { startImmediately: true })
  assert.strictEqual((yield* all.peer.message).type, "Q")
  all.peer.send(Say.copyOut)
  return { ...all, fiber }
})

const COUNT = 500
const PIECES = 50
const PATIENCE_MILLIS = 300

/** Whether the kernel has taken all that was sent, within some time. */
const isTaken = (peer: Peer): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    for (const since = performance.now(); performance.now() - since < PATIENCE_MILLIS; yield* Effect.sleep(1)) {
      if (peer.unsentBytes === 0) return true
    }
    return false
  })

const end = [Say.copyDone, Say.commandComplete("COPY 2"), Say.ready()]

describe("COPY TO STDOUT", () => {
  it.live("gives the data in order, however it comes", () =>
    Effect.gen(function* () {
      const { fiber, peer, session } = yield* reading
      const all = Buffer.concat([Say.copyData("one\n"), Say.copyData(""), Say.copyData("two\n"), ...end])
      for (const byte of all) {
        peer.send(Buffer.of(byte))
        yield* Effect.yieldNow
      }
      assert.strictEqual(yield* Fiber.join(fiber), "one\ntwo\n")
      yield* assertHealthy({ peer, session })
    })
  )

  it.live("gives pieces that stay unchanged while the socket reads on", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* conversation
      const pieces: Array<Uint8Array> = []
      const copied: Array<Buffer> = []
      const fiber = yield* Effect.forkChild(
        Stream.runForEach(copying(session), (piece) =>
          Effect.sync(() => {
            pieces.push(piece)
            copied.push(Buffer.from(piece))
          })
        ),
        { startImmediately: true }
      )
      yield* peer.message
      peer.send(Say.copyOut)
      for (let sent = 1; sent <= PIECES; sent++) {
        peer.send(Say.copyData(`${sent % 10}`.repeat(KILOBYTE)))
        while (pieces.length < sent) yield* Effect.sleep(1)
      }
      peer.send(...end)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        pieces.map((piece) => Buffer.from(piece)),
        copied
      )
      yield* assertHealthy({ peer, session })
    })
  )

  it.live("gives the data that came before an error, and then the error", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* conversation
      const pieces: Array<string> = []
      const fiber = yield* Effect.forkChild(
        Stream.runForEach(copying(session), (piece) => Effect.sync(() => pieces.push(Buffer.from(piece).toString()))),
        { startImmediately: true }
      )
      yield* peer.message
      peer.send(Say.copyOut, Say.copyData("one\n"), Say.failed({ code: "22012" }))
      assert.strictEqual((yield* failureOf(fiber))._tag, "DivisionByZeroError")
      assert.deepStrictEqual(pieces, ["one\n"])
      yield* assertHealthy({ peer, session })
    })
  )

  it.live("makes the server wait for a slow reader, and continues", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* conversation
      const isSlow = yield* Latch.make(false)
      let taken = 0
      const fiber = yield* Effect.forkChild(
        Stream.runForEach(copying(session), (piece) =>
          Effect.andThen(
            Effect.sync(() => (taken += piece.length)),
            isSlow.await
          )
        ),
        { startImmediately: true }
      )
      yield* peer.message
      const data = frame(Backend.CopyData, Buffer.alloc(64 * KILOBYTE))
      peer.send(Say.copyOut)
      let sent = 0
      for (; sent < COUNT && (yield* isTaken(peer)); sent++) peer.send(data)
      // The data at the reader, the data that waits for it, and the data in the kernel.
      assert.isBelow(sent, COUNT / 2)
      yield* isSlow.open
      for (let left = COUNT - sent; left > 0; left--) peer.send(data)
      peer.send(...end)
      yield* Fiber.join(fiber)
      assert.strictEqual(taken, COUNT * 64 * KILOBYTE)
      yield* assertHealthy({ peer, session })
    })
  )

  it.live("reads past the rest if the reader has gone while the server waited for it", () =>
    Effect.gen(function* () {
      const { peer, server, session } = yield* conversation
      const fiber = yield* Effect.forkChild(
        Stream.runForEach(copying(session), () => Effect.never),
        { startImmediately: true }
      )
      yield* peer.message
      peer.send(Say.copyOut)
      for (let index = 0; index < 300; index++) peer.send(frame(Backend.CopyData, Buffer.alloc(64 * KILOBYTE)))
      yield* Effect.sleep(100)
      yield* Fiber.interrupt(fiber)
      const side = yield* server.accept
      assert.strictEqual((yield* side.startupPacket)._tag, "CancelRequest")
      side.end()
      peer.send(Say.failed({ code: "57014" }))
      yield* assertHealthy({ peer, session })
    })
  )

  it.live("ends with the connection", () =>
    Effect.gen(function* () {
      const { fiber, peer, session } = yield* reading
      peer.send(Say.copyData("one\n"))
      yield* Effect.sleep(20)
      peer.destroy()
      assert.strictEqual((yield* failureOf(fiber))._tag, "ConnectionLostError")
      assert.isDefined(session.lost)
    })
  )

  const intruders: ReadonlyArray<readonly [string, Buffer, string]> = [
    ["the client expected CommandComplete before CopyDone", Say.commandComplete("COPY 0"), "CopyData or CopyDone"],
    ["the client expected ReadyForQuery before CopyDone", Say.ready(), "CopyData or CopyDone"],
    ["the client expected data after CopyDone", Buffer.concat([Say.copyDone, Say.copyData("x")]), "CommandComplete"],
    ["the client expected CopyInResponse", Say.copyIn, "CopyData or CopyDone"],
    ["the client expected a row", Say.row(Say.int4(1)), "CopyData or CopyDone"]
  ]
  for (const [what, message, expected] of intruders) {
    it.live(`does not survive ${what}`, () =>
      Effect.gen(function* () {
        const { fiber, peer, session } = yield* reading
        peer.send(message)
        const error = yield* failureOf(fiber)
        assert.strictEqual(error._tag, "ProtocolError")
        assert.include(error.message, expected)
        assert.strictEqual(session.lost?._tag, "ProtocolError")
      })
    )
  }
})
