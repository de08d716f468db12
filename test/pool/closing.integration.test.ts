/** What the log says of a pool that is closed while its connections are in use. */
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { inspect } from "node:util"
import type * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, backendsOf, eventually, liveConnection, livePool, uniqueName } from "../support/live.ts"

interface Line {
  readonly level: string
  readonly text: string
}

type Use = (pool: PgPool.PgPool, begun: Effect.Effect<void>) => Effect.Effect<unknown, unknown>

const sleep: Use = (pool, begun) => Effect.andThen(begun, pool.execute("SELECT pg_sleep(60)"))
const finish: Use = (pool, begun) => Effect.andThen(begun, pool.withTransaction(pool.execute("SELECT pg_sleep(0.2)")))

/** Closes a pool while these effects are running on it, and returns what the log says. */
const logOf = (uses: ReadonlyArray<Use>, closeTimeout = 100) =>
  Effect.gen(function* () {
    const lines: Array<Line> = []
    const logger = Logger.make(({ logLevel, message }) => {
      lines.push({ level: logLevel, text: inspect(message, { depth: 9, breakLength: Infinity }) })
    })
    const applicationName = uniqueName()
    const scope = yield* Scope.make()
    const pool = yield* livePool({ applicationName, minConnections: 3, closeTimeout }).pipe(
      Scope.provide(scope),
      Effect.provide(Logger.layer([logger]))
    )
    for (const use of uses) {
      const begun = yield* Deferred.make<void>()
      const used = Effect.exit(use(pool, Effect.asVoid(Deferred.succeed(begun, undefined))))
      yield* Effect.forkScoped(used, { startImmediately: true })
      yield* Deferred.await(begun)
    }
    yield* Scope.close(scope, Exit.void)
    const observer = yield* liveConnection()
    yield* eventually(backendsOf(observer, applicationName), 0)
    yield* assertHealthy(observer)
    return lines
  })

layer(TestDatabase.layer, { excludeTestServices: true })("the close of a pool", (it) => {
  it.effect("warns of each connection in use, and shows its last statement without values", () =>
    Effect.gen(function* () {
      const lines = yield* logOf([
        (pool, begun) => Effect.andThen(begun, pool.fetch("SELECT pg_sleep(60), $1::text", ["a secret"])),
        (pool, begun) =>
          pool.withTransaction(
            pool
              .execute("SELECT 1 AS in_transaction, $1::text", ["a secret"])
              .pipe(Effect.andThen(begun), Effect.andThen(Effect.never))
          ),
        (pool, begun) => pool.withConnection(() => Effect.andThen(begun, Effect.never))
      ])
      assert.lengthOf(lines, 1)
      const [line] = lines
      assert.strictEqual(line?.level, "Warn")
      assert.match(
        String(line?.text),
        /the pool of database \w+ closed 3 connections that were still in use after 100 ms/
      )
      for (const statement of ["SELECT pg_sleep(60), $1::text", "SELECT 1 AS in_transaction, $1::text", "'none'"]) {
        assert.include(line?.text, statement)
      }
      assert.notInclude(line?.text, "secret")
    }).pipe(Effect.scoped)
  )

  it.effect("shows a statement once, however many connections run it", () =>
    Effect.gen(function* () {
      const [line, ...others] = yield* logOf([sleep, sleep])
      assert.isEmpty(others)
      assert.include(line?.text, "closed 2 connections that were")
      assert.lengthOf(line?.text.match(/pg_sleep/g) ?? [], 1)
      const [single] = yield* logOf([sleep])
      assert.include(single?.text, "closed 1 connection that was")
    }).pipe(Effect.scoped)
  )

  it.effect("says nothing if every connection is returned in time, or none is in use", () =>
    Effect.gen(function* () {
      assert.isEmpty(yield* logOf([]))
      assert.isEmpty(yield* logOf([finish, finish], 10_000))
    }).pipe(Effect.scoped)
  )
})
