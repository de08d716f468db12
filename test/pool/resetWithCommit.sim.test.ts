/**
 * Tests the reset behind the COMMIT of a pool's transaction: what is written when, and what becomes of the connection.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as PgPool from "../../src/PgPool.ts"
import { answerBegin, type Peer, Say, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts"

const textOf = (peer: Peer) => Effect.map(peer.message, ({ body }) => body.toString("utf8").replace("\0", ""))

const opened = (server: ScriptedServer) =>
  Effect.gen(function* () {
    const peer = yield* server.accept
    yield* peer.startupPacket
    peer.send(Say.authenticationOk, Say.settings)
    return peer
  })

/** A pool of one connection, with a transaction whose COMMIT the server has received and not answered. */
const committing = Effect.gen(function* () {
  const server = yield* scriptedServer
  const making = yield* Effect.forkScoped(
    PgPool.make({
      multiplex: false,
      host: server.host,
      port: server.port,
      user: "alice",
      sslMode: "disable",
      minConnections: 1,
      maxConnections: 1
    }),
    { startImmediately: true }
  )
  const peer = yield* opened(server)
  const pool = yield* Fiber.join(making)
  const transaction = yield* Effect.forkScoped(pool.withTransaction(pool.executeScript("INSERT 1")), {
    startImmediately: true
  })
  yield* answerBegin(peer)
  assert.strictEqual(yield* textOf(peer), "INSERT 1")
  peer.send(Say.commandComplete("INSERT 0 1"), Say.ready("T"))
  assert.strictEqual(yield* textOf(peer), "COMMIT")
  assert.match(yield* textOf(peer), /^BEGIN ISOLATION LEVEL READ COMMITTED; SET SESSION AUTHORIZATION DEFAULT; /)
  const next = yield* Effect.forkScoped(pool.executeScript("INSERT 2"), { startImmediately: true })
  return { server, peer, pool, transaction, next }
})

const committed = [Say.commandComplete("COMMIT"), Say.ready("I")]
const answeredReset = [Say.commandComplete("BEGIN"), Say.commandComplete("COMMIT"), Say.ready("I")]

describe("the COMMIT of a pool's transaction", () => {
  it.live("is written together with the reset, and nothing is written behind the reset before it has succeeded", () =>
    Effect.gen(function* () {
      const { next, peer, pool, transaction } = yield* committing
      peer.send(...committed)
      yield* Fiber.join(transaction)
      assert.isTrue(yield* peer.staysQuiet)
      const { idle, inUse, size } = yield* pool.stats
      assert.deepStrictEqual({ idle, inUse, size }, { idle: 1, inUse: 0, size: 1 })
      peer.send(...answeredReset)
      assert.strictEqual(yield* textOf(peer), "INSERT 2")
      peer.send(Say.commandComplete("INSERT 0 1"), Say.ready("I"))
      yield* Fiber.join(next)
    }).pipe(Effect.scoped)
  )

  it.live("has the connection reset once more if it has failed, because it may have left anything", () =>
    Effect.gen(function* () {
      const { next, peer, transaction } = yield* committing
      peer.send(Say.error({ code: "23514" }), Say.ready("I"), ...answeredReset)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(transaction)))
      assert.include(yield* textOf(peer), "FROM pg_catalog.pg_prepared_statements")
      assert.isTrue(yield* peer.staysQuiet)
      peer.send(Say.commandComplete("BEGIN"), Say.commandComplete("SELECT 0"), Say.commandComplete("COMMIT"))
      peer.send(Say.ready("I"))
      assert.strictEqual(yield* textOf(peer), "INSERT 2")
      peer.send(Say.commandComplete("INSERT 0 1"), Say.ready("I"))
      yield* Fiber.join(next)
    }).pipe(Effect.scoped)
  )

  it.live("counts even if the reset behind it fails, and the next borrower has another connection", () =>
    Effect.gen(function* () {
      const { next, peer, server, transaction } = yield* committing
      peer.send(...committed, Say.commandComplete("BEGIN"), Say.error({ code: "53200" }), Say.ready("E"))
      yield* Fiber.join(transaction)
      yield* peer.closed
      const other = yield* opened(server)
      assert.strictEqual(yield* textOf(other), "INSERT 2")
      other.send(Say.commandComplete("INSERT 0 1"), Say.ready("I"))
      yield* Fiber.join(next)
    }).pipe(Effect.scoped)
  )
})
