/** Tests what sharing gains over a line with delay, where calls that do not share wait for one round trip after another. */
import { assert, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as PgPool from "../../../src/PgPool.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertSharingHealthy, multiplexingPool } from "../../support/multiplexing.ts"
import { proxyTo } from "../../support/proxy.ts"

const ONE_WAY_MILLIS = 15
const CALLS = 100

const hundredCalls = (pool: PgPool.PgPool) =>
  Effect.gen(function* () {
    const [took, values] = yield* Effect.timed(
      Effect.all(
        Array.from({ length: CALLS }, (_, n) => pool.fetchValue("SELECT $1::int4 AS n", [n])),
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
          // On a busy machine a run may seem to be long, until the next ones show that it is not.
          const later = Math.min(...(yield* Effect.forEach([1, 2, 3], () => hundredCalls(pool))))
          yield* assertSharingHealthy(pool)
          return { first, later }
        })
      const exclusive = yield* timesOf(false)
      const shared = yield* timesOf(true)
      assert.isBelow(shared.later, exclusive.later / 3)
      // A pool that has yet to learn which statements are short is not slower for it.
      assert.isBelow(shared.first, exclusive.first * 2)
    })
  )
})
