/**
 * Measures COPY of a million typed rows: its time, the client's CPU and its memory. The rows are copied in by effectpg,
 * by asyncpg's `copy_records_to_table` if that is installed, and by pg-copy-streams, for which this script writes the
 * rows as text. They are copied out by effectpg. The drivers take turns, and each turn is a process of its own.
 *
 *
 *     node bench/copy.ts [rounds]
 */
import { execFileSync } from "node:child_process"
import path from "node:path"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { fileURLToPath } from "node:url"
import { Effect, Redacted, Stream } from "effect"
import pg from "pg"
import { from } from "pg-copy-streams"
import { PgConnection } from "../src/index.ts"
import { start } from "../test/support/postgres.ts"
import { administer, withDatabase } from "./database.ts"
import { medianRatio } from "./statistics.ts"

const ROWS = 1_000_000
const WARM_UP_ROWS = 200_000
const PIECE_CHARACTERS = 65_536
const DEFAULT_ROUNDS = 3
const COLUMNS = ["a", "b", "c", "d", "e", "f", "g"]
const ROW = [10, 11, 10, "TESTTESTTEST", 10.333, 12341234, "123412341234"]
const CREATE = "CREATE UNLOGGED TABLE measurement (a int4, b int4, c int4, d text, e float8, f int4, g text)"

interface Address {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

/** The figures of one turn. */
interface Turn {
  readonly seconds: number
  readonly cpuSeconds: number
  /** The memory of the whole process, after the warm-up and at the end. */
  readonly megabytesBefore: number
  readonly megabytesAtMost: number
}

function* rows(count: number): Generator<ReadonlyArray<unknown>> {
  for (let row = 0; row < count; row++) yield ROW
}

/** Yields the rows in blocks, because a write for every row would be most of the work. */
function* lines(count: number): Generator<string> {
  let piece = ""
  for (const row of rows(count)) {
    piece += `${row.join("\t")}\n`
    if (piece.length < PIECE_CHARACTERS) continue
    yield piece
    piece = ""
  }
  yield piece
}

const connection = ({ password, ...address }: Address) =>
  PgConnection.make({ ...address, password: Redacted.make(password) })

type Copy = (address: Address, count: number) => Promise<void>

const effectpgIn: Copy = (address, count) =>
  connection(address).pipe(
    Effect.flatMap((pg) => pg.copyInRows({ table: "measurement", columns: COLUMNS }, rows(count))),
    Effect.scoped,
    Effect.asVoid,
    Effect.runPromise
  )

const effectpgOut: Copy = (address, count) =>
  connection(address).pipe(
    Effect.flatMap((pg) => {
      const query = "SELECT * FROM measurement LIMIT $1"
      return Stream.runDrain(pg.copyOutRows({ query, params: [count] }))
    }),
    Effect.scoped,
    Effect.runPromise
  )

const pgCopyStreams: Copy = async (address, count) => {
  const client = new pg.Client({ ...address })
  await client.connect()
  try {
    const stream = client.query(from(`COPY measurement (${COLUMNS.join(", ")}) FROM STDIN`))
    await pipeline(Readable.from(lines(count)), stream)
  } finally {
    await client.end()
  }
}

const copies: Readonly<Record<string, Copy>> = { effectpgIn, effectpgOut, pgCopyStreams }

const megabytes = (): number => process.memoryUsage.rss() / 1_048_576

const SAMPLE_MILLIS = 50

/** Runs one turn, in a process of its own. */
const turn = async (copy: Copy, address: Address): Promise<Turn> => {
  await copy(address, WARM_UP_ROWS)
  const megabytesBefore = megabytes()
  let megabytesAtMost = megabytesBefore
  const sampling = setInterval(() => (megabytesAtMost = Math.max(megabytesAtMost, megabytes())), SAMPLE_MILLIS)
  const began = performance.now()
  const cpu = process.cpuUsage()
  await copy(address, ROWS)
  const { system, user } = process.cpuUsage(cpu)
  const seconds = (performance.now() - began) / 1_000
  clearInterval(sampling)
  return { seconds, cpuSeconds: (system + user) / 1_000_000, megabytesBefore, megabytesAtMost }
}

const here = fileURLToPath(import.meta.url)
const ASYNCPG = path.join(path.dirname(here), "copy_asyncpg.py")

const inOwnProcess = (command: string, script: string, copy: string, address: Address): Turn => {
  const env = {
    ...process.env,
    COPY_ADDRESS: JSON.stringify(address),
    COPY_ROWS: String(ROWS),
    COPY_ROW: JSON.stringify(ROW)
  }
  return JSON.parse(execFileSync(command, [script, copy], { env, encoding: "utf8" }))
}

/** The first Python that has asyncpg. */
const python = ["python3", "/usr/bin/python3"].find((command) => {
  try {
    execFileSync(command, ["-c", "import asyncpg"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
})

const main = async (rounds: number): Promise<void> => {
  const { stop, ...server } = await start()
  const turns = new Map<string, Array<Turn>>()
  const take = (name: string, measured: Turn): void => void turns.set(name, [...(turns.get(name) ?? []), measured])
  await withDatabase(server, async ({ host, port, user, password, database }) => {
    const address = { host, port, user, password, database }
    await administer(address, [CREATE])
    for (let round = 0; round < rounds; round++) {
      for (const copy of ["effectpgIn", "pgCopyStreams", ...(python === undefined ? [] : ["asyncpg"]), "effectpgOut"]) {
        if (copy !== "effectpgOut") await administer(address, ["TRUNCATE measurement"])
        const command = copy === "asyncpg" && python !== undefined ? python : process.execPath
        take(copy, inOwnProcess(command, copy === "asyncpg" ? ASYNCPG : here, copy, address))
      }
    }
  }).finally(stop)
  for (const line of report(turns)) console.log(line)
}

const report = (turns: ReadonlyMap<string, ReadonlyArray<Turn>>): ReadonlyArray<string> => {
  const reference = turns.get("effectpgIn") ?? []
  const valuesOf = (all: ReadonlyArray<Turn>, value: keyof Turn) => all.map((each) => each[value])
  return [
    `${ROWS} rows of 7 columns; ratios to effectpgIn, median of ${reference.length} rounds`,
    ...[...turns].map(([name, all]) => {
      const ratio = (value: keyof Turn) => medianRatio(valuesOf(all, value), valuesOf(reference, value)).toFixed(2)
      const best = Math.min(...valuesOf(all, "seconds"))
      const before = Math.max(...valuesOf(all, "megabytesBefore"))
      const most = Math.max(...valuesOf(all, "megabytesAtMost"))
      return [
        name.padEnd(14),
        `${Math.round(ROWS / best / 1_000)} k rows/s at best`,
        `time x ${ratio("seconds")}`,
        `client CPU x ${ratio("cpuSeconds")}`,
        `memory ${Math.round(before)} MB before, ${Math.round(most)} MB at most`
      ].join("   ")
    })
  ]
}

const [, , what = String(DEFAULT_ROUNDS)] = process.argv
const copy = Object.hasOwn(copies, what) ? copies[what] : undefined
if (copy === undefined) await main(Number(what))
else console.log(JSON.stringify(await turn(copy, JSON.parse(process.env["COPY_ADDRESS"] ?? "{}"))))
