/** Tests which migrations the loaders find, and what they refuse before anything is run. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as PgMigrator from "../../src/PgMigrator.ts"
import { checked } from "../../src/migrator/plan.ts"

const idsOf = <R>(loader: PgMigrator.Loader<R>) =>
  Effect.map(loader, (migrations) => migrations.map(([id, name]) => `${id} ${name}`))

const refusalOf = (files: Record<string, string>) => Effect.flip(PgMigrator.fromSqlRecord(files))

const both = (files: Record<string, string>) => Effect.flatMap(PgMigrator.fromSqlRecord(files), checked)

describe("SQL files of a record", () => {
  it.effect("are found by their names, whatever the folder, and sorted by their numbers", () =>
    Effect.gen(function* () {
      const files = { "./db/0010_b.sql": "", "db\\9_a.x.sql": "", "_schema.sql": "", "0001_a.txt": "", "2_.sql": "" }
      assert.deepStrictEqual(yield* idsOf(PgMigrator.fromSqlRecord(files)), ["9 a.x", "10 b"])
    })
  )

  it.effect.each([
    ["BEGIN", "SELECT 1;\nBEGIN;", "line 2: BEGIN is not allowed"],
    ["START TRANSACTION", "start transaction", "line 1: START is not allowed"],
    ["COMMIT, also without a transaction", "-- no transaction\ncommit", "line 2: COMMIT is not allowed"],
    ["END", "END", "END is not allowed"],
    ["ROLLBACK", "ROLLBACK AND CHAIN", "ROLLBACK is not allowed"],
    ["ABORT", "/* */ ABORT", "ABORT is not allowed"],
    ["PREPARE TRANSACTION", "PREPARE TRANSACTION 'x'", "PREPARE is not allowed"],
    ["a command of psql", "SELECT 1;\n\n\\restrict abc\nSELECT 2;", "line 3: it has a command of psql"],
    ["data of COPY", "COPY a (b) FROM STDIN WITH (FORMAT csv);\n1\n", "line 1: COPY ... FROM STDIN"]
  ] as const)("are refused with %s", ([, text, complaint]) =>
    Effect.gen(function* () {
      const error = yield* refusalOf({ "1_a.sql": "SELECT 1", "2_b.sql": text })
      assert.deepInclude(error, { _tag: "MigrationError", kind: "ImportError" })
      assert.include(error.message, "2_b.sql, ")
      assert.include(error.message, complaint)
    })
  )

  it.effect("may have what only looks like it", () =>
    Effect.gen(function* () {
      const text =
        "SAVEPOINT a; ROLLBACK TO a; ROLLBACK WORK TO SAVEPOINT a; PREPARE p AS SELECT 1; SELECT '\\', $$\\d$$, E'\\n';" +
        "COPY a FROM '/stdin'; COPY a TO STDOUT; DO $$ BEGIN COMMIT; END $$; -- \\d"
      assert.deepStrictEqual(yield* idsOf(PgMigrator.fromSqlRecord({ "1_a.sql": text })), ["1 a"])
    })
  )
})

describe("migrations of all loaders", () => {
  it.effect("have a number each, which fits into the table", () =>
    Effect.gen(function* () {
      const twice = yield* Effect.flip(both({ "01_a.sql": "", "1_b.sql": "" }))
      assert.deepInclude(twice, { kind: "Duplicates", message: "01_a.sql and 1_b.sql have the same number" })
      const high = yield* Effect.flip(both({ "20260102030405_a.sql": "" }))
      assert.include(high.message, "20260102030405_a.sql: its number is not between 0 and 2147483647")
      assert.lengthOf(yield* both({ "0_a.sql": "", "2147483647_b.sql": "" }), 2)
    })
  )
})

const inDirectory = <A, E, R>(files: Record<string, string>, use: (directory: string) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const directory = yield* fileSystem.makeTempDirectoryScoped()
    for (const [file, text] of Object.entries(files)) yield* fileSystem.writeFileString(`${directory}/${file}`, text)
    return yield* use(directory)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

describe("a directory", () => {
  it.effect("may have SQL files and modules side by side", () =>
    inDirectory(
      {
        "0010_last.sql": "SELECT 1",
        "0002_module.mjs": "export default 1",
        "0001_first.sql": "-- no transaction\nSELECT 1; SELECT 2",
        "README.md": "",
        "_schema.sql": "BEGIN"
      },
      (directory) =>
        Effect.gen(function* () {
          const migrations = yield* PgMigrator.fromDirectory(directory)
          assert.deepStrictEqual(
            migrations.map(([id, name]) => [id, name]),
            [
              [1, "first"],
              [2, "module"],
              [10, "last"]
            ]
          )
          const [first] = migrations
          const { sqlFile } = first as PgMigrator.SqlMigration
          assert.deepInclude(sqlFile, { file: "0001_first.sql", isTransactional: false })
          assert.lengthOf(sqlFile.statements, 2)
        })
    )
  )

  it.effect("that is not there is a MigrationError", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.provide(PgMigrator.fromDirectory("/no/such/directory"), NodeServices.layer)
      )
      assert.deepInclude(error, { _tag: "MigrationError", kind: "ImportError" })
      assert.include(error.message, "/no/such/directory")
    })
  )
})

describe("the first line of a file", () => {
  it.effect.each([
    ["-- no transaction", false],
    ["--NO-TRANSACTION  \nSELECT 1", false],
    ["\uFEFF-- no transaction\r\nSELECT 1", false],
    ["-- no transactions\nSELECT 1", true],
    ["\n-- no transaction", true],
    ["SELECT 1 -- no transaction", true]
  ] as const)("%j: transactional is %s", ([text, isTransactional]) =>
    Effect.gen(function* () {
      const [migration] = yield* PgMigrator.fromSqlRecord({ "1_a.sql": text })
      const { sqlFile } = migration as PgMigrator.SqlMigration
      assert.strictEqual(sqlFile.isTransactional, isTransactional)
    })
  )
})
