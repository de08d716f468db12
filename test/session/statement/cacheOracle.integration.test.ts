/** Tests a few of the programs of `cachePrograms.integration.test.ts`, for everyday use. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { checkPrograms, OracleWorld } from "./knowledge/checking.ts"

const STEPS = 240
const STEPS_PER_PROGRAM = 40
const FIRST_SEED = 1

layer(OracleWorld.layer, { excludeTestServices: true, timeout: "60 seconds" })("a few random programs", (it) => {
  it.effect(
    "are answered by a pool as if nothing were cached",
    () =>
      Effect.gen(function* () {
        const { answered } = yield* checkPrograms({
          firstSeed: FIRST_SEED,
          steps: STEPS,
          stepsPerProgram: STEPS_PER_PROGRAM
        })
        // Programs whose every step is refused would show nothing.
        assert.isAbove(answered, STEPS / 4)
      }),
    120_000
  )
})
