/**
 * Writers on a real Patroni cluster, by host list and behind HAProxy: a planned switchover, the crash of the leader, a
 * leader that falls silent. Prints a table; ends with 1 if a write was lost, doubled or taken by a standby, or if the
 * first write came too late.
 *
 *   npx node test/failover/patroni/run.ts
 *
 * It needs patroni, etcd, haproxy and postgresql of the operating system (Debian: patroni etcd-server haproxy
 * postgresql), and says so if they are missing. It is not part of `npm test`.
 */
import * as Effect from "effect/Effect"
import { setTimeout as sleep } from "node:timers/promises"
import type * as PgConfig from "../../../src/PgConfig.ts"
import * as PgPool from "../../../src/PgPool.ts"
import { startWriters } from "../rig/writers.ts"
import { PatroniCluster, type PatroniMember, programs } from "./cluster.ts"

const BUSY_MILLIS = 1_000
const MAX_FIRST_MILLIS = 2_000
const MAX_FIRST_AFTER_SILENCE_MILLIS = 6_000

interface Scenario {
  readonly name: string
  /** What happens to the leader, and how it is undone. */
  readonly begin: (cluster: PatroniCluster, leader: PatroniMember) => Promise<void>
  readonly end: (leader: PatroniMember) => Promise<void>
  readonly maxFirstMillis: number
}

const scenarios: ReadonlyArray<Scenario> = [
  {
    name: "switchover",
    begin: async (cluster, leader) => cluster.switchOver(leader, await cluster.synchronousStandby()),
    end: async () => {},
    maxFirstMillis: MAX_FIRST_MILLIS
  },
  {
    name: "crash",
    begin: async (_, leader) => leader.signal("SIGKILL"),
    end: async (leader) => {
      await sleep(500)
      leader.start()
    },
    maxFirstMillis: MAX_FIRST_MILLIS
  },
  {
    name: "silence",
    begin: async (_, leader) => leader.signal("SIGSTOP"),
    end: async (leader) => leader.signal("SIGCONT"),
    maxFirstMillis: MAX_FIRST_AFTER_SILENCE_MILLIS
  }
]

const run = (cluster: PatroniCluster, way: string, settings: PgConfig.PoolSettings, scenario: Scenario) =>
  Effect.gen(function* () {
    const { begin, end, maxFirstMillis, name } = scenario
    const pool = yield* PgPool.make({
      ...settings,
      connectTimeout: "2 seconds",
      cancelTimeout: "1 second",
      maxConnections: 8
    })
    const writers = yield* startWriters(pool, `${way}_${name}`)
    yield* Effect.sleep(BUSY_MILLIS)
    const old = yield* Effect.promise(() => cluster.leader())
    if (old === undefined) return yield* Effect.die(new Error("there is no leader"))
    const began = performance.now()
    yield* Effect.promise(() => begin(cluster, old))
    const { at, leader } = yield* Effect.promise(() => cluster.newLeader(old))
    while (writers.firstAfter(at) === Infinity && performance.now() < at + 30_000) yield* Effect.sleep(20)
    yield* Effect.promise(() => end(old))
    yield* Effect.promise(() => cluster.untilWhole())
    yield* Effect.sleep(BUSY_MILLIS)
    yield* writers.stop
    const account = yield* Effect.promise(() => writers.account(leader))
    const first = writers.firstAfter(at)
    const isMet =
      account.lost + account.duplicates + account.takenByStandby === 0 &&
      first <= maxFirstMillis &&
      account.acknowledged > 0
    return {
      way,
      scenario: name,
      "new leader after ms": Math.round(at - began),
      "first write after that ms": first,
      "longest gap ms": writers.longestGap,
      acknowledged: account.acknowledged,
      lost: account.lost,
      duplicates: account.duplicates,
      "by standby": account.takenByStandby,
      errors: Object.entries(account.errors)
        .map(([error, count]) => `${count} ${error}`)
        .join(", "),
      met: isMet
    }
  }).pipe(Effect.scoped)

const { bin, missing } = programs()
if (missing.length > 0) {
  console.log(`skipped: ${missing.join(", ")} missing (Debian: apt-get install patroni etcd-server haproxy postgresql)`)
} else {
  const cluster = await PatroniCluster.start(bin)
  try {
    const rows: Array<{ readonly met: boolean }> = []
    for (const [way, settings] of [
      ["host_list", cluster.hostList],
      ["haproxy", cluster.proxy]
    ] as const) {
      for (const scenario of scenarios) {
        const row = await Effect.runPromise(run(cluster, way, settings, scenario))
        console.log(row)
        rows.push(row)
      }
    }
    console.table(rows)
    process.exitCode = rows.every(({ met }) => met) ? 0 : 1
  } finally {
    await cluster.stop()
  }
}
