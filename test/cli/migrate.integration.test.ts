/** Tests `effectpg migrate` in directories of its own, on a real server. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { vi } from "vitest"
import { scopedDatabase, TestDatabase } from "../support/database.ts"
import { closedPort } from "../support/scriptedServer.ts"
import { effectpg, PROCESS_TIMEOUT_MILLIS } from "./support/effectpg.ts"

vi.setConfig({ testTimeout: PROCESS_TIMEOUT_MILLIS })

const modules = fileURLToPath(new URL("../../node_modules", import.meta.url))

/** A project without migrations, and a database for it. */
const project = Effect.gen(function* () {
  const { url } = yield* scopedDatabase
  const cwd = fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-migrate-"))
  yield* Effect.addFinalizer(() => Effect.sync(() => fs.rmSync(cwd, { recursive: true })))
  fs.symlinkSync(modules, path.join(cwd, "node_modules"), "junction")
  const run = (...args: ReadonlyArray<string>) =>
    Effect.promise(() => effectpg(["migrate", ...args], { cwd, env: { DATABASE_URL: url } }))
  return { cwd, run, write: (name: string, text: string) => fs.writeFileSync(path.join(cwd, "migrations", name), text) }
})

const ok = (stdout: string) => ({ stdout, stderr: "", exitCode: 0 })

layer(TestDatabase.layer, { excludeTestServices: true })("effectpg migrate", (it) => {
  it.effect("begins migrations in SQL and in TypeScript, applies them, and shows their states", () =>
    Effect.gen(function* () {
      const { cwd, run, write } = yield* project
      assert.deepStrictEqual(yield* run("new", "Add users!"), ok("migrations/0001_add_users.sql\n"))
      assert.deepStrictEqual(yield* run("new", "seed", "--ts"), ok("migrations/0002_seed.ts\n"))
      write("0001_add_users.sql", "CREATE TABLE users (id int8 PRIMARY KEY);\nCREATE INDEX ON users (id);\n")
      assert.deepStrictEqual(yield* run("status"), ok("pending       0001_add_users.sql\npending       2_seed\n"))
      assert.deepStrictEqual(
        yield* run("up", "--dry-run"),
        ok(
          "-- 0001_add_users.sql\nCREATE TABLE users (id int8 PRIMARY KEY);\nCREATE INDEX ON users (id);\n\n" +
            "-- 2_seed, an Effect\n"
        )
      )
      assert.deepStrictEqual(yield* run("up"), ok("applied  1_add_users\napplied  2_seed\n"))
      assert.deepStrictEqual(yield* run("up"), ok("Nothing to apply.\n"))
      const states = yield* run("status")
      assert.match(states.stdout, /^applied {7}0001_add_users\.sql {2}20\S+Z\napplied {7}2_seed {2}20\S+Z\n$/)
      assert.strictEqual(states.exitCode, 0)
      assert.deepStrictEqual(fs.readdirSync(path.join(cwd, "migrations")), ["0001_add_users.sql", "0002_seed.ts"])
    }).pipe(Effect.scoped)
  )

  it.effect("shows where a migration failed, keeps those before it, and goes on once it is mended", () =>
    Effect.gen(function* () {
      const { run, write } = yield* project
      yield* run("new", "first")
      yield* run("new", "second")
      write("0001_first.sql", "CREATE TABLE first (n int);")
      write("0002_second.sql", "SELECT 1;\nSELECT *\n  FROM nowhere;\n")
      assert.deepStrictEqual(yield* run("up"), {
        stdout: "",
        stderr:
          '0002_second.sql failed at line 3, in statement 2 of 2: relation "nowhere" does not exist\nSQLSTATE: 42P01\n' +
          "0002_second.sql:\n  1 | SELECT 1;\n  2 | SELECT *\n  3 |   FROM nowhere;\n    |        ^\n" +
          "The file was rolled back as a whole. The migrations before it stay applied.\n",
        exitCode: 1
      })
      write("0002_second.sql", "SELECT 1;")
      assert.deepStrictEqual(yield* run("up"), ok("applied  2_second\n"))
    }).pipe(Effect.scoped)
  )

  it.effect("refuses a file that was changed after it was applied, and says so in the states", () =>
    Effect.gen(function* () {
      const { run, write } = yield* project
      yield* run("new", "first")
      yield* run("up")
      write("0001_first.sql", "SELECT 2;")
      const states = yield* run("status")
      assert.strictEqual(states.exitCode, 1)
      assert.match(states.stdout, /^changed {7}0001_first\.sql/)
      const refused = yield* run("up")
      assert.strictEqual(refused.exitCode, 1)
      assert.isTrue(refused.stderr.startsWith("0001_first.sql was changed after it was applied\nHINT: Restore it"))
    }).pipe(Effect.scoped)
  )

  it.effect("says at once what is missing: the directory, the server, the name", () =>
    Effect.gen(function* () {
      const { run } = yield* project
      assert.deepStrictEqual(yield* run("up"), {
        stdout: "",
        stderr: "There is no directory migrations. Give another one with --directory.\n",
        exitCode: 2
      })
      yield* run("new", "first")
      const port = yield* closedPort
      assert.deepStrictEqual(yield* run("up", "--url", `postgres://127.0.0.1:${port}/app`), {
        stdout: "",
        stderr: `cannot connect to 127.0.0.1:${port}, tcp: ECONNREFUSED\n`,
        exitCode: 1
      })
      assert.strictEqual((yield* run("new", "!")).stderr, "The name of a migration needs a letter or a digit.\n")
      assert.strictEqual((yield* run("new")).exitCode, 2)
    }).pipe(Effect.scoped)
  )
})
