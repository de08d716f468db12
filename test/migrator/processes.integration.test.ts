/** Tests that several processes that migrate one database at the same time all end well. */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import pg from "pg"
import { createDatabase } from "../support/database.ts"
import { sqlClients } from "../support/sqlClients.ts"

const run = promisify(execFile)
const program = fileURLToPath(new URL("../fixtures/migrate.ts", import.meta.url))
const PROCESSES = 4
const PROCESSES_TIMEOUT_MILLIS = 60_000

describe.each(sqlClients)("processes with %s", (name) => {
  it(
    "that start at once do each migration once",
    async () => {
      const database = await createDatabase()
      try {
        const migrating = Array.from({ length: PROCESSES }, () => run(process.execPath, [program, name, database.url]))
        const outputs = await Promise.all(migrating)
        const applied = outputs.flatMap(({ stdout }) => JSON.parse(/^applied (.*)$/m.exec(stdout)?.[1] ?? "null"))
        assert.deepStrictEqual(applied.toSorted(), [1, 2, 3])
        const client = new pg.Client(database.url)
        await client.connect()
        const { rows } = await client.query("SELECT migration_id FROM effect_sql_migrations ORDER BY migration_id")
        await client.end()
        assert.lengthOf(rows, 3)
      } finally {
        await database.drop()
      }
    },
    PROCESSES_TIMEOUT_MILLIS
  )
})
