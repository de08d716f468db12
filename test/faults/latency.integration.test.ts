/**
 * Tests how long an interruption takes to return, wherever it comes: a few milliseconds if the server is well, and no
 * longer than `cancelTimeout` if the server does not answer. The figures are printed; the bounds are those of a busy
 * machine.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type * as PgConfig from "../../src/PgConfig.ts"
import * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import {
  assertHealthy,
  eventually,
  liveConnection,
  livePool,
  liveSettings,
  uniqueName,
  valueOf
} from "../support/live.ts"
import { proxyTo } from "../../src/pgTest/proxy.ts"

const ROUNDS = 60
const SILENT_ROUNDS = 8
const HEALTHY_P50_MILLIS = 100
const HEALTHY_MAX_MILLIS = 1_000
const GONE_MILLIS = 1_000
const TEST_TIMEOUT_MILLIS = 120_000
const GRACE_MILLIS = 300
/** What a busy machine may add. */
const SLACK_MILLIS = 500

const SLEEP = "SELECT pg_sleep(60)"
const SLEEPING = "SELECT count(*)::int4 FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'"

interface Figures {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const figuresOf = (millis: ReadonlyArray<number>): Figures => {
  const sorted = millis.toSorted((a, b) => a - b)
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Infinity
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

const print = (what: string, { max, p50, p99 }: Figures): void =>
  console.log(`${what}: p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms`)

/** Starts a call, waits until it is under way, interrupts it, and measures how long that took. */
const interruptionOf = <E, R>(
  work: Effect.Effect<unknown, E, R>,
  underWay: Effect.Effect<unknown, PgError.PgError>
): Effect.Effect<number, PgError.PgError, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(work, { startImmediately: true })
    yield* underWay
    const startedAt = performance.now()
    yield* Fiber.interrupt(fiber)
    return performance.now() - startedAt
  })

const timesOver = <A, E, R>(rounds: number, effect: Effect.Effect<A, E, R>): Effect.Effect<ReadonlyArray<A>, E, R> =>
  Effect.forEach(Array.from({ length: rounds }), () => effect)

const assertQuick = (what: string, millis: ReadonlyArray<number>): void => {
  const figures = figuresOf(millis)
  print(what, figures)
  assert.isBelow(figures.p50, HEALTHY_P50_MILLIS)
  assert.isBelow(figures.max, HEALTHY_MAX_MILLIS)
}

/** Every call of a queryable that takes time on the server. */
const waits: ReadonlyArray<
  readonly [string, (queryable: PgConnection.Queryable) => Effect.Effect<unknown, PgError.PgError>]
> = [
  ["a query", (queryable) => queryable.fetch(SLEEP)],
  ["a query in a transaction", (queryable) => queryable.withTransaction(queryable.fetch(SLEEP))],
  [
    "a query in a nested transaction",
    (queryable) => queryable.withTransaction(queryable.withTransaction(queryable.fetch(SLEEP)))
  ],
  ["a script", (queryable) => queryable.executeScript(SLEEP)]
]

/** Settings to reach the server through a proxy that can swallow everything. */
const throughProxy: Effect.Effect<
  { readonly settings: PgConfig.PoolSettings; readonly swallow: () => void },
  never,
  TestDatabase | Scope.Scope
> = Effect.gen(function* () {
  const { host, port } = yield* TestDatabase
  const proxy = yield* proxyTo({ host, port })
  const settings = yield* liveSettings({
    host: proxy.host,
    port: proxy.port,
    sslMode: "disable",
    cancelTimeout: GRACE_MILLIS
  })
  const swallow = (): void => {
    proxy.losesCancels = true
    for (const link of proxy.links) link.hold()
    proxy.onMessage = (link) => link.hold()
  }
  return { settings, swallow }
})

layer(TestDatabase.layer, { excludeTestServices: true })("an interruption", (it) => {
  for (const [what, wait] of waits) {
    it.effect(
      `of ${what} returns at once, and the server's part of it is gone within a second`,
      () =>
        Effect.gen(function* () {
          const observer = yield* liveConnection()
          const makers = [
            ["a pool", livePool({ applicationName: uniqueName(), maxConnections: 2 })],
            ["a connection", liveConnection({ applicationName: uniqueName() })]
          ] as const
          for (const [where, make] of makers) {
            const queryable = yield* make
            const name = yield* valueOf(queryable, "SELECT current_setting('application_name')")
            const sleeping = valueOf(observer, SLEEPING, [name])
            const gone: Array<number> = []
            const returned = yield* timesOver(
              ROUNDS,
              Effect.gen(function* () {
                const millis = yield* interruptionOf(wait(queryable), eventually(sleeping, 1))
                const startedAt = performance.now()
                yield* eventually(sleeping, 0, GONE_MILLIS)
                gone.push(performance.now() - startedAt + millis)
                return millis
              })
            )
            assertQuick(`interrupting ${what} on ${where}`, returned)
            print("  until the server has stopped", figuresOf(gone))
            yield* assertHealthy(queryable)
          }
        }),
      TEST_TIMEOUT_MILLIS
    )
  }

  it.effect("of the wait for a connection returns at once", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      yield* pool.withConnection(() =>
        Effect.gen(function* () {
          const pause = Effect.sleep(1)
          const calls = [pool.fetch("SELECT 1"), pool.withTransaction(Effect.void), Effect.scoped(pool.connection)]
          const millis = yield* timesOver(
            ROUNDS,
            Effect.forEach(calls, (call) => interruptionOf(call, pause))
          )
          assertQuick("interrupting the wait for a connection", millis.flat())
        })
      )
      yield* assertHealthy(pool)
    })
  )

  it.effect("of connecting to a server that does not answer returns at once", () =>
    Effect.gen(function* () {
      const { settings, swallow } = yield* throughProxy
      swallow()
      const connect = Effect.scoped(PgConnection.make(settings))
      const millis = yield* timesOver(ROUNDS, interruptionOf(connect, Effect.sleep(5)))
      assertQuick("interrupting a connection that is being made", millis)
    })
  )

  for (const [what, wait] of waits) {
    it.effect(`of ${what} returns within the grace if everything is swallowed`, () =>
      Effect.gen(function* () {
        const millis = yield* timesOver(
          SILENT_ROUNDS,
          Effect.gen(function* () {
            const { settings, swallow } = yield* throughProxy
            const pool = yield* PgPool.make({ ...settings, maxConnections: 1 })
            yield* assertHealthy(pool)
            const underWay = Effect.andThen(Effect.sleep(20), Effect.sync(swallow))
            return yield* interruptionOf(wait(pool), underWay)
          }).pipe(Effect.scoped)
        )
        const figures = figuresOf(millis)
        print(`interrupting ${what} in a black hole, with a grace of ${GRACE_MILLIS} ms`, figures)
        assert.isBelow(figures.max, GRACE_MILLIS + SLACK_MILLIS)
      })
    )
  }
})
