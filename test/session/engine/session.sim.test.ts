/** Tests the life and end of a session: what the server sends without a request, and how the end is reported. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import { inspect } from "node:util"
import { pgType } from "../../../src/codec/oid.generated.ts"
import type * as PgError from "../../../src/PgError.ts"
import type { Session } from "../../../src/session/engine/session.ts"
import { Backend } from "../../../src/wire/backendMessage.ts"
import { MAX_MESSAGE_BYTES } from "../../../src/wire/limits.ts"
import {
  ask,
  assertHealthy,
  establish,
  failureOf,
  type Peer,
  query,
  Say,
  scriptedServer
} from "../../support/scriptedServer.ts"
import { cstring, frame } from "../../wire/frames.ts"

const columns = [Say.column("id", pgType.int4.oid)]
const row = Say.row(Say.int4(42))

/** A session that has prepared this statement, and its server. */
const prepared = (sql: string, described = columns) =>
  Effect.gen(function* () {
    const { peer, session } = yield* establish(yield* scriptedServer)
    const asking = yield* ask(session, sql)
    yield* peer.cycle
    peer.send(Say.described(described, { returnsRows: described.length > 0 }))
    yield* peer.cycle
    return { peer, session, asking }
  })

/** Shows that the session is over: it gives the reason, takes no request, and has closed its socket. */
const assertLost = (session: Session, peer: Peer) =>
  Effect.gen(function* () {
    yield* peer.closed
    yield* ended(session)
    const error = yield* Effect.flip(query(session, "SELECT afterwards"))
    if (error._tag !== "ConnectionLostError") return assert.fail(`${String(error)} is no ConnectionLostError`)
    assert.isTrue(error.safeToRetry)
    assert.strictEqual(error.outcome, "none")
    return error
  })

const ended = (session: Session): Effect.Effect<PgError.PgError> =>
  Effect.callback((resume) => {
    session.onEnd((error) => resume(Effect.succeed(error)))
  })

const asLost = (error: PgError.PgError): PgError.ConnectionLostError =>
  error._tag === "ConnectionLostError" ? error : assert.fail(`${String(error)} is no ConnectionLostError`)

// ------------------------------------------------------------------------------------------ without a request

describe("a notice", () => {
  it.live("reaches its listeners, also in the middle of an answer, and disturbs nothing", () =>
    Effect.gen(function* () {
      const { asking, peer, session } = yield* prepared("SELECT")
      const heard: Array<string> = []
      session.noticeListeners.add(({ message }) => heard.push(message))
      peer.send(Say.bindComplete, Say.notice("one"), row, Say.notice("two"), Say.commandComplete("SELECT 1"))
      peer.send(Say.notice("three"), Say.ready(), Say.notice("four"))
      assert.deepStrictEqual((yield* Fiber.join(asking)).rows, [[42]])
      yield* assertHealthy({ session, peer })
      assert.deepStrictEqual(heard, ["one", "two", "three", "four"])
    }).pipe(Effect.scoped)
  )
})

describe("a server parameter", () => {
  it.live("is stored whenever it changes", () =>
    Effect.gen(function* () {
      const { asking, peer, session } = yield* prepared("SELECT set")
      peer.send(Say.parameterStatus("TimeZone", "one"), Say.answered("SET"), Say.parameterStatus("TimeZone", "two"))
      yield* Fiber.join(asking)
      yield* assertHealthy({ session, peer })
      assert.strictEqual(session.parameters.get("TimeZone"), "two")
    }).pipe(Effect.scoped)
  )

  it.live("ends the session if it names an encoding other than UTF8, also in the middle of an answer", () =>
    Effect.gen(function* () {
      const said = Say.parameterStatus("client_encoding", "LATIN1")
      const amid = yield* prepared("SELECT set")
      amid.peer.send(Say.bindComplete, said, Say.commandComplete("SET"), Say.ready())
      const error = yield* failureOf(amid.asking)
      assert.strictEqual(error._tag, "ProtocolError")
      assert.include(error.message, "LATIN1")
      assert.include(error.message, "UTF8")
      yield* assertLost(amid.session, amid.peer)

      const idle = yield* establish(yield* scriptedServer)
      idle.peer.send(said)
      assert.strictEqual((yield* ended(idle.session))._tag, "ProtocolError")
      yield* assertLost(idle.session, idle.peer)
    }).pipe(Effect.scoped)
  )
})

describe("server parameters", () => {
  it.live("end the session if they do not stop", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* establish(yield* scriptedServer)
      peer.send(...Array.from({ length: 1_001 }, (_, index) => Say.parameterStatus(`made up ${index}`, "x")))
      assert.strictEqual((yield* ended(session))._tag, "ProtocolError")
      yield* assertLost(session, peer)
    }).pipe(Effect.scoped)
  )
})

describe("a notification", () => {
  it.live("disturbs nothing if no listener waits for it", () =>
    Effect.gen(function* () {
      const { asking, peer, session } = yield* prepared("SELECT listen")
      peer.send(Say.notification("a", "1"), Say.answered("LISTEN"), Say.notification("a", "2"))
      yield* Fiber.join(asking)
      yield* assertHealthy({ session, peer })
    }).pipe(Effect.scoped)
  )
})

describe("a session that is printed", () => {
  it.live("shows nothing of what went through it", () =>
    Effect.gen(function* () {
      const { asking, peer, session } = yield* prepared("SELECT")
      peer.send(Say.answered("SELECT 1", { rows: [row] }), Say.notice("a secret"))
      yield* Fiber.join(asking)
      yield* assertHealthy({ session, peer })
      const bytes = [...Buffer.from("a secret")]
      const shown = `${inspect({ session }, { depth: Infinity, showHidden: true })} ${JSON.stringify({ session })}`
      assert.include(shown, String(Say.PROCESS_ID))
      for (const separator of [",", ", "]) assert.notInclude(shown, bytes.join(separator))
      assert.notInclude(shown, "a secret")
      assert.notInclude(shown, "Buffer")
    }).pipe(Effect.scoped)
  )
})

// ------------------------------------------------------------------------------------------ broken messages

describe("a broken frame", () => {
  for (const [what, bytes] of [
    ["of length 3", Buffer.of(Backend.DataRow, 0, 0, 0, 3)],
    ["of length -5", Buffer.of(Backend.DataRow, 0xff, 0xff, 0xff, 0xfb)],
    ["of 2 GiB", Buffer.of(Backend.DataRow, 0x7f, 0xff, 0xff, 0xff)],
    ["of a ReadyForQuery that is longer than one can be", Buffer.of(Backend.ReadyForQuery, 0, 1, 0, 0)],
    ["with an error that does not end", frame(Backend.ErrorResponse, Buffer.from("SERROR\0Mno"))],
    ["with a transaction status that does not exist", frame(Backend.ReadyForQuery, Buffer.from("X"))],
    ["with a row of fewer columns than were described", Say.row()],
    ["with a row of more columns than were described", Say.row(Say.int4(1), Say.int4(2))],
    ["with a value that goes beyond its row", frame(Backend.DataRow, Buffer.of(0, 1, 0, 0, 0, 9, 1))],
    ["with a value of negative length", frame(Backend.DataRow, Buffer.of(0, 1, 0xff, 0xff, 0xff, 0xf9))],
    ["with bytes behind the last value", Buffer.concat([frame(Backend.DataRow, Buffer.of(0, 1, 0, 0, 0, 0, 7))])],
    ["with a command tag without its end", frame(Backend.CommandComplete, Buffer.from("SELECT 1"))],
    ["with a parameter that has no value", frame(Backend.ParameterStatus, cstring("TimeZone"))]
  ] as const) {
    it.live(`ends the session at once: ${what}`, () =>
      Effect.gen(function* () {
        const { asking, peer, session } = yield* prepared("SELECT")
        const behind = yield* ask(session, "SELECT")
        yield* peer.cycle
        peer.send(Say.bindComplete, bytes)
        const error = yield* failureOf(asking)
        assert.strictEqual(error._tag, "ProtocolError")
        assert.strictEqual((yield* failureOf(behind))._tag, "ProtocolError")
        assert.strictEqual(session.lost?._tag, "ProtocolError")
        yield* assertLost(session, peer)
      }).pipe(Effect.scoped)
    )
  }

  it.live("ends an idle session before it is complete", () =>
    Effect.gen(function* () {
      for (const type of [Backend.ReadyForQuery, Backend.DataRow, Backend.CommandComplete, 0x21]) {
        const { peer, session } = yield* establish(yield* scriptedServer)
        peer.send(Buffer.of(type))
        assert.strictEqual((yield* ended(session))._tag, "ProtocolError")
        yield* assertLost(session, peer)
      }
    }).pipe(Effect.scoped)
  )

  it.live("causes no allocation for a declared length", () =>
    Effect.gen(function* () {
      const { asking, peer, session } = yield* prepared("SELECT")
      const before = process.memoryUsage().arrayBuffers
      const header = Buffer.alloc(5)
      header[0] = Backend.DataRow
      header.writeInt32BE(MAX_MESSAGE_BYTES, 1)
      peer.send(Say.bindComplete, header, Buffer.alloc(1_000))
      assert.isTrue(yield* peer.staysQuiet)
      assert.isBelow(process.memoryUsage().arrayBuffers - before, 10_000_000)
      peer.end()
      assert.strictEqual((yield* failureOf(asking))._tag, "ConnectionLostError")
      yield* assertLost(session, peer)
    }).pipe(Effect.scoped)
  )
})

describe("a message behind the answer to the last request", () => {
  const answer = Say.answered("SELECT 1", { rows: [row] })
  for (const [what, extra] of [
    ["another ReadyForQuery", Say.ready()],
    ["a whole result", Say.answered("SELECT 1", { rows: [Say.row(Say.int4(666))] })],
    ["a row", row],
    ["an error", Say.error({ code: "XX000" })],
    ["the beginning of a message", Say.ready().subarray(0, 1)]
  ] as const) {
    it.live(`ends the session before the next request is written: ${what}`, () =>
      Effect.gen(function* () {
        const { asking, peer, session } = yield* prepared("SELECT")
        const next = yield* Effect.forkChild(
          Effect.flatMap(Fiber.join(asking), () => Effect.flip(query(session, "SELECT"))),
          { startImmediately: true }
        )
        peer.send(answer, extra)
        const error = asLost(yield* Fiber.join(next))
        assert.isTrue(error.safeToRetry)
        assert.strictEqual(error.outcome, "none")
        assert.strictEqual(session.lost?._tag, "ProtocolError")
        yield* peer.closed
        assert.isFalse(peer.hasUnread)
        yield* assertLost(session, peer)
      }).pipe(Effect.scoped)
    )
  }
})

// ------------------------------------------------------------------------------------------ the server leaves

const shutdown = Say.error({ severity: "FATAL", code: "57P01", message: "terminating connection" })

const codeOf = (error: PgError.PgError | undefined): string | undefined =>
  error !== undefined && "code" in error ? error.code : undefined

describe("a server that says why it closes", () => {
  it.live("gives the reason to the next request if the session was idle", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* establish(yield* scriptedServer)
      peer.end(shutdown)
      assert.strictEqual(codeOf(asLost(yield* ended(session)).server), "57P01")
      const error = yield* assertLost(session, peer)
      assert.strictEqual(codeOf(error?.server), "57P01")
    }).pipe(Effect.scoped)
  )

  for (const [severity, outcome] of [
    ["FATAL", "none"],
    // A server that panics may do so between the commit and the message that it is done.
    ["PANIC", "unknown"]
  ] as const) {
    it.live(`gives the reason, with the outcome, to the oldest request: ${severity}, ${outcome}`, () =>
      Effect.gen(function* () {
        const { asking, peer, session } = yield* prepared("SELECT")
        const behind = yield* ask(session, "SELECT")
        yield* peer.cycle
        peer.end(Say.bindComplete, row, Say.error({ severity, code: "57P01" }))
        const error = yield* failureOf(asking)
        assert.strictEqual(error._tag, "AdminShutdownError")
        assert.strictEqual("outcome" in error ? error.outcome : undefined, outcome)
        assert.strictEqual(codeOf(asLost(yield* failureOf(behind)).server), "57P01")
        yield* assertLost(session, peer)
      }).pipe(Effect.scoped)
    )
  }

  it.live("gives the reason by its ERROR too, even without ReadyForQuery, and that wins over the close", () =>
    Effect.gen(function* () {
      const { asking, peer, session } = yield* prepared("INSERT")
      peer.end(Say.bindComplete, Say.error({ code: "23505" }))
      const error = yield* failureOf(asking)
      assert.strictEqual(error._tag, "UniqueViolationError")
      assert.strictEqual("outcome" in error ? error.outcome : undefined, "none")
      yield* assertLost(session, peer)
    }).pipe(Effect.scoped)
  )

  it.live("leaves the outcome unknown after the command was complete", () =>
    Effect.gen(function* () {
      const { asking, peer, session } = yield* prepared("DELETE")
      peer.end(Say.bindComplete, Say.commandComplete("DELETE 1"), shutdown)
      const error = yield* failureOf(asking)
      assert.strictEqual(error._tag, "AdminShutdownError")
      assert.strictEqual("outcome" in error ? error.outcome : undefined, "unknown")
      yield* assertLost(session, peer)
    }).pipe(Effect.scoped)
  )

  it.live("leaves an earlier error of the statement to the request", () =>
    Effect.gen(function* () {
      const { asking, peer, session } = yield* prepared("DELETE")
      peer.end(Say.error({ code: "23505" }), shutdown)
      assert.strictEqual((yield* failureOf(asking))._tag, "UniqueViolationError")
      yield* assertLost(session, peer)
    }).pipe(Effect.scoped)
  )

  it.live("reports to a request that was not written that it may be tried again", () =>
    Effect.gen(function* () {
      // Nothing is written behind a statement that may be a COPY.
      const { asking, peer, session } = yield* prepared("SELECT copy", [])
      const waiting = yield* ask(session, "SELECT")
      peer.end(shutdown)
      assert.strictEqual((yield* failureOf(asking))._tag, "AdminShutdownError")
      const error = asLost(yield* failureOf(waiting))
      assert.isTrue(error.safeToRetry)
      assert.strictEqual(error.outcome, "none")
      assert.strictEqual(codeOf(error.server), "57P01")
      yield* assertLost(session, peer)
    }).pipe(Effect.scoped)
  )
})

describe("a server that leaves without a word", () => {
  for (const [how, leave, said] of [
    ["by closing its side", (peer: Peer) => peer.end(), "closed the connection"],
    ["inside a message", (peer: Peer) => peer.end(Say.bindComplete, row.subarray(0, 7)), "closed the connection"],
    ["by breaking off", (peer: Peer) => peer.reset(), "ECONNRESET"]
  ] as const) {
    it.live(`leaves the outcome of each written request unknown: ${how}`, () =>
      Effect.gen(function* () {
        const { asking, peer, session } = yield* prepared("SELECT")
        const behind = yield* ask(session, "SELECT")
        yield* peer.cycle
        leave(peer)
        for (const each of [asking, behind]) {
          const error = asLost(yield* failureOf(each))
          assert.include(error.message, said)
          assert.isFalse(error.safeToRetry)
          assert.strictEqual(error.outcome, "unknown")
        }
        yield* assertLost(session, peer)
      }).pipe(Effect.scoped)
    )

    it.live(`ends an idle session: ${how}`, () =>
      Effect.gen(function* () {
        const { asking, peer, session } = yield* prepared("SELECT")
        peer.send(Say.answered("SELECT 0"))
        yield* Fiber.join(asking)
        if (how !== "inside a message") leave(peer)
        else peer.end(Say.notice("half").subarray(0, 7))
        assert.include(asLost(yield* ended(session)).message, said)
        yield* assertLost(session, peer)
      }).pipe(Effect.scoped)
    )
  }
})

// ------------------------------------------------------------------------------------------ the client leaves

describe("closing a session", () => {
  it.live("fails waiting and running requests, each with its outcome", () =>
    Effect.gen(function* () {
      // Nothing is written behind a statement that may be a COPY.
      const { asking, peer, session } = yield* prepared("SELECT copy", [])
      const waiting = yield* ask(session, "SELECT")
      session.close()
      assert.strictEqual(asLost(yield* failureOf(asking)).outcome, "unknown")
      assert.isTrue(asLost(yield* failureOf(waiting)).safeToRetry)
      peer.send(Say.failed({ code: "57014" }))
      yield* peer.closed
    }).pipe(Effect.scoped)
  )

  it.live("does not wait forever if the server does not close the connection", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      server.lingers = true
      const { peer, session } = yield* establish(server, { cancelTimeoutMillis: 100 })
      session.close()
      assert.strictEqual((yield* peer.message).type, "X")
      assert.include(asLost(yield* ended(session)).message, "the scope of the connection has closed")
      yield* peer.gone
    }).pipe(Effect.scoped)
  )

  it.live("has no further effect the second time", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* establish(yield* scriptedServer)
      session.close()
      session.close()
      assert.strictEqual((yield* peer.message).type, "X")
      yield* peer.closed
      assert.isFalse(peer.hasUnread)
      yield* assertLost(session, peer)
    }).pipe(Effect.scoped)
  )
})
