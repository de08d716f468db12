/** Measures two participants in one workload. Each runs in a process of its own, and they take turns. */
import { administer } from "./database.ts"
import type { Participant } from "./drivers/index.ts"
import { Peer } from "./peer.ts"
import type { Address, Sample } from "./protocol.ts"
import { median, medianRatio } from "./statistics.ts"
import type { Line } from "./table.ts"
import type { Workload } from "./workloads/workload.ts"

/** Counted in the CPU time of the client, which on a busy machine is only a part of the time that passes. */
const WARM_UP_MICROS = 2_000_000
const WARM_UP_TURNS = 20
const WARM_UP_SECONDS = 1

const BYTES_PER_KILOBYTE = 1_000

type Pair<A> = readonly [A, A]

/** Opens both, warms them up, and closes them after `use`. */
export const withPeers = async <A>(
  [one, other]: Pair<Participant>,
  database: Address,
  workload: Workload,
  use: (peers: Pair<Peer>) => Promise<A>
): Promise<A> => {
  await administer(database, workload.setup)
  const peers = [await opened(one, database, workload), await opened(other, database, workload)] as const
  try {
    for (const peer of peers) await warmUp(peer, workload)
    return await use(peers)
  } finally {
    await Promise.all(peers.map((peer) => peer.close()))
  }
}

const warmUp = async (peer: Peer, workload: Workload): Promise<void> => {
  let micros = 0
  for (let turn = 0; turn < WARM_UP_TURNS && micros < WARM_UP_MICROS; turn++) {
    micros += (await peer.repeat(workload, WARM_UP_SECONDS)).cpuMicros
  }
}

const opened = async (participant: Participant, database: Address, workload: Workload): Promise<Peer> => {
  const peer = await Peer.open(participant, database, workload)
  if (peer instanceof Peer) return peer
  throw new Error(peer.refused)
}

/** Runs `turn` for both in each round and returns its values by round. They take turns at being first. */
const inTurns = async <A>(
  rounds: number,
  [one, other]: Pair<Peer>,
  turn: (peer: Peer) => Promise<A>
): Promise<Pair<ReadonlyArray<A>>> => {
  const ones: Array<A> = []
  const others: Array<A> = []
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) ones.push(await turn(one))
    others.push(await turn(other))
    if (round % 2 === 1) ones.push(await turn(one))
  }
  return [ones, others]
}

const TURN_SECONDS = 0.2
const ALLOCATION_TURNS = 5

/** What both have used, turn by turn, and the kilobytes that they have allocated per query. */
export interface Use {
  readonly samples: Pair<ReadonlyArray<Sample>>
  readonly kilobytes: Pair<ReadonlyArray<number>>
}

/** Measures both. What a turn has written is removed before the next one. */
export const useOf = async (rounds: number, peers: Pair<Peer>, database: Address, workload: Workload): Promise<Use> => {
  const empty = (): Promise<void> => administer(database, workload.reset === undefined ? [] : [workload.reset])
  const samples = await inTurns(rounds, peers, async (peer) => {
    await empty()
    return peer.repeat(workload, TURN_SECONDS)
  })
  const kilobytes = await inTurns(ALLOCATION_TURNS, peers, async (peer) => {
    await empty()
    return ((await peer.allocatedBytesPerQuery(workload, TURN_SECONDS)) ?? Number.NaN) / BYTES_PER_KILOBYTE
  })
  return { samples, kilobytes }
}

/** Formats the medians of both, and the median of the ratios of the second to the first. */
export const cells = ([ones, others]: Pair<ReadonlyArray<number>>): Line => [
  median(ones).toFixed(1),
  median(others).toFixed(1),
  medianRatio(others, ones).toFixed(2)
]
