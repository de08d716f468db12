/** What the client says of channel binding, what it refuses before it has sent a secret, and OAuth tokens. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import { inspect } from "node:util"
import type { ResolvedConfig } from "../../../../src/PgConfig.ts"
import * as PgError from "../../../../src/PgError.ts"
import { connect } from "../../../../src/session/opening/connect.ts"
import { configOf, type Peer, Say, scriptedServer } from "../../../support/scriptedServer.ts"
import { assertLetIn, assertRefused, greeted, PASSWORD } from "../../../support/scriptedServer/greeting.ts"
import { ScramServer } from "../../../support/scriptedServer/scramServer.ts"
import { certificate } from "../../../support/tls/certificates.ts"

const identity = certificate({ subject: "server", digest: "sha384" })
const withoutDigest = certificate({ subject: "server", key: "ed25519" })

const SCRAM = "SCRAM-SHA-256"
const PLUS = "SCRAM-SHA-256-PLUS"
const OAUTH = "OAUTHBEARER"

/** A client that has sent its startup packet over TLS. */
const greetedOverTls = (settings: Partial<ResolvedConfig> = {}, shown = identity) =>
  Effect.gen(function* () {
    const server = yield* scriptedServer
    const password = Effect.succeed(Redacted.make(PASSWORD))
    const config = configOf(server, { password, sslMode: "require", ...settings })
    const connecting = yield* Effect.forkScoped(connect(config), { startImmediately: true })
    const peer = yield* server.accept
    yield* peer.startupPacket
    yield* peer.startTls({ cert: shown.certificate, key: shown.key })
    yield* peer.startupPacket
    return { connecting, peer }
  })

const overTls = { over: "TLS", greet: greetedOverTls } as const
const inClear = {
  over: "no TLS",
  greet: (settings: Partial<ResolvedConfig> = {}) =>
    Effect.flatMap(scriptedServer, (server) => greeted(server, settings))
} as const

/** Plays the server's part of SCRAM to the end. Returns the mechanism, the GS2 header, and what `c=` contains. */
const playScram = (peer: Peer, mechanisms: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const scram = new ScramServer(PASSWORD)
    peer.send(Say.sasl(...mechanisms))
    const first = yield* peer.message
    const mechanism = first.body.toString("latin1", 0, first.body.indexOf(0))
    const header = /^[nyp][^,]*,,/.exec(first.body.toString("latin1", first.body.indexOf(0) + 5))?.[0] ?? ""
    peer.send(Say.saslContinue(scram.challengeTo(first)))
    const final = yield* peer.message
    peer.send(Say.saslFinal(scram.proofFor(final) ?? ""))
    const bound = Buffer.from(/^c=([^,]*),/.exec(final.body.toString("latin1"))?.[1] ?? "", "base64")
    return { mechanism, header, bound }
  })

describe("SCRAM", () => {
  const hash = createHash("sha384").update(identity.der).digest()
  for (const [offered, channelBinding, { over, greet }, mechanism, header, data] of [
    [[PLUS, SCRAM], "prefer", overTls, PLUS, "p=tls-server-end-point,,", hash],
    [[SCRAM, PLUS], "prefer", overTls, PLUS, "p=tls-server-end-point,,", hash],
    [[PLUS, SCRAM], "require", overTls, PLUS, "p=tls-server-end-point,,", hash],
    [[PLUS, SCRAM], "disable", overTls, SCRAM, "n,,", Buffer.alloc(0)],
    [[SCRAM], "prefer", overTls, SCRAM, "y,,", Buffer.alloc(0)],
    [[SCRAM, OAUTH], "prefer", overTls, SCRAM, "y,,", Buffer.alloc(0)],
    [[SCRAM], "disable", overTls, SCRAM, "n,,", Buffer.alloc(0)],
    [[SCRAM], "prefer", inClear, SCRAM, "n,,", Buffer.alloc(0)],
    [[SCRAM], "disable", inClear, SCRAM, "n,,", Buffer.alloc(0)]
  ] as const) {
    it.live(
      `says "${header}" if the server offers ${offered.join(" and ")} over ${over}: channelBinding ${channelBinding}`,
      () =>
        Effect.gen(function* () {
          const { connecting, peer } = yield* greet({ channelBinding })
          const said = yield* playScram(peer, offered)
          assert.deepStrictEqual(said, { mechanism, header, bound: Buffer.concat([Buffer.from(header), data]) })
          yield* assertLetIn(connecting, peer)
        }).pipe(Effect.scoped)
    )
  }

  it.live("says y if somebody has taken the offer away, so that the server can refuse", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greetedOverTls()
      assert.strictEqual((yield* playScram(peer, [SCRAM])).header, "y,,")
      // What PostgreSQL says to a client that could have bound and says that the server has not offered it.
      peer.end(Say.error({ severity: "FATAL", code: "28000", message: "SCRAM channel binding negotiation error" }))
      yield* assertRefused(connecting, peer, "InvalidAuthorizationSpecificationError")
    }).pipe(Effect.scoped)
  )

  it.live("does not go on without TLS with a server that offers what only TLS has", () =>
    Effect.gen(function* () {
      for (const channelBinding of ["disable", "prefer", "require"] as const) {
        const { connecting, peer } = yield* inClear.greet({ channelBinding })
        peer.send(Say.sasl(PLUS, SCRAM))
        assert.include(yield* assertRefused(connecting, peer, "AuthenticationError"), "not encrypted")
      }
    }).pipe(Effect.scoped)
  )

  it.live("does not bind to a certificate whose signature has no digest, and sends nothing then", () =>
    Effect.gen(function* () {
      for (const channelBinding of ["prefer", "require"] as const) {
        const { connecting, peer } = yield* greetedOverTls({ channelBinding }, withoutDigest)
        peer.send(Say.sasl(PLUS, SCRAM))
        assert.include(yield* assertRefused(connecting, peer, "AuthenticationError"), "no digest")
      }
      const { connecting, peer } = yield* greetedOverTls({ channelBinding: "disable" }, withoutDigest)
      assert.strictEqual((yield* playScram(peer, [PLUS, SCRAM])).header, "n,,")
      yield* assertLetIn(connecting, peer)
    }).pipe(Effect.scoped)
  )

  it.live("cannot be asked for with channelBinding disable if only PLUS is offered", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greetedOverTls({ channelBinding: "disable" })
      peer.send(Say.sasl(PLUS))
      assert.include(yield* assertRefused(connecting, peer, "AuthenticationError"), 'channelBinding is "disable"')
    }).pipe(Effect.scoped)
  )
})

describe('channelBinding "require"', () => {
  for (const [what, { greet, over }, said] of [
    ["AuthenticationOk", overTls, Buffer.concat([Say.authenticationOk, Say.settings])],
    ["AuthenticationOk", inClear, Buffer.concat([Say.authenticationOk, Say.settings])],
    ["a clear-text password", overTls, Say.cleartextPassword],
    ["a clear-text password", inClear, Say.cleartextPassword],
    ["md5", overTls, Say.md5Password(Buffer.from("salt"))],
    ["SCRAM without PLUS", overTls, Say.sasl(SCRAM)],
    ["SCRAM without PLUS", inClear, Say.sasl(SCRAM)],
    ["SCRAM with PLUS", inClear, Say.sasl(PLUS, SCRAM)],
    ["an OAuth token", overTls, Say.sasl(OAUTH)],
    ["GSSAPI", overTls, Say.otherAuthentication(7)]
  ] as const) {
    it.live(`sends nothing, and does not even ask for the password, if the server sends ${what} over ${over}`, () =>
      Effect.gen(function* () {
        let asked = 0
        const secret = Effect.sync(() => {
          asked++
          return Redacted.make(PASSWORD)
        })
        const { connecting, peer } = yield* greet({ channelBinding: "require", password: secret, oauthToken: secret })
        peer.send(said)
        yield* assertRefused(connecting, peer, "AuthenticationError")
        assert.strictEqual(asked, 0)
      }).pipe(Effect.scoped)
    )
  }

  it.live("does not let a server in that says Ok in the middle of SCRAM", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greetedOverTls({ channelBinding: "require" })
      peer.send(Say.sasl(PLUS, SCRAM))
      yield* peer.message
      peer.send(Say.authenticationOk, Say.settings)
      assert.include(yield* assertRefused(connecting, peer, "AuthenticationError"), "did not prove")
    }).pipe(Effect.scoped)
  )
})

describe("requireAuth", () => {
  for (const [requireAuth, offered, isTaken] of [
    [["scram-sha-256"], [OAUTH, SCRAM], SCRAM],
    [["oauth"], [OAUTH, SCRAM], OAUTH],
    [["oauth"], [SCRAM], undefined],
    [["scram-sha-256"], [OAUTH], undefined],
    [[], [OAUTH, SCRAM], undefined]
  ] as const) {
    it.live(`takes of ${offered.join(" and ")} what it allows: ${requireAuth.join()}`, () =>
      Effect.gen(function* () {
        const oauthToken = Effect.succeed(Redacted.make("token"))
        const { connecting, peer } = yield* greetedOverTls({ requireAuth, oauthToken })
        peer.send(Say.sasl(...offered))
        if (isTaken === undefined) return yield* Effect.asVoid(assertRefused(connecting, peer, "AuthenticationError"))
        assert.isTrue((yield* peer.message).body.toString("latin1").startsWith(`${isTaken}\0`))
      }).pipe(Effect.scoped)
    )
  }
})

const TOKEN = "eyJhbGciOi.J9-_~+/abc=="
const oauthToken = Effect.succeed(Redacted.make(TOKEN))

describe("an OAuth token", () => {
  it.live("is sent as RFC 7628 says, and AuthenticationOk accepts it", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greetedOverTls({ oauthToken })
      peer.send(Say.sasl(OAUTH))
      const { body } = yield* peer.message
      const message = `n,,\u0001auth=Bearer ${TOKEN}\u0001\u0001`
      assert.strictEqual(body.toString("latin1", 0, 12), `${OAUTH}\0`)
      assert.strictEqual(body.readInt32BE(12), message.length)
      assert.strictEqual(body.toString("latin1", 16), message)
      yield* assertLetIn(connecting, peer)
    }).pipe(Effect.scoped)
  )

  it.live("is asked for only if the server wants one, and again for each connection", () =>
    Effect.gen(function* () {
      let asked = 0
      const counted = Effect.sync(() => Redacted.make(`token${++asked}`))
      const let_in = yield* greetedOverTls({ oauthToken: counted })
      yield* assertLetIn(let_in.connecting, let_in.peer)
      assert.strictEqual(asked, 0)
      for (const number of [1, 2]) {
        const { connecting, peer } = yield* greetedOverTls({ oauthToken: counted })
        peer.send(Say.sasl(OAUTH))
        assert.include((yield* peer.message).body.toString(), `Bearer token${number}\u0001`)
        yield* assertLetIn(connecting, peer)
      }
    }).pipe(Effect.scoped)
  )

  it.live("fails with the error of its provider", () =>
    Effect.gen(function* () {
      const refused = new PgError.AuthenticationError({ method: "oauth", reason: "the vault is closed" })
      const { connecting, peer } = yield* greetedOverTls({ oauthToken: Effect.fail(refused) })
      peer.send(Say.sasl(OAUTH))
      assert.include(yield* assertRefused(connecting, peer, "AuthenticationError"), "the vault is closed")
    }).pipe(Effect.scoped)
  )

  it.live("is missed if the server wants one and none is set", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greetedOverTls({ oauthToken: Effect.succeed(undefined) })
      peer.send(Say.sasl(OAUTH))
      assert.include(yield* assertRefused(connecting, peer, "AuthenticationError"), "oauthToken")
    }).pipe(Effect.scoped)
  )

  for (const token of ["", "two words", "a\u0001auth=Bearer other", "a\nb", "a,b", "=", "\u00e9"]) {
    it.live(`is not sent if it is none: ${JSON.stringify(token)}`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* greetedOverTls({ oauthToken: Effect.succeed(Redacted.make(token)) })
        peer.send(Say.sasl(OAUTH))
        assert.include(yield* assertRefused(connecting, peer, "AuthenticationError"), "not a bearer token")
      }).pipe(Effect.scoped)
    )
  }

  it.live("that is refused fails with the server's error, which tells what the server said of the token", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greetedOverTls({ oauthToken })
      peer.send(Say.sasl(OAUTH))
      yield* peer.message
      const told = { status: "invalid_token", scope: "openid db", "openid-configuration": "https://id.example/x" }
      peer.send(Say.saslContinue(JSON.stringify(told)))
      assert.deepStrictEqual((yield* peer.message).body, Buffer.of(1))
      peer.end(Say.error({ severity: "FATAL", code: "28000", message: "OAuth bearer authentication failed" }))
      const error = yield* Effect.flip(Fiber.join(connecting))
      assert.strictEqual(error._tag, "InvalidAuthorizationSpecificationError")
      assert.strictEqual(
        "hint" in error ? error.hint : undefined,
        "The server says of the token: status invalid_token, scope openid db, openid-configuration https://id.example/x."
      )
      assert.notInclude(inspect(error, { depth: 10, showHidden: true }), TOKEN)
    }).pipe(Effect.scoped)
  )

  for (const told of [
    "",
    "{",
    "null",
    "[]",
    '{"status":5}',
    '{"status":"two\\nlines"}',
    `{"scope":"${"x".repeat(501)}"}`
  ]) {
    it.live(`that is refused fails with the server's error alone if the server says of it: ${told.slice(0, 30)}`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* greetedOverTls({ oauthToken })
        peer.send(Say.sasl(OAUTH))
        yield* peer.message
        peer.send(Say.saslContinue(told))
        yield* peer.message
        peer.end(Say.error({ severity: "FATAL", code: "28000", message: "OAuth bearer authentication failed" }))
        const error = yield* Effect.flip(Fiber.join(connecting))
        assert.strictEqual(error._tag, "InvalidAuthorizationSpecificationError")
        assert.isUndefined("hint" in error ? error.hint : "none")
      }).pipe(Effect.scoped)
    )
  }

  it.live("that was refused does not become accepted", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greetedOverTls({ oauthToken })
      peer.send(Say.sasl(OAUTH))
      yield* peer.message
      peer.send(Say.saslContinue("{}"))
      yield* peer.message
      peer.send(Say.authenticationOk, Say.settings)
      yield* assertRefused(connecting, peer, "ProtocolError")
    }).pipe(Effect.scoped)
  )

  it.live("is not answered with further data", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greetedOverTls({ oauthToken })
      peer.send(Say.sasl(OAUTH))
      yield* peer.message
      peer.send(Say.saslFinal("v=x"))
      yield* assertRefused(connecting, peer, "ProtocolError")
    }).pipe(Effect.scoped)
  )
})

describe('sslCertMode "require"', () => {
  it.live("does not send the password to a server that does not ask for the client's certificate", () =>
    Effect.gen(function* () {
      const client = certificate({ subject: "alice" })
      const settings = { sslCertMode: "require", sslCert: client.certificate, sslKey: client.key } as const
      for (const said of [Say.cleartextPassword, Say.sasl(PLUS, SCRAM), Say.authenticationOk]) {
        const { connecting, peer } = yield* greetedOverTls(settings)
        peer.send(said)
        assert.include(yield* assertRefused(connecting, peer, "AuthenticationError"), "does not ask for")
      }
      const { connecting, peer } = yield* inClear.greet(settings)
      peer.send(Say.cleartextPassword)
      assert.include(yield* assertRefused(connecting, peer, "AuthenticationError"), "not encrypted")
    }).pipe(Effect.scoped)
  )
})
