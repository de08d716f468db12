/**
 * Measures how long calls take under a mixed load at a fixed rate: `node bench/scripts/mixedLoad.ts [calls a second]
 * [seconds] [rounds]`. The next call begins when it is due, whether or not the ones before it are done, and its time
 * counts from then, so that no wait is hidden. Of a hundred calls, 95 are short, 5 sleep on the server for 50 to 500 ms;
 * beside them run transactions and streams. The same calls, in the same order, go to a pool of 10 connections with
 * `multiplex` and to one without, in turns. Prints the percentiles of the short calls and of the transactions.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { start } from "../../test/support/postgres.ts"
import { median } from "../statistics.ts"
import { type Line, table } from "../table.ts"

const [rateGiven = "2000", secondsGiven = "10", roundsGiven = "5"] = process.argv.slice(2)
const rate = Number(rateGiven)
const seconds = Number(secondsGiven)
const rounds = Number(roundsGiven)

const CONNECTIONS = 10
const ROWS = 10_000
const SEED = 20_261_129
/** How many calls of a hundred are of each kind; all others are short. */
const SLEEPING = 5
const TRANSACTIONS = 2
const STREAMS = 1

const SETUP = `CREATE TABLE account (id int4 PRIMARY KEY, balance int8 NOT NULL);
INSERT INTO account SELECT i, i FROM generate_series(1, ${ROWS}) AS i;
ANALYZE account`

type Kind = "short" | "sleeping" | "transaction" | "stream"

/** Random numbers from 0 to 1, the same in each run (mulberry32). */
const randomOf = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const kindOf = (random: number): Kind => {
  const percent = random * 100
  if (percent < SLEEPING) return "sleeping"
  if (percent < SLEEPING + TRANSACTIONS) return "transaction"
  return percent < SLEEPING + TRANSACTIONS + STREAMS ? "stream" : "short"
}

const call = (pool: PgPool.PgPool, kind: Kind, random: () => number): Effect.Effect<unknown, PgError.PgError> => {
  const id = 1 + Math.floor(random() * ROWS)
  switch (kind) {
    case "short":
      return pool.fetch("SELECT id, balance FROM account WHERE id = $1", [id])
    case "sleeping":
      return pool.fetch("SELECT pg_sleep($1)", [0.05 + random() * 0.45])
    case "transaction":
      return pool.withTransaction(
        Effect.andThen(
          pool.fetch("SELECT balance FROM account WHERE id = $1 FOR UPDATE", [id]),
          pool.execute("UPDATE account SET balance = balance + 1 WHERE id = $1", [id])
        )
      )
    case "stream":
      return Stream.runDrain(pool.stream("SELECT id, balance FROM account WHERE id <= 1000"))
  }
}

type Times = Readonly<Record<Kind, Array<number>>>

/** Makes the calls that are due, each on a fiber of its own. */
const run = (pool: PgPool.PgPool): Effect.Effect<Times, PgError.PgError> =>
  Effect.gen(function* () {
    const random = randomOf(SEED)
    const times: Times = { short: [], sleeping: [], transaction: [], stream: [] }
    const fibers: Array<Fiber.Fiber<void, PgError.PgError>> = []
    const began = performance.now()
    for (let made = 0; made < rate * seconds;) {
      const due = Math.min(rate * seconds, ((performance.now() - began) / 1000) * rate)
      for (; made < due; made++) {
        const dueAt = began + (made / rate) * 1000
        const kind = kindOf(random())
        const timed = Effect.map(call(pool, kind, random), () => void times[kind].push(performance.now() - dueAt))
        fibers.push(yield* Effect.forkChild(timed))
      }
      yield* Effect.sleep("1 millis")
    }
    yield* Fiber.awaitAll(fibers)
    return times
  })

const PERCENTILES = [50, 99, 99.9]

const percentile = (times: ReadonlyArray<number>, percent: number): number => {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN
}

const server = await start()
const { database, host, password, port, user } = server
const settings = { host, port, user, password: Redacted.make(password), database, maxConnections: CONNECTIONS }

const measured = Effect.gen(function* () {
  const alone = yield* PgPool.make({ ...settings, multiplex: false, minConnections: CONNECTIONS })
  const sharing = yield* PgPool.make({ ...settings, multiplex: true, minConnections: CONNECTIONS })
  yield* alone.executeScript(SETUP)
  const pools = [
    ["multiplex: false", alone],
    ["multiplex: true", sharing]
  ] as const
  const found = new Map<string, Array<Times>>(pools.map(([name]) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, pool] of round % 2 === 0 ? pools : pools.toReversed()) {
      const times = yield* run(pool)
      // The first round warms up.
      if (round > 0) found.get(name)?.push(times)
    }
  }
  return found
})

try {
  const found = await Effect.runPromise(Effect.scoped(measured))
  const lines: Array<Line> = [["", "", ...PERCENTILES.map((percent) => `p${percent} ms`)]]
  for (const kind of ["short", "transaction"] as const) {
    for (const [name, all] of found) {
      const cells = PERCENTILES.map((percent) =>
        median(all.map((times) => percentile(times[kind], percent))).toFixed(2)
      )
      lines.push([kind, name, ...cells])
    }
  }
  console.log(table(lines, 2))
} finally {
  await server.stop()
}
