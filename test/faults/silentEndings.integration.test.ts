/**
 * Tests a server that falls silent just as something ends: a scope, a stream, or the effect for which something was
 * held. The end is bounded, interrupted or not, and the lender of the connection serves again.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, eventually, liveConnection, liveSettings } from "../support/live.ts"
import { proxyTo } from "../../src/pgTest/proxy.ts"
import {
  type Asked,
  CANCEL_TIMEOUT_MILLIS,
  CLOSE_TIMEOUT_MILLIS,
  namesOfResources,
  type Resource,
  resources
} from "./scopedResources.ts"

/** How long a fiber waits for a silent server. */
const GRACE_MILLIS = 200
/** What a busy machine may add to a bound; far less than an unanswered wait would add. */
const SLACK_MILLIS = 1_500
/** So long after something began to end, it is interrupted. */
const MIDWAY_MILLIS = 30
const CONCURRENCY = 12
const PATIENCE = "20 seconds"
const TEST_TIMEOUT_MILLIS = 120_000

const endings = {
  "ends by itself": (gate: Effect.Effect<unknown>, fiber: Fiber.Fiber<unknown, unknown>) =>
    Effect.andThen(gate, Fiber.await(fiber)),
  "is interrupted": (_: Effect.Effect<unknown>, fiber: Fiber.Fiber<unknown, unknown>) => Fiber.interrupt(fiber),
  "is interrupted as it ends": (gate: Effect.Effect<unknown>, fiber: Fiber.Fiber<unknown, unknown>) =>
    gate.pipe(Effect.andThen(Effect.sleep(MIDWAY_MILLIS)), Effect.andThen(Fiber.interrupt(fiber))),
  "is interrupted twice": (_: Effect.Effect<unknown>, fiber: Fiber.Fiber<unknown, unknown>) =>
    Effect.gen(function* () {
      yield* Effect.sync(() => fiber.interruptUnsafe())
      yield* Effect.sleep(MIDWAY_MILLIS)
      yield* Fiber.interrupt(fiber)
    })
} as const
type Ending = keyof typeof endings

/** The allowed results of an end: the wanted one, an interruption, or a failure of ours, but no defect. */
const isTyped = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) || PgError.isPgError(Cause.squash(exit.cause))

const isLoss = ({ cause }: Exit.Failure<unknown, unknown>): boolean => {
  const error = Cause.squash(cause)
  return PgError.isPgError(error) && error._tag === "ConnectionLostError"
}

/** The fault of one end of one resource; undefined if there is none. */
const silenced = (resource: Resource, ending: Ending, isPool: boolean, comesBack: boolean) =>
  Effect.gen(function* () {
    const proxy = yield* proxyTo(yield* TestDatabase)
    const settings = yield* liveSettings({
      host: proxy.host,
      port: proxy.port,
      sslMode: "disable",
      minConnections: 0,
      cancelTimeout: CANCEL_TIMEOUT_MILLIS,
      closeTimeout: CLOSE_TIMEOUT_MILLIS
    })
    const asked: Asked = isPool
      ? yield* PgPool.make({ ...settings, maxConnections: 1 })
      : yield* PgConnection.make(settings)
    if (!isPool) yield* assertHealthy(asked)
    const found: Array<string> = []
    const isInside = yield* Deferred.make<void>()
    const gate = yield* Deferred.make<void>()
    const inside = Effect.andThen(Deferred.succeed(isInside, undefined), Deferred.await(gate))
    const fiber = yield* Effect.forkChild(resource.use(asked, inside, settings))
    yield* Effect.raceFirst(Deferred.await(isInside), Fiber.join(fiber))
    proxy.losesCancels = true
    for (const link of proxy.links) link.hold()
    const began = performance.now()
    yield* endings[ending](Deferred.succeed(gate, undefined), fiber).pipe(Effect.timeoutOption(PATIENCE))
    const took = performance.now() - began
    if (took > (resource.boundMillis ?? GRACE_MILLIS) + MIDWAY_MILLIS + SLACK_MILLIS) {
      found.push(`it took ${took.toFixed()} ms`)
    }
    const exit = fiber.pollUnsafe()
    if (exit === undefined) return [...found, "it did not end"]
    if (!isTyped(exit)) found.push(`it ended with ${String(exit)}`)
    proxy.losesCancels = false
    if (comesBack) for (const link of proxy.links) link.letGo()
    const health = yield* Effect.exit(Effect.timeout(assertHealthy(asked), PATIENCE))
    if (Exit.isFailure(health) && (isPool || !isLoss(health))) found.push(`no call is served: ${String(health)}`)
    if ("stats" in asked) {
      const atRest = Effect.map(asked.stats, ({ inUse, waiting }) => inUse + waiting)
      if (Exit.isFailure(yield* Effect.exit(eventually(atRest, 0)))) found.push("a connection has not come back")
    }
    return found
  }).pipe(Effect.scoped)

describe("a resource that ends with a scope, a stream or an effect", () => {
  it("is in the table of this suite, whatever its name", () => {
    const known = new Set(resources.flatMap(({ names }) => names))
    assert.deepStrictEqual([...known].sort(), [...namesOfResources()].sort())
  })
})

layer(TestDatabase.layer, { excludeTestServices: true })("as its server falls silent", (it) => {
  for (const isPool of [true, false]) {
    for (const ending of Object.keys(endings) as ReadonlyArray<Ending>) {
      it.effect(
        `a resource of a ${isPool ? "pool" : "connection"} that ${ending} is over within its bound, and its owner serves again`,
        () =>
          Effect.gen(function* () {
            const observer = yield* liveConnection()
            yield* observer.execute("CREATE TABLE IF NOT EXISTS silence (n int4)")
            const cases = resources
              .filter(({ isOfPool }) => isPool || isOfPool === undefined)
              .filter(({ endsWithAnswer }) => ending !== "ends by itself" || endsWithAnswer === undefined)
              .flatMap((resource) =>
                (isPool && resource.isHeldByNobody === undefined ? [true, false] : [true]).map((comesBack) => ({
                  resource,
                  comesBack
                }))
              )
            const results = yield* Effect.forEach(
              cases,
              ({ comesBack, resource }) =>
                Effect.map(silenced(resource, ending, isPool, comesBack), (found) =>
                  found.map((wrong) => `${resource.names[0]}, ${comesBack ? "for a while" : "for good"}: ${wrong}`)
                ),
              { concurrency: CONCURRENCY }
            )
            assert.deepStrictEqual(results.flat(), [])
          }),
        TEST_TIMEOUT_MILLIS
      )
    }
  }
})
