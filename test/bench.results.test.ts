import { assert, describe, it } from "@effect/vitest"
import { chart, logScale } from "../bench/chart.ts"
import { changes, comparison } from "../bench/compare.ts"
import { readResults, withoutSamples } from "../bench/files.ts"
import type { Figures } from "../bench/entry.ts"
import type { Measurement } from "../bench/measure.ts"
import { summaryTable, workloadTable } from "../bench/report.ts"
import { resultsOf, type Results } from "../bench/results.ts"
import { idle } from "../bench/workloads/idle.ts"
import { mixedLoad } from "../bench/workloads/load.ts"
import { onePlusOne } from "../bench/workloads/onePlusOne.ts"
import type { Workload } from "../bench/workloads/workload.ts"

interface Cost {
  readonly cpu: number
  readonly heap: number | null
}

const measurement = (workload: Workload, costs: Readonly<Record<string, Cost>>): Measurement => ({
  workload,
  serverVersion: "18.4",
  rowsPerQuery: 1,
  checksum: "c0ffee",
  floor: { kind: "measured", cpuMicrosPerQuery: 8, queriesPerSecond: 20_000, averageMicros: 500 },
  outcomes: [
    ...Object.entries(costs).map(([driver, { cpu, heap }]) => ({
      kind: "measured" as const,
      driver,
      figures: {
        cpuMicrosPerQuery: cpu,
        queriesPerSecond: 1_000,
        p50Micros: 900,
        p99Micros: 2_000,
        p999Micros: 3_000,
        peakMemoryBytes: 1_048_576,
        allocatedBytesPerQuery: heap
      },
      samples: [
        {
          queries: 10,
          rows: 10,
          wallMicros: 10_000,
          cpuMicros: cpu * 10,
          systemMicros: cpu * 5,
          p50Micros: 900,
          p99Micros: 2_000,
          p999Micros: 3_000,
          peakMemoryBytes: 1_048_576
        }
      ]
    })),
    { kind: "unsupported", driver: "shy", reason: "it has no <pool> & no stream" }
  ]
})

const results = (costs: Readonly<Record<string, Cost>>, workload: Workload = onePlusOne): Results =>
  resultsOf({
    startedAt: new Date("2026-01-02T03:04:05.678Z"),
    pace: { rounds: 1, secondsPerRound: 0.5, warmUpSeconds: 1 },
    participants: Object.keys(costs).map((name) => ({ name, version: "1.2.3", command: "", args: [] })),
    floor: { command: "pgbench", version: "18.4" },
    measurements: [measurement(workload, costs)]
  })

const before = { effectpg: { cpu: 20, heap: 4_000 }, pg: { cpu: 50, heap: 9_000 }, asyncpg: { cpu: 30, heap: null } }

describe("the results of a benchmark", () => {
  it("have the machine, the versions, every sample and all ratios; the published form has no samples", () => {
    const all = results(before)
    assert.strictEqual(all.date, "2026-01-02T03:04:05.678Z")
    assert.deepStrictEqual(all.versions, {
      node: process.versions.node,
      postgresql: "18.4",
      effectpg: "1.2.3",
      pg: "1.2.3",
      asyncpg: "1.2.3",
      pgbench: "18.4"
    })
    const [workload] = all.workloads
    assert.strictEqual(workload?.sql, "SELECT 1+1")
    assert.strictEqual(workload?.ratios["effectpg"]?.["pg"]?.cpuMicrosPerQuery, 0.4)
    const [first] = workload?.outcomes ?? []
    assert.isTrue(first?.kind === "measured" && first.samples?.length === 1)
    const [published] = withoutSamples(all).workloads[0]?.outcomes ?? []
    assert.isTrue(published?.kind === "measured" && published.samples === undefined)
  })

  it("are told apart from other files", () => {
    assert.throws(
      () => readResults(new URL("../package.json", import.meta.url).pathname),
      "no results of this benchmark"
    )
  })
})

describe("the tables of a benchmark", () => {
  it("have the figures of each driver, its ratios, the floor, and why a driver is missing", () => {
    const report = workloadTable(measurement(onePlusOne, before))
    assert.match(report, /^effectpg +20\.0 +1000 +0\.90 +2\.00 +3\.00 +1 +3\.91$/m)
    assert.match(report, /^asyncpg +30\.0 +1000 +0\.90 +2\.00 +3\.00 +1 +0\.67 +1\.00$/m)
    assert.match(report, /^\(pgbench\) +8\.0 +20000$/m)
    assert.include(report, "shy: it has no <pool> & no stream")
    assert.match(summaryTable([measurement(onePlusOne, before)]), /^one-plus-one +20\.0 +50\.0 \(0\.40\)/m)
  })
})

describe("the comparison of two results", () => {
  it("reports changes of more than a tenth, and how the other drivers changed meanwhile", () => {
    const after = { ...before, effectpg: { cpu: 24, heap: 4_300 }, pg: { cpu: 51, heap: 9_000 } }
    assert.deepStrictEqual(
      changes(results(before), results(after)).map(({ driver, figure, before, after }) => [
        driver,
        figure,
        before,
        after
      ]),
      [["effectpg", "cpu us/query", 20, 24]]
    )
    const text = comparison(results(before), results(after))
    assert.match(text, /one-plus-one +effectpg +cpu us\/query +20\.0 +24\.0 +\+20 % +\+1 %$/m)
  })

  it("compares allocation for drivers that count it", () => {
    const after = { ...before, effectpg: { cpu: 20, heap: 2_000 }, asyncpg: { cpu: 30, heap: null } }
    assert.include(comparison(results(before), results(after)), "-50 %")
  })

  it("says so if nothing has changed, and if the task or the versions differ", () => {
    assert.include(comparison(results(before), results(before)), "no change of more than 10 %")
    const slower = { ...before, effectpg: { cpu: 99, heap: 4_000 } }
    const other = results(slower, { ...onePlusOne, fibers: 20 })
    assert.deepStrictEqual(changes(results(before), other), [])
    assert.include(comparison(results(before), other), "one-plus-one is another task than it was")
    const updated = { ...results(before), versions: { ...results(before).versions, postgresql: "19.1" } }
    assert.include(comparison(results(before), updated), "another postgresql: 18.4 | 19.1")
  })
})

const withFigures = (workload: Workload, figures: Partial<Figures>): Results => {
  const all = results(before, workload)
  return {
    ...all,
    workloads: all.workloads.map((record) => ({
      ...record,
      outcomes: record.outcomes.map((outcome) =>
        outcome.kind === "measured" ? { ...outcome, figures: { ...outcome.figures, ...figures } } : outcome
      )
    }))
  }
}

const idleResults = (residentBytes: number): Results =>
  withFigures(idle, { idle: { residentBytes, heapBytes: null, cpuMicrosPerSecond: 2 } })

describe("workloads of other figures", () => {
  it("are compared and drawn by the latencies, if their rate is fixed", () => {
    const slower = withFigures(mixedLoad, { p99Micros: 4_000, p999Micros: 5_000 })
    const found = changes(results(before, mixedLoad), slower).filter(({ driver }) => driver === "effectpg")
    assert.deepStrictEqual(
      found.map(({ figure, before, after }) => [figure, before, after]),
      [
        ["p99 us", 2_000, 4_000],
        ["p99.9 us", 3_000, 5_000]
      ]
    )
    assert.deepStrictEqual(changes(results(before), withFigures(onePlusOne, { p99Micros: 4_000 })), [])
    const svg = chart(slower)
    assert.include(svg, ">4 ms<")
    assert.include(svg, ">p99: ")
  })

  it("are compared and drawn by the memory of a connection, if it is idle", () => {
    const [found] = changes(idleResults(100_000), idleResults(50_000))
    assert.deepStrictEqual([found?.figure, found?.change], ["bytes/connection", -0.5])
    assert.include(chart(idleResults(50_000)), ">50 kB<")
    assert.notMatch(chart(idleResults(-1)), /NaN|Infinity|undefined/)
  })
})

describe("the chart of a benchmark", () => {
  it("has the measured drivers, the floor, the date, the machine and the versions, and is valid XML", () => {
    const { machine } = results(before)
    const svg = chart(results(before, { ...onePlusOne, title: "a < b & c" }))
    for (const part of [
      ">effectpg<",
      ">20 µs<",
      ">50 µs<",
      "pgbench 8 µs",
      "a &lt; b &amp; c",
      "2026-01-02",
      machine.system,
      "postgresql 18.4"
    ]) {
      assert.include(svg, part)
    }
    assert.notInclude(svg, "shy")
    assert.notMatch(svg, /NaN|Infinity|undefined/)
  })

  it("accepts a workload that no driver could run", () => {
    assert.notMatch(chart(results({})), /NaN|Infinity|undefined/)
  })

  it("places values by their logarithms, with round ticks", () => {
    const { at, ticks } = logScale([12, 340], 100)
    assert.isAbove(at(12), 0)
    assert.isBelow(at(340), 100)
    assert.approximately(at(120) - at(12), at(200) - at(20), 1e-9)
    assert.deepStrictEqual(ticks, [10, 100])
    assert.deepStrictEqual(logScale([12, 45], 100).ticks, [10, 20])
    assert.deepStrictEqual(logScale([0.5, 900_000], 100).ticks, [1, 10, 100, 1_000, 10_000, 100_000])
  })
})
