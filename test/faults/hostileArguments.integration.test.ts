/** Tests two arguments of any kind at once, in an order that differs each time. A failure reports the seed. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestDatabase } from "../support/database.ts"
import { tryHostileArguments } from "../support/hostileRun.ts"
import { livePool } from "../support/live.ts"

const seed = Number(process.env["EFFECTPG_TEST_SEED"] ?? Date.now() % 2 ** 31)

layer(TestDatabase.layer, { excludeTestServices: true })("two arguments of any kind", (it) => {
  it.effect(
    "cause a typed failure at worst, and the pool has all of its connections afterwards",
    () =>
      Effect.gen(function* () {
        const pool = yield* livePool({ maxConnections: 8 })
        assert.isAbove(yield* tryHostileArguments(pool, { seed, millis: 30_000, pairs: true }), 50)
      }).pipe(Effect.scoped),
    120_000
  )
})
