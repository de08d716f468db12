/** Tests what the calls of a pool are told by a real server that refuses connections, and how soon. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import type * as PgConfig from "../../../src/PgConfig.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, eventually, liveConnection, livePool, valueOf } from "../../support/live.ts"

const CALLS = 18
const MAX_MILLIS = 1_000

const refusals: ReadonlyArray<{
  readonly what: string
  readonly settings: PgConfig.PoolSettings
  readonly tag: string
}> = [
  { what: "the database is missing", settings: { database: "no_such_database" }, tag: "InvalidCatalogNameError" },
  { what: "the password is wrong", settings: { password: Redacted.make("wrong") }, tag: "InvalidPasswordError" },
  {
    what: "a startup parameter is unknown",
    settings: { settings: { no_such_parameter: "on" } },
    tag: "UndefinedObjectError"
  }
]

layer(TestDatabase.layer, { excludeTestServices: true })("a pool that is refused", (it) => {
  for (const { settings, tag, what } of refusals) {
    it.effect(`tells so to each call at once, one after the other and all together: ${what}`, () =>
      Effect.gen(function* () {
        const pool = yield* livePool({ minConnections: 0, maxConnections: 3, ...settings })
        const call = Effect.flip(valueOf(pool, "SELECT 1"))
        let slowest = 0
        for (let count = 0; count < CALLS; count++) {
          const began = performance.now()
          const error = yield* call
          slowest = Math.max(slowest, performance.now() - began)
          assert.strictEqual(error._tag, tag)
          assert.match(error.message, /\(server: .*, startup\)$/)
        }
        const began = performance.now()
        const errors = yield* Effect.all(
          Array.from({ length: CALLS }, () => call),
          { concurrency: "unbounded" }
        )
        const together = performance.now() - began
        assert.deepStrictEqual([...new Set(errors.map(({ _tag }) => _tag))], [tag])
        console.log(
          `${what}: slowest of ${CALLS} calls ${slowest.toFixed(0)} ms, all together ${together.toFixed(0)} ms`
        )
        assert.isBelow(slowest, MAX_MILLIS)
        assert.isBelow(together, MAX_MILLIS)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("asks the server again soon: a call succeeds after the database was made", () =>
    Effect.gen(function* () {
      const administrator = yield* liveConnection()
      const database = `made_${Math.random().toString(36).slice(2)}`
      const pool = yield* livePool({ minConnections: 0, database })
      for (let count = 0; count < CALLS; count++) yield* Effect.flip(valueOf(pool, "SELECT 1"))
      yield* administrator.executeScript(`CREATE DATABASE ${database}`)
      const began = performance.now()
      yield* eventually(Effect.map(Effect.exit(valueOf(pool, "SELECT 1")), Exit.isSuccess), true)
      assert.isBelow(performance.now() - began, MAX_MILLIS)
      yield* assertHealthy(pool)
      yield* Effect.addFinalizer(() =>
        Effect.orDie(administrator.executeScript(`DROP DATABASE ${database} WITH (FORCE)`))
      )
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a pool that wants to write", (it) => {
  it.effect("does not lend a session again that has refused to write, and others do", () =>
    Effect.gen(function* () {
      const write = "CREATE TABLE written (n int)"
      const pidAfter = (pool: Effect.Success<ReturnType<typeof livePool>>) =>
        Effect.gen(function* () {
          const before = yield* valueOf(pool, "SELECT pg_backend_pid()")
          const error = yield* Effect.flip(pool.withTransaction(pool.execute(write), { access: "read only" }))
          assert.strictEqual(error._tag, "ReadOnlySQLTransactionError")
          const after = yield* valueOf(pool, "SELECT pg_backend_pid()")
          yield* assertHealthy(pool)
          return after === before
        })
      const writing = yield* livePool({ maxConnections: 1, targetSessionAttrs: "read-write" })
      assert.isFalse(yield* pidAfter(writing))
      const any = yield* livePool({ maxConnections: 1 })
      assert.isTrue(yield* pidAfter(any))
    }).pipe(Effect.scoped)
  )
})
