/** Tests what the client says when TLS begins, and what it demands of the server's answer. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import * as tls from "node:tls"
import type { ResolvedConfig } from "../../../src/PgConfig.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import {
  ask,
  configOf,
  failureOf,
  type Peer,
  Say,
  type ScriptedServer,
  scriptedServer
} from "../../support/scriptedServer.ts"
import { certificate, revocationList } from "../../support/tls/certificates.ts"

const root = certificate({ subject: "root", isAuthority: true })
const identity = certificate({ subject: "db.example", issuer: root, dns: ["db.example"], addresses: ["127.0.0.1"] })
const shown: tls.TLSSocketOptions = { cert: identity.certificate, key: identity.key }
const withAlpn: tls.TLSSocketOptions = { ...shown, ALPNProtocols: ["postgresql"] }

const starting = (server: ScriptedServer, settings: Partial<ResolvedConfig>) =>
  Effect.forkScoped(connect(configOf(server, { sslMode: "require", ...settings })), { startImmediately: true })

/** A host name that leads to the server. */
const named = (server: ScriptedServer, host: string): Partial<ResolvedConfig> => ({
  hosts: [{ _tag: "Tcp", host, address: "127.0.0.1", port: server.port }]
})

/** A connection of the client, up to its startup packet, or undefined if it does not come to that. */
const overTls = (server: ScriptedServer, options: tls.TLSSocketOptions) =>
  Effect.gen(function* () {
    const peer = yield* server.accept
    assert.strictEqual((yield* peer.startupPacket)._tag, "SslRequest")
    yield* peer.startTls(options)
    return peer
  })

const directly = (server: ScriptedServer, options: tls.TLSSocketOptions) =>
  Effect.gen(function* () {
    const peer = yield* server.accept
    yield* peer.something
    yield* peer.startDirectTls(options)
    return peer
  })

const letIn = <E>(connecting: Fiber.Fiber<{ readonly lost: unknown }, E>, peer: Peer) =>
  Effect.gen(function* () {
    assert.strictEqual((yield* peer.startupPacket)._tag, "Startup")
    peer.send(Say.authenticationOk, Say.settings)
    const session = yield* Fiber.join(connecting)
    assert.strictEqual(session.lost, undefined)
  })

const refusedBecause = <A>(
  connecting: Fiber.Fiber<A, { readonly _tag: string; readonly message: string }>,
  peer: Peer
) =>
  Effect.gen(function* () {
    const error = yield* failureOf(connecting)
    assert.strictEqual(error._tag, "ConnectError")
    yield* peer.closed
    assert.isFalse(peer.hasUnread)
    return error.message
  })

describe("the server's name (SNI)", () => {
  for (const [what, host, settings, name] of [
    ["is that of the host", "db.example", {}, "db.example"],
    ["is not told if the host is an address", "127.0.0.1", {}, false],
    ["is not told if sslSni is false", "db.example", { sslSni: false }, false]
  ] as const) {
    it.live(what, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const connecting = yield* starting(server, { ...named(server, host), ...settings })
        const peer = yield* overTls(server, shown)
        yield* letIn(connecting, peer)
        // Node has the property on servers, too.
        assert.strictEqual(Reflect.get(peer.tls, "servername"), name)
      }).pipe(Effect.scoped)
    )
  }
})

describe("ALPN", () => {
  it.live("is offered, and the server may choose PostgreSQL", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, {})
      const peer = yield* overTls(server, withAlpn)
      yield* letIn(connecting, peer)
      assert.strictEqual(peer.tls.alpnProtocol, "postgresql")
    }).pipe(Effect.scoped)
  )

  it.live("need not be known to the server if it was asked for TLS first", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, {})
      yield* letIn(connecting, yield* overTls(server, shown))
    }).pipe(Effect.scoped)
  )

  it.live("refuses a server of another protocol", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, {})
      const peer = yield* overTls(server, { ...shown, ALPNProtocols: ["http/1.1"] })
      assert.include(yield* refusedBecause(connecting, peer), "handshake")
    }).pipe(Effect.scoped)
  )
})

const direct = { sslNegotiation: "direct" } as const

describe('sslNegotiation "direct"', () => {
  it.live("begins TLS without asking", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, { ...direct, ...named(server, "db.example") })
      const peer = yield* directly(server, withAlpn)
      yield* letIn(connecting, peer)
      assert.strictEqual(Reflect.get(peer.tls, "servername"), "db.example")
    }).pipe(Effect.scoped)
  )

  it.live("fails if the server does not choose the protocol by ALPN", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, direct)
      assert.include(yield* refusedBecause(connecting, yield* directly(server, shown)), "ALPN")
      assert.strictEqual(server.peers.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("fails with a server that does not know it and hangs up", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, direct)
      const peer = yield* server.accept
      yield* peer.something
      peer.end()
      const error = yield* failureOf(connecting)
      assert.include(error.message, 'sslNegotiation "direct" needs PostgreSQL 17 or later')
      yield* peer.closed
      assert.strictEqual(server.peers.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("fails with a server that has no TLS, and says so without the places of OpenSSL", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, direct)
      const peer = yield* server.accept
      yield* peer.something
      peer.end(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"))
      const { message } = yield* failureOf(connecting)
      assert.include(message, "the TLS handshake failed: the server does not answer with TLS (sslNegotiation")
      yield* peer.closed
    }).pipe(Effect.scoped)
  )

  it.live("verifies the server as without it", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const verified = { ...direct, sslMode: "verify-full", sslRootCert: root.certificate } as const
      const right = yield* starting(server, { ...verified, ...named(server, "db.example") })
      yield* letIn(right, yield* directly(server, withAlpn))
      const wrong = yield* starting(server, { ...verified, ...named(server, "other.example") })
      assert.include(yield* refusedBecause(wrong, yield* directly(server, withAlpn)), "another host than other.example")
    }).pipe(Effect.scoped)
  )

  it.live("tells what else the server speaks", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, direct)
      const peer = yield* directly(server, { ...shown, ALPNProtocols: ["http/1.1"] })
      assert.include(yield* refusedBecause(connecting, peer), "handshake")
    }).pipe(Effect.scoped)
  )
})

describe("the version of TLS", () => {
  for (const [what, settings, served, expected] of [
    ["may be the newest", {}, {}, "TLSv1.3"],
    ["may be bounded above", { sslMaxProtocolVersion: "TLSv1.2" }, {}, "TLSv1.2"],
    ["may be an old one, if that is allowed", { sslMinProtocolVersion: "TLSv1" }, { maxVersion: "TLSv1" }, "TLSv1"],
    ["may be 1.1", { sslMinProtocolVersion: "TLSv1.1" }, { maxVersion: "TLSv1.1" }, "TLSv1.1"]
  ] as const) {
    it.live(what, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const connecting = yield* starting(server, settings)
        const peer = yield* overTls(server, serving(served))
        yield* letIn(connecting, peer)
        assert.strictEqual(peer.tls.getProtocol(), expected)
      }).pipe(Effect.scoped)
    )
  }

  for (const [what, settings, served] of [
    ["may not be too old for the client", { sslMinProtocolVersion: "TLSv1.3" }, { maxVersion: "TLSv1.2" }],
    ["may not be too old by default", {}, { maxVersion: "TLSv1.1" }],
    ["may not be too new for the client", { sslMaxProtocolVersion: "TLSv1.2" }, { minVersion: "TLSv1.3" }]
  ] as const) {
    it.live(what, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const connecting = yield* starting(server, settings)
        assert.include(yield* refusedBecause(connecting, yield* overTls(server, serving(served))), "handshake")
      }).pipe(Effect.scoped)
    )
  }
})

/** Old versions need a level that OpenSSL does not have by default. */
const serving = (versions: { readonly minVersion?: tls.SecureVersion; readonly maxVersion?: tls.SecureVersion }) => ({
  secureContext: tls.createSecureContext({
    cert: identity.certificate,
    key: identity.key,
    minVersion: "TLSv1",
    ciphers: "DEFAULT:@SECLEVEL=0",
    ...versions
  })
})

describe("a list of revoked certificates", () => {
  for (const [what, sslCrl, isRefused] of [
    ["lets others pass", [revocationList(root)], false],
    ["stops a revoked one", [revocationList(root, [identity])], true],
    [
      "is looked for beside others",
      [revocationList(certificate({ subject: "x", isAuthority: true })), revocationList(root)],
      false
    ],
    [
      "must be there for the authority, if there is any list",
      [revocationList(certificate({ subject: "x", isAuthority: true }))],
      true
    ]
  ] as const) {
    it.live(what, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const connecting = yield* starting(server, { sslMode: "verify-full", sslRootCert: root.certificate, sslCrl })
        const peer = yield* overTls(server, shown)
        if (isRefused) assert.match(yield* refusedBecause(connecting, peer), /revoked|CRL/)
        else yield* letIn(connecting, peer)
      }).pipe(Effect.scoped)
    )
  }

  it.live("that cannot be read is a mistake in the settings", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const sslCrl = ["-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n"]
      const connecting = yield* starting(server, { sslMode: "verify-full", sslRootCert: root.certificate, sslCrl })
      const peer = yield* server.accept
      yield* peer.startupPacket
      peer.send(Buffer.from("S"))
      assert.include(
        yield* refusedBecause(connecting, peer),
        "the client cannot use sslCert, sslKey, sslRootCert or sslCrl"
      )
    }).pipe(Effect.scoped)
  )
})

describe("the client's certificate", () => {
  const client = certificate({ subject: "alice", issuer: root })
  const own = { sslCert: client.certificate, sslKey: client.key } as const
  const asking = { ...shown, requestCert: true, rejectUnauthorized: false, ca: root.certificate }
  for (const [what, settings, options, commonName] of [
    ["is shown if the server asks", own, asking, "alice"],
    ["is not shown if the server does not ask", own, shown, undefined],
    ["is not shown if sslCertMode is disable", { ...own, sslCertMode: "disable" }, asking, undefined],
    ["is shown if sslCertMode is require", { ...own, sslCertMode: "require" }, asking, "alice"],
    [
      "is shown in TLS 1.2, too, if sslCertMode is require",
      { ...own, sslCertMode: "require", sslMaxProtocolVersion: "TLSv1.2" },
      asking,
      "alice"
    ]
  ] as const) {
    it.live(what, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const connecting = yield* starting(server, settings)
        const peer = yield* overTls(server, options)
        yield* letIn(connecting, peer)
        assert.strictEqual(peer.tls.getPeerCertificate()?.subject?.CN, commonName)
      }).pipe(Effect.scoped)
    )
  }
})

describe("the connection of a CancelRequest", () => {
  const full = { sslMode: "verify-full", sslRootCert: root.certificate } as const
  for (const [what, settings, host, accept, name] of [
    ["asks for TLS and tells the name, as the session did", full, "db.example", overTls, "db.example"],
    ["does not tell the name if the session did not", { ...full, sslSni: false }, "db.example", overTls, false],
    ["begins TLS directly, as the session did", { ...full, ...direct }, "db.example", directly, "db.example"],
    ["is encrypted if that was only preferred", { sslMode: "prefer" }, "db.example", overTls, "db.example"]
  ] as const) {
    it.live(what, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const connecting = yield* starting(server, { ...settings, ...named(server, host) })
        const peer = yield* accept(server, withAlpn)
        yield* peer.startupPacket
        peer.send(Say.authenticationOk, Say.settings)
        const asking = yield* ask(yield* Fiber.join(connecting), "SELECT pg_sleep(1000)")
        yield* peer.cycle
        yield* Effect.forkChild(Fiber.interrupt(asking))
        const side = yield* accept(server, withAlpn)
        assert.strictEqual((yield* side.startupPacket)._tag, "CancelRequest")
        assert.strictEqual(Reflect.get(side.tls, "servername"), name)
      }).pipe(Effect.scoped)
    )
  }

  it.live("is not encrypted if the session is not, although that was preferred", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, { sslMode: "prefer" })
      const peer = yield* server.accept
      yield* peer.startupPacket
      peer.send(Buffer.from("N"))
      yield* peer.startupPacket
      peer.send(Say.authenticationOk, Say.settings)
      const asking = yield* ask(yield* Fiber.join(connecting), "SELECT pg_sleep(1000)")
      yield* peer.cycle
      yield* Effect.forkChild(Fiber.interrupt(asking))
      const side = yield* server.accept
      assert.strictEqual((yield* side.startupPacket)._tag, "CancelRequest")
    }).pipe(Effect.scoped)
  )

  it.live("is verified again: another server does not get the key", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const connecting = yield* starting(server, { ...full, ...named(server, "db.example") })
      const peer = yield* overTls(server, shown)
      yield* peer.startupPacket
      peer.send(Say.authenticationOk, Say.settings)
      const asking = yield* ask(yield* Fiber.join(connecting), "SELECT pg_sleep(1000)")
      yield* peer.cycle
      yield* Effect.forkChild(Fiber.interrupt(asking))
      const other = certificate({ subject: "db.example", dns: ["db.example"] })
      const side = yield* overTls(server, { cert: other.certificate, key: other.key })
      yield* side.closed
      assert.isFalse(side.hasUnread)
    }).pipe(Effect.scoped)
  )
})
