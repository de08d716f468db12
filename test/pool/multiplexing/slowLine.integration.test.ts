/** Tests what sharing gains over a line with delay, where calls that do not share wait for one round trip after another. */
import { assert, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as PgPool from "../../../src/PgPool.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertSharingHealthy, multiplexingPool } from "../../support/multiplexing.ts"
import { proxyTo } from "../../../src/pgTest/proxy.ts"

const ONE_WAY_MILLIS = 15
const CALLS = 100
/** A line that was measured while it was faster. */
const FASTER_ONE_WAY_MILLIS = 10

const hundredCalls = (pool: PgPool.PgPool, sql = "SELECT $1::int4 AS n") =>
  Effect.gen(function* () {
    const [took, values] = yield* Effect.timed(
      Effect.all(
        Array.from({ length: CALLS }, (_, n) => pool.fetchValue(sql, [n])),
        { concurrency: "unbounded" }
      )
    )
    assert.deepStrictEqual(
      values,
      Array.from({ length: CALLS }, (_, n) => Option.some(n))
    )
    return Duration.toMillis(took)
  })

layer(TestDatabase.layer, { excludeTestServices: true })("over a line of 15 ms one way", (it) => {
  it.effect("a hundred calls on two shared connections take a fraction of what they take otherwise", () =>
    Effect.gen(function* () {
      const { host, port } = yield* TestDatabase
      const proxy = yield* proxyTo({ host, port })
      proxy.latencyMillis = ONE_WAY_MILLIS
      const timesOf = (multiplex: boolean) =>
        Effect.gen(function* () {
          const pool = yield* multiplexingPool({ host: proxy.host, port: proxy.port, minConnections: 2, multiplex })
          const first = yield* hundredCalls(pool)
          const later = yield* hundredCalls(pool)
          yield* assertSharingHealthy(pool)
          return { first, later }
        }).pipe(Effect.scoped)
      const exclusive = yield* timesOf(false)
      const shared = yield* timesOf(true)
      assert.isBelow(shared.later, exclusive.later / 3)
      // Calls that wait while the pool learns that their text is short share a connection then.
      assert.isBelow(shared.first, exclusive.first / 2)
    })
  )

  it.effect("calls share connections although the line was faster when it was measured", () =>
    Effect.gen(function* () {
      const { host, port } = yield* TestDatabase
      const proxy = yield* proxyTo({ host, port })
      proxy.latencyMillis = FASTER_ONE_WAY_MILLIS
      const pool = yield* multiplexingPool({ host: proxy.host, port: proxy.port, minConnections: 2 })
      yield* hundredCalls(pool)
      yield* hundredCalls(pool)
      proxy.latencyMillis = ONE_WAY_MILLIS
      const roundTrips = CALLS / 2
      const exclusiveMillis = roundTrips * 2 * ONE_WAY_MILLIS
      assert.isBelow(yield* hundredCalls(pool, "SELECT $1::int4 AS first_seen_later"), exclusiveMillis / 2)
      assert.isBelow(yield* hundredCalls(pool, "SELECT $1::int4 AS first_seen_later"), exclusiveMillis / 3)
      yield* assertSharingHealthy(pool)
    })
  )
})
