import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import type { HostAddress } from "../../../src/PgConfig.ts"
import type * as PgError from "../../../src/PgError.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import {
  addressOf,
  closedPort,
  configOf,
  establish,
  failureOf,
  type Peer,
  Say,
  type ScriptedServer,
  scriptedServer,
  scriptedUnixServer
} from "../../support/scriptedServer.ts"
import { ScramServer } from "../../support/scriptedServer/scramServer.ts"

const asConnectError = (error: PgError.PgError): PgError.ConnectError =>
  error._tag === "ConnectError" ? error : assert.fail(`${String(error)} is no ConnectError`)

/** How far the server lets the client come. */
const steps: ReadonlyArray<{
  readonly where: string
  readonly encrypted?: boolean
  readonly reach: (peer: Peer) => Effect.Effect<unknown>
}> = [
  { where: "before SSLRequest is answered", encrypted: true, reach: (peer) => peer.startupPacket },
  {
    where: "in the TLS handshake",
    encrypted: true,
    reach: (peer) =>
      Effect.gen(function* () {
        yield* peer.startupPacket
        peer.send(Buffer.from("S"))
        yield* peer.something
      })
  },
  { where: "before the startup message is answered", reach: (peer) => peer.startupPacket },
  {
    where: "after a part of a message",
    reach: (peer) =>
      Effect.gen(function* () {
        yield* peer.startupPacket
        peer.send(Say.authenticationOk.subarray(0, 3))
      })
  },
  {
    where: "before the challenge of SCRAM",
    reach: (peer) =>
      Effect.gen(function* () {
        yield* peer.startupPacket
        peer.send(Say.sasl("SCRAM-SHA-256"))
        yield* peer.message
      })
  },
  {
    where: "before the server's proof",
    reach: (peer) =>
      Effect.gen(function* () {
        yield* peer.startupPacket
        const scram = new ScramServer("secret")
        peer.send(Say.sasl("SCRAM-SHA-256"))
        peer.send(Say.saslContinue(scram.challengeTo(yield* peer.message)))
        yield* peer.message
      })
  },
  {
    where: "after AuthenticationOk",
    reach: (peer) =>
      Effect.gen(function* () {
        yield* peer.startupPacket
        peer.send(Say.authenticationOk, Say.parameterStatus("TimeZone", "GMT"))
      })
  },
  {
    where: "in a drip of settings and notices that does not end",
    reach: (peer) =>
      Effect.gen(function* () {
        yield* peer.startupPacket
        peer.send(Say.authenticationOk)
        const drip = setInterval(() => {
          if (peer.isClosed) clearInterval(drip)
          else peer.send(Say.parameterStatus("TimeZone", "GMT"), Say.notice("soon"))
        }, 10)
      })
  }
]

const sslModeAt = (encrypted: boolean | undefined) => (encrypted === true ? "require" : "disable")

describe("an attempt to connect", () => {
  for (const { encrypted, reach, where } of steps) {
    it.live(`gives up after connectTimeout and closes the connection: ${where}`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const config = configOf(server, { sslMode: sslModeAt(encrypted), connectTimeoutMillis: 150 })
        const began = performance.now()
        const connecting = yield* Effect.forkChild(connect(config), { startImmediately: true })
        const peer = yield* server.accept
        yield* reach(peer)
        const { attempts } = asConnectError(yield* failureOf(connecting))
        assert.isBelow(performance.now() - began, 1_500)
        assert.strictEqual(attempts.length, 1)
        assert.include(attempts[0]?.reason, "no answer within 150 ms while it waited for")
        assert.strictEqual(attempts[0]?.stage, encrypted === true ? "tls" : "startup")
        assert.strictEqual(attempts[0]?.host, server.host)
        assert.strictEqual(attempts[0]?.port, server.port)
        yield* peer.closed
      }).pipe(Effect.scoped)
    )

    it.live(`closes the connection when it is interrupted: ${where}`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const config = configOf(server, { sslMode: sslModeAt(encrypted) })
        const connecting = yield* Effect.forkChild(connect(config), { startImmediately: true })
        const peer = yield* server.accept
        yield* reach(peer)
        const began = performance.now()
        yield* Fiber.interrupt(connecting)
        assert.isBelow(performance.now() - began, 500)
        yield* peer.closed
      }).pipe(Effect.scoped)
    )

    for (const [how, leave] of [
      ["closes", (peer: Peer) => peer.end()],
      ["breaks off", (peer: Peer) => peer.reset()]
    ] as const) {
      it.live(`fails at once when the server ${how}: ${where}`, () =>
        Effect.gen(function* () {
          const server = yield* scriptedServer
          const config = configOf(server, { sslMode: sslModeAt(encrypted) })
          const connecting = yield* Effect.forkChild(connect(config), { startImmediately: true })
          const peer = yield* server.accept
          yield* reach(peer)
          leave(peer)
          const error = yield* failureOf(connecting)
          assert.strictEqual(error._tag, encrypted === true ? "ConnectError" : "ConnectionLostError")
          if (encrypted === true) assert.isTrue(asConnectError(error).attempts[0]?.wasClosed)
          yield* peer.closed
        }).pipe(Effect.scoped)
      )
    }
  }

  it.live("fails within connectTimeout if no packet comes back, even while the password is being fetched", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const config = configOf(server, { password: Effect.never, connectTimeoutMillis: 100 })
      const connecting = yield* Effect.forkChild(connect(config), { startImmediately: true })
      const peer = yield* server.accept
      yield* peer.startupPacket
      peer.send(Say.cleartextPassword)
      asConnectError(yield* failureOf(connecting))
      yield* peer.closed
    }).pipe(Effect.scoped)
  )

  it.live("has no bound if connectTimeout is 0", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const { session } = yield* establish(server, { connectTimeoutMillis: 0 })
      assert.strictEqual(session.lost, undefined)
    }).pipe(Effect.scoped)
  )

  it.live("goes through a Unix socket, without TLS", () =>
    Effect.gen(function* () {
      const server = yield* scriptedUnixServer
      const { peer, session } = yield* establish(server, { sslMode: "require" })
      assert.strictEqual(session.lost, undefined)
      assert.strictEqual(peer.chunks.length, 1)
    }).pipe(Effect.scoped)
  )
})

const tcp = (port: number): HostAddress => ({ _tag: "Tcp", host: "127.0.0.1", port })
const unix: HostAddress = { _tag: "Unix", path: "/nowhere/.s.PGSQL.5432", port: 5432 }

describe("several hosts", () => {
  it.live("are all listed if they cannot be reached", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const [first, second] = [yield* closedPort, yield* closedPort]
      const hosts = [tcp(first), tcp(second), unix, { _tag: "Tcp", host: "nowhere.invalid", port: 5432 } as const]
      const error = asConnectError(yield* Effect.flip(Effect.scoped(connect(configOf(server, { hosts })))))
      assert.deepStrictEqual(
        error.attempts.map(({ host, port, stage }) => ({ host, port, stage })),
        [
          { host: "127.0.0.1", port: first, stage: "tcp" },
          { host: "127.0.0.1", port: second, stage: "tcp" },
          { host: "/nowhere/.s.PGSQL.5432", port: undefined, stage: "tcp" },
          { host: "nowhere.invalid", port: 5432, stage: "resolve" }
        ]
      )
      assert.include(error.message, String(first))
      assert.include(error.message, String(second))
      assert.include(error.message, "ECONNREFUSED")
      assert.include(error.message, "ENOENT")
      assert.include(error.message, "nowhere.invalid")
      assert.strictEqual(server.peers.length, 0)
    }).pipe(Effect.scoped)
  )

  it.live("are told apart by address if one name has several", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const port = yield* closedPort
      const config = configOf(server, { hosts: [{ _tag: "Tcp", host: "localhost", port }] })
      const { attempts } = asConnectError(yield* Effect.flip(Effect.scoped(connect(config))))
      const addresses = attempts.map(({ address }) => address)
      assert.include(addresses, "127.0.0.1")
      assert.strictEqual(new Set(addresses).size, addresses.length)
      for (const { host, reason } of attempts) assert.deepStrictEqual([host, reason], ["localhost", "ECONNREFUSED"])
    }).pipe(Effect.scoped)
  )

  it.live("are tried until one serves", () =>
    Effect.gen(function* () {
      const starting = yield* scriptedServer
      const full = yield* scriptedServer
      const closing = yield* scriptedServer
      const serving = yield* scriptedServer
      const hosts = [tcp(yield* closedPort), ...[starting, full, closing, serving].map(addressOf)]
      const answering = Effect.gen(function* () {
        for (const [server, code] of [
          [starting, "57P03"],
          [full, "53300"],
          [closing, undefined]
        ] as const) {
          const peer = yield* server.accept
          yield* peer.startupPacket
          if (code === undefined) peer.end()
          else peer.end(Say.error({ severity: "FATAL", code }))
          yield* peer.closed
        }
      })
      const answered = yield* Effect.forkChild(answering)
      const { session } = yield* establish(serving, { hosts })
      assert.strictEqual(session.lost, undefined)
      yield* Fiber.join(answered)
    }).pipe(Effect.scoped)
  )

  for (const code of ["28P01", "28000", "3D000"]) {
    it.live(`are not tried after a final answer: ${code}`, () =>
      Effect.gen(function* () {
        const final = yield* scriptedServer
        const other = yield* scriptedServer
        const config = configOf(final, { hosts: [addressOf(final), addressOf(other)] })
        const connecting = yield* Effect.forkChild(connect(config), { startImmediately: true })
        const peer = yield* final.accept
        yield* peer.startupPacket
        peer.end(Say.error({ severity: "FATAL", code }))
        const error = yield* failureOf(connecting)
        assert.strictEqual("code" in error ? error.code : undefined, code)
        yield* peer.closed
        assert.strictEqual(other.peers.length, 0)
      }).pipe(Effect.scoped)
    )
  }

  it.live("are listed too if the time runs out at a later one", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const refusing = yield* closedPort
      const config = configOf(server, { hosts: [tcp(refusing), addressOf(server)], connectTimeoutMillis: 100 })
      const error = asConnectError(yield* Effect.flip(Effect.scoped(connect(config))))
      assert.deepStrictEqual(
        error.attempts.map(({ port }) => port),
        [refusing, server.port]
      )
      yield* allClosed([server])
    }).pipe(Effect.scoped)
  )
})

const allClosed = (servers: ReadonlyArray<ScriptedServer>): Effect.Effect<void> =>
  Effect.forEach(
    servers.flatMap(({ peers }) => peers),
    (peer) => peer.closed,
    { discard: true }
  )

describe("the end of the scope", () => {
  it.live("sends Terminate and waits until the server has closed the connection", () =>
    Effect.gen(function* () {
      const { peer, session } = yield* Effect.scoped(establish(yield* scriptedServer))
      assert.deepStrictEqual(yield* peer.message, { type: "X", body: Buffer.alloc(0) })
      yield* peer.closed
      assert.strictEqual(session.lost?._tag, "ConnectionLostError")
    }).pipe(Effect.scoped)
  )

  it.live("does not wait forever if the server does not close the connection", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const began = performance.now()
      server.lingers = true
      const { peer } = yield* Effect.scoped(establish(server, { cancelTimeoutMillis: 100 }))
      assert.isBelow(performance.now() - began, 3_000)
      yield* peer.gone
    }).pipe(Effect.scoped)
  )
})
