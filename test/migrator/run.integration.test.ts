/** Tests what `PgMigrator.run` applies and records, and what it refuses. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import { fileURLToPath } from "node:url"
import * as PgMigrator from "../../src/PgMigrator.ts"
import { splitStatements } from "../../src/migrator/splitStatements.ts"
import { SHADOWS } from "../support/shadows.ts"
import { inDatabase, rowsOf, sqlClients } from "../support/sqlClients.ts"

const users = Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.asVoid(sql`CREATE TABLE users (id int8 PRIMARY KEY)`))
const ada = Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.asVoid(sql`INSERT INTO users (id) VALUES (1)`))

const USERS = "CREATE TABLE users (id int8 PRIMARY KEY);\nINSERT INTO users VALUES (1), (2);\n"
const NAMES = "ALTER TABLE users ADD COLUMN name text;\n"

const history = rowsOf("SELECT migration_id, name FROM effect_sql_migrations ORDER BY migration_id")
const tablesOf = (names: ReadonlyArray<string>) =>
  rowsOf(`SELECT relname FROM pg_class WHERE relname IN (${names.map((name) => `'${name}'`).join()}) ORDER BY relname`)

const run = (files: Record<string, string>) => PgMigrator.run({ loader: PgMigrator.fromSqlRecord(files) })

describe.each(sqlClients)("migrations through %s", (_, client) => {
  const inFresh = inDatabase(client)

  it.live("are applied once, in the order of their numbers, whether they are Effects or SQL files", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const loader = Effect.map(
          Effect.all([
            PgMigrator.fromSqlRecord({ "0003_names.sql": NAMES }),
            PgMigrator.fromRecord({ "2_ada": ada, "1_users": users })
          ]),
          (loaded) => loaded.flat()
        )
        assert.deepStrictEqual(yield* PgMigrator.run({ loader }), [
          [1, "users"],
          [2, "ada"],
          [3, "names"]
        ])
        assert.deepStrictEqual(yield* PgMigrator.run({ loader }), [])
        assert.deepStrictEqual(yield* history, [
          { migration_id: 1, name: "users" },
          { migration_id: 2, name: "ada" },
          { migration_id: 3, name: "names" }
        ])
        assert.deepStrictEqual(yield* rowsOf("SELECT id::int4, name FROM users"), [{ id: 1, name: null }])
      })
    )
  )

  it.live("go on where Effect's migrator has stopped, and Effect's migrator goes on behind them", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const first = Migrator.fromRecord({ "1_users": users })
        yield* Migrator.make({})({ loader: first })
        const loader = Effect.map(Effect.all([first, PgMigrator.fromSqlRecord({ "2_names.sql": NAMES })]), (loaded) =>
          loaded.flat()
        )
        assert.deepStrictEqual(yield* PgMigrator.run({ loader }), [[2, "names"]])
        const more = Effect.map(
          Effect.all([loader, PgMigrator.fromSqlRecord({ "3_ada.sql": USERS.slice(41) })]),
          (all) => all.flat()
        )
        assert.deepStrictEqual(yield* Migrator.make({})({ loader: more }), [[3, "ada"]])
        assert.deepStrictEqual(yield* PgMigrator.run({ loader: more }), [])
        assert.lengthOf(yield* rowsOf("SELECT * FROM users"), 2)
      })
    )
  )

  it.live("need one connection only, also for statements and transactions inside of Effects", () =>
    inDatabase(client, { maxConnections: 1 })(() =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const nested = Effect.gen(function* () {
          yield* users
          yield* sql.withTransaction(ada)
          yield* Effect.ignore(sql.withTransaction(Effect.andThen(ada, sql`INSERT INTO users VALUES (2)`)))
          yield* sql`INSERT INTO users VALUES (3)`
        })
        yield* PgMigrator.run({ loader: PgMigrator.fromRecord({ "1_nested": nested }) })
        assert.deepStrictEqual(yield* rowsOf("SELECT id::int4 FROM users ORDER BY id"), [{ id: 1 }, { id: 3 }])
      })
    )
  )

  it.live("may be the SQL files and modules of a directory", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const loader = PgMigrator.fromDirectory(fileURLToPath(new URL("../fixtures/migrations", import.meta.url)))
        assert.deepStrictEqual(yield* PgMigrator.run({ loader }), [
          [1, "users"],
          [2, "ada"],
          [3, "emails"]
        ])
        assert.deepStrictEqual(yield* rowsOf("SELECT email FROM users"), [{ email: "ada@example.com" }])
        assert.isEmpty(yield* PgMigrator.run({ loader }))
      }).pipe(Effect.provide(NodeServices.layer))
    )
  )

  it.live("write the schema if something was applied; if that fails, they stay applied, and the log says why", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const written: Array<string> = []
        const lines: Array<string> = []
        const logger = Logger.make(({ logLevel, message }) => {
          lines.push(`${logLevel} ${String(message)}`)
        })
        const dumps = (table: string) => Effect.sync(() => void written.push(table))
        const options = { loader: PgMigrator.fromSqlRecord({ "1_users.sql": USERS }), schemaDump: dumps }
        yield* PgMigrator.run(options)
        yield* PgMigrator.run(options)
        assert.deepStrictEqual(written, ['"public"."effect_sql_migrations"'])
        const absent = PgMigrator.pgDump({ directory: "/no", command: "/no/such/pg_dump" })
        const more = PgMigrator.fromSqlRecord({ "1_users.sql": USERS, "2_names.sql": NAMES })
        const done = Effect.provide(PgMigrator.run({ loader: more, schemaDump: absent }), Logger.layer([logger]))
        assert.deepStrictEqual(yield* done, [[2, "names"]])
        assert.lengthOf(lines, 1)
        assert.match(lines[0] ?? "", /^Warn cannot write the schema: \/no\/such\/pg_dump was not found/)
      }).pipe(Effect.provide(NodeServices.layer))
    )
  )

  it.live("have a layer that applies them when it is built, and needs a client only", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const migrated: Layer.Layer<never, unknown, SqlClient.SqlClient> = PgMigrator.layer({
          loader: PgMigrator.fromSqlRecord({ "1_users.sql": USERS })
        })
        assert.lengthOf(yield* Effect.provide(rowsOf("SELECT * FROM users"), migrated), 2)
      })
    )
  )

  it.live("are recorded in a table of any name and schema", () =>
    inFresh(() =>
      Effect.gen(function* () {
        yield* rowsOf(`CREATE SCHEMA "App"`)
        const options = { loader: PgMigrator.fromSqlRecord({ "1_users.sql": USERS }), table: 'App.the "done" ones' }
        yield* PgMigrator.run(options)
        assert.deepStrictEqual(yield* PgMigrator.run(options), [])
        assert.lengthOf(yield* rowsOf(`SELECT * FROM "App"."the ""done"" ones"`), 1)
      })
    )
  )

  it.live("do not lose the table if one of them empties the search_path, and the next one finds its tables", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const dump = "SELECT pg_catalog.set_config('search_path', '', false);\nCREATE TABLE public.users (id int8);"
        const files = {
          "1_dump.sql": dump,
          "2_names.sql": NAMES,
          "3_bare.sql": `-- no transaction\n${dump.slice(0, 56)}`
        }
        assert.lengthOf(yield* run(files), 3)
        assert.lengthOf(yield* run({ ...files, "4_more.sql": "ALTER TABLE users ADD COLUMN age int4" }), 1)
        assert.deepStrictEqual(yield* rowsOf("SHOW search_path"), [{ search_path: '"$user", public' }])
      })
    )
  )

  it.live("may begin transactions of other clients as those begin them", () =>
    inFresh((database) =>
      Effect.gen(function* () {
        const isolation = Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          return yield* sql.withTransaction(sql.unsafe("SHOW transaction_isolation"))
        })
        yield* rowsOf(`ALTER DATABASE ${database.database} SET default_transaction_isolation = 'serializable'`)
        const found: Array<unknown> = []
        const asking = Effect.flatMap(Effect.provide(isolation, client({ url: database.url })), (rows) =>
          Effect.sync(() => void found.push(...rows))
        )
        yield* PgMigrator.run({ loader: PgMigrator.fromRecord({ "1_asking": asking }) })
        assert.deepStrictEqual(found, [{ transaction_isolation: "serializable" }])
      })
    )
  )

  it.live("see what other runners have committed, whatever isolation is the default", () =>
    inFresh((database) =>
      Effect.gen(function* () {
        yield* rowsOf(`ALTER DATABASE ${database.database} SET default_transaction_isolation = 'serializable'`)
        const levels = {
          "1_levels.sql": "CREATE TABLE levels AS SELECT current_setting('transaction_isolation') AS level"
        }
        yield* Effect.provide(run(levels), client({ url: database.url }))
        assert.deepStrictEqual(yield* rowsOf("SELECT level FROM levels"), [{ level: "read committed" }])
      })
    )
  )

  it.live("are applied and recorded if the search_path begins with shadows of what PostgreSQL has", () =>
    inFresh(({ database, url }) =>
      Effect.gen(function* () {
        for (const statement of splitStatements(SHADOWS)) yield* rowsOf(statement.sql)
        yield* rowsOf(`ALTER DATABASE ${database} SET search_path = hostile, public, pg_catalog`)
        const files = {
          "1_a.sql": "CREATE TABLE public.a (id pg_catalog.int4)",
          "2_b.sql": "-- no transaction\nCREATE INDEX CONCURRENTLY b ON public.a (id)"
        }
        const options = { loader: PgMigrator.fromSqlRecord(files), table: "public.history" }
        const shadowed = Effect.provide(client({ url, maxConnections: 1 }))
        assert.lengthOf(yield* shadowed(PgMigrator.dryRun(options)), 2)
        assert.lengthOf(yield* shadowed(PgMigrator.run(options)), 2)
        assert.isEmpty(yield* shadowed(PgMigrator.run(options)))
        const states = yield* shadowed(PgMigrator.status(options))
        assert.deepStrictEqual(
          states.map(({ state }) => state),
          ["applied", "applied"]
        )
      })
    )
  )

  it.live("stop at the first that fails: it leaves nothing, those before it stay, and a corrected one goes on", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const broken = {
          "1_users.sql": USERS,
          "2_more.sql": "CREATE TABLE more ();\nCREATE TABLE more ();",
          "3_names.sql": NAMES
        }
        const error = yield* Effect.flip(run(broken))
        assert.propertyVal(error, "_tag", "MigrationError")
        assert.deepStrictEqual(yield* history, [{ migration_id: 1, name: "users" }])
        assert.deepStrictEqual(yield* tablesOf(["users", "more"]), [{ relname: "users" }])
        assert.deepStrictEqual(yield* run({ ...broken, "2_more.sql": "CREATE TABLE more ();" }), [
          [2, "more"],
          [3, "names"]
        ])
      })
    )
  )

  it.live("fail as Effect's migrations do, with what the Effect failed with", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const failing = Effect.andThen(users, Effect.fail("no"))
        const error = yield* PgMigrator.run({ loader: PgMigrator.fromRecord({ "1_failing": failing }) }).pipe(
          Effect.as(undefined),
          Effect.catchTag("MigrationError", (error) => Effect.succeed(error))
        )
        assert.instanceOf(error, PgMigrator.MigrationError)
        assert.deepInclude(error, { kind: "Failed", cause: "no" })
        assert.isEmpty(yield* tablesOf(["users"]))
        assert.isEmpty(yield* history)
      })
    )
  )

  it.live("are not recorded if they hide that a statement failed, or end their transaction", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const hiding = Effect.andThen(users, Effect.ignore(sql`SELECT 1/0`))
        const hidden = yield* Effect.flip(PgMigrator.run({ loader: PgMigrator.fromRecord({ "1_hiding": hiding }) }))
        assert.include(hidden.message, "a statement failed, the migration has not passed that on")
        const ending = Effect.andThen(sql`ROLLBACK`, users)
        const ended = yield* Effect.flip(PgMigrator.run({ loader: PgMigrator.fromRecord({ "1_ending": ending }) }))
        // A client may notice it first, and in other words.
        assert.match(ended.message, /1_ending: .*(it ended its transaction by itself|the transaction is over)/)
        assert.isEmpty(yield* history)
        assert.lengthOf(yield* run({ "1_good.sql": "SELECT 1" }), 1)
      })
    )
  )

  it.live("are imported before any of them runs", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const modules: Record<string, () => Promise<unknown>> = {
          "1_users.ts": () => Promise.resolve({ default: users }),
          "2_broken.ts": () => Promise.reject(new Error("no such module"))
        }
        const error = yield* Effect.flip(PgMigrator.run({ loader: PgMigrator.fromGlob(modules) }))
        assert.deepInclude(error, { _tag: "MigrationError", kind: "ImportError" })
        assert.include(error.message, "2_broken: it cannot be imported: Error: no such module")
        for (const [exported, complaint] of [
          [{}, "it has no default export"],
          [{ default: 1 }, "its default export is no Effect"]
        ] as const) {
          const loader = PgMigrator.fromGlob({ "1_users.ts": () => Promise.resolve(exported) })
          assert.include((yield* Effect.flip(PgMigrator.run({ loader }))).message, complaint)
        }
        assert.isEmpty(yield* tablesOf(["users", "effect_sql_migrations"]))
        const behindTwo = { "1_users.ts": () => Promise.resolve({ default: { default: users } }) }
        assert.lengthOf(yield* PgMigrator.run({ loader: PgMigrator.fromGlob(behindTwo) }), 1)
      })
    )
  )

  it.live("can be part of a transaction, but for files that need to be outside of one; that one stays usable", () =>
    inDatabase(client, { maxConnections: 1 })(() =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql.withTransaction(
          Effect.gen(function* () {
            const error = yield* Effect.flip(run({ "1_users.sql": USERS, "2_bare.sql": "-- no transaction\nVACUUM" }))
            assert.deepInclude(error, { _tag: "MigrationError", kind: "BadState" })
            assert.include(error.message, "2_bare.sql cannot run inside of a transaction")
            yield* run({ "1_users.sql": USERS, "2_names.sql": NAMES })
          })
        )
        assert.lengthOf(yield* rowsOf("SELECT id, name FROM users"), 2)
      })
    )
  )

  it.live("of Effects are skipped as Effect's migrator skips them if a later one was applied", () =>
    inFresh(() =>
      Effect.gen(function* () {
        yield* PgMigrator.run({ loader: PgMigrator.fromRecord({ "2_users": users }) })
        const loader = PgMigrator.fromRecord({ "1_ada": ada, "2_users": users })
        assert.isEmpty(yield* PgMigrator.run({ loader }))
        assert.deepStrictEqual(
          (yield* PgMigrator.status({ loader })).map(({ id, state }) => [id, state]),
          [
            [1, "skipped"],
            [2, "applied"]
          ]
        )
      })
    )
  )
})
