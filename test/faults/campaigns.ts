/**
 * Campaigns: a fault at every place of every scenario that it is given. The places are counted in a clean run of each
 * scenario, so none is left out and none is guessed. A prefix of their names selects some of them:
 *
 *   EFFECTPG_INJECTIONS="a transaction / kill the backend / 12"
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { backendsOf, eventually, liveConnection } from "../support/live.ts"
import {
  AT_A_YIELD,
  bench,
  type Bench,
  countBoundaries,
  countYields,
  type Fault,
  faults,
  inject,
  type Wrong,
  wrongs
} from "./injection.ts"
import { CREATE_MARKS, type Scenario } from "./scenarios.ts"

/** So many pools run at the same time, because an injection mostly waits. */
const BENCHES = 8

const wanted = process.env["EFFECTPG_INJECTIONS"] ?? ""

interface Injection {
  readonly scenario: Scenario
  readonly fault: Fault
  /** The number of the message or the yield. */
  readonly at: number
  readonly name: string
}

const injection = (scenario: Scenario, fault: Fault, at: number): Injection => ({
  scenario,
  fault,
  at,
  name: `${scenario.name} / ${fault} / ${at}`
})

const isWanted = ({ name }: Injection): boolean => name.startsWith(wanted)

const line = (count: number, what: string): string => `${String(count).padStart(7)}  ${what}`

/** What a campaign has done and found. */
class Report {
  readonly done: Array<Injection> = []
  readonly found: Array<string> = []
  readonly missed: Array<string> = []
  private readonly startedAt = performance.now()

  add(injection: Injection, wrongs: ReadonlySet<Wrong>): void {
    const { name } = injection
    if (hasOnlyMissed(wrongs)) this.missed.push(name)
    else this.found.push(...[...wrongs].map((wrong) => `${name}: ${wrong}`))
    this.done.push(injection)
  }

  /** Fails if something was wrong, if too many faults missed, or if a lost scenario or fault made it too short. */
  judge(scenarios: ReadonlyArray<Scenario>, fewest: number, mostMisses: number): void {
    const { done, found, missed } = this
    const count = (of: Scenario) => done.filter(({ scenario }) => scenario === of).length
    const seconds = ((performance.now() - this.startedAt) / 1000).toFixed(1)
    console.log(
      [
        line(done.length, `injections, in ${seconds} s, ${missed.length} missed`),
        ...scenarios.map((scenario) => line(count(scenario), `in ${scenario.name}`)),
        ...wrongs.map((wrong) => line(found.filter((each) => each.endsWith(wrong)).length, `times ${wrong}`))
      ].join("\n")
    )
    assert.deepStrictEqual(found, [])
    assert.isAtLeast(done.length, wanted === "" ? fewest : 1)
    assert.isAtMost(missed.length, mostMisses * done.length)
  }
}

const hasOnlyMissed = (wrongs: ReadonlySet<Wrong>): boolean =>
  wrongs.size === 1 && wrongs.has("the fault did not happen")

const counter = () => {
  let last = 0
  return () => ++last
}

/** Waits until the server has closed every connection of the pools. */
const untilGone = (names: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      for (const name of names) yield* eventually(backendsOf(observer, name), 0)
    })
  )

// ------------------------------------------------------------------------------------------- message boundaries

/**
 * A fault can miss: on a busy machine a scenario can run out of time before it has come to the boundary, and the answer
 * to the reset that follows a COMMIT can come before or after the end of the scenario. It is tried again, and at most
 * this share of all may miss every time.
 */
const MAX_MISSES = 3
const MOST_MISSES_AT_BOUNDARIES = 0.01

/**
 * Tests every fault at every message boundary of the scenarios. With `inTurn`, each boundary has one of the faults, and
 * its neighbors have others: scenarios that resemble each other need not have them all.
 */
export const faultsAtBoundaries = (
  scenarios: ReadonlyArray<Scenario>,
  { fewest, inTurn = false }: { readonly fewest: number; readonly inTurn?: boolean }
) =>
  Effect.gen(function* () {
    const observer = yield* liveConnection()
    yield* observer.execute(CREATE_MARKS)
    const nextId = counter()
    const report = new Report()
    const injectAll = (bench: Bench, injections: IterableIterator<Injection>) =>
      Effect.gen(function* () {
        for (const injection of injections) {
          const { at, fault, scenario } = injection
          let wrongs = yield* inject(bench, scenario, fault, at, nextId())
          for (let misses = 0; misses < MAX_MISSES && wrongs.has("the fault did not happen"); misses++) {
            wrongs = yield* inject(bench, scenario, fault, at, nextId())
          }
          report.add(injection, wrongs)
        }
      })
    const injectInto = (isShared: boolean) =>
      Effect.gen(function* () {
        const planner = yield* bench(observer, isShared)
        const chosen = scenarios.filter((scenario) => (scenario.isShared ?? false) === isShared)
        const planned = yield* Effect.forEach(chosen, (scenario, index) =>
          Effect.map(countBoundaries(planner, scenario, nextId), (boundaries) =>
            Array.from({ length: boundaries }, (_, at) =>
              (inTurn && wanted === "" ? [faults[(at + index) % faults.length] ?? faults[0]] : faults).map((fault) =>
                injection(scenario, fault, at)
              )
            )
              .flat()
              .filter(isWanted)
          )
        )
        const benches = yield* Effect.all(Array.from({ length: BENCHES }, () => bench(observer, isShared)))
        // A free pool takes the next injection.
        const queue = planned.flat().values()
        yield* Effect.forEach(benches, (bench) => injectAll(bench, queue), { concurrency: "unbounded" })
        return benches.map(({ applicationName }) => applicationName)
      }).pipe(Effect.scoped)
    const names = [...(yield* injectInto(false)), ...(yield* injectInto(true))]
    report.judge(scenarios, fewest, MOST_MISSES_AT_BOUNDARIES)
    yield* untilGone(names)
  }).pipe(Effect.scoped)

// -------------------------------------------------------------------------------------------------------- yields

/** A fiber may need fewer operations than the time before, so a few of the last yields are missed. */
const MOST_MISSES_AT_YIELDS = 0.1

/**
 * Tests an interruption at every yield of a fiber that yields before each of its operations, including those of
 * finalizers and those after a wait. The pool has one connection, so a fiber that waits for itself waits until the test
 * times out. With `every`, only every second, third and so on of the yields is tested.
 */
export const interruptionsAtYields = (
  scenarios: ReadonlyArray<Scenario>,
  { every = 1, fewest }: { readonly fewest: number; readonly every?: number }
) =>
  Effect.gen(function* () {
    const observer = yield* liveConnection()
    yield* observer.execute(CREATE_MARKS)
    const nextId = counter()
    const report = new Report()
    const planner = yield* bench(observer, false, 1)
    const planned = yield* Effect.forEach(scenarios, (scenario) =>
      Effect.map(countYields(planner, scenario, nextId()), (yields) =>
        Array.from({ length: yields }, (_, at) => injection(scenario, AT_A_YIELD, at))
          .filter(({ at }) => wanted !== "" || at % every === 0)
          .filter(isWanted)
      )
    )
    const queue = planned.flat().values()
    const injectAll = (bench: Bench) =>
      Effect.gen(function* () {
        for (const injection of queue) {
          report.add(injection, yield* inject(bench, injection.scenario, AT_A_YIELD, injection.at, nextId()))
        }
      })
    const benches = yield* Effect.all(Array.from({ length: BENCHES }, () => bench(observer, false, 1)))
    yield* Effect.forEach(benches, injectAll, { concurrency: "unbounded", discard: true })
    report.judge(scenarios, fewest, MOST_MISSES_AT_YIELDS)
    return benches.map(({ applicationName }) => applicationName)
  }).pipe(Effect.scoped, Effect.flatMap(untilGone))
