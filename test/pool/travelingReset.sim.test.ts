/** Tests the reset that travels with the first request of a lease: what is written, and what follows each answer. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import { pgType } from "../../src/codec/oid.generated.ts"
import * as PgPool from "../../src/PgPool.ts"
import { refusalOf } from "../support/live.ts"
import { loggingTo } from "../support/logging.ts"
import { type FrontendMessage, type Peer, Say, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts"

const SQL = "SELECT id FROM t"
const COLUMNS = [Say.column("id", pgType.int4.oid)]
const ROWS = { rows: [Say.row(Say.int4(7))] }
const immediately = { startImmediately: true } as const

const textsOf = (messages: ReadonlyArray<FrontendMessage>) =>
  messages.filter(({ type }) => type === "P").map(({ body }) => body.toString().replaceAll("\0", ""))

const RESET = [
  "BEGIN ISOLATION LEVEL READ COMMITTED",
  "SET SESSION AUTHORIZATION DEFAULT",
  "RESET ROLE",
  "RESET ALL",
  "CLOSE ALL",
  "UNLISTEN *",
  "DISCARD TEMP",
  "DISCARD SEQUENCES",
  "SET SEED TO",
  "SELECT pg_catalog.pg_advisory_unlock_all()",
  "COMMIT"
]

/** The answers to the commands of a reset, one by one. */
const ANSWERS = RESET.flatMap((sql) => [
  Say.parseComplete,
  Say.bindComplete,
  ...(sql.startsWith("SELECT") ? [Say.row(Buffer.alloc(0))] : []),
  Say.commandComplete(sql.split(" ")[0] ?? "")
])

const opened = (server: ScriptedServer) =>
  Effect.gen(function* () {
    const peer = yield* server.accept
    yield* peer.startupPacket
    peer.send(Say.authenticationOk, Say.settings)
    return peer
  })

/** Answers the first reset of a session, which asks for its process. */
const answerFirstReset = (peer: Peer) =>
  Effect.map(peer.message, ({ body, type }) => {
    assert.strictEqual(type, "Q")
    assert.include(body.toString(), "RESET ALL")
    peer.send(
      Say.rowDescription([Say.column("a", pgType.text.oid), Say.column("b", pgType.int4.oid)]),
      Say.row(Buffer.alloc(0), Buffer.from("4242")),
      Say.commandComplete("SELECT 1"),
      Say.ready()
    )
  })

/** The server is asked to cancel what it runs. */
const canceled = (server: ScriptedServer) =>
  Effect.gen(function* () {
    const cancel = yield* server.accept
    assert.strictEqual((yield* cancel.startupPacket)._tag, "CancelRequest")
    cancel.end()
  })

/** The pool runs its next script on a new connection. */
const assertReplaced = (pool: PgPool.PgPool, server: ScriptedServer) =>
  Effect.gen(function* () {
    const next = yield* Effect.forkScoped(pool.executeScript("INSERT 1"), immediately)
    const peer = yield* opened(server)
    assert.include((yield* peer.message).body.toString(), "INSERT 1")
    peer.send(Say.commandComplete("INSERT 0 1"), Say.ready())
    yield* Fiber.join(next)
  })

/** A pool of one connection that was reset once, and whose server has received two leases of one tick. */
const twoLeases = Effect.gen(function* () {
  const server = yield* scriptedServer
  const { host, port } = server
  const settings = { host, port, user: "alice", sslMode: "disable", multiplex: false, cancelTimeout: 200 } as const
  const making = yield* Effect.forkScoped(PgPool.make({ ...settings, maxConnections: 1 }), immediately)
  const peer = yield* opened(server)
  const pool = yield* Fiber.join(making)
  const lease = pool.withConnection((connection) => connection.fetch(SQL))
  const first = yield* Effect.forkScoped(lease, immediately)
  assert.strictEqual(yield* peer.cycleTypes, "PDS")
  peer.send(Say.described(COLUMNS))
  assert.strictEqual(yield* peer.cycleTypes, "BES")
  peer.send(Say.answered("SELECT 1", ROWS))
  yield* answerFirstReset(peer)
  yield* Fiber.join(first)
  const second = yield* Effect.forkScoped(Effect.andThen(lease, lease), immediately)
  assert.strictEqual(yield* peer.cycleTypes, "BES")
  const writes = peer.chunks.length
  peer.send(Say.answered("SELECT 1", ROWS))
  const messages = yield* peer.cycle
  assert.strictEqual(messages.map(({ type }) => type).join(""), `${"PBE".repeat(RESET.length)}BES`)
  assert.strictEqual(peer.chunks.length, writes + 1)
  return { server, peer, pool, lease: second, messages }
})

describe("the first request of a lease", () => {
  it.live("is written behind the whole reset, under one Sync and in one write, each time with another seed", () =>
    Effect.gen(function* () {
      const { lease, messages, peer } = yield* twoLeases
      const texts = textsOf(messages)
      assert.deepStrictEqual(
        texts.map((text) => text.replace(/ 0\.\d{15}$/, "")),
        RESET
      )
      peer.send(...ANSWERS, Say.answered("SELECT 1", ROWS))
      assert.deepStrictEqual(yield* Fiber.join(lease), [{ id: 7 }])
      // Nobody comes, so that the next reset is sent by itself.
      const { body, type } = yield* peer.message
      assert.strictEqual(type, "Q")
      const seeds = [...texts, body.toString()].flatMap((text) => text.match(/0\.\d{15}/) ?? [])
      assert.lengthOf(new Set(seeds), 2)
      peer.send(Say.commandComplete("COMMIT"), Say.ready())
    }).pipe(Effect.scoped)
  )

  it.live("may take as long as it likes once the reset is answered, but the reset may not", () =>
    Effect.gen(function* () {
      const { lease, peer } = yield* twoLeases
      peer.send(...ANSWERS)
      yield* Effect.sleep(500)
      peer.send(Say.answered("SELECT 1", ROWS))
      assert.deepStrictEqual(yield* Fiber.join(lease), [{ id: 7 }])
      const silent = yield* twoLeases
      silent.peer.send(...ANSWERS.slice(0, -1))
      const error = yield* refusalOf(Fiber.join(silent.lease))
      assert.deepStrictEqual([error._tag, error.outcome], ["ConnectionLostError", "unknown"])
      assert.include(error.message, "the server did not answer the reset within 200 ms")
    }).pipe(Effect.scoped)
  )

  it.live("does not count as run if any command of the reset is refused: the connection is replaced", () =>
    Effect.gen(function* () {
      for (const answers of [[], ANSWERS.slice(0, 2), ANSWERS.slice(0, 11), ANSWERS.slice(0, -1)]) {
        const { lease, peer, pool, server } = yield* twoLeases
        peer.send(...answers, Say.error({ code: "53200" }), Say.ready(answers.length > 2 ? "E" : "I"))
        const error = yield* refusalOf(Fiber.join(lease))
        assert.deepStrictEqual([error._tag, error.outcome], ["ConnectionLostError", "none"])
        assert.include(error.message, "the server could not undo what the last borrower had left on it")
        assert.strictEqual((yield* pool.stats).size, 0)
        yield* peer.closed
        yield* assertReplaced(pool, server)
      }
    }).pipe(Effect.scoped)
  )

  it.live("ends the connection if any message of the reset's answer is missing, or is another one", () =>
    Effect.gen(function* () {
      for (const at of ANSWERS.keys()) {
        for (const instead of [[], [Say.noData], [Say.ready()], [Say.row(Buffer.alloc(0)), Say.emptyQuery]]) {
          const { lease, peer } = yield* twoLeases
          peer.send(...ANSWERS.slice(0, at), ...instead, ...ANSWERS.slice(at + 1), Say.answered("SELECT 1", ROWS))
          const error = yield* refusalOf(Fiber.join(lease))
          assert.strictEqual(error._tag, "ProtocolError", `${at}: ${instead.length}`)
          yield* peer.closed
        }
      }
    }).pipe(Effect.scoped, Effect.provide(loggingTo([])))
  )

  it.live(
    "has the connection reset once more if it is given up before the reset is answered, and runs after that",
    () =>
      Effect.gen(function* () {
        const { lease, peer, pool, server } = yield* twoLeases
        yield* Fiber.interrupt(lease)
        yield* canceled(server)
        const next = yield* Effect.forkScoped(pool.executeScript("INSERT 1"), immediately)
        peer.send(...ANSWERS, Say.bindComplete, Say.error({ code: "57014" }), Say.ready())
        assert.include((yield* peer.message).body.toString(), "RESET ALL")
        assert.isTrue(yield* peer.staysQuiet)
        peer.send(Say.commandComplete("COMMIT"), Say.ready())
        assert.include((yield* peer.message).body.toString(), "INSERT 1")
        peer.send(Say.commandComplete("INSERT 0 1"), Say.ready())
        yield* Fiber.join(next)
      }).pipe(Effect.scoped)
  )

  it.live("has the connection replaced if it is given up while the reset runs, and the cancel hits the reset", () =>
    Effect.gen(function* () {
      const { lease, peer, pool, server } = yield* twoLeases
      yield* Fiber.interrupt(lease)
      yield* canceled(server)
      peer.send(...ANSWERS.slice(0, 9), Say.error({ code: "57014" }), Say.ready("E"))
      yield* peer.closed
      yield* assertReplaced(pool, server)
    }).pipe(Effect.scoped)
  )
})
