import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import type { AuthMethod } from "../../../../src/PgConfig.ts"
import * as PgError from "../../../../src/PgError.ts"
import { Backend } from "../../../../src/wire/backendMessage.ts"
import { addressOf, Say, scriptedServer } from "../../../support/scriptedServer.ts"
import { assertLetIn, assertRefused, greeted, PASSWORD } from "../../../support/scriptedServer/greeting.ts"
import { ScramServer } from "../../../support/scriptedServer/scramServer.ts"
import { frame } from "../../../wire/frames.ts"

type Method = Exclude<AuthMethod, "oauth">

/** What the four methods look like to a client, up to the point at which it has to send a secret. */
const methods: Readonly<Record<Method, Buffer>> = {
  none: Buffer.concat([Say.authenticationOk, Say.settings]),
  password: Say.cleartextPassword,
  md5: Say.md5Password(Buffer.from("salt")),
  "scram-sha-256": Say.sasl("SCRAM-SHA-256")
}

const secretIn = ({ body }: { readonly body: Buffer }): string => body.toString("utf8", 0, body.length - 1)

describe("requireAuth", () => {
  for (const method of Object.keys(methods) as ReadonlyArray<Method>) {
    it.live(`refuses "${method}" if others are required, before a secret is sent`, () =>
      Effect.gen(function* () {
        const others = (Object.keys(methods) as ReadonlyArray<Method>).filter((other) => other !== method)
        const server = yield* scriptedServer
        for (const requireAuth of [others, []]) {
          const { connecting, peer } = yield* greeted(server, { requireAuth })
          peer.send(methods[method])
          const message = yield* assertRefused(connecting, peer, "AuthenticationError")
          assert.include(message, `"${method}"`)
          for (const other of requireAuth) assert.include(message, other)
        }
      }).pipe(Effect.scoped)
    )

    it.live(`accepts "${method}" if it is required`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* greeted(yield* scriptedServer, { requireAuth: [method] })
        peer.send(methods[method])
        if (method === "none") return assert.strictEqual((yield* Fiber.join(connecting)).lost, undefined)
        assert.strictEqual((yield* peer.message).type, "p")
      }).pipe(Effect.scoped)
    )
  }
})

describe("a password", () => {
  it.live("is sent in the clear to a server on this machine", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer)
      peer.send(Say.cleartextPassword)
      assert.strictEqual(secretIn(yield* peer.message), PASSWORD)
      yield* assertLetIn(connecting, peer)
    }).pipe(Effect.scoped)
  )

  it.live("is that of the host if the host has its own", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const password = Effect.succeed(Redacted.make("its own"))
      const { connecting, peer } = yield* greeted(server, { hosts: [{ ...addressOf(server), password }] })
      peer.send(Say.cleartextPassword)
      assert.strictEqual(secretIn(yield* peer.message), "its own")
      yield* assertLetIn(connecting, peer)
    }).pipe(Effect.scoped)
  )

  it.live("fails with the error of its provider if it cannot be provided", () =>
    Effect.gen(function* () {
      const refused = new PgError.AuthenticationError({ method: undefined, reason: "the vault is closed" })
      const { connecting, peer } = yield* greeted(yield* scriptedServer, { password: Effect.fail(refused) })
      peer.send(Say.cleartextPassword)
      assert.include(yield* assertRefused(connecting, peer, "AuthenticationError"), "the vault is closed")
    }).pipe(Effect.scoped)
  )

  it.live("is sent as MD5 with the salt of the server", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer)
      const salt = Buffer.of(0, 0xff, 0x80, 1)
      peer.send(Say.md5Password(salt))
      const stored = createHash("md5").update(`${PASSWORD}alice`).digest("hex")
      const expected = createHash("md5").update(stored).update(salt).digest("hex")
      assert.strictEqual(secretIn(yield* peer.message), `md5${expected}`)
      yield* assertLetIn(connecting, peer)
    }).pipe(Effect.scoped)
  )

  for (const method of ["password", "md5", "scram-sha-256"] as const) {
    it.live(`is missed if the server asks for "${method}" and none was given`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* greeted(yield* scriptedServer, { password: Effect.succeed(undefined) })
        peer.send(methods[method])
        assert.include(yield* assertRefused(connecting, peer, "AuthenticationError"), "none is set")
      }).pipe(Effect.scoped)
    )
  }

  it.live("is refused before it is sent if it contains a NUL", () =>
    Effect.gen(function* () {
      const password = Effect.succeed(Redacted.make(`${PASSWORD}\0`))
      const { connecting, peer } = yield* greeted(yield* scriptedServer, { password })
      peer.send(Say.cleartextPassword)
      assert.include(yield* assertRefused(connecting, peer, "AuthenticationError"), "NUL")
    }).pipe(Effect.scoped)
  )

  for (const [name, answer] of [
    ["AuthenticationCleartextPassword", Say.cleartextPassword],
    ["AuthenticationSASL", Say.sasl("SCRAM-SHA-256")],
    ["AuthenticationSASLFinal", Say.saslFinal("v=")]
  ] as const) {
    it.live(`may not be asked for twice: ${name}`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* greeted(yield* scriptedServer)
        peer.send(Say.md5Password(Buffer.from("salt")))
        yield* peer.message
        peer.send(answer)
        const message = yield* assertRefused(connecting, peer, "ProtocolError")
        assert.include(message, name)
        assert.include(message, "AuthenticationOk")
      }).pipe(Effect.scoped)
    )
  }

  it.live("causes the server's error if it is wrong", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer)
      peer.send(Say.cleartextPassword)
      yield* peer.message
      peer.end(Say.error({ severity: "FATAL", code: "28P01", message: "password authentication failed" }))
      yield* assertRefused(connecting, peer, "InvalidPasswordError")
    }).pipe(Effect.scoped)
  )
})

describe("a method that this client does not speak", () => {
  for (const [name, said] of [
    ["Kerberos V5", Say.otherAuthentication(2)],
    ["GSSAPI", Say.otherAuthentication(7)],
    ["SSPI", Say.otherAuthentication(9)],
    ["authentication method 99", Say.otherAuthentication(99)],
    ["SCRAM-SHA-256-PLUS", Say.sasl("SCRAM-SHA-256-PLUS")],
    ["GS2-KRB5", Say.sasl("GS2-KRB5")]
  ] as const) {
    it.live(`is named in the error, with advice: ${name}`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* greeted(yield* scriptedServer)
        peer.send(said)
        const message = yield* assertRefused(connecting, peer, "AuthenticationError")
        assert.include(message, name)
        assert.match(message, /scram-sha-256/i)
      }).pipe(Effect.scoped)
    )
  }

  for (const [what, said] of [
    ["a salt that is too short", Say.otherAuthentication(5, Buffer.from("sal"))],
    ["mechanisms without an end", Say.otherAuthentication(10, Buffer.from("SCRAM-SHA-256\0"))],
    ["a request without its number", frame(Backend.Authentication, Buffer.of(0, 0))],
    ["AuthenticationOk with something behind it", Say.otherAuthentication(0, Buffer.of(1))]
  ] as const) {
    it.live(`is not recognized in ${what}, which violates the protocol`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* greeted(yield* scriptedServer)
        peer.send(said)
        yield* assertRefused(connecting, peer, "ProtocolError")
      }).pipe(Effect.scoped)
    )
  }
})

describe("SCRAM-SHA-256", () => {
  it.live("proves the password to the server and the server to the client", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer)
      const scram = new ScramServer(PASSWORD)
      peer.send(Say.sasl("SCRAM-SHA-256-UNKNOWN", "SCRAM-SHA-256"))
      const first = yield* peer.message
      assert.match(first.body.toString(), /^SCRAM-SHA-256\0[\0-\xff]{4}n,,n=,r=[!-+\--~]{24}$/)
      peer.send(Say.saslContinue(scram.challengeTo(first)))
      const proof = scram.proofFor(yield* peer.message)
      assert.isString(proof)
      peer.send(Say.saslFinal(proof ?? ""))
      yield* assertLetIn(connecting, peer)
    }).pipe(Effect.scoped)
  )

  it.live("never sends the same nonce twice", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const nonces = new Set<string>()
      for (let times = 0; times < 5; times++) {
        const { peer } = yield* greeted(server)
        const scram = new ScramServer(PASSWORD)
        peer.send(Say.sasl("SCRAM-SHA-256"))
        scram.challengeTo(yield* peer.message)
        nonces.add(scram.nonce)
      }
      assert.strictEqual(nonces.size, 5)
    }).pipe(Effect.scoped)
  )

  for (const [what, challenge] of [
    ["of another client's nonce", () => "r=somebodyelse,s=AQID,i=4096"],
    ["of our nonce and nothing more", (nonce) => `r=${nonce},s=AQID,i=4096`],
    ["of no iterations", (nonce) => `r=${nonce}x,s=AQID,i=0`],
    ["of more iterations than are accepted", (nonce) => `r=${nonce}x,s=AQID,i=100001`],
    ["of no salt", (nonce) => `r=${nonce}x,s=,i=4096`],
    ["with an extension that must be understood", (nonce) => `m=x,r=${nonce}x,s=AQID,i=4096`],
    ["that is empty", () => ""]
  ] as ReadonlyArray<readonly [string, (nonce: string) => string]>) {
    it.live(`refuses a challenge ${what}`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* greeted(yield* scriptedServer)
        const scram = new ScramServer(PASSWORD)
        peer.send(Say.sasl("SCRAM-SHA-256"))
        scram.challengeTo(yield* peer.message)
        peer.send(Say.saslContinue(challenge(scram.nonce)))
        yield* assertRefused(connecting, peer, "ProtocolError")
      }).pipe(Effect.scoped)
    )
  }

  for (const [what, answer] of [
    ["AuthenticationOk", Say.authenticationOk],
    ["a wrong proof", Say.saslFinal(`v=${Buffer.alloc(32).toString("base64")}`)],
    ["an error as its proof", Say.saslFinal("e=other-error")],
    ["an empty proof", Say.saslFinal("")],
    ["another challenge", Say.saslContinue("r=x,s=AQID,i=4096")],
    ["a wish for the password in clear", Say.cleartextPassword]
  ] as const) {
    it.live(`fails if the server answers with ${what} instead of its proof`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* greeted(yield* scriptedServer)
        const scram = new ScramServer(PASSWORD)
        peer.send(Say.sasl("SCRAM-SHA-256"))
        peer.send(Say.saslContinue(scram.challengeTo(yield* peer.message)))
        yield* peer.message
        peer.send(answer, Say.authenticationOk, Say.settings)
        const message = yield* assertRefused(connecting, peer, "AuthenticationError")
        assert.include(message, "did not prove")
      }).pipe(Effect.scoped)
    )
  }

  it.live("fails if the right proof comes in the wrong message", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer)
      const scram = new ScramServer(PASSWORD)
      peer.send(Say.sasl("SCRAM-SHA-256"))
      peer.send(Say.saslContinue(scram.challengeTo(yield* peer.message)))
      const proof = scram.proofFor(yield* peer.message)
      peer.send(Say.saslContinue(proof ?? ""), Say.authenticationOk, Say.settings)
      assert.include(yield* assertRefused(connecting, peer, "AuthenticationError"), "did not prove")
    }).pipe(Effect.scoped)
  )

  it.live("fails if the server lets the client in without a challenge", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer)
      peer.send(Say.sasl("SCRAM-SHA-256"))
      yield* peer.message
      peer.send(Say.authenticationOk, Say.settings)
      assert.include(yield* assertRefused(connecting, peer, "AuthenticationError"), "did not prove")
    }).pipe(Effect.scoped)
  )

  it.live("does not block the event loop while it derives the key", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer)
      const scram = new ScramServer(PASSWORD, 100_000)
      peer.send(Say.sasl("SCRAM-SHA-256"))
      const first = yield* peer.message
      peer.send(Say.saslContinue(scram.challengeTo(first)))
      let turns = 0
      const turning = setInterval(() => turns++, 1)
      const final = yield* peer.message
      clearInterval(turning)
      assert.isAbove(turns, 3)
      peer.send(Say.saslFinal(scram.proofFor(final) ?? ""))
      yield* assertLetIn(connecting, peer)
    }).pipe(Effect.scoped)
  )
})
