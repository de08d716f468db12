import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as PgConfig from "../../src/PgConfig.ts"
import { refusal, untyped } from "./home.ts"

const parametersOf = (environment: Readonly<Record<string, string>>) =>
  Effect.map(PgConfig.resolve({ url: "postgres://bob@db" }, environment), ({ startupParameters }) =>
    Object.fromEntries(startupParameters)
  )

const nameOf = (settings: PgConfig.Settings, environment = {}) =>
  Effect.map(PgConfig.resolve(settings, environment), ({ startupParameters }) =>
    startupParameters.get("application_name")
  )

describe("the startup message", () => {
  it.effect("contains the user, the database, and run-time parameters from all sources", () =>
    Effect.gen(function* () {
      const { startupParameters } = yield* PgConfig.resolve(
        {
          url: "postgres://bob@db/app?options=-c geqo=off",
          applicationName: "billing",
          settings: { search_path: "billing", TIMEZONE: "UTC" }
        },
        { PGOPTIONS: "-c jit=off", PGTZ: "Europe/Berlin", PGDATESTYLE: "ISO, DMY" }
      )
      assert.deepStrictEqual(Object.fromEntries(startupParameters), {
        user: "bob",
        database: "app",
        application_name: "billing",
        options: "-c geqo=off",
        DateStyle: "ISO, DMY",
        TIMEZONE: "UTC",
        search_path: "billing"
      })
    })
  )

  it.effect("has the planner's parameter of the environment, and none whose value is default", () =>
    Effect.gen(function* () {
      const bob = { user: "bob", database: "bob" }
      assert.deepStrictEqual(yield* parametersOf({ PGGEQO: "off" }), { ...bob, geqo: "off" })
      assert.deepStrictEqual(yield* parametersOf({ PGGEQO: "default", PGDATESTYLE: "Default", PGTZ: "DEFAULT" }), bob)
    })
  )

  it.effect("has the fallback of the application's name only if there is no name", () =>
    Effect.gen(function* () {
      const url = "postgres://bob@db/?fallback_application_name=fallback"
      assert.strictEqual(yield* nameOf({ url }), "fallback")
      assert.isUndefined(yield* nameOf({ url: `${url}&application_name=` }))
      assert.strictEqual(yield* nameOf({ url }, { PGAPPNAME: "variable" }), "variable")
      assert.strictEqual(yield* nameOf({ url, applicationName: "option" }), "option")
    })
  )

  const refused: ReadonlyArray<readonly [settings: unknown, reason: RegExp]> = [
    [{ user: "x" }, /^settings\.user: cannot be set here: set user$/],
    [{ Database: "x" }, /^settings\.Database: cannot be set here: set database$/],
    [{ replication: "database" }, /^settings\.replication: .* does not support replication connections$/],
    [{ client_encoding: "LATIN1" }, /^settings\.client_encoding: cannot be set here: it is always UTF8$/],
    [{ work_mem: 64 }, /^settings\.work_mem: must be a string$/],
    [{ work_mem: "6\0" }, /^settings\.work_mem: contains a NUL/],
    [{ "a\0b": "x" }, /^settings: contains a NUL/],
    [{ "": "x" }, /^settings: contains a parameter with an empty name$/],
    ["search_path=x", /^settings: must be an object of run-time parameters/],
    [["x"], /^settings: must be an object/],
    [null, /^settings: must be an object/]
  ]

  it.effect.each(refused)("refuses %j", ([settings, reason]) =>
    Effect.gen(function* () {
      assert.match(yield* refusal(PgConfig.resolve(untyped({ settings }), {})), reason)
    })
  )

  it.effect("contains no NUL and no lone surrogate", () =>
    Effect.gen(function* () {
      for (const option of [
        "user",
        "database",
        "host",
        "applicationName",
        "passfile",
        "service",
        "sslRootCert",
        "url"
      ]) {
        for (const text of ["a\0b", "\ud800"]) {
          assert.match(
            yield* refusal(PgConfig.resolve(untyped({ host: "db", [option]: text }), {})),
            new RegExp(`^${option}: contains a NUL character or a lone surrogate$`)
          )
        }
      }
      assert.match(
        yield* refusal(PgConfig.resolve({ url: "postgres://a%00b@db" }, {})),
        /^user of the URL: contains a NUL/
      )
    })
  )
})
