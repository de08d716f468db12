/** Tests the `timeout` option of a call and `Effect.timeout` around it: both end equally, and leave the same state. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { inspect } from "node:util"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import type * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, eventually, liveConnection, livePool, refusalOf, uniqueName, valueOf } from "../support/live.ts"
import { endingOf } from "../../src/pgTest/runProgram.ts"

const TIMEOUT_MILLIS = 30
const SLEEP = "SELECT pg_sleep(60)"

type Call = (options?: PgConnection.CallOptions) => Effect.Effect<unknown, PgError.PgError>
type Timed = (call: Call, millis?: number) => Effect.Effect<unknown, unknown>

/** Each with the tag of its error. */
const kinds: ReadonlyArray<readonly [kind: string, Timed, tag: string]> = [
  ["the option", (call, millis = TIMEOUT_MILLIS) => call({ timeout: millis }), "QueryTimeoutError"],
  ["Effect.timeout", (call, millis = TIMEOUT_MILLIS) => Effect.timeout(call(), millis), "TimeoutError"]
]

const TIMEOUT = "a timeout"

interface Case {
  readonly what: string
  readonly run: (pool: PgPool.PgPool, timed: Timed) => Effect.Effect<unknown, unknown>
  readonly ending: string
  readonly stored: ReadonlyArray<number>
}

const insert = (queryable: PgConnection.Queryable, n: number) => queryable.execute("INSERT INTO late VALUES ($1)", [n])

const sleeping =
  (queryable: PgConnection.Queryable): Call =>
  (options) =>
    queryable.fetch(SLEEP, [], options)

const cases: ReadonlyArray<Case> = [
  { what: "a query that runs", run: (pool, timed) => timed(sleeping(pool)), ending: TIMEOUT, stored: [] },
  {
    what: "a script that runs, as one transaction",
    run: (pool, timed) => timed((options) => pool.executeScript(`INSERT INTO late VALUES (1); ${SLEEP}`, options)),
    ending: TIMEOUT,
    stored: []
  },
  {
    what: "a query that comes in time",
    run: (pool, timed) => timed((options) => pool.execute("INSERT INTO late VALUES (1)", [], options), 10_000),
    ending: "success",
    stored: [1]
  },
  {
    what: "a query that has no time at all",
    run: (pool, timed) =>
      timed((options) => pool.execute("INSERT INTO late SELECT 1 FROM pg_sleep(60)", [], options), 0),
    ending: TIMEOUT,
    stored: []
  },
  {
    what: "a query that waits for a connection",
    run: (pool, timed) =>
      pool.withConnection(() => timed((options) => pool.execute("INSERT INTO late VALUES (1)", [], options))),
    ending: TIMEOUT,
    stored: []
  },
  {
    what: "a query that waits in the pipeline behind another, which ends as if it were alone",
    run: (pool, timed) =>
      pool.withConnection((connection) =>
        Effect.gen(function* () {
          const before = yield* Effect.forkChild(connection.execute("INSERT INTO late SELECT 2 FROM pg_sleep(0.2)"), {
            startImmediately: true
          })
          const exit = yield* Effect.exit(
            timed((options) => connection.execute("INSERT INTO late SELECT 1 FROM pg_sleep(60)", [], options))
          )
          yield* Fiber.join(before)
          return yield* exit
        })
      ),
    ending: TIMEOUT,
    stored: [2]
  },
  {
    what: "a query in a transaction",
    run: (pool, timed) => pool.withTransaction(Effect.andThen(insert(pool, 1), timed(sleeping(pool)))),
    ending: TIMEOUT,
    stored: []
  },
  {
    what: "a query in a transaction that catches it",
    run: (pool, timed) => pool.withTransaction(Effect.andThen(insert(pool, 1), Effect.ignore(timed(sleeping(pool))))),
    ending: "TransactionRolledBackError",
    stored: []
  },
  {
    what: "a query in a nested transaction that is caught around it",
    run: (pool, timed) =>
      pool.withTransaction(
        Effect.gen(function* () {
          yield* insert(pool, 1)
          yield* Effect.ignore(pool.withTransaction(Effect.andThen(insert(pool, 2), timed(sleeping(pool)))))
          yield* insert(pool, 3)
        })
      ),
    ending: "success",
    stored: [1, 3]
  }
]

layer(TestDatabase.layer, { excludeTestServices: true })("a timeout", (it) => {
  it.effect("reports the call, its duration and the statement, and no values", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const timeout = "20 millis"
      const slow = "SELECT pg_sleep(60), $1::text"
      const lock = yield* liveConnection()
      yield* lock.execute("SELECT pg_advisory_lock(7)")
      const calls: ReadonlyArray<readonly [string, string, Effect.Effect<unknown, PgError.PgError>]> = [
        ["fetch", slow, pool.fetch(slow, ["hunter2"], { timeout })],
        ["executeScript", SLEEP, pool.executeScript(SLEEP, { timeout })],
        ["executeMany", slow, pool.executeMany(slow, [["hunter2"]], { timeout })],
        ["batch", slow, pool.batch([{ sql: slow, params: ["hunter2"] }, { sql: "SELECT 1" }], { timeout })],
        [
          "withAdvisoryLock",
          "SELECT pg_catalog.pg_advisory_lock($1)",
          pool.withAdvisoryLock(7, Effect.void, { timeout })
        ]
      ]
      for (const [operation, sql, call] of calls) {
        const error = yield* refusalOf(call)
        if (error._tag !== "QueryTimeoutError") return assert.fail(String(error))
        assert.deepStrictEqual(
          { operation: error.operation, sql: error.sql, durationMillis: error.durationMillis },
          { operation, sql, durationMillis: 20 }
        )
        assert.notInclude(inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error), "hunter2")
      }
      yield* assertHealthy(pool)
    })
  )

  it.effect("covers the lookups before a statement runs", () =>
    Effect.gen(function* () {
      const blocker = yield* liveConnection()
      const connection = yield* liveConnection()
      yield* blocker.execute("CREATE TABLE unread (n int4)")
      yield* blocker.executeScript("BEGIN; LOCK TABLE unread")
      const began = performance.now()
      // The server cannot even parse a statement that reads the table.
      const error = yield* refusalOf(connection.fetch("SELECT n FROM unread", [], { timeout: "100 millis" }))
      assert.strictEqual(error._tag, "QueryTimeoutError")
      yield* assertHealthy(connection)
      assert.isBelow(performance.now() - began, 5_000)
      yield* blocker.executeScript("COMMIT")
      assert.deepStrictEqual(yield* connection.fetch("SELECT n FROM unread"), [])
    }).pipe(Effect.scoped)
  )

  it.effect("sends nothing if it is over before it begins, and is refused if it is not a duration", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TEMPORARY SEQUENCE reached")
      const call = (timeout: unknown) => {
        const options: PgConnection.CallOptions = JSON.parse(JSON.stringify({ timeout }))
        return Effect.map(refusalOf(connection.fetch("SELECT nextval('reached')", [], options)), ({ _tag }) => _tag)
      }
      for (const timeout of [0, -1, "0 seconds"]) assert.strictEqual(yield* call(timeout), "QueryTimeoutError")
      for (const timeout of ["soon", true]) assert.strictEqual(yield* call(timeout), "InvalidConfigError")
      assert.strictEqual(yield* valueOf(connection, "SELECT is_called FROM reached"), false)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  for (const { ending, run, stored, what } of cases) {
    it.effect(`means the same for ${what}, by the option and by Effect's own`, () =>
      Effect.forEach(kinds, ([kind, timed, tag]) =>
        Effect.gen(function* () {
          const applicationName = uniqueName()
          const observer = yield* liveConnection()
          yield* observer.executeScript("DROP TABLE IF EXISTS late; CREATE TABLE late (n int4)")
          const pool = yield* livePool({ applicationName, maxConnections: 1 })
          const backend = yield* valueOf(pool, "SELECT pg_backend_pid()")
          const exit = yield* Effect.exit(run(pool, timed))
          assert.strictEqual(endingOf(exit), ending === TIMEOUT ? tag : ending, kind)
          if (Exit.isFailure(exit) && ending === TIMEOUT) assert.isFalse(Exit.hasInterrupts(exit))
          yield* eventually(
            valueOf(
              observer,
              "SELECT count(*)::int4 FROM pg_stat_activity WHERE application_name = $1 AND state <> 'idle'",
              [applicationName]
            ),
            0
          )
          const numbers = yield* valueOf(observer, "SELECT coalesce(array_agg(n ORDER BY n), '{}') FROM late")
          assert.deepStrictEqual(numbers, stored, kind)
          assert.strictEqual(yield* valueOf(pool, "SELECT pg_backend_pid()"), backend, kind)
          yield* assertHealthy(pool)
          const { inUse, size, waiting } = yield* pool.stats
          assert.deepStrictEqual({ inUse, size, waiting }, { inUse: 0, size: 1, waiting: 0 }, kind)
        }).pipe(Effect.scoped)
      )
    )
  }
})
