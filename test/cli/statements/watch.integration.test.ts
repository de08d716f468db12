/** `effectpg types --watch`: the types follow the sources and the migrations. */
import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { inject } from "vitest"
import { environment, program } from "../support/effectpg.ts"
import { makeProject } from "./sample.ts"

const PATIENCE_MILLIS = 60_000
const POLL_MILLIS = 50

const eventually = async (what: string, holds: () => boolean): Promise<void> => {
  const end = Date.now() + PATIENCE_MILLIS
  while (!holds()) {
    if (Date.now() > end) assert.fail(`it never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLIS))
  }
}

const serverUrl = (): string => {
  const { database, host, password, port, user } = inject("postgres")
  return `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`
}

/** Starts a command with `--watch` in a project of these files. */
const watching = (args: ReadonlyArray<string>, files: Readonly<Record<string, string>>, folder = ".") => {
  const { directory, remove } = makeProject(files)
  const child = spawn(process.execPath, [program, ...args, "--watch"], {
    cwd: path.join(directory, folder),
    env: environment({ EFFECTPG_TEST_URL: serverUrl() })
  })
  let said = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
  return {
    said: () => said,
    rounds: (): number => said.split("Waiting for a change").length - 1,
    read: (name: string): string => {
      const file = path.join(directory, name)
      return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : ""
    },
    write: (name: string, text: string): void => fs.writeFileSync(path.join(directory, name), text),
    stop: async (): Promise<number | null> => {
      child.kill("SIGINT")
      const exitCode = await ended
      remove()
      return exitCode
    }
  }
}

const calling = (sql: string): string => `import { PgClient } from "effectpg"\npg.fetch("${sql}")`

const SLOW = { timeout: 240_000 }

describe("effectpg types --watch", () => {
  it(
    "writes again if a source or a migration changes, goes on after an error, and ends on a signal",
    SLOW,
    async () => {
      const { read, rounds, said, stop, write } = watching(["types", "--migrations", "migrations"], {
        "migrations/0001_users.sql": "CREATE TABLE users (id int PRIMARY KEY)",
        "a.ts": calling("SELECT id FROM users")
      })
      const written = (): string => read("effectpg.d.ts")

      await eventually("the first round", () => rounds() === 1)
      assert.include(written(), '"SELECT id FROM users": {')

      write("a.ts", calling("SELECT nam FROM users"))
      await eventually("an error", () => said().includes('error 42703: column "nam" does not exist') && rounds() === 2)

      write("migrations/0002_names.sql", "ALTER TABLE users ADD nam text NOT NULL")
      await eventually("a new database", () => written().includes("{ readonly nam: string }"))
      assert.strictEqual(await stop(), 130)
    }
  )

  it("follows package.json, also when it is wrong for a while, and no file that it writes itself", SLOW, async () => {
    const { read, rounds, said, stop, write } = watching(
      ["types", "--url", serverUrl(), "--output", "../types.ts", "../src", "../build"],
      { "folder/x": "", "src/a.ts": calling("SELECT 1 AS my_one"), "build/b.ts": calling("SELECT 2 AS two") },
      "folder"
    )
    await eventually("the first round", () => rounds() === 1)
    assert.include(read("types.ts"), "{ readonly my_one: number }")
    assert.include(read("types.ts"), "{ readonly two: number }")

    write("package.json", "{ oops")
    await eventually("a complaint", () => said().includes("package.json is no JSON") && rounds() === 2)

    write("package.json", '{ "effectpg": { "names": "camelCase" } }')
    await eventually("the new settings", () => read("types.ts").includes("{ readonly myOne: number }"))
    await eventually("the third round", () => rounds() === 3)

    write("build/b.ts", calling("SELECT 3 AS three"))
    await eventually("a file in a folder that has to be named", () =>
      read("types.ts").includes("readonly three: number")
    )
    await eventually("the fourth round", () => rounds() === 4)
    write("other.json", "{}")
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    assert.strictEqual(rounds(), 4)
    assert.strictEqual(await stop(), 130)
  })
})

describe("effectpg check --watch", () => {
  it("checks again without a server, too, and after the types were written", SLOW, async () => {
    const { rounds, said, stop, write } = watching(["check", "--offline"], { "a.ts": calling("SELECT 1 AS one") })
    await eventually("the first round", () => said().includes("is not in the generated types") && rounds() === 1)
    write(
      "effectpg.d.ts",
      'declare module "effectpg/PgSql" {\n  interface TypedStatements {\n    "SELECT 1 AS one": {}\n  }\n}\nexport {}\n'
    )
    await eventually("the second round", () => said().includes("1 statement in 1 file: no errors.") && rounds() === 2)
    assert.strictEqual(await stop(), 130)
  })
})
