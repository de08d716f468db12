import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as PgConfig from "../../src/PgConfig.ts"
import { refusal, untyped } from "./home.ts"

const timeout = (PGCONNECT_TIMEOUT: string) =>
  Effect.map(PgConfig.resolve({}, { PGCONNECT_TIMEOUT }), (config) => config.connectTimeoutMillis)

describe("a number or a duration", () => {
  const accepted: ReadonlyArray<readonly [option: string, value: unknown, resolved: object]> = [
    ["connectTimeout", 1500, { connectTimeoutMillis: 1500 }],
    ["connectTimeout", "2 seconds", { connectTimeoutMillis: 2000 }],
    ["connectTimeout", { minutes: 1 }, { connectTimeoutMillis: 60_000 }],
    ["connectTimeout", "10 micros", { connectTimeoutMillis: 1 }],
    ["connectTimeout", 0, { connectTimeoutMillis: 0 }],
    ["connectTimeout", Duration.infinity, { connectTimeoutMillis: 0 }],
    ["cancelTimeout", 0, { cancelTimeoutMillis: 0 }],
    ["cancelTimeout", 1n, { cancelTimeoutMillis: 1 }],
    ["keepAlive", "1 minute", { keepAliveMillis: 60_000 }],
    ["keepAlive", 0, { keepAliveMillis: undefined }],
    ["keepAlive", "Infinity", { keepAliveMillis: undefined }],
    [
      "statementCacheSize",
      0,
      { statementCache: { mode: "auto", size: 0, lifetimeMillis: 300_000, maxSqlBytes: 15_360 } }
    ],
    [
      "statementCacheLifetime",
      "Infinity",
      { statementCache: { mode: "auto", size: 100, lifetimeMillis: 0, maxSqlBytes: 15_360 } }
    ],
    [
      "statementCacheMaxSqlBytes",
      0,
      { statementCache: { mode: "auto", size: 100, lifetimeMillis: 300_000, maxSqlBytes: 0 } }
    ],
    ["maxScramIterations", 4096, { maxScramIterations: 4096 }],
    ["acquireTimeout", "1 second", { acquireTimeoutMillis: 1000 }],
    ["acquireTimeout", Infinity, { acquireTimeoutMillis: 0 }],
    ["minConnections", 10, { minConnections: 10 }],
    ["maxConnections", 1, { maxConnections: 1, minConnections: 1 }],
    ["maxWaiters", 0, { maxWaiters: 0 }],
    ["maxWaiters", Infinity, { maxWaiters: Infinity }],
    ["idleTimeout", "Infinity", { idleTimeoutMillis: 0 }],
    ["maxLifetime", "1 hour", { maxLifetimeMillis: 3_600_000 }],
    ["maxUses", 7, { maxUses: 7 }],
    ["closeTimeout", 0, { closeTimeoutMillis: 0 }]
  ]

  it.effect.each(accepted)("%s accepts %s", ([option, value, resolved]) =>
    Effect.gen(function* () {
      assert.deepInclude(yield* PgConfig.resolvePool(untyped({ [option]: value }), {}), resolved)
    })
  )

  const refused: ReadonlyArray<readonly [option: string, value: unknown, reason: RegExp]> = [
    ["connectTimeout", -1, /^connectTimeout: must be a duration from 0 to 24 days, such as "10 seconds"$/],
    ["connectTimeout", Number.NaN, /must be a duration/],
    ["connectTimeout", "10", /must be a duration/],
    ["connectTimeout", null, /must be a duration/],
    ["connectTimeout", true, /must be a duration/],
    ["connectTimeout", "25 days", /must be a duration/],
    ["cancelTimeout", "Infinity", /^cancelTimeout: must be a duration/],
    ["statementCacheSize", -1, /^statementCacheSize: must be an integer of at least 0$/],
    ["statementCacheSize", 0.5, /must be an integer/],
    ["statementCacheSize", "100", /must be an integer/],
    ["statementCacheSize", Infinity, /must be an integer/],
    ["maxScramIterations", 0, /^maxScramIterations: must be an integer of at least 1$/],
    ["maxConnections", 0, /^maxConnections: must be an integer of at least 1$/],
    ["maxWaiters", -1, /^maxWaiters: must be an integer of at least 0$/],
    ["maxUses", Infinity, /^maxUses: must be an integer of at least 0$/],
    ["closeTimeout", "Infinity", /^closeTimeout: must be a duration/],
    ["minConnections", 11, /^minConnections: must be an integer from 0 to 10$/]
  ]

  it.effect.each(refused)("%s refuses %s", ([option, value, reason]) =>
    Effect.gen(function* () {
      assert.match(yield* refusal(PgConfig.resolvePool(untyped({ [option]: value }), {})), reason)
    })
  )

  it.effect("is in whole seconds if libpq has it in text", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* timeout("3"), 3000)
      assert.strictEqual(yield* timeout("0"), 0)
      assert.strictEqual(yield* timeout("-1"), 0)
      for (const text of ["3s", "1.5", "9999999"]) {
        assert.match(yield* refusal(timeout(text)), /^PGCONNECT_TIMEOUT: must be a whole number of seconds/)
      }
    })
  )
})

describe("requireAuth", () => {
  it.effect("may be empty, which refuses all, and must name known methods", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* PgConfig.resolve({ requireAuth: [] }, {})).requireAuth, [])
      assert.deepStrictEqual((yield* PgConfig.resolve({}, { PGREQUIREAUTH: "md5, none" })).requireAuth, ["none", "md5"])
      const methods = /^(requireAuth|PGREQUIREAUTH): must be .*none, password, md5, scram-sha-256, oauth/
      for (const requireAuth of [["kerberos"], "md5", [7], ["!"]]) {
        assert.match(yield* refusal(PgConfig.resolve(untyped({ requireAuth }), {})), methods)
      }
      for (const PGREQUIREAUTH of ["md5,", "!md5,!", "kerberos"]) {
        assert.match(yield* refusal(PgConfig.resolve({}, { PGREQUIREAUTH })), methods)
      }
    })
  )
})
