/**
 * Tests every fault at every message boundary of every scenario. The boundaries are counted in a clean run of each
 * scenario, so none is left out and none is guessed. A prefix of their names selects some of them:
 *
 *   EFFECTPG_INJECTIONS="a transaction / kill the backend / 12"
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestDatabase } from "../support/database.ts"
import { backendsOf, eventually, liveConnection } from "../support/live.ts"
import { bench, type Bench, countBoundaries, type Fault, faults, inject, type Wrong, wrongs } from "./injection.ts"
import { CREATE_MARKS, type Scenario, scenarios } from "./scenarios.ts"

/** So many pools run at the same time, because an injection mostly waits. */
const BENCHES = 8
/** A full run has at least so many, so that a lost scenario or fault is noticed. */
const FEWEST_INJECTIONS = 2_000
const TEST_TIMEOUT_MILLIS = 300_000

interface Injection {
  readonly scenario: Scenario
  readonly fault: Fault
  readonly boundary: number
  readonly name: string
}

const wanted = process.env["EFFECTPG_INJECTIONS"] ?? ""

const injectionsAt = (scenario: Scenario, boundaries: number): ReadonlyArray<Injection> =>
  Array.from({ length: boundaries }, (_, boundary) =>
    faults.map((fault) => ({ scenario, fault, boundary, name: `${scenario.name} / ${fault} / ${boundary}` }))
  )
    .flat()
    .filter(({ name }) => name.startsWith(wanted))

/**
 * A fault can miss: on a busy machine a scenario can run out of time before it has come to the boundary, and the answer
 * to the reset that follows a COMMIT can come before or after the end of the scenario. It is tried again, and at most
 * this share of all may miss every time.
 */
const MAX_MISSES = 3
const MOST_MISSES = 0.01
const hasOnlyMissed = (wrongs: ReadonlySet<Wrong>): boolean =>
  wrongs.size === 1 && wrongs.has("the fault did not happen")

const counter = () => {
  let last = 0
  return () => ++last
}

const line = (count: number, what: string): string => `${String(count).padStart(7)}  ${what}`

const print = (done: ReadonlyArray<Injection>, found: ReadonlyArray<string>, millis: number): void => {
  console.log(
    [
      line(done.length, `injections, in ${(millis / 1000).toFixed(1)} s`),
      ...scenarios.map(({ name }) => line(done.filter(({ scenario }) => scenario.name === name).length, `in ${name}`)),
      ...wrongs.map((wrong) => line(found.filter((each) => each.endsWith(wrong)).length, `times ${wrong}`))
    ].join("\n")
  )
}

layer(TestDatabase.layer, { excludeTestServices: true })("a fault at any message boundary", (it) => {
  it.effect(
    "leaves a working pool, right answers, whole transactions, and no open session behind",
    () =>
      Effect.gen(function* () {
        const observer = yield* liveConnection()
        yield* observer.execute(CREATE_MARKS)
        const startedAt = performance.now()
        const nextId = counter()
        const done: Array<Injection> = []
        const found: Array<string> = []
        const missed: Array<string> = []
        const injectAll = (bench: Bench, injections: IterableIterator<Injection>) =>
          Effect.gen(function* () {
            for (const injection of injections) {
              const { boundary, fault, name, scenario } = injection
              let wrongs = yield* inject(bench, scenario, fault, boundary, nextId())
              for (let misses = 0; misses < MAX_MISSES && hasOnlyMissed(wrongs); misses++) {
                wrongs = yield* inject(bench, scenario, fault, boundary, nextId())
              }
              if (hasOnlyMissed(wrongs)) missed.push(name)
              else found.push(...[...wrongs].map((wrong) => `${name}: ${wrong}`))
              done.push(injection)
            }
          })
        const injectInto = (isShared: boolean) =>
          Effect.gen(function* () {
            const planner = yield* bench(observer, isShared)
            const chosen = scenarios.filter((scenario) => (scenario.isShared ?? false) === isShared)
            const planned = yield* Effect.forEach(chosen, (scenario) =>
              Effect.map(countBoundaries(planner, scenario, nextId), (boundaries) => injectionsAt(scenario, boundaries))
            )
            const benches = yield* Effect.all(Array.from({ length: BENCHES }, () => bench(observer, isShared)))
            // A free pool takes the next injection.
            const queue = planned.flat().values()
            yield* Effect.forEach(benches, (bench) => injectAll(bench, queue), { concurrency: "unbounded" })
            return benches.map(({ applicationName }) => applicationName)
          }).pipe(Effect.scoped)
        const names = [...(yield* injectInto(false)), ...(yield* injectInto(true))]
        print(done, found, performance.now() - startedAt)
        if (missed.length > 0) console.log(`missed:\n${missed.join("\n")}`)
        assert.deepStrictEqual(found, [])
        assert.isAtMost(missed.length, MOST_MISSES * done.length)
        assert.isAtLeast(done.length, wanted === "" ? FEWEST_INJECTIONS : 1)
        for (const name of names) yield* eventually(backendsOf(observer, name), 0)
      }),
    TEST_TIMEOUT_MILLIS
  )
})
