import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { inspect } from "node:util"
import { keys, type OptionName, settingVariables } from "../src/config/source/names.ts"
import * as PgConfig from "../src/PgConfig.ts"
import { homeWith, passwordOf, refusal, untyped } from "./config/home.ts"

const read = (name: string): string => fs.readFileSync(fileURLToPath(new URL(name, import.meta.url)), "utf8")

describe("the settings", () => {
  it("have a name in every source, and their documentation tells libpq's key and variable", () => {
    expectTypeOf<keyof PgConfig.PoolSettings>().toEqualTypeOf<OptionName>()
    const documentation = read("../src/config/model/settings.ts").replaceAll(/\n {3}\* /g, " ")
    const documented = new Set(Array.from(documentation.matchAll(/`(\w+)(?:=\w+)?`/g), ([, key]) => key))
    const alias = "database"
    const undocumented = [...keys, ...settingVariables].filter((each) => each !== alias && !documented.has(each))
    assert.deepStrictEqual(undocumented, [])
  })

  it.effect("are split into hosts and ports before a URL is decoded", () =>
    Effect.gen(function* () {
      const HOME = yield* homeWith()
      const url = "postgresql://us%40r:p%40ss@h%40st1,h%2Cst2:543%33,%2Fr%75n:1/d%62"
      const config = yield* PgConfig.resolve({ url: Redacted.make(url) }, { HOME })
      assert.deepStrictEqual(config.hosts, [
        { _tag: "Tcp", host: "h@st1", port: 5432 },
        { _tag: "Tcp", host: "h,st2", port: 5433 },
        { _tag: "Unix", path: "/run/.s.PGSQL.1", port: 1 }
      ])
      assert.strictEqual(yield* passwordOf(config), "p@ss")
      assert.deepStrictEqual([config.user, config.database], ["us@r", "db"])
    })
  )

  it.effect("have defaults", () =>
    Effect.gen(function* () {
      const HOME = yield* homeWith()
      const config = yield* PgConfig.resolvePool({}, { HOME })
      const user = os.userInfo().username
      assert.deepInclude(config, {
        user,
        database: user,
        targetSessionAttrs: "any",
        loadBalanceHosts: "disable",
        sslMode: "prefer",
        sslNegotiation: "postgres",
        sslRootCert: undefined,
        sslCert: undefined,
        sslKey: undefined,
        sslCertMode: "allow",
        sslCrl: [],
        sslSni: true,
        sslMinProtocolVersion: "TLSv1.2",
        sslMaxProtocolVersion: undefined,
        channelBinding: "prefer",
        requireAuth: undefined,
        allowCleartextPassword: false,
        minProtocolVersion: "3.0",
        maxProtocolVersion: "3.0",
        maxScramIterations: 100_000,
        observing: { onQuery: undefined, slowQueryMillis: undefined, metrics: false, comment: undefined },
        connectTimeoutMillis: 10_000,
        connectTotalTimeoutMillis: 60_000,
        cancelTimeoutMillis: 5000,
        keepAliveMillis: 30_000,
        keepAliveIntervalMillis: undefined,
        keepAliveCount: undefined,
        startupParameters: new Map([
          ["user", user],
          ["database", user]
        ]),
        statementCache: { mode: "auto", size: 100, lifetimeMillis: 300_000, maxSqlBytes: 15_360 },
        minConnections: 1,
        maxConnections: 10,
        acquireTimeoutMillis: 30_000,
        maxWaiters: Infinity,
        idleTimeoutMillis: 300_000,
        maxLifetimeMillis: 0,
        maxUses: 0,
        closeTimeoutMillis: 5000
      })
      assert.deepInclude(config.hosts.at(-1), { _tag: "Tcp", host: "localhost", port: 5432 })
      assert.isUndefined(yield* passwordOf(config))
    })
  )

  it.effect("come from process.env if no other environment is given", () =>
    Effect.gen(function* () {
      const before = process.env["PGDATABASE"]
      process.env["PGDATABASE"] = "from_the_process"
      const config = yield* PgConfig.resolve({}).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            if (before === undefined) delete process.env["PGDATABASE"]
            else process.env["PGDATABASE"] = before
          })
        )
      )
      assert.strictEqual(config.database, "from_the_process")
    })
  )

  it.effect("are refused if their names are unknown, with a list of the known names", () =>
    Effect.gen(function* () {
      assert.match(
        yield* refusal(PgConfig.resolve(untyped({ ssl: true }))),
        /^ssl: is not a setting \(set sslMode, [\w, -]+\); the settings are: url, host, .*, maxConnections, [\w, ]+$/
      )
      // @ts-expect-error: a URL alone is not an object of settings
      assert.match(yield* refusal(PgConfig.resolve("postgres://u:hunter2@db")), /^the settings must be an object/)
    })
  )

  it.effect("may be those of a pool when a connection is opened, which ignores them", () =>
    Effect.gen(function* () {
      const settings: PgConfig.PoolSettings = { maxConnections: 5, host: "db" }
      assert.notProperty(yield* PgConfig.resolve(settings, {}), "maxConnections")
      assert.strictEqual((yield* PgConfig.resolvePool(settings, {})).maxConnections, 5)
    })
  )
})

class TokenExpired extends Data.TaggedError("TokenExpired")<{ readonly token: string }> {}

describe("the password", () => {
  it.effect("is computed anew for each connection if it is an Effect", () =>
    Effect.gen(function* () {
      let asked = 0
      const password = Effect.sync(() => Redacted.make(`token ${++asked}`))
      const config = yield* PgConfig.resolve({ host: "db", password }, { PGPASSWORD: "other" })
      assert.strictEqual(asked, 0)
      assert.strictEqual(yield* passwordOf(config), "token 1")
      assert.strictEqual(yield* passwordOf(config), "token 2")
    })
  )

  it.effect("causes an AuthenticationError if its Effect fails, and the error tells only the tag of the failure", () =>
    Effect.gen(function* () {
      const failing = [
        [
          Effect.fail(new TokenExpired({ token: "hunter2" })),
          /Effect in the setting password failed with TokenExpired$/
        ],
        [Effect.fail("hunter2"), /failed$/],
        [Effect.succeed("hunter2"), /did not yield a Redacted string/],
        [Effect.succeed(Redacted.make("hunter2\0")), /without NULs$/]
      ] as const
      for (const [password, reason] of failing) {
        const config = yield* PgConfig.resolve(untyped({ host: "db", password }), {})
        const error = yield* Effect.flip(passwordOf(config))
        assert.strictEqual(error._tag, "AuthenticationError")
        assert.match(error.message, reason)
        assert.notInclude(`${inspect(error, { depth: Infinity })}${JSON.stringify(error)}`, "hunter2")
      }
    })
  )

  it.effect("must be Redacted", () =>
    Effect.gen(function* () {
      for (const password of ["hunter2", Redacted.make(7), null, () => "hunter2"]) {
        const message = yield* refusal(PgConfig.resolve(untyped({ password }), {}))
        assert.strictEqual(
          message,
          "password: must be Redacted.make(password), or an Effect that yields one for each connection"
        )
      }
      assert.match(yield* refusal(PgConfig.resolve({ password: Redacted.make("\0") }, {})), /^password: contains a NUL/)
    })
  )

  it.effect("comes from the password file, separately for each host, if no other source has it", () =>
    Effect.gen(function* () {
      const HOME = yield* homeWith({
        ".pgpass": "a:5432:app:bob:for a\nb:6000:app:bob:for b\n/run/pg:5432:app:bob:for the socket\n",
        other: "*:*:*:*:other"
      })
      const url = "postgres://bob@a:5432,b:6000,c:5432,%2Frun%2Fpg:5432/app"
      const passwords = (settings: PgConfig.Settings, environment = {}) =>
        Effect.flatMap(PgConfig.resolve(settings, { HOME, ...environment }), (config) =>
          Effect.forEach(config.hosts, (host) => passwordOf(config, host))
        )
      assert.deepStrictEqual(yield* passwords({ url }), ["for a", "for b", undefined, "for the socket"])
      assert.deepStrictEqual(yield* passwords({ url, host: "a", port: 6000 }), [undefined])
      assert.deepStrictEqual(yield* passwords({ host: "x", passfile: path.join(HOME, "other") }), ["other"])
      assert.deepStrictEqual(yield* passwords({ host: "x" }, { PGPASSFILE: path.join(HOME, "other") }), ["other"])
      assert.deepStrictEqual(yield* passwords({ url, password: Redacted.make("option") }), Array(4).fill("option"))
      assert.deepStrictEqual(yield* passwords({ url }, { PGPASSWORD: "variable" }), Array(4).fill("variable"))
    })
  )
})

/** Everything that a program might print of a value. */
const visible = (value: unknown): string =>
  `${inspect(value, { depth: Infinity })}\n${inspect(value, { depth: Infinity, compact: false })}\n${JSON.stringify(value)}\n${String(value)}`

describe("secrets", () => {
  it.effect("appear in no resolved configuration that is printed", () =>
    Effect.gen(function* () {
      const HOME = yield* homeWith({ ".pgpass": "*:*:*:*:hunter2" })
      const sslCert = read("./support/tls/client.crt")
      const key = read("./support/tls/client.key")
      const settings: ReadonlyArray<PgConfig.PoolSettings> = [
        { url: "postgres://bob:hunter2@db/app" },
        { url: Redacted.make("postgres://bob@db/app?password=hunter2") },
        { host: "db", password: Redacted.make("hunter2") },
        { host: "db", password: Effect.succeed(Redacted.make("hunter2")) },
        { host: "db" },
        { host: "db", sslCert, sslKey: key }
      ]
      for (const each of settings) {
        for (const config of [yield* PgConfig.resolve(each, { HOME }), yield* PgConfig.resolvePool(each, { HOME })]) {
          if (each.sslKey === undefined) assert.strictEqual(yield* passwordOf(config), "hunter2")
          else assert.strictEqual(config.sslKey, key)
          const shown = visible(config)
          assert.include(shown, "connectTimeoutMillis")
          assert.notInclude(shown, "hunter2")
          assert.notInclude(shown, "PRIVATE KEY")
          yield* passwordOf(config)
          assert.notInclude(visible(config), "hunter2")
        }
      }
    })
  )

  const texts = Arbitrary.schema(
    Schema.Literals([
      "hunter2",
      "postgres://",
      "bob",
      ":",
      "@",
      "/",
      "?",
      "=",
      "&",
      ",",
      "[",
      "]",
      "%",
      "\0",
      "host",
      "5432"
    ])
  )
  const text = Arbitrary.map(Arbitrary.array(texts, { maxLength: 8 }), (parts) => `${parts.join("")}hunter2`)

  it.effect.prop(
    "appear in no error, whatever setting they were put in by mistake",
    {
      option: Arbitrary.schema(
        Schema.Literals(["url", "host", "port", "sslMode", "sslRootCert", "requireAuth", "connectTimeout"])
      ),
      text
    },
    ({ option, text }) =>
      Effect.gen(function* () {
        const value = option === "url" ? `postgres://bob:${text}@db` : text
        const outcome = yield* Effect.result(
          PgConfig.resolve(untyped({ sslCert: "x", [option]: value }), { HOME: "/gone" })
        )
        if (Result.isFailure(outcome)) assert.notInclude(visible(outcome.failure), "hunter2")
      }),
    { arbitrary: { runs: 500 } }
  )
})
