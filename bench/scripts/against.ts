/**
 * Shows whether a change has made anything slower: `node bench/scripts/against.ts CHECKOUT [workload,workload]
 * [rounds] [driver]` compares this checkout with another one, such as a worktree of an older commit. Each runs its own
 * `bench/child.ts` in a process of its own. They take turns of a fraction of a second, so that a busy machine disturbs
 * both alike. Prints the medians of the client's CPU time and allocation, and the medians of their ratios within each
 * round.
 */
import * as path from "node:path"
import { start } from "../../test/support/postgres.ts"
import { withDatabase } from "../database.ts"
import type { Participant } from "../drivers/index.ts"
import { cells, useOf, withPeers } from "../duel.ts"
import { cpuMicrosPerQuery } from "../entry.ts"
import type { Address } from "../protocol.ts"
import { type Line, table } from "../table.ts"
import { workloads } from "../workloads/index.ts"
import { sqlClientWorkloads } from "../workloads/sqlClient.ts"
import type { Workload } from "../workloads/workload.ts"

const [checkout, names, rounds = "40", driver = "effectpg"] = process.argv.slice(2)
if (checkout === undefined) throw new Error("name the checkout to compare with, by its folder")

const HEAD: Line = ["", "CPU us, other", "this", "this/other", "kB allocated, other", "this", "this/other"]

const participant = (root: string): Participant => ({
  name: root,
  version: "",
  command: process.execPath,
  args: [path.join(root, "bench", "child.ts"), driver]
})

const roots = { other: path.resolve(checkout), here: path.resolve(import.meta.dirname, "..", "..") }

const measured = (workload: Workload, database: Address): Promise<Line> =>
  withPeers([participant(roots.other), participant(roots.here)], database, workload, async (peers) => {
    const { samples, kilobytes } = await useOf(Number(rounds), peers, database, workload)
    const [others, heres] = samples
    return [workload.name, ...cells([others.map(cpuMicrosPerQuery), heres.map(cpuMicrosPerQuery)]), ...cells(kilobytes)]
  })

const server = await start()
const { host, port, user, password, database } = server
try {
  const all = driver.startsWith("sql-client") ? sqlClientWorkloads : workloads
  const chosen = names === undefined ? all : all.filter(({ name }) => names.split(",").includes(name))
  const lines: Array<Line> = [HEAD]
  for (const workload of chosen) {
    const line = await withDatabase({ host, port, user, password, database }, (own) => measured(workload, own))
    console.error(line.join("  "))
    lines.push(line)
  }
  console.log(table(lines))
} finally {
  await server.stop()
}
