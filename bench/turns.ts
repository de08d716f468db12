/** Measures the CPU time of queries for several contenders, which take turns in one process. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { median } from "./statistics.ts"

const ROUND_MILLIS = 500

/** Runs a query again and again until the time is over, and returns how often it ran. */
export type Loop = (isOver: () => boolean) => Effect.Effect<number, unknown>

export const effectLoop =
  (query: Effect.Effect<unknown, unknown>): Loop =>
  (isOver) =>
    Effect.gen(function* () {
      let count = 0
      while (!isOver()) {
        yield* query
        count++
      }
      return count
    })

/** A contender. Its loops run at the same time, each on a connection of its own. */
export interface Contender {
  readonly name: string
  readonly loops: ReadonlyArray<Loop>
}

/** Microseconds of CPU per query: all of it, and the part outside the kernel. */
interface Cost {
  readonly total: number
  readonly user: number
}

const costPerQuery = (loops: ReadonlyArray<Loop>): Effect.Effect<Cost, unknown> =>
  Effect.gen(function* () {
    const end = performance.now() + ROUND_MILLIS
    const before = process.cpuUsage()
    const counts = yield* Effect.forEach(loops, (loop) => loop(() => performance.now() > end), {
      concurrency: "unbounded"
    })
    const { system, user } = process.cpuUsage(before)
    const queries = counts.reduce((sum, count) => sum + count, 0)
    return { total: (system + user) / queries, user: user / queries }
  })

const NAME_WIDTH = 32

/** Measures the contenders in rotating order, and prints the median of each over all rounds. */
export const compare = (rounds: number, contenders: ReadonlyArray<Contender>): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const samples = contenders.map((): Array<Cost> => [])
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < contenders.length; turn++) {
        const index = (round + turn) % contenders.length
        const { loops = [] } = contenders[index] ?? {}
        samples[index]?.push(yield* costPerQuery(loops))
      }
    }
    for (const [index, { name }] of contenders.entries()) {
      const costs = samples[index] ?? []
      const total = median(costs.map((cost) => cost.total)).toFixed(1)
      const user = median(costs.map((cost) => cost.user)).toFixed(1)
      yield* Console.log(
        `${name.padEnd(NAME_WIDTH)}${total.padStart(8)} us of CPU per query, ${user} outside the kernel`
      )
    }
  })
