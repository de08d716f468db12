/**
 * Runs one scenario with one fault at one message boundary: immediately before the message with that number is passed
 * on, counted over both directions from the beginning of the scenario. Then it checks everything that could be wrong.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import { isSqlError } from "effect/sql/SqlError"
import type * as PgConnection from "../../src/PgConnection.ts"
import * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import type { Database } from "../support/database.ts"
import { liveSettings, uniqueName, valueOf } from "../support/live.ts"
import { strikeLink } from "../../src/pgTest/faults.ts"
import { type ProxiedLink, type Proxy, proxyTo } from "../../src/pgTest/proxy.ts"
import { TestDatabase } from "../support/database.ts"
import { ask, type Failure, MARKS, type Scenario } from "./scenarios.ts"

/** A fault that happens as the fiber yields is counted over the yields, and every operation is followed by one. */
export const AT_A_YIELD = "interrupt at a yield"

export const faults = [
  "interrupt",
  "interrupt while the server is silent",
  "kill the backend",
  "reset the socket",
  "half-close",
  "stall with a timeout",
  "lose the cancel"
] as const
export type Fault = (typeof faults)[number] | typeof AT_A_YIELD

/** Everything that must never happen, whatever goes wrong and whenever. */
export const wrongs = [
  "the fault did not happen",
  "an answer was wrong",
  "a transaction was done in part",
  "success was claimed and nothing was there",
  "failure was claimed and all was there",
  "a callback ran without its commit",
  "a callback was lost",
  "it ended in a way that it cannot end in",
  "it did not end",
  "the pool did not serve afterwards",
  "a caller was still waiting",
  "a bystander was harmed",
  "a backend was left at work"
] as const
export type Wrong = (typeof wrongs)[number]

/** What stands behind a pool into which faults are injected. */
export interface Bench {
  readonly proxy: Proxy
  readonly pool: PgPool.PgPool
  /** Does not go through the proxy. */
  readonly observer: PgConnection.Queryable
  readonly applicationName: string
}

const MAX_CONNECTIONS = 2
const BYSTANDERS = 5
const SILENCE_MILLIS = 30
const TIMEOUT_MILLIS = 20
const PATIENCE_MILLIS = 10_000
const POLL_MILLIS = 3

/** A shared bench has one connection, on which the queries of all callers are sent at the same time. */
export const bench = (
  observer: PgConnection.Queryable,
  isShared: boolean,
  maxConnections = isShared ? 1 : MAX_CONNECTIONS
): Effect.Effect<Bench, PgError.PgError, TestDatabase | Scope.Scope> =>
  Effect.gen(function* () {
    const { host, port }: Database = yield* TestDatabase
    const proxy = yield* proxyTo({ host, port })
    const applicationName = uniqueName()
    const settings = yield* liveSettings({
      host: proxy.host,
      port: proxy.port,
      sslMode: "disable",
      applicationName,
      // A connection is opened only for a scenario, so that every message belongs to one.
      minConnections: 0,
      maxConnections,
      multiplex: isShared,
      // Every scenario has statements of its own; their eviction is not tested here.
      statementCacheSize: 10_000,
      connectTimeout: "500 millis",
      cancelTimeout: "200 millis",
      acquireTimeout: PATIENCE_MILLIS
    })
    return { proxy, pool: yield* PgPool.make(settings), observer, applicationName }
  })

/**
 * The number of boundaries, from runs without a fault: the least of three, because the reset of the connection that
 * prepared a scenario may still be under way when its messages are counted.
 */
export const countBoundaries = (
  bench: Bench,
  scenario: Scenario,
  nextId: () => number
): Effect.Effect<number, Failure> =>
  Effect.map(
    Effect.forEach([1, 2, 3], () => countOnce(bench, scenario, nextId())),
    (counts) => Math.min(...counts)
  )

const countOnce = ({ pool, proxy }: Bench, scenario: Scenario, id: number): Effect.Effect<number, Failure> =>
  Effect.gen(function* () {
    yield* scenario.prepare(pool, id)
    let messages = 0
    proxy.onMessage = () => messages++
    yield* Effect.all([scenario.run(pool, id), ...bystandersOf(pool, scenario, id)], { concurrency: "unbounded" })
    proxy.onMessage = ignore
    return messages
  }).pipe(
    Effect.timeoutOrElse({
      duration: PATIENCE_MILLIS,
      orElse: () => Effect.die(new Error(`${scenario.name} does not end, though nothing is wrong`))
    })
  )

/** The number of yields, from a run without a fault. */
export const countYields = ({ pool }: Bench, scenario: Scenario, id: number): Effect.Effect<number, Failure> =>
  Effect.gen(function* () {
    yield* scenario.prepare(pool, id)
    let yields = 0
    yield* yieldingEach(() => yields++)(scenario.run(pool, id))
    return yields
  })

/**
 * The end of a yield counts as an operation, and so does the operation after it: with fewer operations per turn the
 * fiber would make no progress.
 */
const OPERATIONS_BETWEEN_YIELDS = 3

/** Makes a fiber and its children yield before each of their operations, and reports each yield. */
const yieldingEach = (onYield: () => void) => {
  const scheduler = new Scheduler.MixedScheduler()
  scheduler.shouldYield = ({ currentOpCount }) => {
    const isTime = currentOpCount >= OPERATIONS_BETWEEN_YIELDS
    if (isTime) onYield()
    return isTime
  }
  return <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideService(effect, Scheduler.Scheduler, scheduler)
}

/** Queries of other fibers, which are independent of the one that is struck. */
const bystandersOf = (pool: PgPool.PgPool, { isShared }: Scenario, id: number) =>
  Array.from({ length: isShared ? BYSTANDERS : 0 }, (_, index) => ask(pool, id * BYSTANDERS + index))

export const inject = (
  bench: Bench,
  scenario: Scenario,
  fault: Fault,
  boundary: number,
  id: number
): Effect.Effect<ReadonlySet<Wrong>, Failure> =>
  Effect.gen(function* () {
    const { pool, proxy } = bench
    const found = new Set<Wrong>()
    yield* Effect.retry(scenario.prepare(pool, id), { times: 3 })
    const isStruck = yield* Deferred.make<void>()
    const timeOut = Effect.andThen(Deferred.await(isStruck), Effect.sleep(TIMEOUT_MILLIS))
    /** A query that meets a stall has no more time than others have. */
    const patient = <A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E | string> =>
      fault === "stall with a timeout" ? Effect.raceFirst(work, Effect.andThen(timeOut, Effect.fail(TIMED_OUT))) : work
    let victim: Fiber.Fiber<unknown, unknown> | undefined
    let passed = 0
    const isTime = () => passed++ === boundary
    const onYield = (): void => {
      if (!isTime()) return
      Deferred.doneUnsafe(isStruck, Exit.void)
      // The fiber has yielded by then, and does not go on before that.
      queueMicrotask(() => victim?.interruptUnsafe())
    }
    if (fault !== AT_A_YIELD) {
      proxy.onMessage = (link) => {
        if (victim === undefined || !isTime()) return
        proxy.onMessage = ignore
        Deferred.doneUnsafe(isStruck, Exit.void)
        strike(bench, fault, link, victim)
      }
    }
    const run = patient(scenario.run(pool, id))
    // It begins in the tick in which its preparation ended, as it does when its boundaries are counted.
    const fiber = yield* fault === AT_A_YIELD
      ? Effect.forkChild(yieldingEach(onYield)(run))
      : Effect.forkChild(run, { startImmediately: true })
    victim = fiber
    const bystanders = yield* Effect.forEach(bystandersOf(pool, scenario, id), (each) =>
      Effect.forkChild(patient(each))
    )
    const exit = yield* withPatience(Fiber.await(fiber))
    if (exit === undefined) found.add("it did not end")
    for (const bystander of bystanders) {
      const other = yield* withPatience(Fiber.await(bystander))
      if (other === undefined || isHarmed(fault, other)) found.add("a bystander was harmed")
    }
    proxy.onMessage = ignore
    if (!Deferred.isDoneUnsafe(isStruck)) found.add("the fault did not happen")
    if ((yield* withPatience(untilAtRest(bench))) === undefined) found.add("a backend was left at work")
    proxy.losesCancels = false
    if (exit !== undefined) yield* judge(bench, scenario, fault, exit, id, found)
    const answers = Array.from({ length: 4 }, (_, index) => ask(pool, id * 4 + index))
    const served = yield* withPatience(Effect.exit(Effect.all(answers, { concurrency: "unbounded" })))
    if (served === undefined || Exit.isFailure(served)) found.add("the pool did not serve afterwards")
    if ((yield* withPatience(untilReturned(pool))) === undefined) found.add("a caller was still waiting")
    return found
  })

const ignore = (): void => {}

const TIMED_OUT = "timed out"

/** Undefined if it takes too long. */
const withPatience = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A | undefined, E> =>
  Effect.timeoutOrElse(effect, { duration: PATIENCE_MILLIS, orElse: () => Effect.undefined })

const strike = (
  { observer, proxy }: Bench,
  fault: Fault,
  link: ProxiedLink,
  fiber: Fiber.Fiber<unknown, unknown>
): void => {
  switch (fault) {
    case "interrupt":
    case AT_A_YIELD:
      return fiber.interruptUnsafe()
    case "interrupt while the server is silent":
      link.hold()
      setTimeout(() => link.letGo(), SILENCE_MILLIS)
      return fiber.interruptUnsafe()
    case "kill the backend":
      return strikeLink(link, "killBackend", observer)
    case "reset the socket":
      return strikeLink(link, "resetSocket", observer)
    case "half-close":
      return strikeLink(link, "closeSocket", observer)
    case "stall with a timeout":
      return strikeLink(link, "stall", observer)
    case "lose the cancel":
      proxy.losesCancels = true
      return fiber.interruptUnsafe()
  }
}

const AT_WORK =
  "SELECT count(*)::int4 FROM pg_stat_activity WHERE application_name = $1 AND state IS DISTINCT FROM 'idle'"

/** Waits until every connection is back and every backend is idle, so that the stored rows are final. */
const untilAtRest = ({ applicationName, observer, pool }: Bench): Effect.Effect<true, PgError.PgError> =>
  Effect.gen(function* () {
    yield* untilReturned(pool)
    while ((yield* valueOf(observer, AT_WORK, [applicationName])) !== 0) yield* Effect.sleep(POLL_MILLIS)
    return true as const
  })

const untilReturned = (pool: PgPool.PgPool): Effect.Effect<true> =>
  Effect.gen(function* () {
    for (;;) {
      const { connecting, inUse, waiting } = yield* pool.stats
      if (connecting + inUse + waiting === 0) return true as const
      yield* Effect.sleep(POLL_MILLIS)
    }
  })

/** Compares what the scenario's end claims with what is stored. */
const judge = (
  { observer }: Bench,
  scenario: Scenario,
  fault: Fault,
  exit: Exit.Exit<unknown, unknown>,
  id: number,
  found: Set<Wrong>
): Effect.Effect<void, PgError.PgError> =>
  Effect.gen(function* () {
    if (!mayEndIn(fault, exit)) {
      found.add(Exit.isFailure(exit) && Cause.hasDies(exit.cause) ? "an answer was wrong" : IMPOSSIBLE)
    }
    if (scenario.stores.length === 0) return
    const ran = scenario.callbacks?.ran(id) ?? 0
    const stored = String(yield* valueOf(observer, MARKS, [id]))
    const isThere = stored === String(scenario.stores)
    if (!isThere && stored !== "") found.add("a transaction was done in part")
    if (!isThere && Exit.isSuccess(exit)) found.add("success was claimed and nothing was there")
    if (isThere && Exit.isFailure(exit) && saysNothingHappened(exit.cause)) {
      found.add("failure was claimed and all was there")
    }
    if (!isThere && ran > 0) found.add("a callback ran without its commit")
    // If the connection was lost, the client may not know that the transaction was committed.
    const isKnown = Exit.isSuccess(exit) || fault === AT_A_YIELD || fault === "interrupt"
    if (isThere && isKnown && ran < (scenario.callbacks?.registered ?? 0)) found.add("a callback was lost")
  })

const IMPOSSIBLE = "it ended in a way that it cannot end in"

/** A call that was not interrupted has an answer or a typed error; an interrupted call has no other failure. */
const mayEndIn = (fault: Fault, exit: Exit.Exit<unknown, unknown>): boolean => {
  if (Exit.isSuccess(exit)) return true
  const error = Cause.squash(exit.cause)
  switch (fault) {
    case "interrupt":
    case AT_A_YIELD:
    case "interrupt while the server is silent":
    case "lose the cancel":
      return Cause.hasInterruptsOnly(exit.cause)
    case "stall with a timeout":
      return error === TIMED_OUT
    case "kill the backend":
    case "reset the socket":
    case "half-close":
      return !Cause.hasDies(exit.cause) && clientErrorOf(error) !== undefined
  }
}

/**
 * A call that is not interrupted notices no interruptions of others, and has a typed error if the connection is lost.
 */
const isHarmed = (fault: Fault, exit: Exit.Exit<unknown, unknown>): boolean => {
  if (Exit.isSuccess(exit)) return false
  if (fault === "interrupt" || fault === AT_A_YIELD || fault === "interrupt while the server is silent") return true
  const error = Cause.squash(exit.cause)
  return Cause.hasDies(exit.cause) || !(clientErrorOf(error) !== undefined || error === TIMED_OUT)
}

const saysNothingHappened = (cause: Cause.Cause<unknown>): boolean => {
  return clientErrorOf(Cause.squash(cause))?.outcome === "none"
}

/** The error of effectpg, also if it is the cause of a `SqlError`. */
const clientErrorOf = (error: unknown): PgError.PgError | undefined => {
  const found = isSqlError(error) ? error.reason.cause : error
  return PgError.isPgError(found) ? found : undefined
}
