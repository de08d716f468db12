/** Defines the file format of results, which later runs compare with and charts are drawn from. */
import { execFileSync } from "node:child_process"
import * as os from "node:os"
import { fileURLToPath } from "node:url"
import type { Participant } from "./drivers/index.ts"
import { cpuMicrosPerQuery, type Outcome, queriesPerSecond } from "./entry.ts"
import type { Floor, FloorOutcome } from "./floor.ts"
import type { Measurement, Pace } from "./measure.ts"
import type { Sample } from "./protocol.ts"
import { medianRatio } from "./statistics.ts"
import type { Query, Task, Workload } from "./workloads/workload.ts"

export type Measured = Extract<Outcome, { readonly kind: "measured" }>

/** One driver in one workload. A run keeps every sample; published results have only the figures. */
export type OutcomeRecord =
  | Exclude<Outcome, Measured>
  | (Omit<Measured, "samples"> & { readonly samples?: ReadonlyArray<Sample> })

export type MeasuredRecord = Extract<OutcomeRecord, { readonly kind: "measured" }>

interface Ratios {
  readonly cpuMicrosPerQuery: number
  readonly queriesPerSecond: number
}

export interface WorkloadRecord extends Pick<Workload, "name" | "title" | "through" | "connections" | "fibers"> {
  readonly task: Task["kind"]
  /** The first statement of the task, if it has one. */
  readonly sql: string | undefined
  readonly statements: number
  readonly rowsPerQuery: number
  readonly checksum: string
  readonly outcomes: ReadonlyArray<OutcomeRecord>
  readonly floor: FloorOutcome | undefined
  /** The ratios of every driver to every other one. */
  readonly ratios: Readonly<Record<string, Readonly<Record<string, Ratios>>>>
}

export interface Results {
  readonly date: string
  readonly commit: string
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memoryGibibytes: number
    readonly system: string
  }
  readonly versions: Readonly<Record<string, string>>
  readonly pace: Pace
  readonly workloads: ReadonlyArray<WorkloadRecord>
}

export interface Run {
  readonly startedAt: Date
  readonly pace: Pace
  readonly participants: ReadonlyArray<Participant>
  readonly floor: Floor | undefined
  readonly measurements: ReadonlyArray<Measurement>
}

export const measured = <O extends OutcomeRecord>(
  outcomes: ReadonlyArray<O>
): ReadonlyArray<Extract<O, { readonly kind: "measured" }>> => outcomes.filter(isMeasured)

const isMeasured = <O extends OutcomeRecord>(outcome: O): outcome is Extract<O, { readonly kind: "measured" }> =>
  outcome.kind === "measured"

/** The ratio of a figure of one driver to that of another: the median over the rounds. */
export const ratio = (one: Measured, other: Measured, figure: (sample: Sample) => number): number =>
  medianRatio(one.samples.map(figure), other.samples.map(figure))

const BYTES_PER_GIBIBYTE = 1_073_741_824

/** Collects the results: the machine, the versions, and every sample of every round. */
export const resultsOf = ({ startedAt, pace, participants, floor, measurements }: Run): Results => ({
  date: startedAt.toISOString(),
  commit: commit(),
  machine: {
    cpu: os.cpus()[0]?.model ?? "unknown",
    cores: os.availableParallelism(),
    memoryGibibytes: Math.round(os.totalmem() / BYTES_PER_GIBIBYTE),
    system: `${os.type()} ${os.release()} ${os.arch()}`
  },
  versions: {
    node: process.versions.node,
    postgresql: measurements[0]?.serverVersion ?? "unknown",
    ...Object.fromEntries(participants.map(({ name, version }) => [name, version])),
    ...(floor && { pgbench: floor.version })
  },
  pace,
  workloads: measurements.map(record)
})

const record = ({ workload, rowsPerQuery, checksum, outcomes, floor }: Measurement): WorkloadRecord => {
  const { name, title, task, through, connections, fibers } = workload
  const statements = statementsOf(task)
  return {
    name,
    title,
    task: task.kind,
    sql: statements[0]?.sql,
    statements: statements.length,
    through,
    connections,
    fibers,
    rowsPerQuery,
    checksum,
    outcomes,
    floor,
    ratios: ratiosOf(measured(outcomes))
  }
}

const statementsOf = (task: Task): ReadonlyArray<Pick<Query, "sql">> => {
  if (task.kind === "fetch") return task.queries
  if ("query" in task) return [task.query]
  if (task.kind === "load") return task.calls.flatMap((call) => statementsOf(call.task).slice(0, 1))
  return task.kind === "executeMany" ? [task] : []
}

const ratiosOf = (all: ReadonlyArray<Measured>): WorkloadRecord["ratios"] => {
  const ratiosToOthers = (one: Measured): Readonly<Record<string, Ratios>> =>
    Object.fromEntries(
      all
        .filter((other) => other !== one)
        .map((other) => [
          other.driver,
          {
            cpuMicrosPerQuery: ratio(one, other, cpuMicrosPerQuery),
            queriesPerSecond: ratio(one, other, queriesPerSecond)
          }
        ])
    )
  return Object.fromEntries(all.map((one) => [one.driver, ratiosToOthers(one)]))
}

const commit = (): string => {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], {
      cwd: fileURLToPath(new URL(".", import.meta.url)),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"]
    }).trim()
  } catch {
    return "unknown"
  }
}
