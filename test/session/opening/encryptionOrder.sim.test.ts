/** Tests in which order sslMode `allow` and `prefer` try with and without TLS, and when they do not try again. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import type { ResolvedConfig } from "../../../src/PgConfig.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import {
  configOf,
  failureOf,
  type Peer,
  Say,
  type ScriptedServer,
  scriptedServer
} from "../../support/scriptedServer.ts"
import { certificate } from "../../support/tls/certificates.ts"

const root = certificate({ subject: "root", isAuthority: true })
const identity = certificate({ subject: "127.0.0.1", issuer: root })
const shown = { cert: identity.certificate, key: identity.key }
const stranger = certificate({ subject: "stranger" })

const starting = (server: ScriptedServer, settings: Partial<ResolvedConfig>) =>
  Effect.forkScoped(connect(configOf(server, settings)), { startImmediately: true })

/** The client's next connection, on which it does not ask for TLS. */
const startedInClear = (server: ScriptedServer) =>
  Effect.tap(server.accept, (peer) => Effect.map(peer.startupPacket, ({ _tag }) => assert.strictEqual(_tag, "Startup")))

/** The client's next connection, on which it asks for TLS, gets it, and starts. */
const startedWithTls = (server: ScriptedServer) =>
  Effect.tap(server.accept, (peer) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* peer.startupPacket)._tag, "SslRequest")
      yield* peer.startTls(shown)
      assert.strictEqual((yield* peer.startupPacket)._tag, "Startup")
    })
  )

const refuse = (peer: Peer, code: string, message = "no"): void =>
  peer.end(Say.error({ severity: "FATAL", code, message }))

describe('sslMode "allow"', () => {
  it.live("stays in the clear with a server that lets it in", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, { sslMode: "allow" })
      const peer = yield* startedInClear(server)
      peer.send(Say.authenticationOk, Say.settings)
      assert.strictEqual((yield* Fiber.join(connecting)).lost, undefined)
      assert.strictEqual(server.peers.length, 1)
    }).pipe(Effect.scoped)
  )

  // PostgreSQL, PgBouncer, and what a proxy may say.
  for (const code of ["28000", "08P01", "XX000", "3D000"]) {
    it.live(`comes again with TLS if it is refused: ${code}`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const connecting = yield* starting(server, { sslMode: "allow" })
        refuse(yield* startedInClear(server), code)
        const peer = yield* startedWithTls(server)
        peer.send(Say.authenticationOk, Say.settings)
        assert.strictEqual((yield* Fiber.join(connecting)).lost, undefined)
      }).pipe(Effect.scoped)
    )
  }

  for (const code of ["57P03", "53300"]) {
    it.live(`does not come again if nobody would be let in: ${code}`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const connecting = yield* starting(server, { sslMode: "allow" })
        refuse(yield* startedInClear(server), code)
        yield* failureOf(connecting)
        assert.strictEqual(server.peers.length, 1)
      }).pipe(Effect.scoped)
    )
  }

  it.live("does not come again after it was asked for a secret", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, { sslMode: "allow" })
      const peer = yield* startedInClear(server)
      peer.send(Say.cleartextPassword)
      yield* peer.message
      refuse(peer, "28P01")
      assert.strictEqual((yield* failureOf(connecting))._tag, "InvalidPasswordError")
      assert.strictEqual(server.peers.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("does not come again to a server that hangs up", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, { sslMode: "allow" })
      ;(yield* startedInClear(server)).end()
      assert.strictEqual((yield* failureOf(connecting))._tag, "ConnectionLostError")
      assert.strictEqual(server.peers.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("fails with the refusal if the server has no TLS", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, { sslMode: "allow" })
      refuse(yield* startedInClear(server), "3D000")
      const peer = yield* server.accept
      yield* peer.startupPacket
      peer.send(Buffer.from("N"))
      assert.strictEqual((yield* failureOf(connecting))._tag, "InvalidCatalogNameError")
      yield* peer.closed
    }).pipe(Effect.scoped)
  )

  it.live("fails with what the server says over TLS if it says something there", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, { sslMode: "allow" })
      refuse(yield* startedInClear(server), "28000")
      refuse(yield* startedWithTls(server), "3D000")
      assert.strictEqual((yield* failureOf(connecting))._tag, "InvalidCatalogNameError")
      assert.strictEqual(server.peers.length, 2)
    }).pipe(Effect.scoped)
  )

  it.live("verifies the server if there is a root certificate", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, { sslMode: "allow", sslRootCert: stranger.certificate })
      refuse(yield* startedInClear(server), "28000")
      const peer = yield* server.accept
      yield* peer.startupPacket
      yield* peer.startTls(shown)
      assert.strictEqual((yield* failureOf(connecting))._tag, "InvalidAuthorizationSpecificationError")
      yield* peer.closed
      assert.isFalse(peer.hasUnread)
    }).pipe(Effect.scoped)
  )
})

describe('sslMode "prefer"', () => {
  it.live("comes again in the clear if pg_hba.conf has no entry for TLS", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, { sslMode: "prefer" })
      refuse(yield* startedWithTls(server), "28000")
      const peer = yield* startedInClear(server)
      peer.send(Say.authenticationOk, Say.settings)
      assert.strictEqual((yield* Fiber.join(connecting)).lost, undefined)
    }).pipe(Effect.scoped)
  )

  for (const code of ["3D000", "53300", "57P03", "28P01"]) {
    it.live(`does not give up TLS for another reason: ${code}`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const connecting = yield* starting(server, { sslMode: "prefer" })
        refuse(yield* startedWithTls(server), code)
        yield* failureOf(connecting)
        assert.strictEqual(server.peers.length, 1)
      }).pipe(Effect.scoped)
    )
  }
})
