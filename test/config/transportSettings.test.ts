/** Tests the settings of a connection's transport and protocol: keepalive, versions, and which proof is demanded. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as PgConfig from "../../src/PgConfig.ts"
import { homeWith, refusal, untyped } from "./home.ts"

const resolved = (settings: object, environment = {}) =>
  Effect.flatMap(homeWith(), (HOME) => PgConfig.resolve(untyped({ host: "db", ...settings }), { HOME, ...environment }))

const query = (text: string) => ({ url: `postgres://db/?${text}` })

type Case = readonly [what: string, settings: object, environment: object, found: object]

const table: ReadonlyArray<Case> = [
  ["keepalives=0", query("keepalives=0"), {}, { keepAliveMillis: undefined }],
  ["keepalives=0 under an option", { ...query("keepalives=0"), keepAlive: "5 seconds" }, {}, { keepAliveMillis: 5000 }],
  ["keepalives=-1, as in libpq", query("keepalives=-1"), {}, { keepAliveMillis: 30_000 }],
  ["keepalives_idle", query("keepalives_idle=7"), {}, { keepAliveMillis: 7000, keepAliveIntervalMillis: undefined }],
  ["keepalives_idle=0", query("keepalives_idle=0"), {}, { keepAliveMillis: 30_000 }],
  [
    "every key of keepalive",
    query("keepalives_idle=7&keepalives_interval=3&keepalives_count=4"),
    {},
    { keepAliveMillis: 7000, keepAliveIntervalMillis: 3000, keepAliveCount: 4 }
  ],
  [
    "options of keepalive",
    { keepAliveInterval: "2 seconds", keepAliveCount: 5 },
    {},
    { keepAliveMillis: 30_000, keepAliveIntervalMillis: 2000, keepAliveCount: 5 }
  ],
  [
    "an interval without keepalive",
    query("keepalives=0&keepalives_interval=3"),
    {},
    { keepAliveMillis: undefined, keepAliveIntervalMillis: undefined }
  ],
  ["the total timeout", { connectTotalTimeout: "2 seconds" }, {}, { connectTotalTimeoutMillis: 2000 }],
  ["no total timeout", { connectTotalTimeout: "Infinity" }, {}, { connectTotalTimeoutMillis: 0 }],
  ["PGREQUIRESSL=1", {}, { PGREQUIRESSL: "1" }, { sslMode: "require" }],
  ["PGREQUIRESSL=0", {}, { PGREQUIRESSL: "0" }, { sslMode: "prefer" }],
  ["PGREQUIRESSL under PGSSLMODE", {}, { PGREQUIRESSL: "1", PGSSLMODE: "disable" }, { sslMode: "disable" }],
  ["PGREQUIRESSL under a URL", query("sslmode=allow"), { PGREQUIRESSL: "1" }, { sslMode: "allow" }],
  ["PGSSLSNI", {}, { PGSSLSNI: "0" }, { sslSni: false }],
  ["sslsni", query("sslsni=1"), { PGSSLSNI: "0" }, { sslSni: true }],
  [
    "the bounds of TLS, in any case",
    query("ssl_min_protocol_version=tlsv1.1"),
    { PGSSLMAXPROTOCOLVERSION: "TLSV1.2" },
    { sslMinProtocolVersion: "TLSv1.1", sslMaxProtocolVersion: "TLSv1.2" }
  ],
  [
    "PGSSLMINPROTOCOLVERSION",
    {},
    { PGSSLMINPROTOCOLVERSION: "TLSv1.3" },
    { sslMinProtocolVersion: "TLSv1.3", sslMaxProtocolVersion: undefined }
  ],
  [
    "PGMAXPROTOCOLVERSION",
    {},
    { PGMAXPROTOCOLVERSION: "latest" },
    { minProtocolVersion: "3.0", maxProtocolVersion: "3.2" }
  ],
  [
    "a newer minimum without a maximum",
    {},
    { PGMINPROTOCOLVERSION: "3.2" },
    { minProtocolVersion: "3.2", maxProtocolVersion: "3.2" }
  ],
  ["direct TLS", query("sslnegotiation=direct&sslmode=require"), {}, { sslNegotiation: "direct", sslMode: "require" }],
  ["PGCHANNELBINDING", {}, { PGCHANNELBINDING: "require" }, { channelBinding: "require" }],
  ["target_session_attrs", query("target_session_attrs=primary"), {}, { targetSessionAttrs: "primary" }],
  [
    "PGTARGETSESSIONATTRS and PGLOADBALANCEHOSTS",
    {},
    { PGTARGETSESSIONATTRS: "prefer-standby", PGLOADBALANCEHOSTS: "random" },
    { targetSessionAttrs: "prefer-standby", loadBalanceHosts: "random" }
  ],
  [
    "require_auth with a method that is not ours",
    query("require_auth=gss,scram-sha-256"),
    {},
    { requireAuth: ["scram-sha-256"], allowCleartextPassword: false }
  ],
  [
    "negated require_auth",
    query("require_auth=!password,!md5"),
    {},
    { requireAuth: ["none", "scram-sha-256", "oauth"], allowCleartextPassword: false }
  ],
  [
    "negated require_auth that leaves the password",
    { requireAuth: ["!md5", "!none"] },
    {},
    { requireAuth: ["password", "scram-sha-256", "oauth"], allowCleartextPassword: false }
  ],
  ["!gss, !sspi", {}, { PGREQUIREAUTH: "!gss,!sspi" }, { allowCleartextPassword: false }],
  ["password by name", { requireAuth: ["password"] }, {}, { allowCleartextPassword: true }]
]

const refused: ReadonlyArray<readonly [what: string, settings: object, environment: object, reason: RegExp]> = [
  ["an odd keepalives", query("keepalives=yes"), {}, /^keepalives of the URL: must be 1 or 0$/],
  ["an odd sslsni", query("sslsni=yes"), {}, /^sslsni of the URL: must be 1 or 0$/],
  ["sslSni as text", { sslSni: "1" }, {}, /^sslSni: must be true or false$/],
  [
    "an unknown TLS version",
    { sslMinProtocolVersion: "TLSv1.4" },
    {},
    /^sslMinProtocolVersion: must be one of: TLSv1, /
  ],
  [
    "another case in an option",
    { sslMinProtocolVersion: "tlsv1.2" },
    {},
    /must be one of: TLSv1, .*did you mean TLSv1.2/
  ],
  [
    "crossed bounds of TLS",
    {},
    { PGSSLMINPROTOCOLVERSION: "TLSv1.3", PGSSLMAXPROTOCOLVERSION: "TLSv1.2" },
    /^PGSSLMAXPROTOCOLVERSION: is older than sslMinProtocolVersion, which is TLSv1.2 by default/
  ],
  ["a maximum below the default", { sslMaxProtocolVersion: "TLSv1.1" }, {}, /^sslMaxProtocolVersion: is older than/],
  ["protocol 3.1", {}, { PGMAXPROTOCOLVERSION: "3.1" }, /^PGMAXPROTOCOLVERSION: must be one of: 3.0, 3.2, latest/],
  [
    "crossed versions of the protocol",
    { minProtocolVersion: "latest", maxProtocolVersion: "3.0" },
    {},
    /^minProtocolVersion: is newer than maxProtocolVersion/
  ],
  [
    "direct TLS with a weak mode",
    query("sslnegotiation=direct"),
    {},
    /^sslnegotiation of the URL: is direct, which needs an sslMode of require, verify-ca or verify-full$/
  ],
  [
    "public authorities without encryption",
    { sslMode: "disable", sslRootCert: "system" },
    {},
    /^sslMode: must be verify-full if sslRootCert is "system"/
  ],
  [
    "mixed signs",
    { requireAuth: ["!md5", "password"] },
    {},
    /^requireAuth: must have ! before each method or before none$/
  ],
  ["a method twice", {}, { PGREQUIREAUTH: "md5,md5" }, /^PGREQUIREAUTH: has md5 twice$/],
  [
    "only gss",
    {},
    { PGREQUIREAUTH: "gss" },
    /^PGREQUIREAUTH: allows only gss or sspi, which this client does not support$/
  ],
  ["a bare token", { oauthToken: "hunter2" }, {}, /^oauthToken: must be Redacted.make\(token\), or an Effect/],
  ["a count that is no number", query("keepalives_count=x"), {}, /^keepalives_count of the URL: must be an integer/]
]

describe("a setting of the transport", () => {
  it.effect.each(table)("%s", ([, settings, environment, found]) =>
    Effect.gen(function* () {
      assert.deepInclude(yield* resolved(settings, environment), found)
    })
  )

  it.effect.each(refused)("is refused: %s", ([, settings, environment, reason]) =>
    Effect.gen(function* () {
      const message = yield* refusal(resolved(settings, environment))
      assert.match(message, reason)
      assert.notInclude(message, "hunter2")
    })
  )

  it.effect("is the token of OAuth, which an Effect yields for each connection", () =>
    Effect.gen(function* () {
      let count = 0
      const tokens = Effect.sync(() => Redacted.make(`hunter2 ${++count}`))
      const { oauthToken } = yield* resolved({ oauthToken: tokens })
      const read = Effect.map(oauthToken, (token) => token && Redacted.value(token))
      assert.deepStrictEqual([yield* read, yield* read], ["hunter2 1", "hunter2 2"])
      const failing = yield* resolved({ oauthToken: Effect.fail({ _tag: "Expired", message: "hunter2" }) })
      const error = yield* Effect.flip(failing.oauthToken)
      assert.strictEqual(error._tag, "AuthenticationError")
      assert.match(error.message, /the Effect in the setting oauthToken failed with Expired$/)
      assert.isUndefined(yield* (yield* resolved({})).oauthToken)
    })
  )
})
