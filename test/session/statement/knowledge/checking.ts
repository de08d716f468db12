/** Runs programs from seeds until one is answered wrongly, and reports the smallest that still is. */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as PgError from "../../../../src/PgError.ts"
import { twoServers } from "../../../support/twoServers.ts"
import { programFrom, shrink } from "./generating.ts"
import { describe, type Command } from "./program.ts"
import { makeWorld, newTally, run, type Tally, type World } from "./world.ts"

/** Two servers, each with a database for the pool and one for the connections without caches. */
export class OracleWorld extends Context.Service<OracleWorld, World>()("effectpg/test/OracleWorld") {
  static readonly layer = Layer.effect(OracleWorld, Effect.flatMap(twoServers, makeWorld))
}

const PATIENCE = "30 seconds"

/** What is wrong with the answers to a program; undefined if nothing is. */
const faultOf = (
  program: ReadonlyArray<Command>,
  tally: Tally
): Effect.Effect<string | undefined, PgError.PgError, OracleWorld> =>
  Effect.gen(function* () {
    const outcome = yield* Effect.timeoutOption(Effect.scoped(run(yield* OracleWorld, program, tally)), PATIENCE)
    return outcome._tag === "Some" ? outcome.value : `${describe(program)}\nhangs`
  })

/** Runs at least so many steps, in programs of equal length, from consecutive seeds. */
export const checkPrograms = (options: {
  readonly firstSeed: number
  readonly steps: number
  readonly stepsPerProgram: number
}): Effect.Effect<Tally, PgError.PgError, OracleWorld> =>
  Effect.gen(function* () {
    const tally = newTally()
    for (let seed = options.firstSeed; tally.steps < options.steps; seed++) {
      const program = programFrom(seed, options.stepsPerProgram)
      const fault = yield* faultOf(program, tally)
      if (fault === undefined) continue
      let smallest = fault
      const fails = (candidate: ReadonlyArray<Command>) =>
        Effect.map(faultOf(candidate, newTally()), (found) => {
          if (found !== undefined) smallest = found
          return found !== undefined
        })
      yield* shrink(program, fails)
      assert.fail(`the program of seed ${seed}, as far as it is needed:\n${smallest}`)
    }
    return tally
  })
