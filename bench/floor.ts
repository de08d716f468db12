/**
 * Measures the least that a query can cost, with pgbench: it is written in C on libpq, asks for text, and does not read
 * it. Programs cannot use it as a driver, so there are no ratios to it.
 */
import { execFile, execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { promisify } from "node:util"
import type { Address } from "./protocol.ts"
import { median } from "./statistics.ts"
import type { Query, Workload } from "./workloads/workload.ts"

export interface Floor {
  readonly command: string
  readonly version: string
}

export type FloorOutcome =
  | {
      readonly kind: "measured"
      readonly cpuMicrosPerQuery: number
      readonly queriesPerSecond: number
      readonly averageMicros: number
    }
  | { readonly kind: "failed"; readonly reason: string }

/** Finds pgbench; undefined if it is not on the path. */
export const findFloor = (command = "pgbench"): Floor | undefined => {
  try {
    const version = execFileSync(command, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
    return { command, version: version.replace("pgbench (PostgreSQL)", "").trim() }
  } catch {
    return undefined
  }
}

const MICROS_PER_SECOND = 1_000_000
const MICROS_PER_MILLI = 1_000

interface Turn {
  readonly queries: number
  readonly cpuMicros: number
  readonly queriesPerSecond: number
  readonly averageMicros: number
}

export class FloorEntry {
  private readonly floor: Floor
  private readonly query: Query
  private readonly connections: number
  private readonly database: Address
  private readonly turns: Array<Turn> = []
  private failure: string | undefined

  private constructor(floor: Floor, query: Query, connections: number, database: Address) {
    this.floor = floor
    this.query = query
    this.connections = connections
    this.database = database
  }

  static of(floor: Floor, { hasFloor, task, connections }: Workload, database: Address): FloorEntry | undefined {
    return hasFloor === true && task.kind === "fetch"
      ? new FloorEntry(floor, task.queries[0], connections, database)
      : undefined
  }

  /** Runs pgbench, which accepts only whole seconds. The cost of connecting is measured separately and subtracted. */
  async run(seconds: number): Promise<void> {
    if (this.failure !== undefined) return
    try {
      const start = await this.pgbench("--transactions", "1")
      const turn = await this.pgbench("--time", String(Math.max(1, Math.round(seconds))))
      this.turns.push({
        ...turn,
        queries: turn.queries - start.queries,
        cpuMicros: turn.cpuMicros - start.cpuMicros
      })
    } catch (error) {
      this.failure = `pgbench: ${error instanceof Error ? error.message : String(error)}`
    }
  }

  outcome(): FloorOutcome {
    if (this.failure !== undefined) return { kind: "failed", reason: this.failure }
    const medianOf = (figure: (turn: Turn) => number): number => median(this.turns.map(figure))
    return {
      kind: "measured",
      cpuMicrosPerQuery: medianOf((turn) => turn.cpuMicros / turn.queries),
      queriesPerSecond: medianOf((turn) => turn.queriesPerSecond),
      averageMicros: medianOf((turn) => turn.averageMicros)
    }
  }

  private async pgbench(...duration: ReadonlyArray<string>): Promise<Turn> {
    const { host, port, user, password, database } = this.database
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-bench-"))
    try {
      const script = path.join(directory, "query.sql")
      fs.writeFileSync(script, `${this.query.sql.replace(/\$(\d+)/g, ":parameter_$1")}\n`)
      const variables = this.query.parameters.flatMap((value, at) => ["--define", `parameter_${at + 1}=${value}`])
      const clients = ["--client", String(this.connections), "--jobs", "1"]
      const args = ["--no-vacuum", "--protocol", "prepared", "--file", script, ...clients, ...variables, ...duration]
      // Node does not report the CPU time of a child that has ended, but a shell does, with `times`.
      const { stdout } = await promisify(execFile)("sh", ["-c", '"$@" && times', "sh", this.floor.command, ...args], {
        env: {
          ...process.env,
          PGHOST: host,
          PGPORT: String(port),
          PGUSER: user,
          PGPASSWORD: password,
          PGDATABASE: database
        }
      })
      return parseTurn(stdout)
    } finally {
      fs.rmSync(directory, { recursive: true })
    }
  }
}

/** Reads what pgbench has printed, followed by the two lines of `times`: one for the shell, one for its children. */
export const parseTurn = (output: string): Turn => {
  const number = (pattern: RegExp): number => {
    const [, digits] = pattern.exec(output) ?? []
    if (digits === undefined) throw new Error(`it did not print ${pattern.source}`)
    return Number(digits)
  }
  const children = /(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/.exec(output)
  if (children === null) throw new Error("the shell did not print the time of its children")
  const [userMinutes = 0, userSeconds = 0, systemMinutes = 0, systemSeconds = 0] = children.slice(1).map(Number)
  return {
    queries: number(/transactions actually processed: (\d+)/),
    cpuMicros: ((userMinutes + systemMinutes) * 60 + userSeconds + systemSeconds) * MICROS_PER_SECOND,
    queriesPerSecond: number(/tps = ([\d.]+)/),
    averageMicros: number(/latency average = ([\d.]+) ms/) * MICROS_PER_MILLI
  }
}
