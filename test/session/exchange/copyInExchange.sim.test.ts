/**
 * Tests COPY FROM STDIN against a server that answers as the test tells it to, at moments that a real server seldom
 * meets.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { Buffer } from "node:buffer"
import { copyBytesIn } from "../../../src/connection/copy/copyIn.ts"
import { levelSource, Router } from "../../../src/connection/router.ts"
import type { Session } from "../../../src/session/engine/session.ts"
import { TransactionLevel } from "../../../src/session/transaction/transactionLevel.ts"
import { assertHealthy, establish, failureOf, Say, scriptedServer } from "../../support/scriptedServer.ts"

const SQL = 'COPY "t" FROM STDIN'
const MEGABYTE = 1_048_576

type Bytes<E> = Iterable<Uint8Array> | Stream.Stream<Uint8Array, E>

const conversation = Effect.gen(function* () {
  const server = yield* scriptedServer
  return { server, ...(yield* establish(server)) }
})

const copy = <E = never>(session: Session, source: Bytes<E>) => {
  const level = TransactionLevel.root(session)
  const copied = copyBytesIn(new Router(levelSource(level)), level, { table: "t" }, source, {})
  return Effect.forkChild(Effect.scoped(copied), { startImmediately: true })
}

/** A session whose COPY waits for data that never comes. */
const waiting = Effect.gen(function* () {
  const all = yield* conversation
  const copying = yield* copy(all.session, Stream.never)
  assert.strictEqual((yield* all.peer.message).type, "Q")
  all.peer.send(Say.copyIn)
  yield* Effect.sleep(20)
  return { ...all, copying }
})

describe("COPY FROM STDIN", () => {
  it.live("sends data only when the server asks for it, and ends with CopyDone", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* conversation
      const copying = yield* copy(session, [Buffer.from("1\n"), Buffer.from("2\n")])
      const query = yield* peer.message
      assert.deepStrictEqual([query.type, query.body.toString()], ["Q", `${SQL}\0`])
      assert.isTrue(yield* peer.staysQuiet)
      peer.send(Say.copyIn)
      const data = yield* peer.message
      assert.deepStrictEqual([data.type, data.body.toString()], ["d", "1\n2\n"])
      assert.strictEqual((yield* peer.message).type, "c")
      peer.send(Say.commandComplete("COPY 2"), Say.ready())
      assert.deepStrictEqual(yield* Fiber.join(copying), { rowCount: 2 })
      yield* assertHealthy({ peer, session })
    })
  )

  it.live("stops at an error of the server, even if the source is asleep", () =>
    Effect.gen(function* () {
      const { copying, peer, session } = yield* waiting
      peer.send(Say.failed({ code: "22P02", message: "bad" }))
      assert.strictEqual((yield* failureOf(copying))._tag, "InvalidTextRepresentationError")
      assert.isTrue(yield* peer.staysQuiet)
      yield* assertHealthy({ peer, session })
    })
  )

  it.live("writes no more than the socket takes while the server does not read", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* conversation
      let given = 0
      const source = (function* () {
        for (; given < 1_000; given++) yield Buffer.alloc(MEGABYTE)
      })()
      peer.pauseReading()
      const copying = yield* copy(session, source)
      peer.send(Say.copyIn)
      yield* Effect.sleep(300)
      const stalledAt = given
      assert.isBelow(stalledAt, 100)
      yield* Effect.sleep(100)
      assert.strictEqual(given, stalledAt)
      yield* Fiber.interrupt(copying)
    })
  )

  it.live("ends the COPY if its caller has gone, and is ready again without a cancel that hits another request", () =>
    Effect.gen(function* () {
      const { copying, peer, server, session } = yield* waiting
      yield* Fiber.interrupt(copying)
      assert.strictEqual((yield* peer.message).type, "f")
      const side = yield* server.accept
      assert.strictEqual((yield* side.startupPacket)._tag, "CancelRequest")
      side.end()
      peer.send(Say.failed({ code: "57014" }))
      yield* assertHealthy({ peer, session })
    })
  )

  it.live("ends a COPY that begins when its caller has already gone", () =>
    Effect.gen(function* () {
      const { peer, server, session } = yield* conversation
      const copying = yield* copy(session, Stream.never)
      assert.strictEqual((yield* peer.message).type, "Q")
      yield* Fiber.interrupt(copying)
      peer.send(Say.copyIn)
      assert.strictEqual((yield* peer.message).type, "f")
      const side = yield* server.accept
      yield* side.startupPacket
      side.end()
      peer.send(Say.failed({ code: "57014" }))
      yield* assertHealthy({ peer, session })
    })
  )

  it.live("ends the COPY if the session is closed under it", () =>
    Effect.gen(function* () {
      const { copying, peer, server, session } = yield* waiting
      session.close()
      assert.strictEqual((yield* failureOf(copying))._tag, "ConnectionLostError")
      assert.strictEqual((yield* peer.message).type, "f")
      const side = yield* server.accept
      yield* side.startupPacket
      side.end()
      peer.send(Say.failed({ code: "57014" }))
      assert.strictEqual((yield* peer.message).type, "X")
    })
  )

  it.live("waits for the server's rollback before it reports the failure of the source", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* conversation
      const copying = yield* copy(session, Stream.fail("the disk is gone"))
      yield* peer.message
      peer.send(Say.copyIn)
      assert.strictEqual((yield* peer.message).type, "f")
      yield* Effect.sleep(20)
      assert.isUndefined(copying.pollUnsafe())
      peer.send(Say.failed({ code: "57014" }))
      assert.strictEqual(yield* failureOf(copying), "the disk is gone")
      yield* assertHealthy({ peer, session })
    })
  )

  it.live("reports the failure of the source even if the connection is lost in the end", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* conversation
      const copying = yield* copy(session, Stream.fail("the disk is gone"))
      yield* peer.message
      peer.send(Say.copyIn)
      assert.strictEqual((yield* peer.message).type, "f")
      peer.destroy()
      assert.strictEqual(yield* failureOf(copying), "the disk is gone")
      assert.strictEqual(session.lost?._tag, "ConnectionLostError")
    })
  )

  it.live("fails if the connection is lost, without another try", () =>
    Effect.gen(function* () {
      const { copying, peer, session } = yield* waiting
      peer.destroy()
      const error = yield* failureOf(copying)
      assert.strictEqual(error._tag, "ConnectionLostError")
      assert.strictEqual(error.outcome, "unknown")
      assert.isDefined(session.lost)
    })
  )

  const intruders: ReadonlyArray<readonly [string, Buffer, string]> = [
    ["CommandComplete before CopyDone", Say.commandComplete("COPY 0"), "while the client sends data"],
    ["ReadyForQuery before CopyDone", Say.ready(), "while the client sends data"],
    ["a second CopyInResponse", Say.copyIn, "while the client sends data"],
    ["CopyOutResponse", Say.copyOut, "while the client sends data"],
    ["a row", Say.row(Say.int4(1)), "while the client sends data"]
  ]
  for (const [what, message, expected] of intruders) {
    it.live(`does not survive ${what}`, () =>
      Effect.gen(function* () {
        const { copying, peer, session } = yield* waiting
        peer.send(message)
        const error = yield* failureOf(copying)
        assert.strictEqual(error._tag, "ProtocolError")
        assert.include(error.message, expected)
        assert.strictEqual(session.lost?._tag, "ProtocolError")
      })
    )
  }
})
