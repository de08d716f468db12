/**
 * Shows what happens when there is much of everything: `node bench/scripts/scale.ts [section,section] [driver,driver]`.
 *
 *   fibers        10,000 loops of SELECT 1+1 on a pool of 10, and on one of 50
 *   connections   200 connections, each with a loop of its own
 *   statements    20,000 different statements in rotation on one connection, which remembers 100 of them
 *   channels      64 channels with 10,000 notifications a second, all of which have to arrive, in order
 *
 * Each driver runs alone in a process. Prints its CPU time per query, latencies, and whether its memory grows: the peak
 * after each turn, of which all but the first should be equal. `channels` measures effectpg only.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { setTimeout as sleep } from "node:timers/promises"
import pg from "pg"
import * as PgPool from "../../src/PgPool.ts"
import { start } from "../../test/support/postgres.ts"
import { withDatabase } from "../database.ts"
import { type Participant, participants } from "../drivers/index.ts"
import { cpuMicrosPerQuery, queriesPerSecond } from "../entry.ts"
import { Peer } from "../peer.ts"
import type { Address, Sample } from "../protocol.ts"
import { median } from "../statistics.ts"
import { type Line, table } from "../table.ts"
import { onConnections, type Query, type Workload } from "../workloads/workload.ts"

const [sectionsGiven, driversGiven] = process.argv.slice(2)

const TURNS = 5
const TURN_SECONDS = 2
const MEBIBYTE = 1_048_576

const ONE_PLUS_ONE: Query = { sql: "SELECT 1+1", parameters: [] }

const fibersOn = (connections: number): Workload => ({
  name: "fibers",
  title: `10,000 loops on a pool of ${connections}`,
  setup: [],
  task: { kind: "fetch", queries: [ONE_PLUS_ONE] },
  through: "pool",
  connections,
  fibers: 10_000
})

const statement = (number: number): Query => ({ sql: `SELECT ${number}::int4 AS number`, parameters: [] })
const STATEMENTS = 20_000

const sections: ReadonlyArray<Workload> = [
  fibersOn(10),
  fibersOn(50),
  {
    name: "connections",
    title: "200 connections, each with a loop",
    setup: [],
    ...onConnections({ kind: "fetch", queries: [ONE_PLUS_ONE] }),
    connections: 200,
    fibers: 200
  },
  {
    name: "statements",
    title: "20,000 statements in rotation",
    setup: [],
    ...onConnections({
      kind: "fetch",
      queries: [statement(0), ...Array.from({ length: STATEMENTS - 1 }, (_, index) => statement(index + 1))]
    }),
    connections: 1,
    fibers: 1,
    // The drivers would enlarge their caches for a task with so many queries.
    statementCacheSize: 100
  }
]

const HEAD: Line = ["", "cpu us/query", "queries/s", "p50 ms", "p99 ms", "p99.9 ms", "memory MiB, turn by turn"]

const lineOf = (name: string, samples: ReadonlyArray<Sample>): Line => {
  const medianOf = (figure: (sample: Sample) => number): number => median(samples.map(figure))
  return [
    name,
    medianOf(cpuMicrosPerQuery).toFixed(1),
    medianOf(queriesPerSecond).toFixed(0),
    ...[
      medianOf((sample) => sample.p50Micros),
      medianOf((sample) => sample.p99Micros),
      medianOf((sample) => sample.p999Micros)
    ].map((micros) => (micros / 1000).toFixed(1)),
    samples.map((sample) => (sample.peakMemoryBytes / MEBIBYTE).toFixed(0)).join(" ")
  ]
}

const measured = async (participant: Participant, workload: Workload, database: Address): Promise<Line> => {
  try {
    const peer = await Peer.open(participant, database, workload)
    if (!(peer instanceof Peer)) return [participant.name, peer.refused]
    try {
      const samples: Array<Sample> = []
      for (let turn = 0; turn <= TURNS; turn++) samples.push(await peer.repeat(workload, TURN_SECONDS))
      // The first turn warms up.
      return lineOf(participant.name, samples.slice(1))
    } finally {
      await peer.close()
    }
  } catch (error) {
    return [participant.name, `failed: ${error instanceof Error ? error.message : String(error)}`]
  }
}

const CHANNELS = 64
const NOTIFICATIONS_PER_SECOND = 10_000
const CHANNEL_SECONDS = 15
const REPORT_EVERY = NOTIFICATIONS_PER_SECOND * 3

/** Sends from a connection of node-postgres, a hundred at a time, and receives with effectpg. */
const channels = async ({ host, port, user, password, database }: Address): Promise<string> => {
  const sender = new pg.Client({ host, port, user, password, database })
  await sender.connect()
  const all = NOTIFICATIONS_PER_SECOND * CHANNEL_SECONDS
  const latencies: Array<number> = []
  const memory: Array<number> = []
  let received = 0
  let disordered = 0
  const reading = Effect.gen(function* () {
    const pool = yield* PgPool.make({
      host,
      port,
      user,
      database,
      password: Redacted.make(password),
      sslMode: "disable"
    })
    const cpu = process.cpuUsage()
    for (let channel = 0; channel < CHANNELS; channel++) {
      let last = -1
      const events = yield* pool.listen(`channel_${channel}`)
      yield* Effect.forkScoped(
        Stream.runForEach(events, (event) =>
          Effect.sync(() => {
            if (event._tag === "Gap") return void disordered++
            const [number, sentAt] = event.payload.split(" ").map(Number)
            if (number === undefined || sentAt === undefined || number <= last) return void disordered++
            last = number
            received++
            latencies.push(performance.now() - sentAt)
            if (received % REPORT_EVERY === 0) memory.push(Math.round(process.memoryUsage.rss() / MEBIBYTE))
          })
        )
      )
    }
    yield* Effect.promise(() => sendAll(sender, all))
    yield* Effect.promise(() => waitUntil(() => received + disordered >= all))
    return process.cpuUsage(cpu)
  })
  const { system, user: own } = await Effect.runPromise(Effect.scoped(reading))
  await sender.end()
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(1)
  return [
    `${received} of ${all} notifications on ${CHANNELS} channels received, ${disordered} gaps or out of order`,
    `cpu ${((system + own) / all).toFixed(1)} us each, with the sender; p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, p99.9 ${at(0.999)} ms`,
    `memory in MiB, every 3 seconds: ${memory.join(" ")}`
  ].join("\n")
}

const AT_ONCE = 100

const sendAll = async (sender: pg.Client, all: number): Promise<void> => {
  const began = performance.now()
  for (let sent = 0; sent < all;) {
    const due = Math.min(all, ((performance.now() - began) / 1000) * NOTIFICATIONS_PER_SECOND)
    while (sent < due) {
      const count = Math.min(AT_ONCE, all - sent)
      await sender.query({
        name: "notify",
        text: `SELECT pg_notify('channel_' || i % ${CHANNELS}, i || ' ' || $3::text) FROM generate_series($1::int4, $2::int4) AS i`,
        values: [sent, sent + count - 1, performance.now()]
      })
      sent += count
    }
    await sleep(1)
  }
}

const PATIENCE_MILLIS = 20_000

const waitUntil = async (isOver: () => boolean): Promise<void> => {
  for (const began = performance.now(); !isOver() && performance.now() - began < PATIENCE_MILLIS;) await sleep(10)
}

const server = await start({ settings: { max_connections: "300" } })
const { host, port, user, password, database } = server
try {
  const names = sectionsGiven?.split(",")
  const drivers = participants().filter(({ name }) => driversGiven?.split(",").includes(name) ?? true)
  for (const workload of sections.filter(({ name }) => names?.includes(name) ?? true)) {
    const lines: Array<Line> = [HEAD]
    for (const participant of drivers) {
      lines.push(
        await withDatabase({ host, port, user, password, database }, (own) => measured(participant, workload, own))
      )
    }
    console.log(`${workload.title}\n${table(lines)}\n`)
  }
  if (names?.includes("channels") ?? true) {
    console.log(await withDatabase({ host, port, user, password, database }, channels))
  }
} finally {
  await server.stop()
}
