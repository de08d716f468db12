/** Tests how client and server agree on a version of the protocol, and the keys of a CancelRequest. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import { Backend } from "../../../src/wire/backendMessage.ts"
import { ask, type Peer, Say, type ScriptedServer, scriptedServer } from "../../support/scriptedServer.ts"
import { assertRefused, greeted } from "../../support/scriptedServer/greeting.ts"
import { cstring, frame, int32 } from "../../wire/frames.ts"

const PROTOCOL_3_0 = 0x30000
const PROTOCOL_3_2 = 0x30002

const negotiation = (version: number, ...options: ReadonlyArray<string>): Buffer =>
  frame(
    Backend.NegotiateProtocolVersion,
    Buffer.concat([int32(version), int32(options.length), ...options.map(cstring)])
  )

const key = (secret: Buffer): Buffer => frame(Backend.BackendKeyData, Buffer.concat([int32(Say.PROCESS_ID), secret]))

const settings = Buffer.concat([
  Say.parameterStatus("server_version", "18.4"),
  Say.parameterStatus("client_encoding", "UTF8")
])

const newest = { maxProtocolVersion: "3.2" } as const
const onlyNewest = { minProtocolVersion: "3.2", maxProtocolVersion: "3.2" } as const

describe("the startup packet", () => {
  for (const [versions, version] of [
    [{}, PROTOCOL_3_0],
    [newest, PROTOCOL_3_2],
    [onlyNewest, PROTOCOL_3_2]
  ] as const) {
    it.live(`asks for the newest version that may be used: ${JSON.stringify(versions)}`, () =>
      Effect.gen(function* () {
        const { hello } = yield* greeted(yield* scriptedServer, versions)
        assert.strictEqual(hello._tag === "Startup" ? hello.version : undefined, version)
      }).pipe(Effect.scoped)
    )
  }
})

describe("a server that speaks an older protocol", () => {
  it.live("is spoken to in that, if it may be used", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer, newest)
      peer.send(negotiation(PROTOCOL_3_0), Say.authenticationOk, Say.settings)
      assert.strictEqual((yield* Fiber.join(connecting)).lost, undefined)
    }).pipe(Effect.scoped)
  )

  it.live("is spoken to after authentication, too, which follows", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer, newest)
      peer.send(negotiation(PROTOCOL_3_0), Say.cleartextPassword)
      assert.strictEqual((yield* peer.message).type, "p")
      peer.send(Say.authenticationOk, Say.settings)
      assert.strictEqual((yield* Fiber.join(connecting)).lost, undefined)
    }).pipe(Effect.scoped)
  )

  it.live("is left before anything secret is sent, if minProtocolVersion is newer", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const { connecting, peer } = yield* greeted(server, onlyNewest)
      peer.send(negotiation(PROTOCOL_3_0), Say.cleartextPassword)
      const message = yield* assertRefused(connecting, peer, "ConnectError")
      assert.include(message, "no newer protocol than 3.0, but minProtocolVersion is 3.2")
      assert.include(message, `127.0.0.1:${server.port}`)
    }).pipe(Effect.scoped)
  )

  it.live("has a secret of 4 bytes and no other length", () =>
    Effect.gen(function* () {
      const { connecting, peer } = yield* greeted(yield* scriptedServer, newest)
      peer.send(negotiation(PROTOCOL_3_0), Say.authenticationOk, settings, key(Buffer.alloc(32)), Say.ready())
      yield* assertRefused(connecting, peer, "ProtocolError")
    }).pipe(Effect.scoped)
  )
})

describe("a pooler that does not know the newest protocol", () => {
  for (const [code, message] of [
    ["08P01", "bad packet header: '0000004000030002'"],
    ["0A000", "unsupported frontend protocol 3.2: server supports 3.0 to 3.0"],
    ["XX000", "authentication failed"]
  ] as const) {
    it.live(`leads to a hint, which nothing else does: ${message}`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        for (const [versions, hint] of [
          [newest, "maxProtocolVersion at 3.0"],
          [{}, undefined]
        ] as const) {
          const { connecting, peer } = yield* greeted(server, versions)
          peer.end(Say.error({ severity: "FATAL", code, message, routine: null }))
          const error = yield* Effect.flip(Fiber.join(connecting))
          const said = "hint" in error ? error.hint : undefined
          if (hint === undefined) assert.isUndefined(said)
          else assert.include(said, hint)
        }
        const { connecting, peer } = yield* greeted(server, newest)
        peer.end(Say.error({ severity: "FATAL", code: "28000", message: "no pg_hba.conf entry" }))
        const error = yield* Effect.flip(Fiber.join(connecting))
        assert.isUndefined("hint" in error ? error.hint : "none")
      }).pipe(Effect.scoped)
    )
  }
})

describe("NegotiateProtocolVersion violates the protocol", () => {
  for (const [what, versions, said] of [
    ["if it agrees to what was asked for", newest, [negotiation(PROTOCOL_3_2)]],
    ["if it names a newer version than was asked for", newest, [negotiation(0x30003)]],
    ["if it names 3.2, and 3.0 was asked for", {}, [negotiation(PROTOCOL_3_2)]],
    ["if it agrees to 3.0, which was asked for", {}, [negotiation(PROTOCOL_3_0)]],
    ["if it names 3.1, which does not exist", newest, [negotiation(0x30001)]],
    ["if it names a version before 3.0", newest, [negotiation(0x20000)]],
    ["if it names a version of 4", newest, [negotiation(0x40000)]],
    ["if it names a negative version", newest, [negotiation(-1)]],
    ["if it names an option that was not asked for", newest, [negotiation(PROTOCOL_3_0, "_pq_.x")]],
    ["if it names an option with the version asked for", newest, [negotiation(PROTOCOL_3_2, "_pq_.x")]],
    ["if it comes twice", newest, [negotiation(PROTOCOL_3_0), negotiation(PROTOCOL_3_0)]],
    ["if it comes after authentication", newest, [Say.authenticationOk, negotiation(PROTOCOL_3_0)]],
    ["if it comes within authentication", newest, [Say.cleartextPassword, negotiation(PROTOCOL_3_0)]]
  ] as const) {
    it.live(what, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* greeted(yield* scriptedServer, versions)
        peer.send(...said)
        if (what.endsWith("within authentication")) yield* peer.message
        yield* assertRefused(connecting, peer, "ProtocolError")
      }).pipe(Effect.scoped)
    )
  }
})

/** A session whose secret is this, and the first request that it is asked to interrupt. */
const interrupted = (server: ScriptedServer, secret: Buffer, versions: typeof newest | Record<string, never>) =>
  Effect.gen(function* () {
    const { connecting, peer } = yield* greeted(server, versions)
    peer.send(Say.authenticationOk, settings, key(secret), Say.ready())
    const session = yield* Fiber.join(connecting)
    const asking = yield* ask(session, "SELECT pg_sleep(1000)")
    yield* peer.cycle
    yield* Effect.forkChild(Fiber.interrupt(asking))
    return { peer, session }
  })

const cancelRequestAt = (server: ScriptedServer) => Effect.flatMap(server.accept, (side: Peer) => side.startupPacket)

describe("a CancelRequest", () => {
  for (const length of [4, 5, 32, 255, 256]) {
    it.live(`of protocol 3.2 shows the secret of ${length} bytes`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const secret = Buffer.from(Array.from({ length }, (_, index) => 255 - (index % 256)))
        yield* interrupted(server, secret, newest)
        assert.deepStrictEqual(yield* cancelRequestAt(server), {
          _tag: "CancelRequest",
          processId: Say.PROCESS_ID,
          secret
        })
      }).pipe(Effect.scoped)
    )
  }

  it.live("of protocol 3.0 shows the secret of 4 bytes", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      yield* interrupted(server, Buffer.of(0x80, 0, 0, 1), {})
      assert.deepStrictEqual(yield* cancelRequestAt(server), {
        _tag: "CancelRequest",
        processId: Say.PROCESS_ID,
        secret: Buffer.of(0x80, 0, 0, 1)
      })
    }).pipe(Effect.scoped)
  )
})

describe("a secret", () => {
  for (const [versions, length] of [
    [{}, 3],
    [{}, 5],
    [{}, 32],
    [newest, 0],
    [newest, 3],
    [newest, 257],
    [newest, 4096]
  ] as const) {
    it.live(`of ${length} bytes violates protocol ${"maxProtocolVersion" in versions ? "3.2" : "3.0"}`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* greeted(yield* scriptedServer, versions)
        peer.send(Say.authenticationOk, settings, key(Buffer.alloc(length)), Say.ready())
        yield* assertRefused(connecting, peer, "ProtocolError")
      }).pipe(Effect.scoped)
    )
  }
})
