/** Compares PostgreSQL drivers; `npm run bench -- --help` says how. */
import { start } from "../test/support/postgres.ts"
import { comparison } from "./compare.ts"
import { withDatabase } from "./database.ts"
import { type Participant, participants } from "./drivers/index.ts"
import { publish, readResults, writeResults } from "./files.ts"
import { findFloor } from "./floor.ts"
import { expectedMinutes, measure, type Measurement } from "./measure.ts"
import { type Options, parseOptions, USAGE } from "./options.ts"
import { summaryTable, workloadTable } from "./report.ts"
import { type Results, resultsOf } from "./results.ts"
import { usualWorkloads, workloads } from "./workloads/index.ts"
import type { Workload } from "./workloads/workload.ts"

const measureAll = async ({ drivers, workloads, pace }: Options<Participant, Workload>): Promise<Results> => {
  const startedAt = new Date()
  const minutes = Math.ceil(expectedMinutes(workloads, drivers.length, pace))
  console.log(`${workloads.length} workloads, ${drivers.length} drivers: about ${minutes} minutes\n`)
  const floor = findFloor()
  const { host, port, user, password, database, stop } = await start()
  try {
    const measurements: Array<Measurement> = []
    for (const workload of workloads) {
      const measurement = await withDatabase({ host, port, user, password, database }, (own) =>
        measure(workload, drivers, own, pace, floor)
      )
      measurements.push(measurement)
      console.log(`${workloadTable(measurement)}\n`)
    }
    console.log(`${summaryTable(measurements)}\n`)
    const results = resultsOf({ startedAt, pace, participants: drivers, floor, measurements })
    for (const file of writeResults(results)) console.log(`written to ${file}`)
    return results
  } finally {
    await stop()
  }
}

const run = async (options: Options<Participant, Workload>): Promise<number> => {
  // Read the earlier results first, so that a bad file is noticed before anything is measured.
  const earlier = options.compare === undefined ? undefined : readResults(options.compare)
  const results = options.results === undefined ? await measureAll(options) : readResults(options.results)
  if (earlier !== undefined) console.log(`\n${comparison(earlier, results)}`)
  if (options.publish) for (const file of publish(results)) console.log(`published as ${file}`)
  const hasFailure = results.workloads.some(({ outcomes }) => outcomes.some((outcome) => outcome.kind === "failed"))
  return hasFailure ? 1 : 0
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const main = async (args: ReadonlyArray<string>): Promise<number> => {
  let options: Options<Participant, Workload>
  try {
    options = parseOptions(args, participants(), workloads, usualWorkloads)
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${USAGE}`)
    return 1
  }
  if (!options.help) return run(options)
  console.log(USAGE)
  return 0
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}
