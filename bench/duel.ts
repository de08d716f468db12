/** Measures two participants in one workload. Each runs in a process of its own, and they take turns. */
import { administer } from "./database.ts"
import type { Participant } from "./drivers/index.ts"
import { Peer } from "./peer.ts"
import type { Address } from "./protocol.ts"
import type { Workload } from "./workloads/workload.ts"

const WARM_UP_SECONDS = 2

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
    for (const peer of peers) await peer.repeat(workload, WARM_UP_SECONDS)
    return await use(peers)
  } finally {
    await Promise.all(peers.map((peer) => peer.close()))
  }
}

const opened = async (participant: Participant, database: Address, workload: Workload): Promise<Peer> => {
  const peer = await Peer.open(participant, database, workload)
  if (peer instanceof Peer) return peer
  throw new Error(peer.refused)
}

/** Runs `turn` for both in each round and returns its values by round. They take turns at being first. */
export const inTurns = async <A>(
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

/** Removes what earlier turns have written. */
export const emptied = (database: Address, { reset }: Workload): Promise<void> =>
  administer(database, reset === undefined ? [] : [reset])
