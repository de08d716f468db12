/** Tests the databases that PgTest makes for suites and tests, on the server that all tests share. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql"
import { spawn } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { inject } from "vitest"
import * as PgClient from "../src/PgClient.ts"
import * as PgConnection from "../src/PgConnection.ts"
import * as PgMigrator from "../src/PgMigrator.ts"
import * as PgTest from "../src/PgTest.ts"
import { assertHealthy, eventually, valueOf } from "./support/live.ts"

const users = PgMigrator.fromSqlRecord({
  "0001_users.sql": "CREATE TABLE users (name text PRIMARY KEY)",
  "0002_books.sql": "CREATE TABLE books (id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text REFERENCES users)"
})

let setups = 0
const setup = Effect.gen(function* () {
  setups++
  const pg = yield* PgClient.PgClient
  yield* pg.execute("INSERT INTO users VALUES ('Ada')")
})

const Database = PgTest.layer({ migrations: users, setup })

const add = (name: string) =>
  Effect.flatMap(PgClient.PgClient, (pg) => pg.execute("INSERT INTO users VALUES ($1)", [name]))
const names = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  return (yield* pg.fetch("SELECT name FROM users ORDER BY name")).map(({ name }) => name)
})

/** A connection to the server's own database. */
const observer = Effect.suspend(() => {
  const { database, host, password, port, user } = inject("postgres")
  return PgConnection.make({ host, port, user, database, password: Redacted.make(password), sslMode: "disable" })
})
const exists = (connection: PgConnection.PgConnection, name: string) =>
  valueOf(connection, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", [name])

/** Keeps a statement running. */
const hold = (settings: PgTest.TestDatabase["settings"]) =>
  Effect.scoped(Effect.flatMap(PgConnection.make(settings), (held) => held.fetch("SELECT pg_sleep(60)")))

/** What the names of all databases of a run begin with. */
const prefixOf = (name: string): string => /^effectpg_test_[0-9a-f]{16}_/.exec(name)?.[0] ?? assert.fail(name)

/** The databases of a run that are there. */
const left = (connection: PgConnection.PgConnection, prefix: string) =>
  Effect.map(
    connection.fetch("SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)", [prefix]),
    (rows) => rows.map(({ name }) => String(name))
  )

/** How many templates of a run are being made, also by other tests, or were left half made. */
const unfinished = (connection: PgConnection.PgConnection, prefix: string) =>
  Effect.map(left(connection, prefix), (names) => names.filter((name) => name.endsWith("_unfinished")).length)

const withTable = (sql: string) =>
  Effect.scoped(PgTest.make({ migrations: PgMigrator.fromSqlRecord({ "1_t.sql": sql }) }))

it.layer(Database)("the database of a suite", (it) => {
  it.effect("has the migrations and the setup, for all clients, on the server of the run", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`SELECT name FROM users`, [{ name: "Ada" }])
      assert.deepStrictEqual(yield* names, ["Ada"])
      const { name, settings, url } = yield* PgTest.TestDatabase
      for (const given of [settings, { url }]) {
        const connection = yield* PgConnection.make(given)
        assert.strictEqual(yield* valueOf(connection, "SELECT current_database()"), name)
        assert.strictEqual(Number(yield* valueOf(connection, "SHOW port")), inject("postgres").port)
      }
    })
  )

  it.effect("is the same for each of its tests", () => add("Grace"))
  it.effect("is the same for each of its tests, as this one sees", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* names, ["Ada", "Grace"])
    })
  )
})

describe("a database of a test", () => {
  it.effect.each(["Bea", "Cleo"])("is its own: that of %s", (name) =>
    Effect.gen(function* () {
      yield* add(name)
      assert.deepStrictEqual(yield* names, ["Ada", name])
    }).pipe(Effect.provide(Database))
  )

  it.effect("is dropped at its end, together with the connections that are open", () =>
    Effect.gen(function* () {
      const connection = yield* observer
      const { lingering, name } = yield* Effect.scoped(
        Effect.gen(function* () {
          const { name, settings } = yield* PgTest.make()
          assert.strictEqual(yield* exists(connection, name), true)
          return { name, lingering: yield* Effect.forkDetach(hold(settings)) }
        })
      )
      assert.strictEqual(yield* exists(connection, name), false)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(lingering)))
      yield* assertHealthy(connection)
    })
  )

  it.effect("is copied from a template, which is made once for all tests of a process and for equal migrations", () =>
    Effect.gen(function* () {
      // The tests above have made it.
      const before = setups
      yield* Effect.scoped(PgTest.make({ migrations: users, setup }))
      assert.strictEqual(before, 1)
      assert.strictEqual(setups, 1)
      const templates = Effect.gen(function* () {
        const { name } = yield* PgTest.make()
        return (yield* left(yield* observer, `${prefixOf(name)}t`)).length
      }).pipe(Effect.scoped)
      const known = yield* templates
      const text = `CREATE TABLE t${known} (id int8)`
      yield* withTable(text)
      yield* withTable(text)
      assert.strictEqual(yield* templates, known + 1)
      yield* withTable(`${text};`)
      assert.strictEqual(yield* templates, known + 2)
      // An Effect is known by its identity.
      const code = PgMigrator.fromRecord({ "1_t": Effect.void })
      yield* Effect.scoped(PgTest.make({ migrations: code }))
      yield* Effect.scoped(PgTest.make({ migrations: code }))
      yield* Effect.scoped(PgTest.make({ migrations: PgMigrator.fromRecord({ "1_t": Effect.void }) }))
      assert.strictEqual(yield* templates, known + 4)
    })
  )

  it.effect("does not come about if a migration fails, and the next attempt does not find half of it", () =>
    Effect.gen(function* () {
      const migrations = PgMigrator.fromSqlRecord({
        "1_good.sql": "CREATE TABLE good ()",
        "2_bad.sql": "CREATE TABLE bad (id nothing)"
      })
      for (const _attempt of [1, 2]) {
        const failure = yield* Effect.flip(Effect.scoped(PgTest.make({ migrations })))
        assert.include(failure.message, 'type "nothing" does not exist')
      }
      const { name } = yield* PgTest.make()
      yield* eventually(unfinished(yield* observer, prefixOf(name)), 0)
      yield* Effect.provide(names, Database)
    })
  )

  it.effect("does not come about if setup leaves a connection open, and its error says which one", () =>
    Effect.gen(function* () {
      const service = yield* Scope.make()
      const leaving = Effect.gen(function* () {
        const pg = yield* PgClient.PgClient
        const { database } = yield* pg.fetchOne("SELECT current_database() AS database")
        const { settings } = yield* Scope.provide(PgTest.make(), service)
        const here = { ...settings, database: String(database), applicationName: "a service" }
        yield* Scope.provide(PgConnection.make(here), service)
      })
      const failure = yield* Effect.flip(Effect.scoped(PgTest.make({ setup: leaving })))
      assert.strictEqual(failure._tag, "TestServerError")
      assert.include(failure.message, "Close the connection before setup ends")
      assert.include(failure.message, '"a service"')
      yield* Scope.close(service, Exit.void)
      const { name } = yield* PgTest.make()
      yield* eventually(unfinished(yield* observer, prefixOf(name)), 0)
    })
  )

  it.effect("is copied from a template to which nobody can connect", () =>
    Effect.gen(function* () {
      const connection = yield* observer
      const { name, settings } = yield* PgTest.make({ migrations: users, setup })
      const templates = (yield* left(connection, `${prefixOf(name)}t`)).filter((each) => !each.endsWith("_unfinished"))
      assert.isNotEmpty(templates)
      for (const template of templates) {
        const looking = PgConnection.make({ ...settings, database: template })
        const refusal = yield* Effect.flip(Effect.scoped(looking))
        assert.include(refusal.message, "not currently accepting connections")
      }
      yield* Effect.scoped(PgTest.make({ migrations: users, setup }))
      yield* assertHealthy(connection)
    })
  )

  it.effect("does not come about if an option is wrong, or is none", () =>
    Effect.gen(function* () {
      const wrong: ReadonlyArray<readonly [setting: string, options: object]> = [
        ["migration", { migration: users }],
        ["migrations", { migrations: "migrations" }],
        ["setup", { setup: () => Effect.void }],
        ["server", { server: "postgres://localhost" }],
        ["server", { server: { uri: "postgres://localhost" } }]
      ]
      for (const [setting, options] of wrong) {
        const failure = yield* Effect.flip(Effect.scoped(PgTest.make(options)))
        assert.strictEqual(failure._tag, "InvalidConfigError", setting)
        assert.include(failure.message, setting)
      }
    })
  )

  it.effect("is made and dropped in tens of milliseconds: 100 of them in parallel", () =>
    Effect.gen(function* () {
      const started = performance.now()
      const times = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => `user ${index}`),
        (name) =>
          Effect.gen(function* () {
            yield* add(name)
            assert.deepStrictEqual(yield* names, ["Ada", name])
          }).pipe(Effect.provide(PgTest.layer({ migrations: users, setup, client: { maxConnections: 1 } }))),
        { concurrency: "unbounded" }
      )
      const millis = (performance.now() - started) / times.length
      console.log(`${times.length} databases in parallel: ${millis.toFixed(1)} ms each`)
      assert.isBelow(millis, 500)
      assert.strictEqual(setups, 1)
    })
  )
})

describe("a run that was killed", () => {
  const { database, host, password, port, user } = inject("postgres")
  const url = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}?sslmode=disable`

  /** A process with a run of its own, and the name of its database. */
  const starts = async (where: "test" | "template") => {
    const file = fileURLToPath(new URL("pgTest/killedRun.ts", import.meta.url))
    const { EFFECTPG_TEST_RUN: _, ...env } = process.env
    const child = spawn(process.execPath, [file, url, where], { env, stdio: ["pipe", "pipe", "inherit"] })
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve))
    const name = await new Promise<string>((resolve) =>
      child.stdout.once("data", (chunk) => resolve(String(chunk).trim()))
    )
    return { child, ended, name, prefix: prefixOf(name) }
  }

  for (const where of ["test", "template"] as const) {
    it.live(`leaves nothing after the next run: in the middle of a ${where}`, () =>
      Effect.gen(function* () {
        const connection = yield* observer
        const killed = yield* Effect.promise(() => starts(where))
        const alive = yield* Effect.promise(() => starts("test"))
        // A run that goes on is not touched by another one that starts.
        assert.include(yield* left(connection, killed.prefix), killed.name)
        killed.child.kill("SIGKILL")
        yield* Effect.promise(() => killed.ended)
        assert.include(yield* left(connection, killed.prefix), killed.name)
        // The server takes a moment to see that the connections have gone.
        yield* Effect.promise(() => sleep(300))
        const next = yield* Effect.promise(() => starts("test"))
        assert.deepStrictEqual(yield* left(connection, killed.prefix), [])
        assert.include(yield* left(connection, alive.prefix), alive.name)
        for (const { child, ended, prefix } of [alive, next]) {
          child.stdin.end()
          assert.strictEqual(yield* Effect.promise(() => ended), 0)
          assert.deepStrictEqual(yield* left(connection, prefix), [])
        }
        yield* assertHealthy(connection)
      })
    )
  }
})
