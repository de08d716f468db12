/**
 * Tests an interruption at every yield of a fiber that yields before each of its operations, including those of
 * finalizers and those after a wait. The pool has one connection, so a fiber that waits for itself waits until this
 * test times out. A prefix of their names selects some of them:
 *
 *   EFFECTPG_INJECTIONS="a transaction / interrupt at a yield / 12"
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestDatabase } from "../support/database.ts"
import { backendsOf, eventually, liveConnection } from "../support/live.ts"
import { AT_A_YIELD, bench, type Bench, countYields, inject } from "./injection.ts"
import { CREATE_MARKS, type Scenario, waits } from "./scenarios.ts"

const BENCHES = 8
/** A full run has at least so many, so that a lost scenario is noticed. */
const FEWEST_INJECTIONS = 1_000
/** A fiber may need fewer operations than the time before, so a few of the last yields are missed. */
const MOST_MISSES = 0.1
const TEST_TIMEOUT_MILLIS = 300_000

const wanted = process.env["EFFECTPG_INJECTIONS"] ?? ""

layer(TestDatabase.layer, { excludeTestServices: true })("an interruption at any yield", (it) => {
  it.effect(
    "leaves a working pool of one, right answers, whole transactions, and no open session behind",
    () =>
      Effect.gen(function* () {
        const observer = yield* liveConnection()
        yield* observer.execute(CREATE_MARKS)
        const startedAt = performance.now()
        let id = 0
        let misses = 0
        const planner = yield* bench(observer, false, 1)
        const planned = yield* Effect.forEach(waits, (scenario) =>
          Effect.map(countYields(planner, scenario, ++id), (yields) =>
            Array.from({ length: yields }, (_, at) => ({
              scenario,
              at,
              name: `${scenario.name} / ${AT_A_YIELD} / ${at}`
            })).filter(({ name }) => name.startsWith(wanted))
          )
        )
        const found: Array<string> = []
        const queue = planned.flat().values()
        const injectAll = (bench: Bench) =>
          Effect.gen(function* () {
            for (const { at, name, scenario } of queue) {
              for (const wrong of yield* inject(bench, scenario, AT_A_YIELD, at, ++id)) {
                if (wrong === "the fault did not happen") misses++
                else found.push(`${name}: ${wrong}`)
              }
            }
          })
        const benches = yield* Effect.all(Array.from({ length: BENCHES }, () => bench(observer, false, 1)))
        yield* Effect.forEach(benches, injectAll, { concurrency: "unbounded", discard: true })
        const count = (of: Scenario) => planned.flat().filter(({ scenario }) => scenario === of).length
        console.log(
          [
            `${planned.flat().length} injections in ${((performance.now() - startedAt) / 1000).toFixed(1)} s, ${misses} missed`,
            ...waits.map((scenario) => `${String(count(scenario)).padStart(6)} in ${scenario.name}`)
          ].join("\n")
        )
        assert.deepStrictEqual(found, [])
        assert.isAtLeast(planned.flat().length, wanted === "" ? FEWEST_INJECTIONS : 1)
        assert.isAtMost(misses, MOST_MISSES * planned.flat().length)
        return benches.map(({ applicationName }) => applicationName)
      }).pipe(
        Effect.scoped,
        Effect.flatMap((names) =>
          Effect.scoped(
            Effect.gen(function* () {
              const observer = yield* liveConnection()
              for (const name of names) yield* eventually(backendsOf(observer, name), 0)
            })
          )
        )
      ),
    TEST_TIMEOUT_MILLIS
  )
})
