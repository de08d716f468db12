/** `effectpg check` and `effectpg types` as they are after an installation of what `npm pack` makes. */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, beforeAll, inject } from "vitest"
import { compiler } from "../../support/build.ts"
import { environment, type Ran } from "../support/effectpg.ts"
import { install } from "../support/installed.ts"

const BUILD_TIMEOUT_MILLIS = 120_000
const SLOW = { timeout: 120_000 }
let directory = ""

const PROGRAM = `import { PgClient } from "effectpg"

export const names = PgClient.PgClient.use((pg) => pg.fetchRow("SELECT name FROM users WHERE id = $1", [1]))
`

beforeAll(async () => {
  directory = await install(["@effect/platform-node", "oxc-parser"])
  const write = (name: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(directory, name)), { recursive: true })
    fs.writeFileSync(path.join(directory, name), text)
  }
  write("migrations/0001_users.sql", "CREATE TABLE users (id int PRIMARY KEY, name text)")
  write("a.ts", PROGRAM)
  const compilerOptions = {
    strict: true,
    module: "NodeNext",
    target: "ES2023",
    types: [],
    skipLibCheck: true,
    noEmit: true
  }
  write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["a.ts", "effectpg.d.ts"] }))
}, BUILD_TIMEOUT_MILLIS)

afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

const run = (file: string, args: ReadonlyArray<string>): Promise<Ran> => {
  const { database, host, password, port, user } = inject("postgres")
  const url = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`
  return new Promise((resolve) => {
    const settings = { cwd: directory, env: environment({ EFFECTPG_TEST_URL: url }) }
    const child = execFile(file, args, settings, (_, stdout, stderr) =>
      resolve({ stdout, stderr, exitCode: child.exitCode })
    )
  })
}

const npx = (...args: ReadonlyArray<string>): Promise<Ran> => run("npx", ["--offline", "effectpg", ...args])

describe("the installed package", () => {
  it("types a program, whose wrong values the compiler then refuses", SLOW, async () => {
    const types = await npx("types", "--migrations", "migrations")
    assert.deepStrictEqual(types, {
      stdout: "1 statement in 1 file: no errors.\neffectpg.d.ts has 1 statement.\n",
      stderr: "",
      exitCode: 0
    })
    assert.strictEqual((await npx("check", "--offline")).exitCode, 0)
    const right = await run(process.execPath, [compiler, "-p", "."])
    assert.strictEqual(right.stdout, "")
    fs.writeFileSync(path.join(directory, "a.ts"), PROGRAM.replace("[1]", '["1"]'))
    const wrong = await run(process.execPath, [compiler, "-p", "."])
    assert.include(wrong.stdout, "a.ts(3,64): error TS2769")
    assert.include(wrong.stdout, "Type 'string' is not assignable to type 'number'")
  })

  it("checks a program, and says how to install the parser if it is missing", SLOW, async () => {
    fs.writeFileSync(path.join(directory, "a.ts"), PROGRAM.replace("name FROM", "nam FROM"))
    const check = await npx("check", "--migrations", "migrations")
    assert.match(check.stdout, /^a\.ts:3:72 - error 42703: column "nam" does not exist\n/)
    assert.strictEqual(check.exitCode, 1)
    fs.rmSync(path.join(directory, "node_modules", "oxc-parser"))
    const missing = await npx("check", "--migrations", "migrations")
    assert.deepStrictEqual(missing, {
      stdout: "",
      stderr:
        "The command check needs the package oxc-parser, which is not installed, or not in a release that fits. Install it " +
        'with:\n  npm install --save-dev "oxc-parser@>=0.159.0"\n',
      exitCode: 2
    })
  })
})
