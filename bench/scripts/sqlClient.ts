/**
 * Compares effectpg with `@effect/sql-pg` through the `SqlClient` of effect/sql: `node bench/scripts/sqlClient.ts
 * [workload,workload] [rounds]`. Each client runs in a process of its own, on a pool of 10 connections for 10 fibers, and
 * they take turns of a fraction of a second. Prints the medians of the client's CPU time per statement, and of the ratios
 * within each round: of the whole CPU time, and of the part outside the kernel, where reading and writing sockets is the
 * most of what the kernel does and no client can do without. Measures both with and without multiplexing.
 */
import { start } from "../../test/support/postgres.ts"
import { withDatabase } from "../database.ts"
import { type Participant, sqlClientParticipants } from "../drivers/index.ts"
import { emptied, inTurns, withPeers } from "../duel.ts"
import type { Address, Sample } from "../protocol.ts"
import { median, medianRatio } from "../statistics.ts"
import { type Line, table } from "../table.ts"
import { sqlClientWorkloads } from "../workloads/sqlClient.ts"
import type { Workload } from "../workloads/workload.ts"

const [names, rounds = "30"] = process.argv.slice(2)

const ROUNDS = Number(rounds)
const ROUND_SECONDS = 0.2

const HEAD: Line = ["", "CPU us, sql-pg", "effectpg", "ratio", "without kernel, sql-pg", "effectpg", "ratio"]

const participant = (name: string): Participant => {
  const found = sqlClientParticipants.find((candidate) => candidate.name === name)
  if (found === undefined) throw new Error(`"${name}" is no client`)
  return found
}

const cells = (
  theirs: ReadonlyArray<Sample>,
  ours: ReadonlyArray<Sample>,
  micros: (sample: Sample) => number
): Line => {
  const perQuery = (sample: Sample): number => micros(sample) / sample.queries
  const [their, our] = [theirs.map(perQuery), ours.map(perQuery)]
  return [median(their).toFixed(1), median(our).toFixed(1), medianRatio(our, their).toFixed(2)]
}

const measured = (workload: Workload, suffix: string, database: Address): Promise<Line> => {
  const rivals = [participant(`sql-client-of-sql-pg${suffix}`), participant(`sql-client${suffix}`)] as const
  return withPeers(rivals, database, workload, async (peers) => {
    const [theirs, ours] = await inTurns(ROUNDS, peers, async (peer) => {
      await emptied(database, workload)
      return peer.repeat(workload, ROUND_SECONDS)
    })
    return [
      `${workload.name}${suffix}`,
      ...cells(theirs, ours, ({ cpuMicros }) => cpuMicros),
      ...cells(theirs, ours, ({ cpuMicros, systemMicros }) => cpuMicros - systemMicros)
    ]
  })
}

const server = await start()
const { host, port, user, password, database } = server
try {
  const chosen =
    names === undefined ? sqlClientWorkloads : sqlClientWorkloads.filter(({ name }) => names.split(",").includes(name))
  const lines: Array<Line> = [HEAD]
  for (const suffix of ["", "-multiplexed"]) {
    for (const workload of chosen) {
      const line = await withDatabase({ host, port, user, password, database }, (own) =>
        measured(workload, suffix, own)
      )
      console.error(line.join("  "))
      lines.push(line)
    }
  }
  console.log(table(lines))
} finally {
  await server.stop()
}
