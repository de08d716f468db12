/**
 * Tests that every example runs to its end in a database of its own, leaves nothing there, and prints what README.md
 * says.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { createDatabase } from "./support/database.ts"
import { blocks } from "./support/readme.ts"

const directory = new URL("../examples/", import.meta.url)
const examples = fs.readdirSync(directory).filter((file) => file.endsWith(".ts"))

const EXAMPLE_TIMEOUT_MILLIS = 60_000

/** Everything that the example wrote, after its exit code. */
const outcome = async (example: string, url: string): Promise<string> => {
  const child = spawn(process.execPath, [fileURLToPath(new URL(example, directory))], {
    env: { ...process.env, EFFECTPG_TEST_URL: url },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: EXAMPLE_TIMEOUT_MILLIS
  })
  const ended = new Promise<string>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code, signal) => resolve(`${code ?? signal}`))
  })
  const [exit, output, complaint] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return `exit ${exit}\n${output}${complaint}`
}

interface Run {
  readonly result: string
  /** The schemas that the example has made and not dropped, and the tables in `public`. */
  readonly leftovers: ReadonlyArray<string>
}

/** Runs each example once, even if several tests want its output. */
const runs = new Map<string, Promise<Run>>()

const runOf = (example: string): Promise<Run> => {
  const known = runs.get(example)
  if (known !== undefined) return known
  const fresh = runInOwnDatabase(example)
  runs.set(example, fresh)
  return fresh
}

const runInOwnDatabase = async (example: string): Promise<Run> => {
  const database = await createDatabase()
  try {
    const result = await outcome(example, database.url)
    return { result, leftovers: await leftoversIn(database.url) }
  } finally {
    await database.drop()
  }
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

describe("examples", () => {
  it.each(examples)(
    "%s",
    async (example) => {
      const { result, leftovers } = await runOf(example)
      assert.match(result, /^exit 0\n./, result)
      assert.isEmpty(leftovers)
    },
    EXAMPLE_TIMEOUT_MILLIS
  )

  it(
    "print what the README shows",
    async () => {
      const { result } = await runOf("quickstart.ts")
      assert.isNotEmpty(blocks("text"))
      for (const block of blocks("text")) assert.include(result, `\n${block}\n`)
    },
    EXAMPLE_TIMEOUT_MILLIS
  )

  it(
    "do several times as many jobs in a pool of their own as in one that requests saturate",
    async () => {
      const { result } = await runOf("backgroundWork.ts")
      const shared = Number(/in the pool of the requests: (\d+)/.exec(result)?.[1])
      const own = Number(/in a pool of their own: (\d+)/.exec(result)?.[1])
      assert.isAbove(shared, 0, result)
      // It was 14 to 20 times as many on a machine with 14 busy processes for 2 cores.
      assert.isAbove(own, 5 * shared, result)
    },
    EXAMPLE_TIMEOUT_MILLIS
  )

  it(
    "work off a queue of jobs with more than one worker, each job once, and repeat failed jobs",
    async () => {
      const { result } = await runOf("jobQueue.ts")
      const report = Array.from(
        result.matchAll(/^(\w+): (done|given up), attempts: (\d+), sent by: (.*)$/gm),
        ([, recipient, state, attempts, senders]) => ({ recipient, state, attempts: Number(attempts), senders })
      )
      assert.lengthOf(report, 10, result)
      const done = report.filter(({ state }) => state === "done")
      assert.lengthOf(new Set(done.map(({ recipient }) => recipient)), 9)
      for (const { recipient, senders } of done)
        assert.match(`${senders}`, /^worker \d$/, `${recipient} has one letter`)
      assert.isAbove(new Set(done.map(({ senders }) => senders)).size, 1, result)
      for (const { attempts, recipient } of done) assert.strictEqual(attempts, recipient === "Grace" ? 2 : 1)
      assert.deepInclude(report, { recipient: "nobody", state: "given up", attempts: 3, senders: "" })
      assert.lengthOf(result.match(/^worker \d goes home$/gm) ?? [], 3)
    },
    EXAMPLE_TIMEOUT_MILLIS
  )
})
