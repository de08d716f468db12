/**
 * Tests random programs of schema changes, failovers between two servers, and cached statements of every kind of call:
 * each answer equals that of a connection that caches nothing, or is an error after which it does.
 *
 *   EFFECTPG_CACHE_STEPS=200000   so many steps (20,000 otherwise)
 *   EFFECTPG_CACHE_SEED=1234      from the program of this seed on
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { checkPrograms, OracleWorld } from "./knowledge/checking.ts"

const STEPS = Number(process.env["EFFECTPG_CACHE_STEPS"] ?? 20_000)
const FIRST_SEED = Number(process.env["EFFECTPG_CACHE_SEED"] ?? 100_000)
const STEPS_PER_PROGRAM = 80
const MILLIS_PER_STEP = 120

layer(OracleWorld.layer, { excludeTestServices: true, timeout: "60 seconds" })("random programs", (it) => {
  it.effect(
    "are answered by a pool as if nothing were cached",
    () =>
      Effect.gen(function* () {
        const tally = yield* checkPrograms({
          firstSeed: FIRST_SEED,
          steps: STEPS,
          stepsPerProgram: STEPS_PER_PROGRAM
        })
        console.log("programs of cached statements", tally)
        // Programs whose every step is refused would show nothing.
        assert.isAbove(tally.answered, tally.steps / 4)
      }),
    60_000 + STEPS * MILLIS_PER_STEP
  )
})
