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

describe("effectpg types --watch", () => {
  it(
    "writes again if a source or a migration changes, goes on after an error, and ends on a signal",
    { timeout: 240_000 },
    async () => {
      const { database, host, password, port, user } = inject("postgres")
      const url = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`
      const { directory, remove } = makeProject({
        "migrations/0001_users.sql": "CREATE TABLE users (id int PRIMARY KEY)",
        "a.ts": 'import { PgClient } from "effectpg"\npg.fetch("SELECT id FROM users")'
      })
      const child = spawn(process.execPath, [program, "types", "--migrations", "migrations", "--watch"], {
        cwd: directory,
        env: environment({ EFFECTPG_TEST_URL: url })
      })
      let said = ""
      child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text))
      child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
      const rounds = (): number => said.split("Waiting for a change").length - 1
      const written = (): string => {
        const file = path.join(directory, "effectpg.d.ts")
        return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : ""
      }
      const write = (name: string, text: string): void => fs.writeFileSync(path.join(directory, name), text)

      await eventually("the first round", () => rounds() === 1)
      assert.include(written(), '"SELECT id FROM users": {')

      write("a.ts", 'import { PgClient } from "effectpg"\npg.fetch("SELECT nam FROM users")')
      await eventually("an error", () => said.includes('error 42703: column "nam" does not exist') && rounds() === 2)

      write("migrations/0002_names.sql", "ALTER TABLE users ADD nam text NOT NULL")
      await eventually("a new database", () => written().includes("{ readonly nam: string }"))

      const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
      child.kill("SIGINT")
      assert.strictEqual(await ended, 130)
      remove()
    }
  )
})
