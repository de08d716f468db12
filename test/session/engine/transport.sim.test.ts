/** Tests TLS as libpq's sslmode asks for it, against servers that have it, refuse it, or only pretend to have it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import * as fs from "node:fs"
import { inspect } from "node:util"
import type { ResolvedConfig, SslMode } from "../../../src/PgConfig.ts"
import type * as PgError from "../../../src/PgError.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import {
  configOf,
  failureOf,
  type Peer,
  Say,
  type ScriptedServer,
  scriptedServer
} from "../../support/scriptedServer.ts"
import { tlsDirectory } from "../../support/server/cluster.ts"

const pem = (name: string): string => fs.readFileSync(new URL(name, tlsDirectory), "utf8")

const authority = pem("ca.crt")
const certificate = { cert: pem("server.crt"), key: pem("server.key") }
const otherHost = { cert: pem("wrong-host.crt"), key: pem("wrong-host.key") }

/** These go on with TLS or not at all. */
const demanding: ReadonlyArray<SslMode> = ["require", "verify-ca", "verify-full"]

/** A client that has asked for TLS. */
const asking = (server: ScriptedServer, settings: Partial<ResolvedConfig>) =>
  Effect.gen(function* () {
    const connecting = yield* Effect.forkScoped(connect(configOf(server, settings)), { startImmediately: true })
    const peer = yield* server.accept
    assert.deepStrictEqual(yield* peer.startupPacket, { _tag: "SslRequest" })
    return { connecting, peer }
  })

/** The client goes on in the clear, over this connection, and gets a session. */
const assertInClear = <E>(connecting: Fiber.Fiber<{ readonly lost: unknown }, E>, peer: Peer) =>
  Effect.gen(function* () {
    assert.strictEqual((yield* peer.startupPacket)._tag, "Startup")
    peer.send(Say.authenticationOk, Say.settings)
    assert.strictEqual((yield* Fiber.join(connecting)).lost, undefined)
  })

/** The client closes the connection and sends nothing more on it. */
const assertSilentlyClosed = (peer: Peer) =>
  Effect.gen(function* () {
    yield* peer.closed
    assert.isFalse(peer.hasUnread)
  })

const reasonOf = (error: PgError.PgError): string => {
  if (error._tag !== "ConnectError") return assert.fail(`${String(error)} is no ConnectError`)
  assert.strictEqual(error.stage, "tls")
  return error.message
}

describe("a server that refuses TLS", () => {
  for (const sslMode of demanding) {
    it.live(`gets nothing if sslMode is ${sslMode}`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* asking(yield* scriptedServer, { sslMode })
        peer.send(Buffer.from("N"))
        assert.include(reasonOf(yield* failureOf(connecting)), sslMode)
        yield* assertSilentlyClosed(peer)
      }).pipe(Effect.scoped)
    )
  }

  it.live("is used in the clear if sslMode is prefer, over the same connection", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const { connecting, peer } = yield* asking(server, { sslMode: "prefer" })
      peer.send(Buffer.from("N"))
      yield* assertInClear(connecting, peer)
      assert.strictEqual(server.peers.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("is not asked if sslMode is disable", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const config = configOf(server, { sslMode: "disable" })
      const connecting = yield* Effect.forkScoped(connect(config), { startImmediately: true })
      yield* assertInClear(connecting, yield* server.accept)
    }).pipe(Effect.scoped)
  )
})

const ATTACK = "send your password to evil.example"

describe("a message before TLS", () => {
  for (const sslMode of ["prefer", ...demanding] as const) {
    for (const [what, said] of [
      ["more than the one byte that accepts TLS", Buffer.concat([Buffer.from("S"), Say.authenticationOk])],
      ["more than the one byte that refuses TLS", Buffer.concat([Buffer.from("N"), Say.authenticationOk])],
      ["a byte that is no answer", Buffer.from("X")]
    ] as const) {
      it.live(`violates the protocol: ${what}, sslMode ${sslMode}`, () =>
        Effect.gen(function* () {
          const server = yield* scriptedServer
          const { connecting, peer } = yield* asking(server, { sslMode })
          peer.send(said)
          const error = yield* failureOf(connecting)
          assert.strictEqual(error._tag, "ProtocolError")
          yield* assertSilentlyClosed(peer)
          assert.strictEqual(server.peers.length, 1)
        }).pipe(Effect.scoped)
      )
    }
  }

  for (const sslMode of demanding) {
    it.live(`is not shown to the user if it is an error: sslMode ${sslMode}`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* asking(yield* scriptedServer, { sslMode })
        peer.end(Say.error({ severity: "FATAL", code: "28000", message: ATTACK }))
        const error = yield* failureOf(connecting)
        assert.include(reasonOf(error), "error")
        assert.notInclude(inspect(error, { depth: 10, showHidden: true }), ATTACK)
        yield* assertSilentlyClosed(peer)
      }).pipe(Effect.scoped)
    )
  }

  for (const [what, answer] of [
    ["an error", (peer: Peer) => peer.end(Say.error({ severity: "FATAL", code: "08P01", message: ATTACK }))],
    ["the end of the connection", (peer: Peer) => peer.end()]
  ] as const) {
    it.live(`does not lead into the clear if it is ${what}, also if sslMode is prefer`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const { connecting, peer } = yield* asking(server, { sslMode: "prefer" })
        answer(peer)
        reasonOf(yield* failureOf(connecting))
        yield* assertSilentlyClosed(peer)
        assert.strictEqual(server.peers.length, 1)
      }).pipe(Effect.scoped)
    )
  }
})

/** Has the form of PEM, and no content. */
const garbage = (label: string): string => `-----BEGIN ${label}-----\nMIIBAA==\n-----END ${label}-----\n`

describe("a certificate that cannot be used", () => {
  for (const [what, settings] of [
    ["its key is garbage", { sslCert: certificate.cert, sslKey: garbage("PRIVATE KEY") }],
    ["it is garbage itself", { sslCert: garbage("CERTIFICATE"), sslKey: certificate.key }],
    ["it has another's key", { sslCert: certificate.cert, sslKey: otherHost.key }]
  ] as const) {
    it.live(`is named in the error if ${what}`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* asking(yield* scriptedServer, { sslMode: "require", ...settings })
        peer.send(Buffer.from("S"))
        assert.include(
          reasonOf(yield* failureOf(connecting)),
          "the client cannot use sslCert, sslKey, sslRootCert or sslCrl"
        )
        yield* assertSilentlyClosed(peer)
      }).pipe(Effect.scoped)
    )
  }
})

describe("a server whose TLS handshake fails", () => {
  for (const sslMode of demanding) {
    it.live(`gets nothing in the clear if sslMode is ${sslMode}`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const { connecting, peer } = yield* asking(server, { sslMode, sslRootCert: authority })
        peer.send(Buffer.from("S"))
        yield* peer.something
        peer.send(Buffer.from("this is no TLS"))
        assert.include(reasonOf(yield* failureOf(connecting)), "handshake")
        yield* peer.closed
        assert.strictEqual(server.peers.length, 1)
      }).pipe(Effect.scoped)
    )
  }

  it.live("is used over a new connection in the clear if sslMode is prefer", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const { connecting, peer } = yield* asking(server, { sslMode: "prefer" })
      peer.send(Buffer.from("S"))
      yield* peer.something
      peer.send(Buffer.from("this is no TLS"))
      yield* peer.closed
      yield* assertInClear(connecting, yield* server.accept)
    }).pipe(Effect.scoped)
  )

  it.live("is named by a hint if it then lets in nobody in the clear", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const { connecting, peer } = yield* asking(server, { sslMode: "prefer", sslRootCert: pem("other-ca.crt") })
      yield* peer.startTls(certificate)
      yield* peer.closed
      const inClear = yield* server.accept
      yield* inClear.startupPacket
      inClear.end(Say.error({ severity: "FATAL", code: "28000", message: "no pg_hba.conf entry, no encryption" }))
      const error = yield* failureOf(connecting)
      assert.strictEqual(error._tag, "InvalidAuthorizationSpecificationError")
      assert.match(
        "hint" in error ? (error.hint ?? "") : "",
        /^The connection is not encrypted, because the TLS handshake failed: unable to verify the first certificate/
      )
    }).pipe(Effect.scoped)
  )

  it.live("is used in the clear if its certificate is not trusted and sslMode is prefer, as in libpq", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const { connecting, peer } = yield* asking(server, { sslMode: "prefer", sslRootCert: pem("other-ca.crt") })
      yield* peer.startTls(certificate)
      yield* peer.closed
      yield* assertInClear(connecting, yield* server.accept)
    }).pipe(Effect.scoped)
  )
})

describe("a server with TLS", () => {
  const accepted: ReadonlyArray<readonly [string, Partial<ResolvedConfig>, typeof certificate]> = [
    ["prefer with any server", { sslMode: "prefer" }, otherHost],
    ["prefer with an authority", { sslMode: "prefer", sslRootCert: authority }, certificate],
    ["require with any server", { sslMode: "require" }, otherHost],
    ["require with an authority, which is verify-ca", { sslMode: "require", sslRootCert: authority }, otherHost],
    ["verify-ca, whatever host it is", { sslMode: "verify-ca", sslRootCert: authority }, otherHost],
    ["verify-full", { sslMode: "verify-full", sslRootCert: authority }, certificate]
  ]
  for (const [what, settings, identity] of accepted) {
    it.live(`is used under TLS: ${what}`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* asking(yield* scriptedServer, settings)
        yield* peer.startTls(identity)
        assert.strictEqual((yield* peer.startupPacket)._tag, "Startup")
        peer.send(Say.authenticationOk, Say.settings)
        assert.strictEqual((yield* Fiber.join(connecting)).lost, undefined)
      }).pipe(Effect.scoped)
    )
  }

  const refused: ReadonlyArray<readonly [string, Partial<ResolvedConfig>, typeof certificate]> = [
    ["require with another authority", { sslMode: "require", sslRootCert: pem("other-ca.crt") }, certificate],
    ["verify-ca with another authority", { sslMode: "verify-ca", sslRootCert: pem("other-ca.crt") }, certificate],
    ["verify-ca without one that is known", { sslMode: "verify-ca" }, certificate],
    ["verify-full and another host", { sslMode: "verify-full", sslRootCert: authority }, otherHost],
    ["verify-full with another authority", { sslMode: "verify-full", sslRootCert: pem("other-ca.crt") }, certificate]
  ]
  for (const [what, settings, identity] of refused) {
    it.live(`gets nothing if it is the wrong server: ${what}`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const { connecting, peer } = yield* asking(server, settings)
        yield* peer.startTls(identity)
        assert.include(reasonOf(yield* failureOf(connecting)), "handshake")
        yield* assertSilentlyClosed(peer)
        assert.strictEqual(server.peers.length, 1)
      }).pipe(Effect.scoped)
    )
  }

  for (const [sslMode, connections] of [
    ["prefer", 2],
    ["require", 1]
  ] as const) {
    it.live(`is asked ${connections} times if it has no entry for encrypted connections: sslMode ${sslMode}`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const { connecting, peer } = yield* asking(server, { sslMode })
        yield* peer.startTls(certificate)
        yield* peer.startupPacket
        peer.end(Say.error({ severity: "FATAL", code: "28000", message: "no pg_hba.conf entry" }))
        yield* peer.closed
        if (connections === 2) yield* assertInClear(connecting, yield* server.accept)
        else assert.strictEqual((yield* failureOf(connecting))._tag, "InvalidAuthorizationSpecificationError")
        assert.strictEqual(server.peers.length, connections)
      }).pipe(Effect.scoped)
    )
  }

  it.live("is not asked again in the clear after a secret was sent to it", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const { connecting, peer } = yield* asking(server, { sslMode: "prefer" })
      yield* peer.startTls(certificate)
      yield* peer.startupPacket
      peer.send(Say.cleartextPassword)
      yield* peer.message
      peer.end(Say.error({ severity: "FATAL", code: "28000", message: "no" }))
      assert.strictEqual((yield* failureOf(connecting))._tag, "InvalidAuthorizationSpecificationError")
      yield* peer.closed
      assert.strictEqual(server.peers.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("gets a clear-text password under TLS", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* asking(yield* scriptedServer, { sslMode: "require" })
      yield* peer.startTls(certificate)
      yield* peer.startupPacket
      peer.send(Say.cleartextPassword)
      assert.strictEqual((yield* peer.message).body.toString(), "secret\0")
      peer.send(Say.authenticationOk, Say.settings)
      assert.strictEqual((yield* Fiber.join(connecting)).lost, undefined)
    }).pipe(Effect.scoped)
  )

  for (const [how, leave, said] of [
    ["closes", (peer: Peer) => peer.end(), "closed the connection"],
    ["breaks off", (peer: Peer) => peer.reset(), "ECONNRESET"]
  ] as const) {
    it.live(`ends the session if it ${how}`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* asking(yield* scriptedServer, { sslMode: "require" })
        yield* peer.startTls(certificate)
        yield* peer.startupPacket
        peer.send(Say.authenticationOk, Say.settings)
        const session = yield* Fiber.join(connecting)
        leave(peer)
        yield* peer.closed
        const lost = yield* Effect.callback<PgError.PgError>((resume) => {
          session.onEnd((error) => resume(Effect.succeed(error)))
        })
        assert.strictEqual(lost._tag, "ConnectionLostError")
        assert.include(lost.message, said)
      }).pipe(Effect.scoped)
    )
  }
})
