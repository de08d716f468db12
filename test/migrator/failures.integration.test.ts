/** Tests what a migration that fails says, and the state that it leaves. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as PgMigrator from "../../src/PgMigrator.ts"
import { advisoryLocks, inDatabase, rowsOf, sqlClients } from "../support/sqlClients.ts"

const USERS = "CREATE TABLE users (id int8 PRIMARY KEY);\nINSERT INTO users VALUES (1), (2);\n"

type Files = Record<string, string>

const run = (files: Files) => PgMigrator.run({ loader: PgMigrator.fromSqlRecord(files) })

/** The failure of a run, which must be one of migrations. */
const failureOf = (files: Files) =>
  Effect.flatMap(Effect.flip(run(files)), (error) =>
    error instanceof PgMigrator.PgMigrationError ? Effect.succeed(error) : Effect.die(error)
  )

const reasonOf = <Tag extends PgMigrator.MigrationReason["_tag"]>(error: PgMigrator.PgMigrationError, tag: Tag) => {
  const { reason } = error
  assert.strictEqual(reason._tag, tag, error.message)
  return reason as Extract<PgMigrator.MigrationReason, { readonly _tag: Tag }>
}

const states = (files: Files) =>
  Effect.map(PgMigrator.status({ loader: PgMigrator.fromSqlRecord(files) }), (all) =>
    all.map(({ file, id, state }) => [id, file, state])
  )

describe.each(sqlClients)("a failing migration through %s", (_, client) => {
  const inFresh = inDatabase(client)

  it.live("names the file, the line and the statement, and shows the place with a caret", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const text =
          "-- Größe 📐\nCREATE TABLE sizes (\n  wide int4 -- 'wide;'\n);\n\nALTER TABLE sizes\n  ADD note text DEFAULT '📐',\n  DROP tall;\nSELECT 1;"
        const error = yield* failureOf({ "0001_users.sql": USERS, "0002_sizes.sql": "SELECT 1; SELECT '📐', nope\n" })
        assert.strictEqual(
          error.message,
          [
            '0002_sizes.sql failed at line 1, in statement 2 of 2: column "nope" does not exist',
            "SQLSTATE: 42703",
            "0002_sizes.sql:",
            "  1 | SELECT 1; SELECT '📐', nope",
            "    |                        ^",
            "The file was rolled back as a whole. The migrations before it stay applied."
          ].join("\n")
        )
        const reason = reasonOf(
          yield* failureOf({ "0001_users.sql": USERS, "0002_sizes.sql": text }),
          "StatementFailedError"
        )
        assert.deepInclude(reason, { file: "0002_sizes.sql", line: 6, statement: 2, ran: [], isTransactional: true })
        assert.include(reason.message, 'column "tall" of relation "sizes" does not exist')
        assert.include(reason.message, "  6 | ALTER TABLE sizes\n    | ^\n  7 |   ADD note")
        assert.strictEqual(reason.cause._tag, "SqlError")
        assert.lengthOf(yield* rowsOf("SELECT FROM effect_sql_migrations"), 1)
        assert.deepStrictEqual(yield* rowsOf("SELECT to_regclass('sizes')::text AS sizes"), [{ sizes: null }])
      })
    )
  )

  it.live("can be caught by its tag, and by its reason", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const failing = run({ "1_wrong.sql": "SELECT\n  1 / 0" })
        assert.strictEqual(
          yield* Effect.catchTag(failing, "MigrationError", ({ kind }) => Effect.succeed(kind)),
          "Failed"
        )
        const line = failing.pipe(
          Effect.catchReason("MigrationError", "StatementFailedError", ({ line }) => Effect.succeed(line))
        )
        assert.strictEqual(yield* line, 1)
      })
    )
  )

  it.live("without a transaction stops at the statement, says which have run, and can be repeated", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const text = [
          "-- no transaction",
          "CREATE INDEX CONCURRENTLY IF NOT EXISTS ids ON users (id);",
          "INSERT INTO users VALUES (3) ON CONFLICT DO NOTHING;",
          "CREATE INDEX CONCURRENTLY names ON users (name);",
          "INSERT INTO users VALUES (4);"
        ].join("\n")
        const files = { "1_users.sql": USERS, "2_bare.sql": text }
        const error = yield* failureOf(files)
        const reason = reasonOf(error, "StatementFailedError")
        assert.deepInclude(reason, { line: 4, statement: 3, isTransactional: false })
        assert.deepStrictEqual(
          reason.ran.map(({ line, statement }) => [statement, line]),
          [
            [1, 2],
            [2, 3]
          ]
        )
        assert.include(
          error.message,
          "These statements of the file have run and stay done: " +
            "1 (line 2: CREATE INDEX CONCURRENTLY IF NOT EXISTS ids ON users (id)), " +
            "2 (line 3: INSERT INTO users VALUES (3) ON CONFLICT DO NOTHING)."
        )
        assert.lengthOf(yield* rowsOf("SELECT FROM users"), 3)
        assert.lengthOf(yield* rowsOf("SELECT FROM effect_sql_migrations"), 1)
        assert.strictEqual(yield* advisoryLocks, 0)
        const corrected = { ...files, "2_bare.sql": text.replace("(name)", "(id)") }
        assert.deepStrictEqual(yield* run(corrected), [[2, "bare"]])
        assert.lengthOf(yield* rowsOf("SELECT FROM users"), 4)
      })
    )
  )

  it.live("that needs to be outside of a transaction says how", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const files = { "1_users.sql": USERS, "2_index.sql": "CREATE INDEX CONCURRENTLY ids ON users (id)" }
        assert.include((yield* failureOf(files)).message, "HINT: Make `-- no transaction` the first line of the file")
        const marked = { ...files, "2_index.sql": `-- No transaction\r\n${files["2_index.sql"]}` }
        assert.deepStrictEqual(yield* run(marked), [[2, "index"]])
      })
    )
  )

  it.live(
    "names an SQL file that was changed, until it is restored or its checksum removed; line breaks are no change",
    () =>
      inFresh(() =>
        Effect.gen(function* () {
          const files = { "0001_users.sql": USERS, "0002_more.sql": "SELECT 1" }
          yield* run(files)
          const changed = { ...files, "0001_users.sql": `${USERS}SELECT 1;`, "0003_new.sql": "SELECT 2" }
          assert.strictEqual(reasonOf(yield* failureOf(changed), "FileChangedError").file, "0001_users.sql")
          assert.isEmpty(yield* run({ ...files, "0001_users.sql": `\uFEFF${USERS.replaceAll("\n", "\r\n")}` }))
          yield* rowsOf("UPDATE effect_sql_migrations SET checksum = NULL WHERE migration_id = 1")
          assert.deepStrictEqual(yield* run(changed), [[3, "new"]])
        })
      )
  )

  it.live("names an SQL file that is missing, and one that is out of order", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const files = { "0001_users.sql": USERS, "0003_more.sql": "SELECT 1" }
        yield* run(files)
        const missing = yield* failureOf({ "0003_more.sql": "SELECT 1", "0004_new.sql": "SELECT 2" })
        assert.strictEqual(reasonOf(missing, "FileMissingError").file, "1_users.sql")
        const late = yield* failureOf({ ...files, "0002_late.sql": "SELECT 2" })
        assert.deepInclude(reasonOf(late, "OutOfOrderError"), { file: "0002_late.sql", latest: 3 })
        assert.include(late.message, "Give the file a number above 3.")
        assert.strictEqual(late.kind, "BadState")
        assert.isEmpty(yield* run(files))
      })
    )
  )

  it.live("is foreseen by `status` and `dryRun`, which change nothing", () =>
    inFresh(() =>
      Effect.gen(function* () {
        const loader = PgMigrator.fromSqlRecord({
          "0001_users.sql": USERS,
          "0002_index.sql": "-- no transaction\nCREATE INDEX CONCURRENTLY ids ON users (id)"
        })
        assert.deepStrictEqual(yield* PgMigrator.dryRun({ loader }), [
          {
            id: 1,
            name: "users",
            file: "0001_users.sql",
            isTransactional: true,
            statements: ["CREATE TABLE users (id int8 PRIMARY KEY)", "INSERT INTO users VALUES (1), (2)"]
          },
          {
            id: 2,
            name: "index",
            file: "0002_index.sql",
            isTransactional: false,
            statements: ["CREATE INDEX CONCURRENTLY ids ON users (id)"]
          }
        ])
        assert.deepStrictEqual(yield* states({ "1_users.sql": USERS }), [[1, "1_users.sql", "pending"]])
        assert.deepStrictEqual(yield* rowsOf("SELECT to_regclass('effect_sql_migrations')::text AS found"), [
          { found: null }
        ])

        yield* run({ "1_users.sql": USERS, "2_gone.sql": "SELECT 1", "4_same.sql": "SELECT 1" })
        const files = {
          "1_users.sql": "SELECT 1",
          "3_late.sql": "SELECT 1",
          "4_same.sql": "SELECT 1",
          "5_new.sql": "SELECT 1"
        }
        assert.deepStrictEqual(yield* states(files), [
          [1, "1_users.sql", "changed"],
          [2, undefined, "missing"],
          [3, "3_late.sql", "out of order"],
          [4, "4_same.sql", "applied"],
          [5, "5_new.sql", "pending"]
        ])
        const dates = yield* PgMigrator.status({ loader: PgMigrator.fromSqlRecord(files) })
        const [first] = dates
        assert.isBelow(Math.abs(Date.now() - (first?.appliedAt?.getTime() ?? 0)), 60_000)
        assert.isUndefined(dates[4]?.appliedAt)
        const refused = yield* Effect.flip(PgMigrator.dryRun({ loader: PgMigrator.fromSqlRecord(files) }))
        assert.include(refused.message, "1_users.sql was changed after it was applied")
      })
    )
  )
})
