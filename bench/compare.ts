/** Compares two results. */
import type { Figures } from "./entry.ts"
import { measured, type MeasuredRecord, type Results, type WorkloadRecord } from "./results.ts"
import { median } from "./statistics.ts"
import { type Line, table } from "./table.ts"

/** Smaller changes are not reported. */
const WORTH_TELLING = 0.1

interface Figure {
  readonly name: string
  readonly of: (figures: Figures) => number | null
  /** The only kind of task for which it says anything; every kind by default. */
  readonly task?: WorkloadRecord["task"]
}

const FIGURES: ReadonlyArray<Figure> = [
  { name: "cpu us/query", of: (figures) => figures.cpuMicrosPerQuery },
  { name: "queries/s", of: (figures) => figures.queriesPerSecond },
  { name: "heap bytes/query", of: (figures) => figures.allocatedBytesPerQuery },
  { name: "p50 us", of: (figures) => figures.p50Micros, task: "load" },
  { name: "p99 us", of: (figures) => figures.p99Micros, task: "load" },
  { name: "p99.9 us", of: (figures) => figures.p999Micros, task: "load" },
  { name: "bytes/connection", of: (figures) => figures.idle?.residentBytes ?? null, task: "idle" }
]

export interface Change {
  readonly workload: string
  readonly driver: string
  readonly figure: string
  readonly before: number
  readonly after: number
  /** 0.1 means a tenth more. */
  readonly change: number
  /** The median change of the drivers of other packages. If it is as large, the machine caused the change. */
  readonly others: number | undefined
}

/** Finds the changes of more than a tenth, for the workloads and drivers that both results have. */
export const changes = (before: Results, after: Results): ReadonlyArray<Change> =>
  pairs(before, after).flatMap(([old, now]) => figuresOf(now).flatMap((figure) => changesOf(old, now, figure)))

const figuresOf = ({ task }: WorkloadRecord): ReadonlyArray<Figure> =>
  FIGURES.filter((figure) => figure.task === undefined || figure.task === task)

/** Pairs the workloads that have the same name in both results and still measure the same task. */
const pairs = (before: Results, after: Results): ReadonlyArray<readonly [WorkloadRecord, WorkloadRecord]> =>
  after.workloads.flatMap((now) => {
    const old = before.workloads.find(({ name }) => name === now.name)
    return old !== undefined && isSameTask(old, now) ? [[old, now] as const] : []
  })

const isSameTask = (one: WorkloadRecord, other: WorkloadRecord): boolean =>
  one.sql === other.sql &&
  one.statements === other.statements &&
  one.rowsPerQuery === other.rowsPerQuery &&
  one.connections === other.connections &&
  one.fibers === other.fibers

const changesOf = (before: WorkloadRecord, after: WorkloadRecord, figure: Figure): ReadonlyArray<Change> => {
  const all = measured(after.outcomes).flatMap((now) => {
    const old = measured(before.outcomes).find(({ driver }) => driver === now.driver)
    return old === undefined ? [] : changeOf(old, now, figure)
  })
  return all
    .filter(({ change }) => Math.abs(change) > WORTH_TELLING)
    .map((change) => {
      const others = all.filter(({ driver }) => !areOfOnePackage(driver, change.driver))
      return {
        workload: after.name,
        figure: figure.name,
        ...change,
        others: others.length === 0 ? undefined : median(others.map((other) => other.change))
      }
    })
}

/** A driver and its multiplexed form change together. */
const areOfOnePackage = (one: string, other: string): boolean => one.startsWith(other) || other.startsWith(one)

const changeOf = (old: MeasuredRecord, now: MeasuredRecord, { of }: Figure) => {
  const [before, after] = [of(old.figures), of(now.figures)]
  if (before === null || after === null || before === 0) return []
  return [{ driver: now.driver, before, after, change: after / before - 1 }]
}

const percent = (change: number): string => `${change < 0 ? "" : "+"}${(change * 100).toFixed(0)} %`

const amount = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0))

export const comparison = (before: Results, after: Results): string => {
  const found = changes(before, after)
  const remarks = differences(before, after)
  const lines = found.map(({ workload, driver, figure, before: old, after: now, change, others }): Line => [
    workload,
    driver,
    figure,
    amount(old),
    amount(now),
    percent(change),
    others === undefined ? "" : percent(others)
  ])
  const head: Line = ["workload", "driver", "figure", "before", "after", "change", "other drivers"]
  return [
    `${before.date} (${before.commit}) to ${after.date} (${after.commit})`,
    ...remarks,
    found.length === 0 ? "no change of more than 10 %" : table([head, ...lines], 3)
  ].join("\n")
}

/** Lists what else is different, such as the machine or a version, because it may explain the changes. */
const differences = (before: Results, after: Results): ReadonlyArray<string> => {
  const machines = [before, after].map(({ machine }) => Object.values(machine).join(", "))
  const names = Object.keys(after.versions).filter((name) => name in before.versions)
  const workloads = after.workloads.filter(({ name }) => before.workloads.some((other) => other.name === name))
  const compared = new Set(pairs(before, after).map(([, now]) => now.name))
  return [
    ...(machines[0] === machines[1] ? [] : [`another machine: ${machines.join(" | ")}`]),
    ...names
      .filter((name) => before.versions[name] !== after.versions[name])
      .map((name) => `another ${name}: ${before.versions[name]} | ${after.versions[name]}`),
    ...workloads
      .filter(({ name }) => !compared.has(name))
      .map(({ name }) => `${name} is another task than it was, and is not compared`)
  ]
}
