/** Calls with hostile arguments in an order that a seed decides, many at a time, until the time is over. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as PgError from "../../src/PgError.ts"
import type * as PgPool from "../../src/PgPool.ts"
import { describe, type HostileCase, hostileCases, runCase } from "./hostileCalls.ts"
import { randomOf } from "./hostileValues.ts"
import { assertHealthy, eventually } from "./live.ts"

const AT_ONCE = 12

interface Budget {
  readonly seed: number
  readonly millis: number
  /** Whether a second hostile value stands in another place. */
  readonly pairs: boolean
}

/** Tries as many as the time allows; each must be a typed failure at worst, and give its connection back. */
export const tryHostileArguments = (
  pool: PgPool.PgPool,
  { millis, pairs, seed }: Budget
): Effect.Effect<number, PgError.PgError> =>
  Effect.gen(function* () {
    yield* pool.execute("CREATE TABLE IF NOT EXISTS hostile (a text)")
    const random = randomOf(seed)
    const pick = <A>(all: ReadonlyArray<A>): A => all[Math.floor(random() * all.length)]!
    const inUse = Effect.map(pool.stats, (stats) => stats.inUse)
    const began = Date.now()
    const faults: Array<string> = []
    let tried = 0
    while (Date.now() - began < millis && faults.length < MAX_FAULTS) {
      const cases = Array.from({ length: AT_ONCE }, (): readonly [HostileCase, HostileCase | undefined] => {
        const first = pick(hostileCases)
        return [
          first,
          pairs ? { ...first, path: pick(pathsOfCall(first)), value: pick(hostileCases).value } : undefined
        ]
      })
      const tries = Effect.forEach(
        cases,
        ([first, second]) =>
          Effect.map(runCase(pool, first, second), (fault) => {
            const also = second === undefined ? "" : ` and ${describe(second)}`
            if (fault !== undefined) faults.push(`${describe(first)}${also}: ${fault}`)
          }),
        { concurrency: "unbounded", discard: true }
      )
      yield* tries
      tried += cases.length
      const leaked = yield* Effect.exit(eventually(inUse, 0))
      if (leaked._tag === "Failure")
        faults.push(`a connection did not come back: ${cases.map(([first]) => describe(first)).join("; ")}`)
      yield* assertHealthy(pool)
    }
    assert.deepStrictEqual(faults, [], `seed ${seed}, ${tried} tried`)
    return tried
  })

/** Enough of them to see what they have in common. */
const MAX_FAULTS = 20

const pathsOfCall = ({ call }: HostileCase): ReadonlyArray<HostileCase["path"]> =>
  hostileCases.filter((other) => other.call === call).map(({ path }) => path)
