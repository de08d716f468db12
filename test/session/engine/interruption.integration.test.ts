/**
 * Tests interruptions at random moments of random queries: the next query gets its own answer, no cancel reaches
 * another query, and the server is left with nothing to do.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as PgConnection from "../../../src/PgConnection.ts"
import { TestDatabase } from "../../support/database.ts"
import {
  assertHealthy,
  backendsOf,
  eventually,
  liveConnection,
  livePool,
  uniqueName,
  valueOf
} from "../../support/live.ts"

const INTERRUPTIONS = 300
const MAX_DELAY_MILLIS = 6

/** A random number generator for [0, 1) that a seed makes repeatable (mulberry32). */
const randomFrom = (seed: number) => {
  let state = seed >>> 0
  return (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
type Random = ReturnType<typeof randomFrom>

/** A query, and the check of its own answer if that comes before the interruption. */
type Query = (queryable: PgConnection.Queryable, token: number) => Effect.Effect<boolean, unknown>

const BIG = "x".repeat(2_000_000)

const queries: ReadonlyArray<Query> = [
  (queryable, token) => Effect.map(valueOf(queryable, "SELECT $1::int4", [token]), (value) => value === token),
  (queryable, token) => Effect.map(valueOf(queryable, `SELECT ${token} /* ${token} */`), (value) => value === token),
  (queryable) => Effect.map(queryable.fetch("SELECT pg_sleep(60)"), () => false),
  (queryable, token) =>
    Effect.map(
      queryable.fetch("SELECT n, $1::int4 AS token FROM generate_series(1, 20000) AS n", [token]),
      (rows) => rows.length === 20_000 && rows.every((row) => row["token"] === token)
    ),
  (queryable) => Effect.map(valueOf(queryable, "SELECT length($1::text)", [BIG]), (length) => length === BIG.length),
  (queryable, token) =>
    queryable.fetch("SELECT 1 / ($1::int4 - $1)", [token]).pipe(
      Effect.as(false),
      Effect.catchTag("DivisionByZeroError", () => Effect.succeed(true))
    ),
  (queryable) =>
    Effect.map(queryable.executeScript("SELECT 1; SELECT pg_sleep(0.003); SELECT 3"), ({ length }) => length === 3),
  (queryable) =>
    queryable
      .withTransaction(queryable.execute("SELECT pg_sleep(0.002)"))
      .pipe(Effect.map(({ rowCount }) => rowCount === 1))
]

/** Starts a query, interrupts it after a moment, and checks the answer of the next one. */
const interruptOne = (queryable: PgConnection.Queryable, random: Random, token: number) =>
  Effect.gen(function* () {
    const query = queries[Math.floor(random() * queries.length)] ?? assert.fail("there is no query")
    const fiber = yield* Effect.forkChild(query(queryable, token), { startImmediately: true })
    const delay = random() * MAX_DELAY_MILLIS
    if (delay > 1) yield* Effect.sleep(delay)
    else if (delay > 0.5) yield* Effect.promise(() => Promise.resolve())
    yield* Fiber.interrupt(fiber)
    const exit = yield* Fiber.await(fiber)
    if (Exit.isSuccess(exit)) assert.isTrue(exit.value, "an answer that came in time was another's")
    else assert.isTrue(Exit.hasInterrupts(exit), `a query that was to be interrupted failed: ${String(exit)}`)
    if (random() < 0.8) assert.strictEqual(yield* valueOf(queryable, "SELECT $1::int4 + 1", [token]), token + 1)
    return Exit.isFailure(exit)
  })

const activeOf = (observer: PgConnection.Queryable, applicationName: string) =>
  valueOf(observer, "SELECT count(*)::int4 FROM pg_stat_activity WHERE application_name = $1 AND state <> 'idle'", [
    applicationName
  ])

/** Adds the seed to any failure. */
const seeded = <A, E, R>(run: (random: Random) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const seed = Math.floor(Math.random() * 2 ** 32)
    return Effect.onError(run(randomFrom(seed)), () => Effect.sync(() => console.error(`the seed was ${seed}`)))
  })

layer(TestDatabase.layer, { excludeTestServices: true })("an interruption", (it) => {
  it.effect(`leaves a connection healthy, ${INTERRUPTIONS} times`, () =>
    seeded((random) =>
      Effect.gen(function* () {
        const applicationName = uniqueName()
        const observer = yield* liveConnection()
        const connection = yield* liveConnection({ applicationName })
        let interrupted = 0
        for (let token = 0; token < INTERRUPTIONS; token++) {
          if (yield* interruptOne(connection, random, token)) interrupted++
        }
        assert.isAbove(interrupted, INTERRUPTIONS / 4)
        yield* eventually(activeOf(observer, applicationName), 0, 1_000)
        assert.strictEqual(yield* valueOf(connection, "SELECT pg_backend_pid()"), connection.processId)
        yield* assertHealthy(connection)
      })
    )
  )

  it.effect("leaves the other queries of a connection alone", () =>
    seeded((random) =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        for (let round = 0; round < 60; round++) {
          const delays = Array.from({ length: 6 }, () => random() * MAX_DELAY_MILLIS)
          const victims = yield* Effect.forEach(delays, (_, index) =>
            Effect.forkChild(
              Effect.all([
                connection.execute("SELECT pg_sleep(0.002)"),
                valueOf(connection, "SELECT $1::int4", [index])
              ]),
              { startImmediately: true }
            )
          )
          const survivors = yield* Effect.forEach(delays, (_, index) =>
            Effect.forkChild(valueOf(connection, "SELECT $1::int4 FROM pg_sleep(0.001)", [index]), {
              startImmediately: true
            })
          )
          for (const [index, victim] of victims.entries()) {
            yield* Effect.sleep((delays[index] ?? 0) / delays.length)
            yield* Fiber.interrupt(victim)
          }
          const answers = yield* Effect.forEach(survivors, Fiber.join)
          assert.deepStrictEqual(answers, [...delays.keys()])
        }
        yield* assertHealthy(connection)
      })
    )
  )

  it.effect("leaves a pool healthy, and none of its connections is lost", () =>
    seeded((random) =>
      Effect.gen(function* () {
        const applicationName = uniqueName()
        const observer = yield* liveConnection()
        const MAX_CONNECTIONS = 4
        const pool = yield* livePool({ applicationName, maxConnections: MAX_CONNECTIONS })
        const WORKERS = 6
        const worker = Effect.fnUntraced(function* (number: number) {
          for (let round = 0; round < INTERRUPTIONS / WORKERS; round++) {
            yield* interruptOne(pool, random, number * INTERRUPTIONS + round)
          }
        })
        const workers = Array.from({ length: WORKERS }, (_, number) => worker(number))
        yield* Effect.all(workers, { concurrency: "unbounded" })
        yield* eventually(activeOf(observer, applicationName), 0, 1_000)
        assert.isAtMost(yield* backendsOf(observer, applicationName), MAX_CONNECTIONS)
        const all = Array.from({ length: MAX_CONNECTIONS }, () => valueOf(pool, "SELECT 1 FROM pg_sleep(0.02)"))
        assert.deepStrictEqual(yield* Effect.all(all, { concurrency: "unbounded" }), [1, 1, 1, 1])
        yield* assertHealthy(pool)
      })
    )
  )

  it.effect("returns before the server has answered, and the next query waits for that answer", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      for (let round = 0; round < 5; round++) {
        const startedAt = performance.now()
        const result = yield* Effect.timeoutOption(connection.execute("SELECT pg_sleep(60)"), "20 millis")
        assert.deepStrictEqual(result, Option.none())
        assert.isBelow(performance.now() - startedAt, 500)
        yield* assertHealthy(connection)
      }
    })
  )

  it.effect("undoes nothing that its query had done before", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TEMPORARY TABLE done (n int)")
      const both = Effect.andThen(
        connection.execute("INSERT INTO done VALUES (1)"),
        connection.execute("SELECT pg_sleep(60)")
      )
      yield* Effect.timeoutOption(both, "50 millis")
      assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int4 FROM done"), 1)
    })
  )

  it.effect("in a transaction that catches it leaves the transaction to be rolled back", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TABLE caught (n int)")
      const body = Effect.gen(function* () {
        yield* connection.execute("INSERT INTO caught VALUES (1)")
        yield* Effect.timeoutOption(connection.execute("SELECT pg_sleep(60)"), "30 millis")
        return "went on"
      })
      const error = yield* Effect.flip(connection.withTransaction(body))
      if (typeof error === "string") return assert.fail(error)
      assert.strictEqual(error._tag, "TransactionRolledBackError")
      assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int4 FROM caught"), 0)
      yield* assertHealthy(connection)
    })
  )
})
