/**
 * Shows whether a change has made anything slower: `node bench/scripts/against.ts CHECKOUT [workload,workload]
 * [rounds]` compares this checkout with another one, such as a worktree of an older commit. Each runs its own
 * `bench/child.ts` in a process of its own. They take turns of a fraction of a second, so that a busy machine disturbs
 * both alike. Prints the medians of the client's CPU time and allocation, and the medians of their ratios within each
 * round.
 */
import * as path from "node:path"
import { start } from "../../test/support/postgres.ts"
import { administer, withDatabase } from "../database.ts"
import type { Participant } from "../drivers/index.ts"
import { Peer } from "../peer.ts"
import type { Address } from "../protocol.ts"
import { median, medianRatio } from "../statistics.ts"
import { type Line, table } from "../table.ts"
import { workloads } from "../workloads/index.ts"
import type { Workload } from "../workloads/workload.ts"

const [checkout, names, rounds = "40"] = process.argv.slice(2)
if (checkout === undefined) throw new Error("name the checkout to compare with, by its folder")

const ROUNDS = Number(rounds)
const ROUND_SECONDS = 0.2
const WARM_UP_SECONDS = 2
const ALLOCATION_ROUNDS = 5
const BYTES_PER_KILOBYTE = 1_000

const HEAD: Line = ["", "CPU us, other", "this", "this/other", "kB allocated, other", "this", "this/other"]

const participant = (root: string): Participant => ({
  name: root,
  version: "",
  command: process.execPath,
  args: [path.join(root, "bench", "child.ts"), "effectpg"]
})

const roots = { other: path.resolve(checkout), here: path.resolve(import.meta.dirname, "..", "..") }

const opened = async (name: keyof typeof roots, database: Address, workload: Workload): Promise<Peer> => {
  const peer = await Peer.open(participant(roots[name]), database, workload)
  if (peer instanceof Peer) return peer
  throw new Error(peer.refused)
}

/** Measures both in each round and returns their values by round. They take turns at being first. */
const inTurns = async (
  count: number,
  other: () => Promise<number>,
  here: () => Promise<number>
): Promise<readonly [ReadonlyArray<number>, ReadonlyArray<number>]> => {
  const others: Array<number> = []
  const heres: Array<number> = []
  for (let round = 0; round < count; round++) {
    if (round % 2 === 0) others.push(await other())
    heres.push(await here())
    if (round % 2 === 1) others.push(await other())
  }
  return [others, heres]
}

const cells = ([others, heres]: readonly [ReadonlyArray<number>, ReadonlyArray<number>], unit: number): Line => [
  (median(others) / unit).toFixed(1),
  (median(heres) / unit).toFixed(1),
  medianRatio(heres, others).toFixed(2)
]

const measured = async (workload: Workload, database: Address): Promise<Line> => {
  await administer(database, workload.setup)
  const other = await opened("other", database, workload)
  const here = await opened("here", database, workload)
  const empty = (): Promise<void> => administer(database, workload.reset === undefined ? [] : [workload.reset])
  const cpu = (peer: Peer) => async (): Promise<number> => {
    await empty()
    const { cpuMicros, queries } = await peer.repeat(workload, ROUND_SECONDS)
    return cpuMicros / queries
  }
  const bytes = (peer: Peer) => async (): Promise<number> => {
    await empty()
    return (await peer.allocatedBytesPerQuery(workload, ROUND_SECONDS)) ?? Number.NaN
  }
  try {
    for (const peer of [other, here]) await peer.repeat(workload, WARM_UP_SECONDS)
    const times = cells(await inTurns(ROUNDS, cpu(other), cpu(here)), 1)
    const allocations = cells(await inTurns(ALLOCATION_ROUNDS, bytes(other), bytes(here)), BYTES_PER_KILOBYTE)
    return [workload.name, ...times, ...allocations]
  } finally {
    await Promise.all([other.close(), here.close()])
  }
}

const server = await start()
const { host, port, user, password, database } = server
try {
  const chosen = names === undefined ? workloads : workloads.filter(({ name }) => names.split(",").includes(name))
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
