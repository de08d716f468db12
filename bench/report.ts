/** Prints the measurements as tables. */
import { cpuMicrosPerQuery, type Figures, queriesPerSecond } from "./entry.ts"
import type { Measurement } from "./measure.ts"
import { type Measured, ratio } from "./results.ts"
import { type Line, table } from "./table.ts"

const BYTES_PER_MEBIBYTE = 1_048_576
const BYTES_PER_KIBIBYTE = 1_024
const MICROS_PER_MILLI = 1_000

export const micros = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0))

const perSecond = (value: number): string => (value < 100 ? value.toFixed(2) : value.toFixed(0))

const kibibytes = ({ allocatedBytesPerQuery: bytes }: Figures): string =>
  bytes === null ? "" : (bytes / BYTES_PER_KIBIBYTE).toFixed(2)

/** The first driver, with which all others are compared, if it could be measured. */
const baseOf = ({ outcomes: [first] }: Measurement): Measured | undefined =>
  first?.kind === "measured" ? first : undefined

const HEAD: Line = [
  "",
  "cpu us/query",
  "queries/s",
  "p50 ms",
  "p99 ms",
  "p99.9 ms",
  "peak MiB",
  "heap KiB/query",
  "cpu ratio",
  "throughput ratio"
]

/** Makes the table of one workload. */
export const workloadTable = (measurement: Measurement): string => {
  const base = baseOf(measurement)
  const lines = measurement.outcomes.map((outcome): Line => {
    if (outcome.kind !== "measured") return [outcome.driver, outcome.kind]
    const { figures } = outcome
    return [
      outcome.driver,
      micros(figures.cpuMicrosPerQuery),
      perSecond(figures.queriesPerSecond),
      (figures.p50Micros / MICROS_PER_MILLI).toFixed(2),
      (figures.p99Micros / MICROS_PER_MILLI).toFixed(2),
      (figures.p999Micros / MICROS_PER_MILLI).toFixed(2),
      (figures.peakMemoryBytes / BYTES_PER_MEBIBYTE).toFixed(0),
      kibibytes(figures),
      ...(base === undefined || base === outcome
        ? []
        : [ratio(base, outcome, cpuMicrosPerQuery).toFixed(2), ratio(base, outcome, queriesPerSecond).toFixed(2)])
    ]
  })
  const remarks = measurement.outcomes.flatMap((outcome) =>
    outcome.kind === "measured" ? [] : [`${outcome.driver}: ${outcome.reason}`]
  )
  const { title, connections, fibers } = measurement.workload
  const ratios = base === undefined ? "" : `; ratios: ${base.driver} to each`
  return [
    `${title} (loops: ${fibers}, connections: ${connections}${ratios})`,
    table([HEAD, ...lines, ...floorLines(measurement)]),
    ...idleTables(measurement),
    ...remarks
  ].join("\n")
}

const IDLE_HEAD: Line = ["an idle connection", "resident KiB", "heap KiB", "cpu us/s"]

const idleTables = ({ outcomes }: Measurement): ReadonlyArray<string> => {
  const lines = outcomes.flatMap((outcome): ReadonlyArray<Line> => {
    if (outcome.kind !== "measured" || outcome.figures.idle === undefined) return []
    const { cpuMicrosPerSecond, heapBytes, residentBytes } = outcome.figures.idle
    return [
      [
        outcome.driver,
        (residentBytes / BYTES_PER_KIBIBYTE).toFixed(1),
        heapBytes === null ? "" : (heapBytes / BYTES_PER_KIBIBYTE).toFixed(1),
        cpuMicrosPerSecond.toFixed(1)
      ]
    ]
  })
  return lines.length === 0 ? [] : [table([IDLE_HEAD, ...lines])]
}

const floorLines = ({ floor }: Measurement): ReadonlyArray<Line> => {
  if (floor === undefined) return []
  if (floor.kind === "failed") return [[`(${floor.reason})`]]
  return [["(pgbench)", micros(floor.cpuMicrosPerQuery), perSecond(floor.queriesPerSecond)]]
}

/** Makes the table of all workloads: the client's CPU per query, and its ratios. */
export const summaryTable = (measurements: ReadonlyArray<Measurement>): string => {
  const drivers = measurements[0]?.outcomes.map((outcome) => outcome.driver) ?? []
  const lines = measurements.map((measurement): Line => {
    const base = baseOf(measurement)
    const cells = measurement.outcomes.map((outcome) => {
      if (outcome.kind !== "measured") return outcome.kind === "failed" ? "failed" : "n/a"
      const cpu = micros(outcome.figures.cpuMicrosPerQuery)
      return base === undefined || base === outcome
        ? cpu
        : `${cpu} (${ratio(base, outcome, cpuMicrosPerQuery).toFixed(2)})`
    })
    return [measurement.workload.name, ...cells]
  })
  return `client cpu in us per query (in brackets the ratio of the first driver's to it)\n${table([["", ...drivers], ...lines])}`
}
