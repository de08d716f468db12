/** The dashboard shows what the client emits: each metric, by the name that Prometheus gives to it. */
import { assert, layer } from "@effect/vitest"
import { DataPointType, type MetricData } from "@opentelemetry/sdk-metrics"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as fs from "node:fs"
import * as PgError from "../../src/PgError.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, livePool } from "../support/live.ts"
import { telemetry } from "../support/telemetry.ts"

const dashboard = fs.readFileSync(new URL("../../examples/dashboard/grafana.json", import.meta.url), "utf8")

interface Panel {
  readonly title: string
  readonly targets: ReadonlyArray<{ readonly expr: string }>
}

const { panels }: { readonly panels: ReadonlyArray<Panel> } = JSON.parse(dashboard)

const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))

const underscored = (name: string): string => name.replaceAll(".", "_")

/** The name of a metric in Prometheus, without the suffixes of a histogram. */
const prometheusName = (metric: MetricData): string => {
  const { name, unit } = metric.descriptor
  const isCounter = metric.dataPointType === DataPointType.SUM && metric.isMonotonic
  return `${underscored(name)}${unit === "s" ? "_seconds" : ""}${isCounter ? "_total" : ""}`
}

const METRIC = /\b(?:db_client|effectpg)_\w+(?=\{)/g
const LABEL = /(?<=by \([^)]*|[{,] ?)\b[a-z_]+(?=[,)=!]|=~)/g

layer(TestDatabase.layer, { excludeTestServices: true })("the dashboard", (it) => {
  it.effect("shows all metrics that a pool emits, and no others, by labels that they have", () =>
    Effect.gen(function* () {
      const { metrics, run } = yield* telemetry
      const pool = yield* run(livePool({ metrics: true }))
      let attempts = 0
      const body = Effect.suspend(() =>
        ++attempts < 2 ? Effect.fail(PgError.make("SerializationError")) : Effect.void
      )
      const calls = Array.from({ length: 30 }, () => pool.fetch("SELECT 1"))
      const everything = Effect.gen(function* () {
        yield* pool.withTransaction(body, { retry: Schedule.recurs(5) })
        yield* Effect.flip(pool.fetch("SELECT 1 / 0"))
        // More calls than connections, so that some wait.
        yield* Effect.all(calls, { concurrency: "unbounded" })
      })
      yield* run(everything)
      const emitted = yield* metrics
      const shown = expressions.flatMap((expression) => expression.match(METRIC) ?? [])
      const names = emitted.map(prometheusName)
      const ofHistogram = (name: string): string =>
        names.includes(name) ? name : name.replace(/_(bucket|count|sum)$/, "")
      assert.deepStrictEqual([...new Set(shown.map(ofHistogram))].toSorted(), names.toSorted())
      const labels = new Set(
        emitted.flatMap(({ dataPoints }) =>
          dataPoints.flatMap(({ attributes }) => Object.keys(attributes).map(underscored))
        )
      )
      for (const expression of expressions) {
        for (const label of expression.match(LABEL) ?? []) {
          assert.isTrue(label === "le" || labels.has(label), `${label} in ${expression}`)
        }
      }
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it("has a title for each panel, and none twice", () => {
    const titles = panels.map(({ title }) => title)
    assert.strictEqual(new Set(titles).size, titles.length)
  })
})
