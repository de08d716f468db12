/**
 * Random programs of changes of the schema, of failovers between two servers and of cached statements: each answer is
 * that of a connection without caches, or an error after which it is.
 *
 *   EFFECTPG_CACHE_STEPS=20000   so many steps
 */
import { assert, layer } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { twoServers } from "../support/twoServers.ts"
import { int } from "../wire/frames.ts"
import { MAX_NUMBER, programOf } from "./knowledge/program.ts"
import { makeWorld, newTally, run } from "./knowledge/world.ts"

const PROGRAMS = Number(process.env["EFFECTPG_CACHE_PROGRAMS"] ?? 400)
const STEPS = 60

class Worlds extends Context.Service<Worlds>()("effectpg/test/Worlds", {
  make: Effect.flatMap(twoServers, makeWorld)
}) {
  static readonly layer = Layer.effect(this, this.make)
}

const command = Arbitrary.all([int(0, 99), int(0, 1), int(0, MAX_NUMBER), int(0, MAX_NUMBER), int(0, MAX_NUMBER)])
const commands = Arbitrary.array(command, { maxLength: STEPS })

layer(Worlds.layer, { excludeTestServices: true, timeout: "60 seconds" })("a random program", (it) => {
  const tally = newTally()
  it.effect.prop(
    "is answered as if nothing were cached",
    [int(0, MAX_NUMBER), commands],
    ([focus, numbers]) =>
      Effect.gen(function* () {
        const world = yield* Worlds
        const wrong = yield* Effect.scoped(run(world, programOf(focus, numbers), tally))
        if (wrong !== undefined) assert.fail(`\n${wrong}\n`)
      }),
    {
      arbitrary: {
        runs: PROGRAMS,
        size: 100,
        ...(process.env["SEED"] ? { seed: process.env["SEED"] } : {}),
        maxShrinks: 400
      },
      timeout: 600_000
    }
  )
  it.effect("tally", () => Effect.sync(() => console.log(tally)))
})
