/**
 * Damages each byte and each length of what a server says at startup, one at a time. The client then starts a session all
 * the same or fails with an error of its own; it never throws, and never waits for what cannot come.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { Buffer } from "node:buffer"
import * as PgError from "../../../src/PgError.ts"
import type { Transport, TransportEvents } from "../../../src/session/engine/transport.ts"
import { Inbox } from "../../../src/session/opening/startupInbox.ts"
import { startup } from "../../../src/session/opening/startup.ts"
import { Backend } from "../../../src/wire/backendMessage.ts"
import * as Say from "../../support/scriptedServer/say.ts"
import { ScramServer } from "../../support/scriptedServer/scramServer.ts"
import { certificate } from "../../support/tls/certificates.ts"
import { cstring, frame, int32 } from "../../wire/frames.ts"

const PASSWORD = "open sesame"
const TOKEN = "token"
const { der } = certificate({ subject: "server" })

/** What the server says to each message of the client. */
type Script = ReadonlyArray<(said: Buffer) => Buffer>

/** Changes an answer, which has that number. */
type Damage = (said: Buffer, at: number) => Buffer

const bodyOf = (message: Buffer) => ({ type: "p", body: message.subarray(5) })

const negotiation = frame(Backend.NegotiateProtocolVersion, Buffer.concat([int32(0x30000), int32(0)]))
const negotiationWithOptions = frame(
  Backend.NegotiateProtocolVersion,
  Buffer.concat([int32(0x30000), int32(2), cstring("_pq_.a"), cstring("_pq_.b")])
)
const longKey = frame(Backend.BackendKeyData, Buffer.concat([int32(1), Buffer.alloc(32, 7)]))
const ended = Buffer.concat([Say.authenticationOk, Say.settings])

const scram = (offer: ReadonlyArray<string>): Script => {
  const server = new ScramServer(PASSWORD, 1)
  return [
    () => Say.sasl(...offer),
    (said) => Say.saslContinue(server.challengeTo(bodyOf(said))),
    (said) => Buffer.concat([Say.saslFinal(server.proofFor(bodyOf(said)) ?? ""), ended])
  ]
}

const scripts: Readonly<Record<string, () => Script>> = {
  "protocol 3.0": () => [() => Buffer.concat([negotiation, ended])],
  "options that it does not know": () => [() => Buffer.concat([negotiationWithOptions, ended])],
  "a long key": () => [
    () => Buffer.concat([Say.authenticationOk, Say.parameterStatus("a", "b"), longKey, Say.ready()])
  ],
  "SCRAM-SHA-256": () => scram(["SCRAM-SHA-256"]),
  "SCRAM-SHA-256-PLUS": () => scram(["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]),
  "an OAuth token": () => [() => Say.sasl("OAUTHBEARER"), () => ended],
  "another OAuth token": () => [
    () => Say.sasl("OAUTHBEARER"),
    () => Say.saslContinue('{"status":"invalid_token","scope":"a b"}'),
    () => Say.error({ severity: "FATAL", code: "28000" })
  ]
}

/** Plays a script. The connection ends when the script does. */
class ScriptedTransport implements Transport {
  readonly encrypted = true
  readonly tls = { serverCertificate: der, clientCertificate: "not asked for" } as const
  readonly isLocal = true
  readonly address = { _tag: "Unix", path: "/nowhere" } as const
  events: TransportEvents = { data: () => {}, drain: () => {}, closed: () => {} }
  private readonly script: Script
  private readonly damage: Damage | undefined
  private at = 0

  constructor(script: Script, damage: Damage | undefined) {
    this.script = script
    this.damage = damage
  }

  write(bytes: Buffer): boolean {
    const { at } = this
    this.at++
    const said = this.script[at]?.(bytes)
    queueMicrotask(() => {
      if (said !== undefined) {
        const damaged = this.damage?.(said, at) ?? said
        this.events.data(damaged, damaged.length)
      }
      if (at >= this.script.length - 1) return this.events.closed(undefined)
      // The client waits for the rest of a message that the damage has made longer, so the server leaves.
      const leave = () => this.at === at + 1 && this.events.closed(undefined)
      if (this.damage !== undefined) setTimeout(leave, PATIENCE_MILLIS)
    })
    return true
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

const PATIENCE_MILLIS = 20

const play = (script: Script, damage?: Damage) =>
  Effect.suspend(() => {
    const transport = new ScriptedTransport(script, damage)
    return startup(transport, new Inbox(transport), {
      parameters: new Map([["user", "alice"]]),
      user: "alice",
      password: Effect.succeed(Redacted.make(PASSWORD)),
      oauthToken: Effect.succeed(Redacted.make(TOKEN)),
      requireAuth: undefined,
      allowCleartextPassword: false,
      channelBinding: "prefer",
      sslCertMode: "allow",
      maxScramIterations: 4096,
      minProtocolVersion: "3.0",
      maxProtocolVersion: "3.2"
    })
  })

/** The length of each answer of a script that is not damaged. */
const lengthsOf = (script: Script) =>
  Effect.gen(function* () {
    const lengths: Array<number> = []
    const measured = script.map((answer, at) => (said: Buffer) => {
      const answered = answer(said)
      lengths[at] = answered.length
      return answered
    })
    yield* Effect.exit(play(measured))
    return lengths
  })

const changes: Readonly<Record<string, (byte: number) => number>> = {
  "is zero": () => 0,
  "is 255": () => 0xff,
  "is one more": (byte) => (byte + 1) & 0xff,
  "is one less": (byte) => (byte - 1) & 0xff,
  "has another sign": (byte) => byte ^ 0x80
}

const assertTyped = <A>(exit: Exit.Exit<A, unknown>, what: string): void => {
  if (Exit.isSuccess(exit)) return
  for (const reason of exit.cause.reasons) {
    if (reason._tag !== "Fail" || !PgError.isPgError(reason.error)) assert.fail(`${what}: ${String(exit.cause)}`)
    assert.notInclude(reason.error.message, PASSWORD)
  }
}

describe("a server that means to say", () => {
  for (const [what, script] of Object.entries(scripts)) {
    it.live(`${what}: any damage to it is a typed error, or harmless`, () =>
      Effect.gen(function* () {
        const lengths = yield* lengthsOf(script())
        const damages = lengths.flatMap((length, answer) =>
          Array.from({ length }, (_, at) =>
            Object.entries(changes).map(([how, change]) => ({ answer, at, how, change }))
          ).flat()
        )
        assert.isAbove(damages.length, 100)
        const outcomes = yield* Effect.forEach(
          damages,
          ({ answer, at, change, how }) =>
            Effect.map(
              Effect.exit(
                play(script(), (said, which) => {
                  if (which !== answer) return said
                  const damaged = Buffer.from(said)
                  damaged[at] = change(damaged[at] ?? 0)
                  return damaged
                })
              ),
              (exit) => {
                assertTyped(exit, `answer ${answer}, byte ${at} ${how}`)
                return exit._tag
              }
            ),
          { concurrency: 32 }
        )
        assert.include(outcomes, "Failure")
      })
    )

    it.live(`${what}: it is a typed error if any part of it is missing`, () =>
      Effect.gen(function* () {
        const lengths = yield* lengthsOf(script())
        for (const [answer, length] of lengths.entries()) {
          yield* Effect.forEach(
            Array.from({ length }, (_, end) => end),
            (end) =>
              Effect.map(
                Effect.exit(play(script(), (said, which) => (which === answer ? said.subarray(0, end) : said))),
                (exit) => {
                  assertTyped(exit, `answer ${answer} ends at ${end}`)
                  assert.strictEqual(exit._tag, "Failure")
                }
              ),
            { concurrency: 32 }
          )
        }
      })
    )
  }

  it.live("the right thing is let in", () =>
    Effect.gen(function* () {
      for (const what of ["protocol 3.0", "a long key", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "an OAuth token"]) {
        const exit = yield* Effect.exit(play(scripts[what]!()))
        assert.strictEqual(exit._tag, "Success", what)
      }
    })
  )
})
