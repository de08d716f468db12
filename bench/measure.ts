/**
 * Measures one workload with all drivers. First it checks that each driver returns the right values, then it warms all
 * of them up, and then they take turns. Only the medians of many turns mean anything, because the machine is never
 * quiet.
 */
import { administer } from "./database.ts"
import type { Participant } from "./drivers/index.ts"
import { Entry, type Outcome } from "./entry.ts"
import { expectationOf } from "./expectation.ts"
import { type Floor, FloorEntry, type FloorOutcome } from "./floor.ts"
import type { Address } from "./protocol.ts"
import type { Workload } from "./workloads/workload.ts"

export interface Pace {
  readonly rounds: number
  readonly secondsPerRound: number
  readonly warmUpSeconds: number
}

/** The pace of a workload, which may need other turns than usual. */
export const paceOf = ({ turns }: Workload, pace: Pace): Pace =>
  turns === undefined
    ? pace
    : {
        ...pace,
        rounds: Math.min(pace.rounds, turns.most),
        secondsPerRound: Math.max(pace.secondsPerRound, turns.least)
      }

/** How long the start of a driver's process, its connecting and the check of its values take. */
const START_SECONDS = 1

/** How long a measurement takes at most: some drivers refuse some workloads. */
export const expectedMinutes = (workloads: ReadonlyArray<Workload>, drivers: number, pace: Pace): number => {
  const seconds = workloads.map((workload) => {
    const { rounds, secondsPerRound, warmUpSeconds } = paceOf(workload, pace)
    return START_SECONDS + warmUpSeconds + (rounds + 1) * secondsPerRound
  })
  return (drivers * seconds.reduce((sum, each) => sum + each, 0)) / 60
}

export interface Measurement {
  readonly workload: Workload
  readonly serverVersion: string
  readonly rowsPerQuery: number
  readonly checksum: string
  readonly outcomes: ReadonlyArray<Outcome>
  /** Undefined if the workload has no floor, or if there is no pgbench. */
  readonly floor: FloorOutcome | undefined
}

export const measure = async (
  workload: Workload,
  participants: ReadonlyArray<Participant>,
  database: Address,
  usualPace: Pace,
  floor?: Floor
): Promise<Measurement> => {
  const pace = paceOf(workload, usualPace)
  await administer(database, workload.setup)
  const expectation = await expectationOf(database, workload.task)
  const entries = participants.map((participant) => new Entry(participant, workload, database, expectation))
  const floorEntry = floor && FloorEntry.of(floor, workload, database)
  try {
    for (const entry of entries) await entry.prepare(pace.warmUpSeconds)
    for (let round = 0; round < pace.rounds; round += 1) {
      // The order rotates, so that no driver always runs after the same one, or always first with cold caches.
      const first = round % entries.length
      for (const entry of [...entries.slice(first), ...entries.slice(0, first)]) await entry.run(pace.secondsPerRound)
      await floorEntry?.run(pace.secondsPerRound)
    }
    for (const entry of entries) await entry.countAllocation(pace.secondsPerRound)
    return {
      workload,
      serverVersion: expectation.serverVersion,
      rowsPerQuery: expectation.rowsPerQuery,
      checksum: expectation.checksum,
      outcomes: entries.map((entry) => entry.outcome()),
      floor: floorEntry?.outcome()
    }
  } finally {
    await Promise.all(entries.map((entry) => entry.close()))
  }
}
