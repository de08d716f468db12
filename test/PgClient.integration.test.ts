/** Tests the service that an application uses: the ways to provide it, and the program that README.md promises. */
import { assert, layer } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"
import { inject, vi } from "vitest"
import * as PgClient from "../src/PgClient.ts"
import * as PgConnection from "../src/PgConnection.ts"
import * as PgPool from "../src/PgPool.ts"
import * as PgTypes from "../src/PgTypes.ts"
import { TestDatabase } from "./support/database.ts"
import {
  assertHealthy,
  backendsOf,
  eventually,
  liveConnection,
  liveSettings,
  refusalOf,
  uniqueName,
  valueOf
} from "./support/live.ts"

class Reporting extends PgClient.Service<Reporting>()("test/Reporting") {}
class Archive extends PgClient.Service<Archive>()("test/Archive") {}

const { host, password, port, user } = inject("postgres")

const withClient = <A, E, R>(use: (pg: PgClient.PgClient) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(liveSettings(), (settings) =>
    Effect.provide(Effect.flatMap(PgClient.PgClient, use), PgClient.layer(settings))
  )

/** How `layerConfig` fails with settings that a program without types may give. */
const layerRefusal = (settings: object) => {
  const given: PgClient.ConfigSettings = settings
  return Effect.flip(Layer.build(PgClient.layerConfig(given)))
}

const backendOf = (pg: PgConnection.Queryable) => valueOf(pg, "SELECT pg_backend_pid()")

layer(TestDatabase.layer, { excludeTestServices: true })("a client", (it) => {
  it.effect(
    "shows its password nowhere, and neither do a pool and a connection: printed, in JSON, in a log, in a span",
    () =>
      Effect.gen(function* () {
        const told: Array<string> = []
        const loggers = [Logger.formatJson, Logger.formatLogFmt, Logger.formatSimple]
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            spans.push(span)
            return span
          }
        })
        const spans: Array<Tracer.Span> = []
        const admin = yield* liveConnection()
        const role = `secretive_${crypto.randomUUID().replaceAll("-", "")}`
        const secret = `hunter2 ${crypto.randomUUID()}`
        yield* admin.execute(`CREATE ROLE ${role} LOGIN PASSWORD '${secret}'`)
        const { database } = yield* TestDatabase
        const address = `${role}:${encodeURIComponent(secret)}@${host}:${port}/${database}`
        for (const settings of [
          { url: Redacted.make(`postgres://${address}`) },
          yield* liveSettings({ user: role, password: Redacted.make(secret) }),
          yield* liveSettings({ user: role, password: Effect.succeed(Redacted.make(secret)) })
        ]) {
          const use = Effect.gen(function* () {
            const pg = yield* PgClient.PgClient
            const resources = [settings, pg, yield* PgPool.make(settings), yield* PgConnection.make(settings)]
            for (const resource of resources) {
              told.push(inspect(resource, { depth: 20, showHidden: true, getters: true, maxArrayLength: 1_000 }))
              told.push(JSON.stringify(resource))
              yield* Effect.log("here is", resource)
            }
            assert.strictEqual(yield* valueOf(pg, "SELECT current_user::text"), role)
            const failed = yield* Effect.exit(pg.fetch("SELECT 1 / 0"))
            yield* Effect.logError("it failed", failed)
            const wrong = { ...settings, user: role, password: Redacted.make(`${secret}!`) }
            const refused = yield* Effect.exit(PgConnection.make(wrong))
            assert.isTrue(Exit.isFailure(refused))
            yield* Effect.logError("refused", refused)
            told.push(inspect(refused, { depth: 20, showHidden: true }), JSON.stringify(refused))
          }).pipe(Effect.withSpan("use", { attributes: { settings } }), Effect.provide(PgClient.layer(settings)))
          yield* use.pipe(
            Effect.provide(Logger.layer(loggers.map((format) => Logger.map(format, (line) => void told.push(line))))),
            Effect.provideService(Tracer.Tracer, tracer)
          )
        }
        for (const span of spans) told.push(inspect(span, { depth: 20, showHidden: true }))
        assert.isAbove(spans.length, 3)
        const words = told.join("\n")
        for (const part of ["here is", "it failed", "refused", role]) assert.include(words, part)
        for (const hidden of [secret, encodeURIComponent(secret), secret.slice("hunter2 ".length)]) {
          assert.isFalse(
            words.includes(hidden),
            told.find((text) => text.includes(hidden))
          )
        }
      }).pipe(Effect.scoped)
  )

  it.effect("runs the program that the project promises", () =>
    withClient((pg) =>
      Effect.gen(function* () {
        yield* pg.executeScript(`
          CREATE TABLE users (id int4 PRIMARY KEY, name text, active bool);
          CREATE TABLE log (msg text);
          CREATE TABLE risky (k int4 PRIMARY KEY);
          INSERT INTO users VALUES (1, 'Ada', true), (2, 'Grace', false), (3, 'Edsger', true);
          INSERT INTO risky VALUES (1)`)
        assert.deepStrictEqual(yield* pg.fetch("SELECT id, name FROM users WHERE active = $1 ORDER BY id", [true]), [
          { id: 1, name: "Ada" },
          { id: 3, name: "Edsger" }
        ])
        assert.deepStrictEqual(yield* pg.fetchValue("SELECT count(*) FROM users"), Option.some(3n))

        yield* pg.withTransaction(
          Effect.gen(function* () {
            yield* pg.execute("INSERT INTO log (msg) VALUES ($1)", ["start"])
            yield* pg
              .withTransaction(pg.execute("INSERT INTO risky (k) VALUES ($1)", [1]))
              .pipe(Effect.catchTag("UniqueViolationError", () => Effect.void))
            yield* pg.execute("INSERT INTO log (msg) VALUES ($1)", ["end"])
          }),
          { isolation: "serializable" }
        )
        assert.deepStrictEqual(yield* pg.fetchTuples("SELECT msg FROM log"), [["start"], ["end"]])
        assert.strictEqual(yield* valueOf(pg, "SELECT count(*)::int4 FROM risky"), 1)
      })
    )
  )

  it.effect("answers every kind of call, inside and outside a transaction", () =>
    withClient((pg) =>
      Effect.gen(function* () {
        const calls = Effect.gen(function* () {
          const sql = "SELECT $1::int4 AS n"
          assert.deepStrictEqual(yield* pg.fetch(sql, [1]), [{ n: 1 }])
          assert.deepStrictEqual(yield* pg.fetchTuples(sql, [1]), [[1]])
          assert.deepStrictEqual(yield* pg.fetchRow(sql, [1]), Option.some({ n: 1 }))
          assert.deepStrictEqual(yield* pg.fetchOne(sql, [1]), { n: 1 })
          assert.deepStrictEqual(yield* pg.fetchValue(sql, [1], { column: "n" }), Option.some(1))
          assert.deepStrictEqual(yield* pg.execute(sql, [1]), { command: "SELECT", rowCount: 1 })
          assert.deepStrictEqual(yield* pg.executeScript("SELECT 1; SELECT 2"), [
            { command: "SELECT", rowCount: 1 },
            { command: "SELECT", rowCount: 1 }
          ])
        })
        yield* calls
        yield* pg.withTransaction(Effect.andThen(calls, pg.withTransaction(calls)))
        yield* assertHealthy(pg)
      })
    )
  )

  it.effect("does not use the transaction of another client", () =>
    Effect.gen(function* () {
      const settings = yield* liveSettings()
      const one = yield* PgClient.make(settings)
      const other = yield* PgClient.make(settings)
      yield* one.withTransaction(
        Effect.gen(function* () {
          yield* one.execute("CREATE TABLE unseen ()")
          assert.notStrictEqual(yield* backendOf(one), yield* backendOf(other))
          assert.strictEqual(yield* valueOf(other, "SELECT to_regclass('unseen') IS NULL"), true)
          yield* other.withTransaction(assertHealthy(other), { isolation: "serializable" })
        })
      )
      assert.strictEqual(yield* valueOf(other, "SELECT to_regclass('unseen') IS NULL"), false)
    })
  )

  it.effect("is configured from a ConfigProvider", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const client = PgClient.layerConfig({
        url: Config.Redacted("DATABASE_URL"),
        maxConnections: Config.Int("POOL_SIZE")
      })
      const provide = (entries: Record<string, string>) =>
        Effect.flatMap(PgClient.PgClient, assertHealthy).pipe(
          Effect.provide(client.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(entries))))),
          Effect.exit
        )
      assert.isTrue(Exit.isSuccess(yield* provide({ DATABASE_URL: url, POOL_SIZE: "2" })))
      const missing = yield* provide({ DATABASE_URL: url })
      assert.include(inspect(missing, { depth: 9 }), "POOL_SIZE")
      const wrong = yield* provide({ DATABASE_URL: url, POOL_SIZE: "0" })
      assert.include(inspect(wrong, { depth: 9 }), "maxConnections")
      for (const exit of [missing, wrong]) assert.notInclude(inspect(exit, { depth: 9 }), url)
    })
  )

  it.effect("takes hooks, codecs and fixed values beside a Config, and a Config of any of them", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const operations: Array<string> = []
      const client = PgClient.layerConfig({
        url: Config.Redacted("DATABASE_URL"),
        applicationName: "fixed",
        maxConnections: 1,
        connectTimeout: { seconds: 5 },
        types: [PgTypes.int8AsNumber],
        settings: { TimeZone: Config.String("ZONE"), DateStyle: "German" },
        onConnect: Effect.succeed({ applicationName: "from onConnect" }),
        init: (connection) => connection.execute("SET work_mem = '5MB'"),
        setup: Config.map(
          Config.String("LOCALE"),
          (locale) => (connection: PgConnection.PgConnection) => connection.execute(`SET lc_monetary = '${locale}'`)
        ),
        onQuery: ({ operation }) => Effect.sync(() => void operations.push(operation))
      })
      const values = Effect.flatMap(PgClient.PgClient, (pg) =>
        pg.fetchTuples(
          `SELECT current_setting('application_name'), current_setting('work_mem'), current_setting('lc_monetary'),
             current_setting('TimeZone'), current_setting('DateStyle'), 1::int8`
        )
      )
      const provider = ConfigProvider.fromEnvRecord({ DATABASE_URL: url, ZONE: "Asia/Tokyo", LOCALE: "POSIX" })
      assert.deepStrictEqual(yield* Effect.provide(values, Layer.provide(client, ConfigProvider.layer(provider))), [
        ["from onConnect", "5MB", "POSIX", "Asia/Tokyo", "German, DMY", 1]
      ])
      assert.include(operations, "fetchTuples")
    })
  )

  it.effect("is configured by one Config of all settings", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const settings = Config.map(Config.Redacted("DATABASE_URL"), (url): PgPool.Settings => ({ url }))
      const provider = ConfigProvider.layer(ConfigProvider.fromEnvRecord({ DATABASE_URL: url }))
      const client = Layer.provide(PgClient.layerConfig(settings), provider)
      yield* Effect.provide(Effect.flatMap(PgClient.PgClient, assertHealthy), client)
    })
  )

  it.effect("says which hook is wrong, and that settings are an object", () =>
    Effect.gen(function* () {
      const settings = yield* liveSettings()
      assert.include(String(yield* layerRefusal({ ...settings, init: "SET ROLE app" })), "init: must be a function")
      assert.include(
        String(yield* layerRefusal({ ...settings, reset: Config.succeed(1) })),
        "reset: must be a function"
      )
      assert.include(String(yield* layerRefusal(Object("postgres://localhost"))), "is not a setting")
      assert.include(String(yield* layerRefusal(Config.succeed("postgres://localhost"))), "must be an object")
    }).pipe(Effect.scoped)
  )

  it.effect("is configured from the environment variables of PostgreSQL's own tools", () =>
    Effect.gen(function* () {
      const { database } = yield* TestDatabase
      const environment = {
        PGHOST: host,
        PGPORT: String(port),
        PGUSER: user,
        PGPASSWORD: password,
        PGDATABASE: database
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          for (const [name, value] of Object.entries({ ...environment, PGAPPNAME: "from the environment" })) {
            vi.stubEnv(name, value)
          }
        }),
        () => Effect.sync(() => vi.unstubAllEnvs())
      )
      const facts = Effect.flatMap(PgClient.PgClient, (pg) =>
        pg.fetchTuples("SELECT current_database()::text, current_user::text, current_setting('application_name')")
      )
      assert.deepStrictEqual(yield* Effect.provide(facts, PgClient.layerEnv), [
        [database, user, "from the environment"]
      ])
      const ofReporting = Effect.provideServiceEffect(facts, PgClient.PgClient, Reporting)
      assert.deepStrictEqual(yield* Effect.provide(ofReporting, Reporting.layerEnv), [
        [database, user, "from the environment"]
      ])
    })
  )

  it.effect("has further clients beside it, each with a pool and transactions of its own", () =>
    Effect.gen(function* () {
      const settings = yield* liveSettings()
      const names = Effect.fn(function* (clients: ReadonlyArray<PgClient.PgClient>) {
        return yield* Effect.forEach(clients, (client) => valueOf(client, "SHOW application_name"))
      })
      const program = Effect.gen(function* () {
        const pg = yield* PgClient.PgClient
        const reporting = yield* Reporting
        const archive = yield* Archive
        assert.deepStrictEqual(yield* names([pg, reporting, archive]), ["main", "reporting", "archive"])
        yield* pg.execute("CREATE TABLE orders (id int4)")

        yield* pg
          .withTransaction(
            Effect.gen(function* () {
              yield* pg.execute("INSERT INTO orders VALUES (1)")
              assert.strictEqual(yield* valueOf(reporting, "SELECT count(*)::int4 FROM orders"), 0)
              // The inner transaction of another client is no savepoint: it stays when the outer one is rolled back.
              yield* reporting.withTransaction(reporting.execute("INSERT INTO orders VALUES (2)"))
              return yield* Effect.fail("stop")
            })
          )
          .pipe(Effect.catch((error) => (error === "stop" ? Effect.void : Effect.fail(error))))
        assert.deepStrictEqual(yield* pg.fetchTuples("SELECT id FROM orders"), [[2]])

        const count = Effect.flatMap(PgClient.PgClient, (client) => valueOf(client, "SHOW application_name"))
        assert.strictEqual(yield* Effect.provideServiceEffect(count, PgClient.PgClient, Archive), "archive")
      })
      const provider = ConfigProvider.layer(ConfigProvider.fromUnknown({ ARCHIVE: "archive" }))
      yield* Effect.provide(
        program,
        Layer.mergeAll(
          PgClient.layer({ ...settings, applicationName: "main" }),
          Reporting.layer({ ...settings, applicationName: "reporting" }),
          Layer.provide(Archive.layerConfig({ ...settings, applicationName: Config.String("ARCHIVE") }), provider)
        )
      )
    })
  )

  it.effect("lives as long as its layer, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const applicationName = uniqueName()
      const observer = yield* liveConnection()
      const settings = yield* liveSettings({ applicationName, minConnections: 2, closeTimeout: "20 millis" })
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(PgClient.layer(settings), scope)
      const pg = yield* Effect.provide(PgClient.PgClient, context)
      const running = yield* Effect.forkChild(pg.execute("SELECT pg_sleep(60)"), { startImmediately: true })
      assert.strictEqual(yield* backendsOf(observer, applicationName), 2)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* refusalOf(Fiber.join(running)))._tag, "ConnectionLostError")
      yield* eventually(backendsOf(observer, applicationName), 0, 1_000)
      assert.strictEqual((yield* refusalOf(pg.fetch("SELECT 1")))._tag, "PoolClosedError")
    })
  )

  it.effect("runs the hooks that a pool runs", () =>
    Effect.gen(function* () {
      const settings = yield* liveSettings()
      const pg = yield* PgClient.make({ ...settings, init: (connection) => connection.execute("SET work_mem = '5MB'") })
      assert.strictEqual(yield* valueOf(pg, "SHOW work_mem"), "5MB")
    })
  )

  it.effect("cannot be provided if the server does not let it in, and reports that once", () =>
    Effect.gen(function* () {
      const settings = yield* liveSettings({ password: Redacted.make("wrong"), minConnections: 3 })
      const error = yield* Effect.flip(Effect.provide(PgClient.PgClient, PgClient.layer(settings)))
      if (!("_tag" in error)) return assert.fail("it was let in")
      assert.strictEqual(error._tag, "InvalidPasswordError")
      yield* assertHealthy(yield* PgClient.make(yield* liveSettings()))
    })
  )
})
