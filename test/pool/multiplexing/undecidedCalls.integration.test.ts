/** Tests calls that wait for a connection to themselves while their text proves to be short. */
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as PgPool from "../../../src/PgPool.ts"
import { TestDatabase } from "../../support/database.ts"
import { eventually, refusalOf } from "../../support/live.ts"
import { assertSharingHealthy, hold, multiplexingPool } from "../../support/multiplexing.ts"
import { proxyTo } from "../../../src/pgTest/proxy.ts"

const fork = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })

const CALLS = 50
const NEW = "SELECT $1::int4 AS undecided"

const forkCalls = (pool: PgPool.PgPool, sql: string, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, n) => n),
    (n) => fork(pool.fetchValue(sql, [n]))
  )

const numbersTo = (count: number) => Array.from({ length: count }, (_, n) => Option.some(n))

/** On a busy machine the first timed run of a text can take long. Then its calls are answered, and a new text is tried. */
const untilDecided = (pool: PgPool.PgPool, count: number) =>
  Effect.gen(function* () {
    for (let attempt = 0; ; attempt++) {
      const decided = yield* decidedBehindLease(pool, `${NEW}_${attempt}`, count)
      if ((yield* pool.stats).waiting === 1 || attempt === 20) return decided
      yield* decided.endLease
      yield* Effect.forEach(decided.calls, Fiber.await)
    }
  })

/** One call with a new text, then a caller that keeps the only connection, then other calls with the text. */
const decidedBehindLease = (pool: PgPool.PgPool, sql: string, count: number) =>
  Effect.gen(function* () {
    const { giveBack } = yield* hold(pool)
    const first = yield* fork(pool.fetchValue(sql, [-1]))
    const lent = yield* Deferred.make<void>()
    const over = yield* Deferred.make<void>()
    const lease = yield* fork(
      pool.withConnection(() => Effect.andThen(Deferred.succeed(lent, undefined), Deferred.await(over)))
    )
    const calls = yield* forkCalls(pool, sql, count)
    yield* giveBack
    assert.deepStrictEqual(yield* Fiber.join(first), Option.some(-1))
    yield* Deferred.await(lent)
    return { calls, endLease: Effect.andThen(Deferred.succeed(over, undefined), Fiber.join(lease)) }
  })

layer(TestDatabase.layer, { excludeTestServices: true })(
  "a call whose text proves to be short while it waits",
  (it) => {
    it.effect("is sent together with the others that wait", () =>
      Effect.gen(function* () {
        const { host, port } = yield* TestDatabase
        const proxy = yield* proxyTo({ host, port })
        const pool = yield* multiplexingPool({ host: proxy.host, port: proxy.port, maxConnections: 1 })
        const { giveBack } = yield* hold(pool)
        let unanswered = 0
        let most = 0
        proxy.onMessage = (_, { from, type }) => {
          if (from === "client" && type === "S") most = Math.max(most, ++unanswered)
          if (from === "server" && type === "Z") unanswered--
        }
        const calls = yield* forkCalls(pool, NEW, CALLS)
        yield* giveBack
        assert.deepStrictEqual(yield* Effect.forEach(calls, Fiber.join), numbersTo(CALLS))
        assert.isAbove(most, CALLS / 2)
        yield* assertSharingHealthy(pool)
      })
    )

    it.effect(
      "keeps its place behind a caller that came before it, and the places of others if it is interrupted",
      () =>
        Effect.gen(function* () {
          const pool = yield* multiplexingPool({ maxConnections: 1 })
          const { calls, endLease } = yield* untilDecided(pool, CALLS)
          // All the calls wait with one place in the queue of the pool.
          yield* eventually(
            Effect.map(pool.stats, ({ waiting }) => waiting),
            1
          )
          const [first, ...others] = calls
          if (first !== undefined) yield* Fiber.interrupt(first)
          yield* endLease
          assert.deepStrictEqual(yield* Effect.forEach(others, Fiber.join), numbersTo(CALLS).slice(1))
          yield* assertSharingHealthy(pool)
        })
    )

    it.effect("still waits no longer than acquireTimeout", () =>
      Effect.gen(function* () {
        const pool = yield* multiplexingPool({ maxConnections: 1, acquireTimeout: "300 millis" })
        const { calls, endLease } = yield* untilDecided(pool, 3)
        const began = performance.now()
        for (const call of calls) assert.strictEqual((yield* refusalOf(Fiber.join(call)))._tag, "AcquireTimeoutError")
        assert.isBelow(performance.now() - began, 600)
        yield* endLease
        yield* assertSharingHealthy(pool)
      })
    )
  }
)
