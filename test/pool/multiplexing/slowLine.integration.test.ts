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
const POOLS = 1

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
      // The proxy delays less if this process is busy, as it is when it first does something. That would become the
      // round trip from which the pool tells what the server takes.
      yield* Effect.scoped(Effect.flatMap(multiplexingPool(), (pool) => Effect.replicateEffect(hundredCalls(pool), 20)))
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
      // If the line is suddenly slower than it was measured, as on a busy machine, that counts as time of the server.
      const shared = yield* timesOf(true).pipe(
        Effect.repeat({ times: POOLS - 1, while: ({ later }) => later >= exclusive.later / 3 })
      )
      assert.isBelow(shared.later, exclusive.later / 3)
      // A pool that has yet to learn which statements are short is not slower for it.
      assert.isBelow(shared.first, exclusive.first * 2)
    })
  )
})
