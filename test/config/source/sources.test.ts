import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fs from "node:fs"
import * as os from "node:os"
import * as PgConfig from "../../../src/PgConfig.ts"
import { homeWith, passwordOf, untyped, refusal } from "../home.ts"

const authority = fs.readFileSync(new URL("../../support/tls/ca.crt", import.meta.url), "utf8")

/** Every source of a setting, and how each writes one value. */
interface Place {
  readonly options: Record<string, unknown>
  readonly query: Array<string>
  readonly service: Array<string>
  readonly environment: Record<string, string>
  user: string
  password: string
  host: string
  port: string
  database: string
}

interface Subject {
  readonly option: string
  readonly values: ReadonlyArray<string>
  readonly asOption?: (value: string) => unknown
  /** How the URL writes it before its query, if it can. */
  readonly part?: "user" | "password" | "host" | "port" | "database"
  readonly key: string
  readonly variable: string
  readonly found: (config: PgConfig.ResolvedConfig) => unknown
}

const parameter = (name: string) => (config: PgConfig.ResolvedConfig) => config.startupParameters.get(name)
const firstHost = (config: PgConfig.ResolvedConfig) =>
  config.hosts[0]?._tag === "Tcp" ? config.hosts[0].host : undefined
const names = ["one", "two", "three", "four", "five"]

const subjects: ReadonlyArray<Subject> = [
  { option: "user", part: "user", key: "user", variable: "PGUSER", values: names, found: ({ user }) => user },
  {
    option: "database",
    part: "database",
    key: "dbname",
    variable: "PGDATABASE",
    values: names,
    found: parameter("database")
  },
  { option: "host", part: "host", key: "host", variable: "PGHOST", values: names, found: firstHost },
  {
    option: "port",
    part: "port",
    key: "port",
    variable: "PGPORT",
    values: ["1", "2", "3", "4", "5"],
    asOption: Number,
    found: ({ hosts }) => String(hosts.at(-1)?.port)
  },
  {
    option: "password",
    part: "password",
    key: "password",
    variable: "PGPASSWORD",
    values: names,
    asOption: Redacted.make,
    found: (config) => Effect.runSync(passwordOf(config))
  },
  {
    option: "applicationName",
    key: "application_name",
    variable: "PGAPPNAME",
    values: names,
    found: parameter("application_name")
  },
  {
    option: "connectTimeout",
    key: "connect_timeout",
    variable: "PGCONNECT_TIMEOUT",
    values: ["1", "2", "3", "4", "5"],
    asOption: (seconds) => Duration.seconds(Number(seconds)),
    found: ({ connectTimeoutMillis }) => String(connectTimeoutMillis / 1000)
  },
  {
    option: "requireAuth",
    key: "require_auth",
    variable: "PGREQUIREAUTH",
    values: ["none", "md5", "password", "scram-sha-256", "none,md5"],
    asOption: (methods) => methods.split(","),
    found: ({ requireAuth }) => requireAuth?.join()
  },
  {
    option: "sslMode",
    key: "sslmode",
    variable: "PGSSLMODE",
    values: ["disable", "prefer", "require", "verify-ca", "verify-full"],
    found: ({ sslMode }) => sslMode
  }
]

const authorityOf = ({ host, password, port, user }: Place): string =>
  `${user}${password === "" ? "" : `:${password}`}${user + password === "" ? "" : "@"}${host}${port === "" ? "" : `:${port}`}`

const portsOf = (url: string) =>
  Effect.map(PgConfig.resolve({ url }, { PGPORT: "6000" }), ({ hosts }) => hosts.map(({ port }) => port))

describe("the order in which a setting is looked for", () => {
  for (const subject of subjects) {
    const { found, key, option, part, values, variable } = subject
    it.live(`for ${option} is: option, query, URL, service file, environment`, () =>
      Effect.gen(function* () {
        const subsets = Array.from({ length: 2 ** 5 - 1 }, (_, at) => at + 1)
        for (const subset of subsets) {
          const place: Place = {
            options: {},
            query: ["service=app"],
            service: ["[app]"],
            environment: {},
            user: "",
            password: "",
            host: "",
            port: "",
            database: ""
          }
          const steps: ReadonlyArray<(value: string) => void> = [
            (value) => (place.options[option] = subject.asOption === undefined ? value : subject.asOption(value)),
            (value) => place.query.push(`${key}=${value}`),
            (value) => part !== undefined && (place[part] = value),
            (value) => place.service.push(`${key}=${value}`),
            (value) => (place.environment[variable] = value)
          ]
          const given = values.filter((_, at) => (subset & (1 << at)) !== 0 && (at !== 2 || part !== undefined))
          for (const value of given) steps[values.indexOf(value)]?.(value)
          const HOME = yield* homeWith({
            ".pg_service.conf": place.service.join("\n"),
            ".postgresql/root.crt": authority
          })
          const url = `postgres://${authorityOf(place)}/${place.database}?${place.query.join("&")}`
          const config = yield* PgConfig.resolve(untyped({ ...place.options, url }), { ...place.environment, HOME })
          if (given.length > 0) assert.strictEqual(found(config), given[0], given.join(" before "))
        }
      }).pipe(Effect.scoped)
    )
  }

  it.effect("applies to the service itself", () =>
    Effect.gen(function* () {
      const HOME = yield* homeWith({
        ".pg_service.conf": names.map((name) => `[${name}]\ndbname=db_${name}`).join("\n")
      })
      const url = "postgres:///?service=two"
      const databaseOf = (settings: PgConfig.Settings) =>
        Effect.map(PgConfig.resolve(settings, { HOME, PGSERVICE: "three" }), ({ database }) => database)
      assert.strictEqual(yield* databaseOf({ service: "one", url }), "db_one")
      assert.strictEqual(yield* databaseOf({ url }), "db_two")
      assert.strictEqual(yield* databaseOf({}), "db_three")
    })
  )

  it.effect(
    "skips empty options, variables and parts of a URL, and does not check a source that it does not reach",
    () =>
      Effect.gen(function* () {
        const environment = { PGHOST: "db", PGPORT: "none", PGUSER: "bob", PGSSLMODE: "", PGAPPNAME: "app" }
        const config = yield* PgConfig.resolve({ url: "postgres://:@:6000/", user: "", host: undefined }, environment)
        assert.deepStrictEqual(
          [firstHost(config), config.hosts[0]?.port, config.user, config.database, config.sslMode],
          ["db", 6000, "bob", "bob", "prefer"]
        )
        assert.strictEqual(config.startupParameters.get("application_name"), "app")
      })
  )

  it.effect("ends at an empty value of a URL or service file, which stands for the default", () =>
    Effect.gen(function* () {
      const HOME = yield* homeWith({ ".pg_service.conf": "[app]\nhost=\napplication_name=" })
      const environment = { HOME, PGHOST: "db", PGPORT: "6000", PGUSER: "bob", PGAPPNAME: "app", PGSERVICE: "app" }
      const config = yield* PgConfig.resolve({ url: "postgres://alice@/?port=&user=" }, environment)
      assert.deepInclude(config.hosts.at(-1), { _tag: "Tcp", host: "localhost", port: 5432 })
      assert.strictEqual(config.user, os.userInfo().username)
      assert.isUndefined(config.startupParameters.get("application_name"))
      assert.match(
        yield* refusal(PgConfig.resolve({ url: "postgres://db/?sslmode=" }, { PGSSLMODE: "verify-full" })),
        /^sslmode of the URL: must be one of/
      )
    })
  )

  it.effect("fills in the port of a URL whose hosts have none", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* portsOf("postgres://a,b"), [6000, 6000])
      assert.deepStrictEqual(yield* portsOf("postgres://a,b:7000"), [5432, 7000])
    })
  )
})

describe("a setting that libpq supports and this client does not", () => {
  it.effect("is refused in the environment too, unless its value asks for nothing more", () =>
    Effect.gen(function* () {
      assert.match(
        yield* refusal(PgConfig.resolve({}, { PGGSSENCMODE: "require" })),
        /^PGGSSENCMODE: is a variable that this client does not support; set it to disable/
      )
      assert.match(
        yield* refusal(PgConfig.resolve({}, { PGREQUIREPEER: "postgres" })),
        /^PGREQUIREPEER: is a variable that this client does not support; leave it out/
      )
      yield* PgConfig.resolve({ url: "postgres:///?gssencmode=disable" }, { PGGSSENCMODE: "require" })
      yield* PgConfig.resolve({}, { PGGSSENCMODE: "prefer", PGREQUIREPEER: "", PGKRBSRVNAME: "x", PGGSSLIB: "gssapi" })
    })
  )
})
