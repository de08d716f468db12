/** Tests that no argument, in whatever place, is worse than a typed failure, and that every connection comes back. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestDatabase } from "../support/database.ts"
import { unknownMethods } from "../support/hostileCalls.ts"
import { tryHostileArguments } from "../support/hostileRun.ts"
import { livePool } from "../support/live.ts"

const SEED = Number(process.env["EFFECTPG_TEST_SEED"] ?? 20_261_129)

layer(TestDatabase.layer, { excludeTestServices: true })("an argument of any kind", (it) => {
  it.effect("is tried in every place of every method and function that the public API lists", () =>
    Effect.sync(() => assert.deepStrictEqual(unknownMethods(), []))
  )

  it.effect("causes a typed failure at worst, and the pool has all of its connections afterwards", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 8 })
      const tried = yield* tryHostileArguments(pool, { seed: SEED, millis: 6_000, pairs: false })
      assert.isAbove(tried, 20)
    }).pipe(Effect.scoped)
  )
})
