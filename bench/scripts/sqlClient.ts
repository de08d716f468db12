/**
 * Compares effectpg with `@effect/sql-pg` through the `SqlClient` of effect/sql: `node bench/scripts/sqlClient.ts
 * [workload,workload] [rounds]`. Each client runs in a process of its own, on a pool of 10 connections for 10 fibers, and
 * they take turns of a fraction of a second. Prints the medians of the client's CPU time per statement, and of the ratios
 * within each round: of the whole CPU time, of its part outside the kernel (what the kernel does is mostly writing to
 * sockets, which no client can do without), and of the memory allocated. Measures both with and without multiplexing.
 */
import { start } from "../../test/support/postgres.ts"
import { withDatabase } from "../database.ts"
import { type Participant, sqlClientParticipants } from "../drivers/index.ts"
import { cells, useOf, withPeers } from "../duel.ts"
import { cpuMicrosPerQuery } from "../entry.ts"
import type { Address, Sample } from "../protocol.ts"
import { type Line, table } from "../table.ts"
import { sqlClientWorkloads } from "../workloads/sqlClient.ts"
import type { Workload } from "../workloads/workload.ts"

const [names, rounds = "30"] = process.argv.slice(2)

const HEAD: Line = ["CPU us", "outside the kernel", "kB allocated"].reduce<Line>(
  (head, what) => [...head, `${what}, sql-pg`, "effectpg", "ratio"],
  [""]
)

const participant = (name: string): Participant => {
  const found = sqlClientParticipants.find((candidate) => candidate.name === name)
  if (found === undefined) throw new Error(`"${name}" is no client`)
  return found
}

const userMicros = ({ cpuMicros, queries, systemMicros }: Sample): number => (cpuMicros - systemMicros) / queries

const measured = (workload: Workload, suffix: string, database: Address): Promise<Line> => {
  const rivals = [participant(`sql-client-of-sql-pg${suffix}`), participant(`sql-client${suffix}`)] as const
  return withPeers(rivals, database, workload, async (peers) => {
    const { samples, kilobytes } = await useOf(Number(rounds), peers, database, workload)
    const [theirs, ours] = samples
    return [
      `${workload.name}${suffix}`,
      ...cells([theirs.map(cpuMicrosPerQuery), ours.map(cpuMicrosPerQuery)]),
      ...cells([theirs.map(userMicros), ours.map(userMicros)]),
      ...cells(kilobytes)
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
