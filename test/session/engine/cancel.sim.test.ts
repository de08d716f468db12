/** Tests interruption: what is withdrawn, what is canceled, and what waits until no cancel can hit it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as fs from "node:fs"
import { pgType } from "../../../src/codec/oid.generated.ts"
import type { ResolvedConfig } from "../../../src/PgConfig.ts"
import * as PgError from "../../../src/PgError.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import type { Session } from "../../../src/session/engine/session.ts"
import {
  ask,
  configOf,
  establish,
  failureOf,
  type Peer,
  query,
  Say,
  type ScriptedServer,
  scriptedServer,
  scriptedUnixServer
} from "../../support/scriptedServer.ts"
import { tlsDirectory } from "../../support/server/cluster.ts"

interface Conversation {
  readonly server: ScriptedServer
  readonly session: Session
  readonly peer: Peer
}

const SQL = "SELECT pg_sleep(1000)"
const cancelled = Say.failed({ code: "57014", message: "canceling statement due to user request" })
const done = Say.answered("SELECT 0")

/** A session that knows the statement. */
const knowing = (server: ScriptedServer, settings: Partial<ResolvedConfig> = {}) =>
  Effect.gen(function* () {
    const { peer, session } = yield* establish(server, settings)
    const asking = yield* ask(session, SQL)
    yield* peer.cycle
    peer.send(Say.described([]))
    yield* peer.cycle
    peer.send(done)
    yield* Fiber.join(asking)
    return { server, session, peer }
  })

const conversation = (settings: Partial<ResolvedConfig> = {}) =>
  Effect.flatMap(scriptedServer, (server) => knowing(server, settings))

/** Sends so many requests, all of which have been written. */
const inFlight = ({ peer, session }: Conversation, count: number) =>
  Effect.gen(function* () {
    const asking = yield* Effect.forEach(Array.from({ length: count }), () => ask(session, SQL))
    for (const _ of asking) assert.strictEqual(yield* peer.cycleTypes, "BES")
    return asking
  })

/** The connection that carries a CancelRequest for this session, still open. */
const cancelOf = ({ server }: Conversation) =>
  Effect.gen(function* () {
    const side = yield* server.accept
    assert.deepStrictEqual(yield* side.startupPacket, {
      _tag: "CancelRequest",
      processId: Say.PROCESS_ID,
      secret: Say.SECRET
    })
    return side
  })

/** Holds the connection of a CancelRequest open until the test ends it. */
const holding = (server: ScriptedServer): void => {
  server.lingers = true
}

const assertHealthy = ({ peer, session }: Conversation) =>
  Effect.gen(function* () {
    const asking = yield* ask(session, SQL)
    assert.strictEqual(yield* peer.cycleTypes, "BES")
    peer.send(done)
    assert.strictEqual((yield* Fiber.join(asking)).tag?.command, "SELECT")
    assert.strictEqual(session.lost, undefined)
  })

/** One request in flight, which lets nothing be written behind it. */
const inFlightAlone = ({ peer, session }: Conversation) => Effect.tap(ask(session, "COPY"), peer.cycle)

/**
 * Of two requests in flight, the first is wanted and the last interrupted: the cancel waits until the first has its
 * answer.
 */
const assertSparesTheLiving = (all: Conversation) =>
  Effect.gen(function* () {
    const connections = all.server.peers.length
    const [alive, last] = yield* inFlight(all, 2)
    yield* Fiber.interrupt(last!)
    assert.isTrue(yield* all.peer.staysQuiet)
    assert.strictEqual(all.server.peers.length, connections)
    all.peer.send(done)
    yield* Fiber.join(alive!)
    yield* cancelOf(all)
    all.peer.send(cancelled)
    yield* assertHealthy(all)
  })

describe("the interruption of a request in flight", () => {
  for (const [order, first] of [
    ["ReadyForQuery comes before the end of the cancel connection", "ready"],
    ["the end of the cancel connection comes before ReadyForQuery", "closed"]
  ] as const) {
    it.live(`cancels it, and lets nothing be written until the cancel is over: ${order}`, () =>
      Effect.gen(function* () {
        const all = yield* conversation()
        holding(all.server)
        const [asking] = yield* inFlight(all, 1)
        const began = performance.now()
        yield* Fiber.interrupt(asking!)
        assert.isBelow(performance.now() - began, 100)
        const side = yield* cancelOf(all)
        const next = yield* ask(all.session, SQL)
        assert.isTrue(yield* all.peer.staysQuiet)

        if (first === "ready") all.peer.send(cancelled)
        else side.end()
        assert.isTrue(yield* all.peer.staysQuiet)

        if (first === "ready") side.end()
        else all.peer.send(cancelled)
        assert.strictEqual(yield* all.peer.cycleTypes, "BES")
        all.peer.send(done)
        yield* Fiber.join(next)
        assert.strictEqual(all.server.peers.length, 2)
        yield* assertHealthy(all)
      }).pipe(Effect.scoped)
    )
  }

  it.live("leaves the session unsettled until that is over, so that no pool lends it", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      holding(all.server)
      const [asking] = yield* inFlight(all, 1)
      yield* Fiber.interrupt(asking!)
      const side = yield* cancelOf(all)
      assert.isFalse(all.session.settled)
      all.peer.send(cancelled)
      assert.isTrue(yield* all.peer.staysQuiet)
      assert.isUndefined(all.session.oldest)
      assert.isFalse(all.session.settled)
      side.end()
      yield* Effect.callback<void>((resume) => {
        all.session.onIdle(() => resume(Effect.void))
      })
      assert.isTrue(all.session.settled)
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("lets the server close the connection that carries the cancel", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      holding(all.server)
      const [asking] = yield* inFlight(all, 1)
      yield* Fiber.interrupt(asking!)
      const side = yield* cancelOf(all)
      assert.isTrue(yield* side.staysQuiet)
      assert.isFalse(side.isClosed)
      side.end()
      yield* side.closed
      all.peer.send(cancelled)
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("cancels a statement that is being prepared, which then does not run", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const all = { server, ...(yield* establish(server)) }
      const asking = yield* ask(all.session, SQL)
      assert.strictEqual(yield* all.peer.cycleTypes, "PDS")
      yield* Fiber.interrupt(asking)
      yield* cancelOf(all)
      all.peer.send(Say.described([]))
      assert.isTrue(yield* all.peer.staysQuiet)
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("accepts the answer of a request that was already over", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const [asking] = yield* inFlight(all, 1)
      all.peer.send(done)
      yield* Fiber.join(asking!)
      yield* Fiber.interrupt(asking!)
      yield* assertHealthy(all)
      assert.strictEqual(all.server.peers.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("keeps the transaction status that the server reports", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const [asking] = yield* inFlight(all, 1)
      yield* Fiber.interrupt(asking!)
      yield* cancelOf(all)
      all.peer.send(Say.failed({ code: "57014" }, "E"))
      yield* assertHealthy({ ...all, session: all.session })
      assert.strictEqual(all.server.peers.length, 2)
    }).pipe(Effect.scoped)
  )

  it.live("cancels again if the server has not noticed, with pauses", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const [asking] = yield* inFlight(all, 1)
      yield* Fiber.interrupt(asking!)
      yield* cancelOf(all)
      yield* Effect.sleep(100)
      assert.strictEqual(all.server.unaccepted, 0)
      yield* cancelOf(all)
      all.peer.send(cancelled)
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("lets the query finish if no connection for the cancel can be opened", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const [asking] = yield* inFlight(all, 1)
      all.server.stopListening()
      yield* Fiber.interrupt(asking!)
      assert.isTrue(yield* all.peer.staysQuiet)
      all.peer.send(done)
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("ends the session if the server does not answer within cancelTimeout", () =>
    Effect.gen(function* () {
      const all = yield* conversation({ cancelTimeoutMillis: 100 })
      holding(all.server)
      const [asking] = yield* inFlight(all, 1)
      yield* Fiber.interrupt(asking!)
      const waiting = yield* ask(all.session, SQL)
      const error = yield* failureOf(waiting)
      if (error._tag !== "ConnectionLostError") return assert.fail(`${String(error)} is no ConnectionLostError`)
      assert.include(error.message, "100 ms")
      assert.isTrue(error.safeToRetry)
      assert.strictEqual(error.outcome, "none")
      yield* all.peer.closed
      assert.isFalse(all.peer.hasUnread)
      assert.strictEqual((yield* Effect.flip(query(all.session, SQL)))._tag, "ConnectionLostError")
      assert.strictEqual(all.session.lost?._tag, "ConnectionLostError")
    }).pipe(Effect.scoped)
  )

  it.live("also closes the connection of the cancel if the session ends before it", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      holding(all.server)
      const [asking] = yield* inFlight(all, 1)
      yield* Fiber.interrupt(asking!)
      const side = yield* cancelOf(all)
      all.peer.reset()
      yield* side.gone
      assert.strictEqual(all.session.lost?._tag, "ConnectionLostError")
    }).pipe(Effect.scoped)
  )

  it.live("ends the session if the server closes the connection instead", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const [asking] = yield* inFlight(all, 1)
      yield* Fiber.interrupt(asking!)
      const waiting = yield* ask(all.session, SQL)
      all.peer.end(Say.error({ severity: "FATAL", code: "57P01" }))
      assert.strictEqual((yield* failureOf(waiting))._tag, "ConnectionLostError")
      assert.strictEqual(all.session.lost?._tag, "ConnectionLostError")
      yield* all.peer.closed
    }).pipe(Effect.scoped)
  )
})

describe("the interruption of one of several requests", () => {
  it.live("cancels nothing if others were written behind it, and drops its answer", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const [first, second, third] = yield* inFlight(all, 3)
      yield* Fiber.interrupt(first!)
      yield* Fiber.interrupt(second!)
      const later = yield* ask(all.session, SQL)
      assert.strictEqual(yield* all.peer.cycleTypes, "BES")
      all.peer.send(...[1, 2, 3, 4].map((count) => Say.answered(`SELECT ${count}`)))
      assert.strictEqual((yield* Fiber.join(third!)).tag?.rowCount, 3)
      assert.strictEqual((yield* Fiber.join(later)).tag?.rowCount, 4)
      assert.isTrue(yield* all.peer.staysQuiet)
      assert.strictEqual(all.server.peers.length, 1)
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("lets the requests before it be answered, and then cancels it", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const [first, last] = yield* inFlight(all, 2)
      yield* Fiber.interrupt(last!)
      const next = yield* ask(all.session, SQL)
      assert.isTrue(yield* all.peer.staysQuiet)
      assert.strictEqual(all.server.peers.length, 1)
      all.peer.send(Say.answered("SELECT 1"))
      assert.strictEqual((yield* Fiber.join(first!)).tag?.rowCount, 1)
      yield* cancelOf(all)
      assert.isTrue(yield* all.peer.staysQuiet)
      all.peer.send(cancelled)
      assert.strictEqual(yield* all.peer.cycleTypes, "BES")
      all.peer.send(done)
      yield* Fiber.join(next)
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  it.live("cancels each in turn if all are interrupted", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const asking = yield* inFlight(all, 3)
      yield* Effect.forEach(asking, Fiber.interrupt)
      for (const _ of asking) {
        yield* cancelOf(all)
        assert.strictEqual(all.server.unaccepted, 0)
        all.peer.send(cancelled)
      }
      yield* assertHealthy(all)
      assert.strictEqual(all.server.peers.length, 4)
    }).pipe(Effect.scoped)
  )

  it.live("withdraws a request that was not written, without a cancel", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const first = yield* ask(all.session, "SELECT first")
      yield* all.peer.cycle
      const waiting = yield* ask(all.session, SQL)
      yield* Fiber.interrupt(waiting)
      all.peer.send(Say.described([]))
      assert.strictEqual(yield* all.peer.cycleTypes, "BES")
      all.peer.send(done)
      yield* Fiber.join(first)
      assert.isTrue(yield* all.peer.staysQuiet)
      assert.strictEqual(all.server.peers.length, 1)
      yield* assertSparesTheLiving(all)
    }).pipe(Effect.scoped)
  )

  it.live("ignores a refused request that its failing neighbor interrupts before it hears of the refusal", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const bad = query(all.session, "SELECT $1", [])
      const preparing = yield* Effect.forkChild(bad, { startImmediately: true })
      yield* all.peer.cycle
      all.peer.send(Say.described([], { parameters: [pgType.int4.oid] }))
      assert.strictEqual((yield* failureOf(preparing))._tag, "ParameterCountError")
      const error = yield* Effect.flip(Effect.all([bad, bad], { concurrency: "unbounded" }))
      assert.strictEqual(error._tag, "ParameterCountError")
      yield* assertSparesTheLiving(all)
    }).pipe(Effect.scoped)
  )

  it.live("ignores a waiting request that its failing neighbor interrupts when the lease ends", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const running = yield* inFlightAlone(all)
      const waiting = Effect.all([query(all.session, SQL), query(all.session, SQL)], { concurrency: "unbounded" })
      const both = yield* Effect.forkChild(waiting, { startImmediately: true })
      const ended = { reason: "the lease has ended", server: undefined, safeToRetry: false, outcome: "none" } as const
      all.session.abandonAll(new PgError.ConnectionLostError(ended))
      assert.strictEqual((yield* failureOf(running))._tag, "ConnectionLostError")
      assert.strictEqual((yield* failureOf(both))._tag, "ConnectionLostError")
      yield* cancelOf(all)
      all.peer.send(cancelled)
      yield* assertSparesTheLiving(all)
    }).pipe(Effect.scoped)
  )
})

describe("a cancel", () => {
  it.live("goes to the same Unix socket", () =>
    Effect.gen(function* () {
      const all = yield* knowing(yield* scriptedUnixServer)
      const [asking] = yield* inFlight(all, 1)
      yield* Fiber.interrupt(asking!)
      yield* cancelOf(all)
      all.peer.send(cancelled)
      yield* assertHealthy(all)
    }).pipe(Effect.scoped)
  )

  for (const sslMode of ["prefer", "require", "verify-full"] as const) {
    it.live(`is sent under TLS if the session uses it, and not at all if the server then has no TLS: ${sslMode}`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const identity = { cert: pem("server.crt"), key: pem("server.key") }
        const config = configOf(server, {
          sslMode,
          ...(sslMode === "verify-full" ? { sslRootCert: pem("ca.crt") } : {})
        })
        const connecting = yield* Effect.forkScoped(connect(config), { startImmediately: true })
        const peer = yield* server.accept
        yield* peer.startupPacket
        yield* peer.startTls(identity)
        yield* peer.startupPacket
        peer.send(Say.authenticationOk, Say.settings)
        const session = yield* Fiber.join(connecting)
        const all = { server, peer, session }

        const asking = yield* ask(session, SQL)
        yield* peer.cycle
        yield* Fiber.interrupt(asking)
        const refused = yield* server.accept
        assert.strictEqual((yield* refused.startupPacket)._tag, "SslRequest")
        refused.send(Buffer.from("N"))
        yield* refused.closed
        assert.isFalse(refused.hasUnread)

        const accepted = yield* server.accept
        assert.strictEqual((yield* accepted.startupPacket)._tag, "SslRequest")
        yield* accepted.startTls(identity)
        assert.strictEqual((yield* accepted.startupPacket)._tag, "CancelRequest")
        peer.send(Say.described([]))
        yield* assertHealthy(all)
      }).pipe(Effect.scoped)
    )
  }

  it.live("is sent for the running request when the session closes, and Terminate follows", () =>
    Effect.gen(function* () {
      const all = yield* conversation()
      const [asking] = yield* inFlight(all, 1)
      all.session.close()
      const error = yield* failureOf(asking!)
      assert.strictEqual(error._tag, "ConnectionLostError")
      yield* cancelOf(all)
      assert.isTrue(yield* all.peer.staysQuiet)
      all.peer.send(cancelled)
      assert.strictEqual((yield* all.peer.message).type, "X")
      yield* all.peer.closed
    }).pipe(Effect.scoped)
  )
})

/** The TCP sockets of this process. They are counted until the turn of the event loop after their close. */
const sockets: Effect.Effect<ReadonlyArray<string>> = Effect.map(Effect.sleep(20), () =>
  process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP"))
)

describe("a session that is over", () => {
  it.live("leaves no socket behind, even if a query was canceled and another cut off", () =>
    Effect.gen(function* () {
      const before = yield* sockets
      yield* Effect.scoped(
        Effect.gen(function* () {
          const all = yield* conversation()
          const [asking] = yield* inFlight(all, 1)
          yield* Fiber.interrupt(asking!)
          yield* cancelOf(all)
          all.peer.send(cancelled)
          yield* assertHealthy(all)
          const other = yield* conversation({ cancelTimeoutMillis: 60_000 })
          const [running] = yield* inFlight(other, 1)
          yield* Fiber.interrupt(running!)
          yield* cancelOf(other)
          other.session.terminate()
          yield* other.peer.closed
        })
      )
      assert.deepStrictEqual(yield* sockets, before)
    })
  )
})

const pem = (name: string): string => fs.readFileSync(new URL(name, tlsDirectory), "utf8")
