/** Reads and writes the files of results and their charts. */
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import { chart } from "./chart.ts"
import type { Results } from "./results.ts"

const write = (file: URL, text: string): string => {
  fs.mkdirSync(new URL(".", file), { recursive: true })
  fs.writeFileSync(file, text)
  return fileURLToPath(file)
}

const json = (results: Results): string => `${JSON.stringify(results, undefined, 2)}\n`

/** Writes results and their chart to `bench/results`, under the time as their name. */
export const writeResults = (results: Results): ReadonlyArray<string> => {
  const name = results.date.replaceAll(":", "-")
  return [
    write(new URL(`results/${name}.json`, import.meta.url), json(results)),
    write(new URL(`results/${name}.svg`, import.meta.url), chart(results))
  ]
}

/** Writes the figures of results and their chart to `bench/published`, where they replace the previous ones. */
export const publish = (results: Results): ReadonlyArray<string> => [
  write(new URL("published/results.json", import.meta.url), json(withoutSamples(results))),
  write(new URL("published/chart.svg", import.meta.url), chart(results))
]

export const withoutSamples = (results: Results): Results => ({
  ...results,
  workloads: results.workloads.map((workload) => ({
    ...workload,
    outcomes: workload.outcomes.map((outcome) => {
      if (outcome.kind !== "measured") return outcome
      const { samples: _, ...published } = outcome
      return published
    })
  }))
})

/** Reads results. Throws an error that says what is wrong with the file. */
export const readResults = (file: string): Results => {
  const results: unknown = JSON.parse(fs.readFileSync(file, "utf8"))
  if (isResults(results)) return results
  throw new Error(`${file} holds no results of this benchmark, or those of an older form`)
}

const isResults = (value: unknown): value is Results =>
  typeof value === "object" &&
  value !== null &&
  "workloads" in value &&
  Array.isArray(value.workloads) &&
  value.workloads.every((workload: object) => "rowsPerQuery" in workload && "outcomes" in workload)
