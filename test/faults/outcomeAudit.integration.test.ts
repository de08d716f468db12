/**
 * Tests that `outcome` and `safeToRetry` are true. The connection is lost at every boundary of every call that commits
 * by itself, and another connection checks whether the work was done. A third of the losses runs each time; all of
 * them, or those whose names begin with a prefix, run on request:
 *
 *   EFFECTPG_INJECTIONS=all
 *   EFFECTPG_INJECTIONS="execute, known / cut / 3"
 */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { OUTLASTS_ERROR } from "../../src/session/statement/outcome.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, liveSettings, valueOf } from "../support/live.ts"
import { strikeLink } from "../../src/pgTest/faults.ts"
import { type ProxiedLink, type ProxiedMessage, type Proxy, proxyTo } from "../../src/pgTest/proxy.ts"
import { type Case, cases, CREATE_EFFECTS, utilities } from "./outcomeCases.ts"

const losses = [
  // Before the message is passed on.
  "cut",
  // In the middle of the message.
  "cut inside",
  // Both sides at once, with everything that they have not read yet.
  "reset",
  "kill the backend"
] as const
type Loss = (typeof losses)[number]

/**
 * The connection is cut before every message. Before a message of the server its backend is killed too, so that an
 * error comes with the messages that are held back. The other losses take turns, because all of them everywhere would
 * take too long.
 */
const isTried = ({ isVariant }: Case, loss: Loss, boundary: number, from: ProxiedMessage["from"]): boolean => {
  switch (loss) {
    case "cut":
      return true
    case "kill the backend":
      return !isVariant && from === "server"
    case "cut inside":
      return !isVariant && from === "client" && boundary % 2 === 0
    case "reset":
      return !isVariant && from === "client" && boundary % 2 === 1
  }
}

/** The name of a loss alone decides whether it is in the sample: a failure is repeatable. */
const isInSample = (name: string): boolean => {
  let sum = 0
  for (let at = 0; at < name.length; at++) sum += name.charCodeAt(at)
  return sum % SAMPLED === 0
}

const SAMPLED = 3

interface Bench {
  readonly proxy: Proxy
  readonly pool: PgPool.PgPool
  /** Does not go through the proxy. */
  readonly observer: PgConnection.Queryable
}

const BENCHES = 8
const PATIENCE_MILLIS = 20_000
const POLL_MILLIS = 3
/** A full run has at least so many, so that a missing case or loss is noticed. */
const FEWEST_INJECTIONS = 2_000
const FEWEST: Readonly<Record<string, number>> = { all: FEWEST_INJECTIONS, "": FEWEST_INJECTIONS / (SAMPLED + 1) }
/** Other traffic on a connection may have been one message more when the messages were counted. */
const MOST_MISSES = 0.05
const TEST_TIMEOUT_MILLIS = 900_000

const wanted = process.env["EFFECTPG_INJECTIONS"] ?? ""
const ALL = "all"

const throughProxy = Effect.gen(function* () {
  const { host, port } = yield* TestDatabase
  const proxy = yield* proxyTo({ host, port })
  return { proxy, settings: yield* liveSettings({ host: proxy.host, port: proxy.port, sslMode: "disable" }) }
})

const makeBench = (
  observer: PgConnection.Queryable
): Effect.Effect<Bench, PgError.PgError, TestDatabase | Scope.Scope> =>
  Effect.gen(function* () {
    const { proxy, settings } = yield* throughProxy
    const pool = yield* PgPool.make({
      ...settings,
      minConnections: 0,
      maxConnections: 1,
      connectTimeout: "5 seconds",
      cancelTimeout: "500 millis"
    })
    return { proxy, pool, observer }
  })

const ignored = (): void => {}

/** Undefined if it takes too long. */
const withPatience = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A | undefined, E> =>
  Effect.timeoutOrElse(effect, { duration: PATIENCE_MILLIS, orElse: () => Effect.undefined })

/** Prepares the pool's connection for the case, and removes what the last borrower has left. */
const prepare = ({ observer, pool }: Bench, { isWarm, run, setUp }: Case, id: number) =>
  Effect.gen(function* () {
    if (setUp !== undefined) yield* observer.executeScript(setUp(id))
    if (isWarm) yield* run(pool, 0)
    yield* pool.fetch("SELECT 1")
  })

const tearDown = ({ observer }: Bench, { tearDown }: Case, id: number) =>
  Effect.forEach(tearDown(id), (sql) => Effect.exit(observer.execute(sql)), { discard: true })

/** Which side speaks at each boundary, from a run without a fault. */
const boundariesOf = (
  bench: Bench,
  each: Case,
  id: number
): Effect.Effect<ReadonlyArray<ProxiedMessage["from"]>, PgError.PgError> =>
  Effect.gen(function* () {
    yield* prepare(bench, each, id)
    const speakers: Array<ProxiedMessage["from"]> = []
    bench.proxy.onMessage = (_link, { from }) => speakers.push(from)
    yield* Effect.exit(each.run(bench.pool, id))
    bench.proxy.onMessage = ignored
    assert.isTrue(yield* valueOf(bench.observer, each.isDone(id)), `${each.name} does nothing`)
    yield* tearDown(bench, each, id)
    return speakers
  })

const lose = ({ observer }: Bench, loss: Loss, link: ProxiedLink, { bytes, from }: ProxiedMessage): void => {
  switch (loss) {
    case "cut":
      return link.cut()
    case "cut inside":
      link.pass(from, bytes.subarray(0, Math.ceil(bytes.length / 2)))
      return link.cut()
    case "reset":
      return link.reset()
    case "kill the backend":
      return strikeLink(link, "killBackend", observer)
  }
}

const untilGone = (observer: PgConnection.Queryable, processId: number): Effect.Effect<true, PgError.PgError> =>
  Effect.gen(function* () {
    const sql = "SELECT count(*)::int4 FROM pg_stat_activity WHERE pid = $1"
    while ((yield* valueOf(observer, sql, [processId])) !== 0) yield* Effect.sleep(POLL_MILLIS)
    return true as const
  })

interface Verdict {
  readonly wrongs: ReadonlyArray<string>
  readonly said: "nothing" | "none" | "unknown"
  readonly isDone: boolean
  /** The case was over before the boundary came. */
  readonly isMissed: boolean
}

/** Runs a case, loses the connection at a boundary, and compares the reported outcome with the stored rows. */
const inject = (
  bench: Bench,
  each: Case,
  loss: Loss,
  boundary: number,
  id: number
): Effect.Effect<Verdict, PgError.PgError> =>
  Effect.gen(function* () {
    const { observer, pool, proxy } = bench
    const wrongs: Array<string> = []
    yield* prepare(bench, each, id)
    let messages = 0
    let struck: ProxiedLink | undefined
    proxy.onMessage = (link, message) => {
      if (messages++ !== boundary) return
      proxy.onMessage = ignored
      struck = link
      lose(bench, loss, link, message)
    }
    const exit = yield* withPatience(Effect.exit(each.run(pool, id)))
    proxy.onMessage = ignored
    const isMissed = struck === undefined
    const processId = struck?.processId
    if (processId !== undefined && (yield* withPatience(untilGone(observer, processId))) === undefined)
      wrongs.push("the backend has not gone")
    const isDone = (yield* valueOf(observer, each.isDone(id))) === true
    yield* tearDown(bench, each, id)
    if (exit === undefined) return { wrongs: [...wrongs, "it did not end"], said: "nothing", isDone, isMissed }
    wrongs.push(...untruths(each, exit, isDone))
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    return { wrongs, said: PgError.isPgError(error) ? error.outcome : "nothing", isDone, isMissed }
  })

const untruths = (each: Case, exit: Exit.Exit<unknown, unknown>, isDone: boolean): ReadonlyArray<string> => {
  if (Exit.isSuccess(exit)) return isDone || each.endsUnheard ? [] : ["success, and nothing was done"]
  const error = Cause.squash(exit.cause)
  if (Cause.hasDies(exit.cause) || !PgError.isPgError(error)) return [`a defect: ${Cause.pretty(exit.cause)}`]
  const isSafe = error._tag === "ConnectionLostError" && error.safeToRetry
  const untrue: Array<string> = []
  if (isDone && error.outcome === "none") untrue.push(`${error._tag} says that nothing was done`)
  if (isDone && isSafe) untrue.push("it is said to be safe to try again")
  if (isSafe && error.outcome !== "none")
    untrue.push("it is said to be safe to try again, with an outcome that is not none")
  return untrue
}

const whatIsSaid = (exit: Exit.Exit<unknown, unknown> | undefined): unknown => {
  if (exit === undefined) return "it did not end"
  const error = Exit.isSuccess(exit) ? undefined : Cause.squash(exit.cause)
  if (!PgError.isPgError(error)) return exit
  return [error._tag, error.outcome, error._tag === "ConnectionLostError" && error.safeToRetry]
}

const line = (count: number, what: string): string => `${String(count).padStart(7)}  ${what}`

describe("the table of statements that commit by themselves", () => {
  it("has every statement that may outlast its error, or the reason why not", () => {
    const may = [...OUTLASTS_ERROR].flatMap(([word, outlasts]) => (outlasts === false ? [] : [word]))
    assert.deepStrictEqual(Object.keys(utilities).sort(), may.sort())
  })
})

layer(TestDatabase.layer, { excludeTestServices: true })("the outcome of a call whose connection is lost", (it) => {
  it.effect(
    "is true, wherever it is lost",
    () =>
      Effect.gen(function* () {
        const observer = yield* liveConnection()
        for (const sql of CREATE_EFFECTS) yield* observer.execute(sql)
        let id = 0
        const startedAt = performance.now()
        const planner = yield* makeBench(observer)
        const planned = yield* Effect.forEach(cases, (each) =>
          Effect.map(boundariesOf(planner, each, ++id), (speakers) =>
            speakers
              .flatMap((from, boundary) =>
                losses.map((loss) => ({ each, from, loss, boundary, name: `${each.name} / ${loss} / ${boundary}` }))
              )
              .filter(({ boundary, from, loss, name }) =>
                wanted === "" || wanted === ALL
                  ? isTried(each, loss, boundary, from) && (wanted === ALL || isInSample(name))
                  : name.startsWith(wanted)
              )
          )
        )
        const found: Array<string> = []
        const verdicts: Array<Verdict> = []
        const queue = planned.flat().values()
        const injectAll = (bench: Bench) =>
          Effect.gen(function* () {
            for (const { boundary, each, loss, name } of queue) {
              const verdict = yield* inject(bench, each, loss, boundary, ++id)
              verdicts.push(verdict)
              found.push(...verdict.wrongs.map((wrong) => `${name}: ${wrong}`))
            }
            yield* assertHealthy(bench.pool)
          })
        const benches = yield* Effect.all(Array.from({ length: BENCHES }, () => makeBench(observer)))
        yield* Effect.forEach(benches, injectAll, { concurrency: "unbounded", discard: true })
        const count = (said: Verdict["said"], isDone: boolean) =>
          verdicts.filter((verdict) => verdict.said === said && verdict.isDone === isDone).length
        const misses = verdicts.filter(({ isMissed }) => isMissed).length
        console.log(
          [
            line(verdicts.length, `losses in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`),
            line(count("none", false), "said to have done nothing, and had not"),
            line(count("unknown", true), "said to be unknown, and done"),
            line(count("unknown", false), "said to be unknown, and not done"),
            line(misses, "missed"),
            line(found.length, "untruths")
          ].join("\n")
        )
        assert.deepStrictEqual(found, [])
        assert.isAtMost(misses, Math.ceil(MOST_MISSES * verdicts.length))
        assert.isAtLeast(verdicts.length, FEWEST[wanted] ?? 1)
      }),
    TEST_TIMEOUT_MILLIS
  )

  it.effect(
    "is that it may be tried again if no byte of the call was sent",
    () =>
      Effect.gen(function* () {
        const { proxy, settings } = yield* throughProxy
        let id = 1_000_000
        for (const each of cases) {
          const connection = yield* PgConnection.make(settings)
          // The answer is held back, and nothing is written behind a statement whose parameters are not known.
          proxy.onMessage = (link, { from }) => {
            if (from === "server") link.hold()
          }
          const front = yield* Effect.forkChild(Effect.exit(connection.execute(`SELECT ${++id}`)), {
            startImmediately: true
          })
          yield* Effect.sleep(POLL_MILLIS)
          const asking = yield* Effect.forkChild(Effect.exit(each.run(connection, id)), { startImmediately: true })
          yield* Effect.sleep(POLL_MILLIS)
          for (const link of proxy.links) link.cut()
          const exit = yield* withPatience(Fiber.join(asking))
          yield* Fiber.join(front)
          proxy.onMessage = ignored
          assert.deepStrictEqual(whatIsSaid(exit), ["ConnectionLostError", "none", true], each.name)
        }
      }),
    TEST_TIMEOUT_MILLIS
  )
})
