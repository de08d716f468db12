/** Tests short statements of many fibers on few connections, on a real server. */
import { assert, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as PgError from "../../../src/PgError.ts"
import * as PgTypes from "../../../src/PgTypes.ts"
import { TestDatabase } from "../../support/database.ts"
import { eventually, killBackend, liveConnection, valueOf } from "../../support/live.ts"
import {
  assertSharingHealthy as assertHealthy,
  hold,
  learn,
  multiplexingPool as poolWith,
  tagOf
} from "../../support/multiplexing.ts"
import { proxyTo } from "../../../src/pgTest/proxy.ts"

/** How many statements may be unanswered on one connection. */
const MAX_UNANSWERED = 64

const waited = (fibers: ReadonlyArray<Fiber.Fiber<number, PgError.PgError>>) => Effect.forEach(fibers, Fiber.join)

layer(TestDatabase.layer, { excludeTestServices: true })("a pool that multiplexes", (it) => {
  it.effect("gives each of 2,000 fibers its own answer on 2 connections", () =>
    Effect.gen(function* () {
      const pool = yield* poolWith()
      yield* learn(pool, "SELECT $1::int AS n, pg_backend_pid() AS pid", [0])
      const rows = yield* Effect.all(
        Array.from({ length: 2000 }, (_, n) => pool.fetchOne("SELECT $1::int AS n, pg_backend_pid() AS pid", [n])),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        rows.map((row) => row["n"]),
        Array.from({ length: 2000 }, (_, n) => n)
      )
      assert.isAtMost(new Set(rows.map((row) => row["pid"])).size, 2)
      yield* assertHealthy(pool)
    })
  )

  it.effect("keeps errors, encode failures, decode failures and interruptions of one call from all others", () =>
    Effect.gen(function* () {
      const pool = yield* poolWith({ types: [PgTypes.int8AsNumber] })
      // The server refuses the value 0, and its answer to 1 is a number that cannot be read.
      const sql = "SELECT 9007199254740992 / $1::int8 AS quotient"
      yield* learn(pool, sql, [8])
      const CALLS = 600
      const KINDS = 5
      const call = (n: number): Effect.Effect<unknown, PgError.PgError> => {
        switch (n % KINDS) {
          case 0:
            return pool.fetchValue(sql, [0])
          case 1:
            return pool.fetchValue(sql, [{}])
          case 2:
            return pool.fetchValue(sql, [1])
          default:
            return pool.fetchValue(sql, [n])
        }
      }
      const fibers = yield* Effect.forEach(
        Array.from({ length: CALLS }, (_, n) => n),
        (n) => Effect.forkChild(call(n), { startImmediately: true })
      )
      const interrupted = fibers.filter((_, n) => n % KINDS === 3)
      // By then some have been answered, some are under way, and some have not been sent.
      yield* Fiber.await(fibers[CALLS / 6]!)
      yield* Fiber.interruptAll(interrupted)
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      let interruptions = 0
      for (const [n, exit] of exits.entries()) {
        const quotient: Exit.Exit<unknown, PgError.PgError> = Exit.succeed(Option.some(Math.trunc(2 ** 53 / n)))
        switch (n % KINDS) {
          case 0:
            assert.strictEqual(tagOf(exit), "DivisionByZeroError")
            break
          case 1:
            assert.strictEqual(tagOf(exit), "EncodeError")
            break
          case 2:
            assert.strictEqual(tagOf(exit), "DecodeError")
            break
          case 3:
            if (Exit.isSuccess(exit)) assert.deepStrictEqual<unknown>(exit, quotient)
            else assert.isTrue(Cause.hasInterruptsOnly(exit.cause), String(exit))
            if (Exit.isFailure(exit)) interruptions++
            break
          default:
            assert.deepStrictEqual(exit, quotient)
        }
      }
      assert.isAbove(interruptions, 0)
      yield* assertHealthy(pool)
    })
  )

  it.effect("gives a statement its own connection if it may change the session or is not known to be short", () =>
    Effect.gen(function* () {
      const pool = yield* poolWith()
      const pid = "SELECT pg_backend_pid() AS pid"
      yield* learn(pool, pid)
      yield* learn(pool, "SELECT set_config('search_path', 'pg_catalog', false)")
      const slow = yield* Effect.forkChild(pool.execute("SELECT pg_sleep(0.5)"), { startImmediately: true })
      yield* Effect.sleep("50 millis")
      const began = performance.now()
      yield* Effect.all(
        Array.from({ length: 100 }, () => pool.fetchOne(pid)),
        { concurrency: "unbounded" }
      )
      assert.isBelow(performance.now() - began, 400, "short statements waited for a long one")
      yield* Fiber.join(slow)
      assert.deepStrictEqual(yield* pool.fetchValue("SHOW search_path"), Option.some('"$user", public'))
      yield* assertHealthy(pool)
    })
  )

  it.effect("soon gives a transaction a connection to itself, however busy the pool is", () =>
    Effect.gen(function* () {
      const pool = yield* poolWith()
      yield* pool.executeScript("CREATE TABLE kept (n int)")
      const count = "SELECT count(*)::int FROM kept"
      yield* learn(pool, count)
      const busy = yield* Effect.forkChild(
        Effect.all(
          // More than all connections take at once, so that some always wait.
          Array.from({ length: 500 }, () => Effect.forever(pool.fetchValue(count))),
          { concurrency: "unbounded" }
        ),
        { startImmediately: true }
      )
      yield* Effect.sleep("50 millis")
      const inside = yield* pool
        .withTransaction(
          Effect.gen(function* () {
            yield* pool.execute("INSERT INTO kept VALUES (1)")
            yield* Effect.sleep("50 millis")
            return yield* pool.fetchValue(count)
          })
        )
        .pipe(Effect.timeout("5 seconds"))
      assert.deepStrictEqual(inside, Option.some(1))
      yield* Fiber.interrupt(busy)
      yield* assertHealthy(pool)
    })
  )

  it.effect("gives short statements their turn, however many callers wait for a connection to themselves", () =>
    Effect.gen(function* () {
      const pool = yield* poolWith()
      const short = "SELECT $1::int AS n"
      yield* learn(pool, short, [0])
      const sleepers = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 20 }, () => Effect.forever(pool.execute("SELECT pg_sleep(0.02)"))),
          { concurrency: "unbounded" }
        ),
        { startImmediately: true }
      )
      yield* Effect.sleep("100 millis")
      // With two connections a turn of all sleepers takes 0.2 s.
      const answers = yield* Effect.all(
        Array.from({ length: 200 }, (_, n) => pool.fetchValue(short, [n])),
        { concurrency: "unbounded" }
      ).pipe(Effect.timeout("3 seconds"))
      assert.deepStrictEqual(
        answers.map(Option.getOrUndefined),
        Array.from({ length: 200 }, (_, n) => n)
      )
      yield* Fiber.interrupt(sleepers)
      yield* assertHealthy(pool)
    })
  )

  it.effect("survives the loss of its connections: each call reports it, and the next ones are answered", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const pool = yield* poolWith({ maxConnections: 1 })
      yield* observer.executeScript("CREATE TABLE counted (n int); INSERT INTO counted VALUES (0)")
      const read = "SELECT n, pg_backend_pid() AS pid FROM counted"
      yield* learn(pool, read)
      const CALLS = 200
      const backend = Number(yield* valueOf(pool, "SELECT pg_backend_pid()"))
      // Nothing is answered while another session has locked the table, so all calls are unanswered when the backend
      // ends.
      const locker = yield* liveConnection()
      const calls = yield* locker.withTransaction(
        Effect.gen(function* () {
          yield* locker.execute("LOCK TABLE counted")
          const { giveBack } = yield* hold(pool)
          const calls = yield* Effect.forEach(Array.from({ length: CALLS }), () =>
            Effect.forkChild(pool.fetch(read), { startImmediately: true })
          )
          yield* giveBack
          yield* eventually(
            valueOf(observer, "SELECT wait_event_type FROM pg_stat_activity WHERE pid = $1", [backend]),
            "Lock"
          )
          yield* killBackend(observer, backend)
          return calls
        })
      )
      const exits = yield* Effect.forEach(calls, Fiber.await)
      const failures = exits.filter(Exit.isFailure).map(({ cause }) => {
        const failure = Cause.squash(cause)
        return PgError.isPgError(failure) ? `${failure._tag}, ${failure.outcome}` : String(failure)
      })
      // The server's error is for the call that it was running; the calls behind it only see the loss.
      assert.deepStrictEqual(failures.slice(0, 1), ["AdminShutdownError, none"])
      assert.deepStrictEqual([...new Set(failures.slice(1))], ["ConnectionLostError, unknown"])
      // As many as are sent behind one another; the others had not been sent, and are answered on another connection.
      assert.strictEqual(failures.length, MAX_UNANSWERED)
      yield* assertHealthy(pool)
    })
  )

  it.effect("delays no call for long if a statement that was short becomes slow", () =>
    Effect.gen(function* () {
      const SLOW_MILLIS = 1_000
      const MAX_HELD_UP_MILLIS = 300
      const pool = yield* poolWith()
      const turnsSlow = "SELECT pg_sleep($1::float8 / 1000)"
      const short = "SELECT $1::int AS n"
      yield* learn(pool, turnsSlow, [0])
      yield* learn(pool, short, [0])
      // Both connections are busy, so the slow statement has others behind it.
      const others = (from: number) =>
        Effect.forEach(Array.from({ length: 100 }), (_, n) =>
          Effect.forkChild(
            Effect.map(Effect.timed(pool.fetchValue(short, [from + n])), ([duration, value]) => {
              assert.deepStrictEqual(value, Option.some(from + n))
              return Duration.toMillis(duration)
            }),
            { startImmediately: true }
          )
        )
      const holders = [yield* hold(pool), yield* hold(pool)]
      const before = yield* others(0)
      const slow = yield* Effect.forkChild(Effect.timed(pool.execute(turnsSlow, [SLOW_MILLIS])), {
        startImmediately: true
      })
      const behind = yield* others(1_000)
      for (const { giveBack } of holders) yield* giveBack
      yield* Effect.sleep("50 millis")
      const later: Array<Fiber.Fiber<number, PgError.PgError>> = []
      for (let round = 0; round < 20; round++) {
        later.push(...(yield* others(2_000 + round * 100)))
        yield* Effect.sleep("20 millis")
      }
      const [early, stuck, late] = yield* Effect.all([waited(before), waited(behind), waited(later)])
      const [slowFor] = yield* Fiber.join(slow)
      const heldUp = stuck.filter((millis) => millis > MAX_HELD_UP_MILLIS)
      console.log(
        `a statement of ${Duration.toMillis(slowFor).toFixed(0)} ms: of ${stuck.length} sent around it ${heldUp.length} waited ` +
          `longer than ${MAX_HELD_UP_MILLIS} ms; of ${late.length} later ones the slowest took ${Math.max(...late).toFixed(1)} ms`
      )
      assert.isBelow(Math.max(...early), SLOW_MILLIS / 2)
      assert.isAtMost(heldUp.length, MAX_UNANSWERED)
      assert.isBelow(Math.max(...late), MAX_HELD_UP_MILLIS)
      yield* assertHealthy(pool)
    })
  )

  it.effect("sends a bounded number of statements ahead of their answers, and the others as answers come", () =>
    Effect.gen(function* () {
      const { host, port } = yield* TestDatabase
      const proxy = yield* proxyTo({ host, port })
      const pool = yield* poolWith({ host: proxy.host, port: proxy.port, maxConnections: 1 })
      const sql = "SELECT $1::int AS n"
      yield* learn(pool, sql, [0])
      let [unanswered, most, sent] = [0, 0, 0]
      proxy.onMessage = (_, { type }) => {
        if (type === "B") {
          sent++
          most = Math.max(most, ++unanswered)
        } else if (type === "Z") unanswered--
      }
      const values = yield* Effect.all(
        Array.from({ length: 1_000 }, (_, n) => pool.fetchValue(sql, [n])),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        values,
        values.map((_, n) => Option.some(n))
      )
      assert.strictEqual(sent, values.length)
      assert.strictEqual(most, MAX_UNANSWERED)
      yield* assertHealthy(pool)
    })
  )

  it.effect("runs a statement of a caller that may not wait if a connection is idle", () =>
    Effect.gen(function* () {
      const pool = yield* poolWith({ minConnections: 1, maxWaiters: 0 })
      const sql = "SELECT $1::int AS n"
      yield* learn(pool, sql, [0])
      assert.deepStrictEqual(yield* pool.fetchValue(sql, [7]), Option.some(7))
    })
  )

  it.effect("bounds each statement's wait by its own time while no connection can be opened", () =>
    Effect.gen(function* () {
      const WAIT_MILLIS = 600
      const observer = yield* liveConnection()
      let isOutOfReach = false
      const outOfReach = new PgError.ConnectError({ stage: "tcp", attempts: [] })
      const onConnect = Effect.suspend(() => (isOutOfReach ? Effect.fail(outOfReach) : Effect.succeed({})))
      const pool = yield* poolWith({ onConnect, acquireTimeout: WAIT_MILLIS })
      const sql = "SELECT pg_backend_pid() AS pid"
      yield* learn(pool, sql)
      const backend = Number(yield* valueOf(pool, sql))
      isOutOfReach = true
      yield* killBackend(observer, backend)
      yield* eventually(
        Effect.map(pool.stats, ({ size }) => size),
        0
      )
      const call = Effect.timed(Effect.flip(pool.fetch(sql)))
      const first = yield* Effect.forkChild(call, { startImmediately: true })
      yield* Effect.sleep(WAIT_MILLIS / 2)
      const second = yield* Effect.forkChild(call, { startImmediately: true })
      for (const [waited, error] of [yield* Fiber.join(first), yield* Fiber.join(second)]) {
        assert.strictEqual(error, outOfReach)
        assert.isAtLeast(Duration.toMillis(waited), WAIT_MILLIS * 0.9)
      }
    })
  )
})
