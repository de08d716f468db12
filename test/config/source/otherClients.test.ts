/** Tests that settings of other clients are answered with the setting of this client that does the same. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as PgConfig from "../../../src/PgConfig.ts"
import { optionNames } from "../../../src/config/source/names.ts"
import { refusal, untyped } from "../home.ts"

const keys: ReadonlyArray<readonly [key: string, instead: RegExp]> = [
  ["schema=app", /schema, a key of other clients; set settings: \{ search_path: "\.\.\." \}$/],
  ["currentSchema=app", /currentSchema, .* search_path/],
  ["pgbouncer=true", /pgbouncer, .* set statementMode: "unnamed"/],
  ["statement_cache_mode=describe", /set statementMode: "unnamed"/],
  ["default_query_exec_mode=exec", /set statementMode: "unnamed"/],
  ["prepareThreshold=0", /set statementMode: "unnamed"/],
  ["prepared_statements=false", /set statementMode: "unnamed"/],
  ["statement_cache_size=0", /set statementCacheSize$/],
  ["connection_limit=5", /connection_limit, a key of other clients; set maxConnections$/],
  ["pool_max_conns=5", /set maxConnections$/],
  ["pool_timeout=5", /set acquireTimeout$/],
  ["socket_timeout=5", /give each call a timeout/],
  ["statement_timeout=5s", /set settings: \{ statement_timeout: "5s" \}$/],
  ["TimeZone=UTC", /set settings: \{ TimeZone: "\.\.\." \}$/],
  ["targetServerType=primary", /set targetSessionAttrs$/],
  ["ssl=require", /set sslMode, which is sslmode in a URL, to require or verify-full$/],
  ["ssl=no-verify", /set sslMode/],
  ["sslaccept=strict", /set sslMode/],
  ["sslidentity=x.p12", /set sslCert and sslKey$/],
  ["uselibpqcompat=true", /leave it out, because sslmode means what it means in libpq$/],
  ["supa=base-pooler.x", /leave it out, because it is for another client only$/],
  ["workaround=supabase-pooler.vercel", /leave it out/],
  ["encoding=utf8", /leave it out, because the encoding is always UTF8$/]
]

const modes: ReadonlyArray<readonly [mode: string, instead: RegExp]> = [
  ["no-verify", /; write require, which encrypts but does not verify the server$/],
  ["true", /; write require or verify-full$/],
  ["false", /; write disable$/],
  ["verify_full", /\(did you mean verify-full\?\)$/],
  ["requier", /\(did you mean require\?\)$/]
]

/** Keys that libpq takes and that change nothing for this client. */
const harmless = [
  "fallback_application_name=x",
  "gssencmode=disable",
  "gssencmode=prefer",
  "gssdelegation=1",
  "gsslib=gssapi",
  "krbsrvname=postgres",
  "client_encoding=utf8",
  "client_encoding=UTF-8",
  "client_encoding=auto",
  "replication=false",
  "requirepeer=",
  "sslcompression=1",
  "tcp_user_timeout=0",
  "keepalives=1",
  "target_session_attrs=any"
]

describe("a setting of another client", () => {
  for (const [pair, instead] of keys) {
    it.effect(`is answered with ours in a URL: ${pair}`, () =>
      Effect.gen(function* () {
        const inUrl = yield* refusal(PgConfig.resolve({ url: `postgres://db/app?${pair}` }, {}))
        assert.match(inUrl, /^url: in position 1 after its \? has/)
        assert.match(inUrl, instead)
        assert.match(yield* refusal(PgConfig.resolve({ url: pair }, {})), instead)
      })
    )
  }

  for (const [mode, instead] of modes) {
    it.effect(`is answered with ours as a value: sslmode=${mode}`, () =>
      Effect.gen(function* () {
        const inUrl = yield* refusal(PgConfig.resolve({ url: `postgres://db/app?sslmode=${mode}` }, {}))
        assert.match(
          inUrl,
          /^sslmode of the URL: must be one of: disable, allow, prefer, require, verify-ca, verify-full/
        )
        assert.match(inUrl, instead)
        assert.match(yield* refusal(PgConfig.resolve(untyped({ sslMode: mode }), {})), instead)
      })
    )
  }

  it.effect("is answered with ours among the options too", () =>
    Effect.gen(function* () {
      const options = { poolSize: "maxConnections", searchPath: "search_path", rejectUnauthorized: "sslMode" }
      for (const [option, ours] of Object.entries(options)) {
        const message = yield* refusal(PgConfig.resolve(untyped({ [option]: 1 }), {}))
        assert.match(
          message,
          new RegExp(`^${option}: is not a setting \\(.*${ours}.*\\); the settings are: url, host,`)
        )
      }
      assert.match(yield* refusal(PgConfig.resolve(untyped({ sslMode: false }), {})), /; write disable$/)
    })
  )

  it.effect("never hides a setting of this client", () =>
    Effect.gen(function* () {
      for (const name of optionNames) {
        yield* PgConfig.resolve(untyped({ [name]: undefined, host: "db" }), {})
      }
      assert.isAbove(optionNames.length, 40)
    })
  )
})

describe("a key of libpq that changes nothing", () => {
  for (const pair of harmless) {
    it.effect(`is accepted: ${pair}`, () =>
      Effect.gen(function* () {
        const without = yield* PgConfig.resolve({ url: "postgres://u@db/app" }, { HOME: "/gone" })
        const config = yield* PgConfig.resolve({ url: `postgres://u@db/app?${pair}` }, { HOME: "/gone" })
        assert.deepStrictEqual(comparable(config, pair), comparable(without, pair))
      })
    )
  }
})

/** What does not hold functions, and without the one parameter that a key may add. */
const comparable = ({ hosts, sslMode, startupParameters, ...rest }: PgConfig.ResolvedConfig, pair: string) => ({
  hosts: hosts.map(({ password: _, ...host }) => host),
  sslMode,
  keepAliveMillis: rest.keepAliveMillis,
  targetSessionAttrs: rest.targetSessionAttrs,
  startupParameters: [...startupParameters].filter(
    ([name]) => !(name === "application_name" && pair.startsWith("fallback"))
  )
})
