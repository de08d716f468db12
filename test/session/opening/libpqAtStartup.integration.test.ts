/**
 * What a server may say at startup, told to the real libpq and to this client: both go on, or both leave, and neither has
 * answered then.
 */
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Buffer } from "node:buffer"
import * as PgConfig from "../../../src/PgConfig.ts"
import * as PgError from "../../../src/PgError.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import { Backend } from "../../../src/wire/backendMessage.ts"
import { type Libpq, libpq } from "../../support/libpq/libpq.ts"
import * as Say from "../../support/scriptedServer/say.ts"
import { certificate } from "../../support/tls/certificates.ts"
import { type TlsActor, tlsActor } from "../../support/tls/tlsActor.ts"
import { cstring, frame, int32 } from "../../wire/frames.ts"

const identity = certificate({ subject: "server" })
const overTls = { cert: identity.certificate, key: identity.key }

type Keys = Readonly<Record<string, string>>
type Ending = "let in" | "refused" | "answered"

const letIn = Buffer.concat([Say.authenticationOk, Say.settings])
const negotiation = (version: number, ...options: ReadonlyArray<string>): Buffer =>
  frame(
    Backend.NegotiateProtocolVersion,
    Buffer.concat([int32(version), int32(options.length), ...options.map(cstring)])
  )
const withKey = (length: number): Buffer =>
  Buffer.concat([
    Say.authenticationOk,
    Say.parameterStatus("server_version", "18.4"),
    Say.parameterStatus("client_encoding", "UTF8"),
    frame(Backend.BackendKeyData, Buffer.concat([int32(1), Buffer.alloc(length, 1)])),
    Say.ready()
  ])

const V3_2 = { max_protocol_version: "3.2" }
const ONLY_3_2 = { min_protocol_version: "3.2", max_protocol_version: "3.2" }

const versions: ReadonlyArray<readonly [what: string, keys: Keys, said: Buffer, ending: Ending]> = [
  ["nothing of the version", V3_2, letIn, "let in"],
  ["3.0 to 3.2", V3_2, Buffer.concat([negotiation(0x30000), letIn]), "let in"],
  ["3.0 to nothing but 3.2", ONLY_3_2, Buffer.concat([negotiation(0x30000), letIn]), "refused"],
  ["3.0 to 3.0", {}, Buffer.concat([negotiation(0x30000), letIn]), "refused"],
  ["3.2 to 3.2", V3_2, Buffer.concat([negotiation(0x30002), letIn]), "refused"],
  ["3.1 to 3.2", V3_2, Buffer.concat([negotiation(0x30001), letIn]), "refused"],
  ["3.3 to 3.2", V3_2, Buffer.concat([negotiation(0x30003), letIn]), "refused"],
  ["2.0 to 3.2", V3_2, Buffer.concat([negotiation(0x20000), letIn]), "refused"],
  ["an option that was not asked for", V3_2, Buffer.concat([negotiation(0x30000, "_pq_.x"), letIn]), "refused"],
  ["an option of another kind", V3_2, Buffer.concat([negotiation(0x30000, "x"), letIn]), "refused"],
  ["3.0 twice", V3_2, Buffer.concat([negotiation(0x30000), negotiation(0x30000), letIn]), "refused"],
  ["a secret of 4 bytes in 3.0", {}, withKey(4), "let in"],
  ["a secret of 5 bytes in 3.0", {}, withKey(5), "refused"],
  ["a secret of 32 bytes in 3.0", {}, withKey(32), "refused"],
  ["a secret of 3 bytes in 3.2", V3_2, withKey(3), "refused"],
  ["a secret of 4 bytes in 3.2", V3_2, withKey(4), "let in"],
  ["a secret of 32 bytes in 3.2", V3_2, withKey(32), "let in"],
  ["a secret of 256 bytes in 3.2", V3_2, withKey(256), "let in"],
  ["a secret of 257 bytes in 3.2", V3_2, withKey(257), "refused"]
]

const REQUESTS: Readonly<Record<string, Buffer>> = {
  Ok: letIn,
  cleartext: Say.cleartextPassword,
  md5: Say.md5Password(Buffer.from("salt")),
  scram: Say.sasl("SCRAM-SHA-256"),
  plus: Say.sasl("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"),
  onlyPlus: Say.sasl("SCRAM-SHA-256-PLUS"),
  unknown: Say.sasl("SCRAM-SHA-512", "GS2-KRB5"),
  sspi: Say.otherAuthentication(9)
}

/** What becomes of each of the requests above, in their order: `in`, `no`, or `answer`. */
const requests: ReadonlyArray<
  readonly [
    where: "over TLS" | "in clear",
    keys: Keys,
    endings: string,
    libpq?: readonly [endings: string, because: string]
  ]
> = [
  //                                               Ok cleartext md5 scram plus onlyPlus unknown sspi
  ["over TLS", {}, "in answer answer answer answer answer no no"],
  ["in clear", {}, "in answer answer answer no no no no"],
  ["over TLS", { channel_binding: "disable" }, "in answer answer answer answer no no no"],
  ["in clear", { channel_binding: "disable" }, "in answer answer answer no no no no"],
  ["over TLS", { channel_binding: "require" }, "no no no no answer answer no no"],
  ["in clear", { channel_binding: "require" }, "no no no no no no no no"],
  ["over TLS", { require_auth: "scram-sha-256" }, "no no no answer answer answer no no"],
  ["over TLS", { require_auth: "!scram-sha-256" }, "in answer answer no no no no no"],
  ["over TLS", { require_auth: "password,md5" }, "no answer answer no no no no no"],
  ["over TLS", { require_auth: "!password,!md5" }, "in no no answer answer answer no no"],
  ["over TLS", { require_auth: "none" }, "in no no no no no no no"],
  ["over TLS", { require_auth: "!none" }, "no answer answer answer answer answer no no"],
  ["in clear", { require_auth: "none,scram-sha-256" }, "in no no answer no no no no"],
  ["over TLS", { require_auth: "oauth" }, "no no no no no no no no"],
  [
    "over TLS",
    { sslcertmode: "require" },
    "no no no no no no no no",
    [
      "no answer answer answer answer answer no no",
      "libpq notices only at AuthenticationOk, after it has sent the password"
    ]
  ]
]

class Rig extends Context.Service<Rig, { readonly library: Libpq | undefined }>()("test/LibpqAtStartup") {
  static readonly layer = Layer.effect(
    Rig,
    Effect.map(libpq, (library) => ({ library }))
  )
}

const urlOf = ({ port }: TlsActor, keys: Keys): string =>
  `postgres://alice:secret@127.0.0.1:${port}/app?${new URLSearchParams({ connect_timeout: "5", ...keys }).toString()}`

/** How it ends: a client that has answered waits for the server, which leaves it alone. */
const endingOf = ({ seen }: TlsActor, isIn: boolean): Ending =>
  isIn ? "let in" : seen.includes("answered") ? "answered" : "refused"

const ours = (actor: TlsActor, keys: Keys) =>
  PgConfig.resolve({ url: urlOf(actor, keys) }, { HOME: "/nonexistent" }).pipe(
    Effect.flatMap(connect),
    Effect.scoped,
    Effect.as(true),
    Effect.catch((error) => {
      assert.isTrue(PgError.isPgError(error), String(error))
      return Effect.succeed(false)
    }),
    Effect.map((isIn) => endingOf(actor, isIn))
  )

const theirs = (library: Libpq, actor: TlsActor, keys: Keys) =>
  Effect.map(library.ask({ conninfo: urlOf(actor, keys) }), (answer) => endingOf(actor, answer.isConnected))

const inClear = (welcome: Buffer) => tlsActor({ answer: Buffer.from("N"), after: "no TLS", welcome, leaves: true })
const encrypted = (welcome: Buffer) => tlsActor({ answer: Buffer.from("S"), after: overTls, welcome, leaves: true })

layer(Rig.layer, { excludeTestServices: true })("a server that says", (it) => {
  for (const [what, keys, said, ending] of versions) {
    it.effect(`${what} is ${ending === "let in" ? "gone on with" : "left"}, as by libpq`, () =>
      Effect.gen(function* () {
        const { library } = yield* Rig
        const given = { sslmode: "disable", ...keys }
        assert.strictEqual(yield* ours(yield* inClear(said), given), ending)
        if (library === undefined) return
        assert.strictEqual(yield* theirs(library, yield* inClear(said), given), ending, "libpq")
      }).pipe(Effect.scoped)
    )
  }

  for (const [where, keys, endings, otherwise] of requests) {
    it.effect(`anything ${where} gets an answer only if that may be: ${JSON.stringify(keys)}`, () =>
      Effect.gen(function* () {
        const { library } = yield* Rig
        const given = { sslmode: where === "over TLS" ? "require" : "disable", ...keys }
        const actor = where === "over TLS" ? encrypted : inClear
        const found: Array<string> = []
        const foundByLibpq: Array<string> = []
        for (const said of Object.values(REQUESTS)) {
          found.push(SHORT[yield* ours(yield* actor(said), given)])
          if (library !== undefined) foundByLibpq.push(SHORT[yield* theirs(library, yield* actor(said), given)])
        }
        assert.strictEqual(found.join(" "), endings)
        if (library !== undefined) assert.strictEqual(foundByLibpq.join(" "), otherwise?.[0] ?? endings, "libpq")
      }).pipe(Effect.scoped)
    )
  }
})

const SHORT: Readonly<Record<Ending, string>> = { "let in": "in", refused: "no", answered: "answer" }
