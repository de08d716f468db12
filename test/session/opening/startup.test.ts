/**
 * Tests which servers get a clear-text password, with a transport without a socket, because no socket of a test leaves
 * the machine.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Buffer } from "node:buffer"
import type { AuthMethod } from "../../../src/PgConfig.ts"
import { Inbox } from "../../../src/session/opening/startupInbox.ts"
import { startup } from "../../../src/session/opening/startup.ts"
import {
  type Address,
  isLocalAddress,
  type Transport,
  type TransportEvents
} from "../../../src/session/engine/transport.ts"
import { cleartextPassword, error as errorResponse } from "../../support/scriptedServer/say.ts"

class MemoryTransport implements Transport {
  readonly address: Address
  readonly encrypted: boolean
  readonly tls: Transport["tls"]
  readonly isLocal: boolean
  readonly written: Array<Buffer> = []
  events: TransportEvents = { data: () => {}, drain: () => {}, closed: () => {} }

  constructor(address: Address, encrypted: boolean) {
    this.address = address
    this.isLocal = isLocalAddress(address)
    this.encrypted = encrypted
    this.tls = encrypted ? { serverCertificate: undefined, clientCertificate: "not asked for" } : undefined
  }

  write(bytes: Buffer): boolean {
    this.written.push(bytes)
    return true
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

const wrongPassword = errorResponse({ severity: "FATAL", code: "28P01" })

const at = (host: string): Address => ({ _tag: "Tcp", name: "db.example", host, port: 5432 })

/** Whether the password is sent to such a server if it asks for it in the clear, and the error if not. */
const sentTo = (address: Address, encrypted: boolean, requireAuth?: ReadonlyArray<AuthMethod>) =>
  Effect.gen(function* () {
    const transport = new MemoryTransport(address, encrypted)
    const inbox = new Inbox(transport)
    inbox.data(cleartextPassword, cleartextPassword.length)
    inbox.data(wrongPassword, wrongPassword.length)
    const error = yield* Effect.flip(
      startup(transport, inbox, {
        parameters: new Map([["user", "alice"]]),
        user: "alice",
        password: Effect.succeed(Redacted.make("secret")),
        requireAuth,
        allowCleartextPassword: requireAuth?.includes("password") === true,
        maxScramIterations: 1,
        minProtocolVersion: "3.0",
        maxProtocolVersion: "3.0",
        channelBinding: "prefer",
        sslCertMode: "allow",
        oauthToken: Effect.succeed(undefined)
      })
    )
    const isSent = transport.written.length === 2
    assert.strictEqual(error._tag, isSent ? "InvalidPasswordError" : "AuthenticationError")
    if (!isSent) assert.match(error.message, /in clear.*sslMode.*requireAuth/)
    assert.notInclude(error.message, "secret")
    return isSent
  })

describe("a clear-text password", () => {
  it.effect("is not sent over an unencrypted network", () =>
    Effect.gen(function* () {
      for (const host of [
        "10.0.0.1",
        "192.0.2.7",
        "128.0.0.1",
        "1.127.0.0",
        "fe80::1",
        "::ffff:10.0.0.1",
        "::",
        "::2"
      ]) {
        assert.isFalse(yield* sentTo(at(host), false), host)
      }
    })
  )

  it.effect("is sent over an encrypted connection", () =>
    Effect.gen(function* () {
      assert.isTrue(yield* sentTo(at("10.0.0.1"), true))
    })
  )

  it.effect("is sent within this machine", () =>
    Effect.gen(function* () {
      for (const host of ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"]) {
        assert.isTrue(yield* sentTo(at(host), false), host)
      }
      assert.isTrue(yield* sentTo({ _tag: "Unix", path: "/run/postgresql/.s.PGSQL.5432" }, false))
    })
  )

  it.effect("is not sent to a name that only looks like this machine", () =>
    Effect.gen(function* () {
      for (const host of ["127.evil.example", "localhost", "127.0.0.1.evil.example"]) {
        assert.isFalse(yield* sentTo(at(host), false), host)
      }
    })
  )

  it.effect("is sent anywhere if requireAuth names the method", () =>
    Effect.gen(function* () {
      assert.isTrue(yield* sentTo(at("10.0.0.1"), false, ["password"]))
      assert.isTrue(yield* sentTo(at("10.0.0.1"), false, ["scram-sha-256", "password"]))
    })
  )
})
