/** Runs a program of `examples/` or of the documentation in a database of its own. */
import { spawn } from "node:child_process"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { createDatabase } from "./database.ts"

export const PROGRAM_TIMEOUT_MILLIS = 60_000

export interface Run {
  /** The exit code, and everything that the program wrote. */
  readonly result: string
  /** The schemas that the program has made and not dropped, and the tables in `public`. */
  readonly leftovers: ReadonlyArray<string>
}

/** Each program runs once, even if several tests want its output. */
const runs = new Map<string, Promise<Run>>()

export const runProgram = (program: URL): Promise<Run> => {
  const known = runs.get(program.href)
  if (known !== undefined) return known
  const fresh = runInOwnDatabase(program)
  runs.set(program.href, fresh)
  return fresh
}

const runInOwnDatabase = async (program: URL): Promise<Run> => {
  const database = await createDatabase()
  try {
    const result = await outcome(program, database.url)
    return { result, leftovers: await leftoversIn(database.url) }
  } finally {
    await database.drop()
  }
}

const outcome = async (program: URL, url: string): Promise<string> => {
  const child = spawn(process.execPath, [fileURLToPath(program)], {
    env: { ...process.env, EFFECTPG_TEST_URL: url },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: PROGRAM_TIMEOUT_MILLIS
  })
  const ended = new Promise<string>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code, signal) => resolve(`${code ?? signal}`))
  })
  const [exit, output, complaint] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return `exit ${exit}\n${output}${complaint}`
}

const leftoversIn = async (url: string): Promise<ReadonlyArray<string>> => {
  const client = new pg.Client(url)
  await client.connect()
  try {
    const { rows } = await client.query<{ name: string }>(
      `SELECT nspname AS name FROM pg_namespace WHERE nspname !~ '^(pg_.*|information_schema|public)$'
       UNION ALL SELECT tablename FROM pg_tables WHERE schemaname = 'public'`
    )
    return rows.map(({ name }) => name)
  } finally {
    await client.end()
  }
}
