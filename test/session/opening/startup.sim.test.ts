import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { Buffer } from "node:buffer"
import type * as PgError from "../../../src/PgError.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import { Backend } from "../../../src/wire/backendMessage.ts"
import { configOf, Say, scriptedServer } from "../../support/scriptedServer.ts"
import { assertLetIn, assertRefused, greeted } from "../../support/scriptedServer/greeting.ts"
import { frame } from "../../wire/frames.ts"

describe("the startup packet", () => {
  it.live("carries the settings, and UTF8 as the only encoding", () =>
    Effect.gen(function* () {
      const startupParameters = new Map([
        ["user", "alice"],
        ["database", "gr\u00f6\u00dfe"],
        ["application_name", "tests"]
      ])
      const { connecting, hello, peer } = yield* greeted(yield* scriptedServer, { startupParameters })
      assert.deepStrictEqual(hello._tag === "Startup" ? hello.parameters : hello, {
        ...Object.fromEntries(startupParameters),
        client_encoding: "UTF8"
      })
      yield* assertLetIn(connecting, peer)
    }).pipe(Effect.scoped)
  )

  for (const [name, value] of [
    ["user", "x\0user\0admin"],
    ["database", "app\0"],
    ["application_name", "\0options\0-c is_superuser=on"],
    ["sear\0ch_path", "public"],
    ["search_path", "\ud800"],
    ["", "nameless"],
    ["client_encoding", "SQL_ASCII"],
    ["long", "x".repeat(10_001)]
  ] as const) {
    it.live(`is not sent if it would have the parameter ${JSON.stringify([name, value.slice(0, 40)])}`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const startupParameters = new Map([
          ["user", "alice"],
          [name, value]
        ])
        const error = yield* Effect.flip(Effect.scoped(connect(configOf(server, { startupParameters }))))
        assert.strictEqual(error._tag, "InvalidConfigError")
        const peer = yield* server.accept
        yield* peer.closed
        assert.deepStrictEqual(peer.chunks, [])
      }).pipe(Effect.scoped)
    )
  }
})

describe("the server parameters at startup", () => {
  it.live("are stored as the server sent them, with the last value of each", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer)
      peer.send(
        Say.authenticationOk,
        Say.notice("welcome"),
        Say.parameterStatus("TimeZone", "GMT"),
        Say.parameterStatus("__proto__", "own"),
        Say.parameterStatus("TimeZone", "Europe/Berlin"),
        Say.settings
      )
      const session = yield* Fiber.join(connecting)
      assert.strictEqual(session.parameters.get("TimeZone"), "Europe/Berlin")
      assert.strictEqual(session.parameters.get("__proto__"), "own")
      assert.strictEqual(session.parameters.get("server_version"), "18.4")
    }).pipe(Effect.scoped)
  )

  for (const [what, said] of [
    ["an encoding other than UTF8", [Say.parameterStatus("client_encoding", "SQL_ASCII"), Say.settings]],
    ["no key to cancel with", [Say.ready()]],
    ["a key that is none", [frame(Backend.BackendKeyData, Buffer.alloc(7))]],
    ["a transaction that the client did not begin", [Say.backendKey, Say.ready("T")]],
    ["a status that does not exist", [Say.backendKey, frame(Backend.ReadyForQuery, Buffer.from("x"))]],
    ["a parameter without its value", [frame(Backend.ParameterStatus, Buffer.from("TimeZone\0"))]],
    ["one setting told without an end", Array.from({ length: 1_001 }, () => Say.parameterStatus("TimeZone", "GMT"))],
    ["settings without an end", Array.from({ length: 1_001 }, (_, index) => Say.parameterStatus(`x${index}`, ""))]
  ] as const) {
    it.live(`are refused with ${what}`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* greeted(yield* scriptedServer)
        peer.send(Say.authenticationOk, ...said)
        yield* assertRefused(connecting, peer, "ProtocolError")
      }).pipe(Effect.scoped)
    )
  }

  for (const [what, bytes] of [
    ["of length 3", Buffer.of(Backend.Authentication, 0, 0, 0, 3)],
    ["of length -5", Buffer.of(Backend.Authentication, 0xff, 0xff, 0xff, 0xfb)],
    ["of 2 GiB", Buffer.of(Backend.ErrorResponse, 0x7f, 0xff, 0xff, 0xff)],
    ["of more than an honest server says before it is ready", Buffer.of(Backend.ErrorResponse, 0, 1, 0, 1)]
  ] as const) {
    it.live(`are refused at once with a frame ${what}, before and after authentication`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        for (const before of [[], [Say.authenticationOk]]) {
          const { connecting, peer } = yield* greeted(server)
          peer.send(...before, bytes)
          yield* assertRefused(connecting, peer, "ProtocolError")
        }
      }).pipe(Effect.scoped)
    )
  }

  it.live("may be followed at once by the close of the connection", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer)
      peer.end(Say.authenticationOk, Say.settings, Say.error({ severity: "FATAL", code: "57P01" }))
      const session = yield* Fiber.join(connecting)
      const lost = yield* Effect.callback<PgError.PgError>((resume) => {
        session.onEnd((error) => resume(Effect.succeed(error)))
      })
      assert.include(["ConnectionLostError", "AdminShutdownError"], lost._tag)
      yield* peer.closed
    }).pipe(Effect.scoped)
  )

  it.live("may come byte by byte", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer)
      for (const byte of Buffer.concat([Say.authenticationOk, Say.settings])) {
        peer.send(Buffer.of(byte))
        yield* Effect.yieldNow
      }
      assert.strictEqual((yield* Fiber.join(connecting)).lost, undefined)
    }).pipe(Effect.scoped)
  )
})

describe("an error of the server while it starts a session", () => {
  for (const [where, said] of [
    ["at once", []],
    ["after it has let the client in", [Say.authenticationOk, Say.parameterStatus("TimeZone", "GMT")]]
  ] as const) {
    it.live(`is the failure of the attempt, and wins over the close that follows it: ${where}`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const { connecting, peer } = yield* greeted(server)
        peer.end(...said, Say.error({ severity: "FATAL", code: "3D000", message: 'database "app" does not exist' }))
        const message = yield* assertRefused(connecting, peer, "InvalidCatalogNameError")
        assert.strictEqual(message, `database "app" does not exist (server: ${server.host}:${server.port}, startup)`)
      }).pipe(Effect.scoped)
    )
  }

  it.live("names the parameter to leave out if a pooler refuses it", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer)
      peer.send(Say.error({ severity: "FATAL", code: "08P01", message: "unsupported startup parameter: lock_timeout" }))
      const error = yield* Effect.flip(Fiber.join(connecting))
      assert.include(error.message, "lock_timeout")
      assert.include("hint" in error ? error.hint : undefined, "ALTER ROLE")
    }).pipe(Effect.scoped)
  )

  it.live("wins over the close even if it comes while the client is busy", () =>
    Effect.gen(function* () {
      const password = Effect.as(Effect.sleep(50), Redacted.make("secret"))
      const { connecting, peer } = yield* greeted(yield* scriptedServer, { password })
      peer.end(Say.cleartextPassword, Say.error({ severity: "FATAL", code: "57P01" }))
      yield* assertRefused(connecting, peer, "AdminShutdownError")
    }).pipe(Effect.scoped)
  )

  it.live("violates the protocol if it cannot be read", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer)
      peer.send(frame(Backend.ErrorResponse, Buffer.from("SFATAL")))
      yield* assertRefused(connecting, peer, "ProtocolError")
    }).pipe(Effect.scoped)
  )
})
