/** Tests how long a shared call waits, and for what: a statement of another fiber never blocks it forever. */
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import type * as PgError from "../../../src/PgError.ts"
import type * as PgPool from "../../../src/PgPool.ts"
import { TestDatabase } from "../../support/database.ts"
import { eventually, liveConnection, refusalOf, valueOf } from "../../support/live.ts"
import { assertSharingHealthy, hold, learn, multiplexingPool, tagOf } from "../../support/multiplexing.ts"
import { proxyTo } from "../../../src/pgTest/proxy.ts"

/** What a busy machine may add, in milliseconds. */
const SLACK_MILLIS = 250
const SHORT = "SELECT $1::int AS n"

const fork = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })

const forkTimed = <A, E>(effect: Effect.Effect<A, E>) =>
  fork(Effect.map(Effect.timed(Effect.exit(effect)), ([took, exit]) => ({ millis: Duration.toMillis(took), exit })))

/** Bounds a wait that would otherwise hang. */
const soon = <A, E>(effect: Effect.Effect<A, E>) => Effect.orDie(Effect.timeout(effect, "5 seconds"))

/** Runs a call on a connection that it shares: it has to wait for it, because the last free one is in use. */
const forkShared = <A>(pool: PgPool.PgPool, call: Effect.Effect<A, PgError.PgError>) =>
  Effect.gen(function* () {
    const { giveBack } = yield* hold(pool)
    const calling = yield* fork(call)
    yield* giveBack
    return calling
  })

/** A table that cannot be read until it is unlocked. */
const lockedTable = (name: string) =>
  Effect.gen(function* () {
    const locker = yield* liveConnection()
    yield* locker.executeScript(`CREATE TABLE IF NOT EXISTS ${name} (id int PRIMARY KEY, n int)`)
    return {
      sql: `SELECT count(*) FROM ${name}`,
      lock: locker.executeScript(`BEGIN; LOCK TABLE ${name}`),
      unlock: locker.executeScript("ROLLBACK")
    }
  })

const waitsForLock = (name: string) =>
  Effect.flatMap(liveConnection(), (observer) =>
    eventually(
      valueOf(observer, "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1", [
        `%${name}%`
      ]),
      true
    )
  ).pipe(Effect.scoped)

layer(TestDatabase.layer, { excludeTestServices: true })("a shared call", (it) => {
  it.effect("is refused alone if too many wait, and the waiting ones are answered", () =>
    Effect.gen(function* () {
      const pool = yield* multiplexingPool({ maxWaiters: 2 })
      yield* learn(pool, SHORT, [0])
      const holders = [yield* hold(pool), yield* hold(pool)]
      const first = yield* fork(pool.fetchValue(SHORT, [1]))
      const lease = yield* fork(pool.withConnection((lent) => lent.fetchValue(SHORT, [2])))
      assert.strictEqual((yield* refusalOf(pool.fetchValue(SHORT, [3])))._tag, "TooManyWaitersError")
      for (const { giveBack } of holders) yield* giveBack
      assert.deepStrictEqual(yield* soon(Fiber.join(first)), Option.some(1))
      assert.deepStrictEqual(yield* soon(Fiber.join(lease)), Option.some(2))
      yield* assertSharingHealthy(pool)
    })
  )

  it.effect("joins no blocked connection after another call behind the blocked one is interrupted", () =>
    Effect.gen(function* () {
      const pool = yield* multiplexingPool()
      const { lock, sql, unlock } = yield* lockedTable("silent")
      yield* learn(pool, sql)
      yield* learn(pool, SHORT, [0])
      const holder = yield* hold(pool)
      yield* lock
      const blocked = yield* forkShared(pool, pool.fetch(sql))
      const behind = yield* fork(pool.fetch(SHORT, [1]))
      yield* waitsForLock("silent")
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(behind)
      const next = yield* fork(pool.fetchValue(SHORT, [2]))
      yield* holder.giveBack
      assert.deepStrictEqual(yield* soon(Fiber.join(next)), Option.some(2))
      assert.isUndefined(blocked.pollUnsafe())
      yield* unlock
      yield* Fiber.join(blocked)
      yield* assertSharingHealthy(pool)
    })
  )

  it.effect("waits no longer than acquireTimeout for a connection, whenever others began to wait", () =>
    Effect.gen(function* () {
      const WAIT_MILLIS = 600
      const pool = yield* multiplexingPool({ maxConnections: 1, acquireTimeout: WAIT_MILLIS })
      yield* learn(pool, SHORT, [0])
      const holder = yield* hold(pool)
      const calls: Array<Fiber.Fiber<{ readonly millis: number; readonly exit: Exit.Exit<unknown, PgError.PgError> }>> =
        []
      for (let n = 0; n < 4; n++) {
        calls.push(yield* forkTimed(pool.fetchValue(SHORT, [n])))
        yield* Effect.sleep(WAIT_MILLIS / 4)
      }
      for (const call of calls) {
        const { exit, millis } = yield* Fiber.join(call)
        assert.strictEqual(tagOf(exit), "AcquireTimeoutError")
        assert.isAtLeast(millis, WAIT_MILLIS - 5)
        assert.isBelow(millis, WAIT_MILLIS + SLACK_MILLIS)
      }
      yield* holder.giveBack
      yield* assertSharingHealthy(pool)
    })
  )

  it.effect("waits no longer than acquireTimeout under a clock that a test has stopped", () =>
    Effect.gen(function* () {
      for (const multiplex of [true, false]) {
        const pool = yield* multiplexingPool({ maxConnections: 1, acquireTimeout: "200 millis", multiplex })
        yield* learn(pool, SHORT, [0])
        yield* pool.withConnection(() =>
          Effect.gen(function* () {
            const call = yield* fork(refusalOf(pool.fetchValue(SHORT, [1])))
            const began = performance.now()
            while (call.pollUnsafe() === undefined && performance.now() - began < 2_000) {
              yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 10)))
            }
            assert.isDefined(call.pollUnsafe(), `multiplex: ${multiplex}`)
            assert.strictEqual((yield* Fiber.join(call))._tag, "AcquireTimeoutError")
          })
        )
        yield* assertSharingHealthy(pool)
      }
    }).pipe(Effect.provide(TestClock.layer()))
  )

  it.effect("is not sent behind a statement that locks rows, so no circle of waits can form around it", () =>
    Effect.gen(function* () {
      const setup = yield* liveConnection()
      yield* setup.executeScript("CREATE TABLE circle (id int PRIMARY KEY, n int)")
      yield* setup.executeScript("INSERT INTO circle VALUES (1, 0), (2, 0)")
      const lockers = [
        "UPDATE circle SET n = n + 1 WHERE id = $1",
        "SELECT n FROM circle WHERE id = $1 FOR UPDATE",
        "SELECT n FROM circle WHERE id = $1 FOR NO KEY UPDATE",
        "SELECT n FROM circle WHERE id = $1 FOR SHARE",
        "WITH changed AS (UPDATE circle SET n = 0 WHERE id = $1 RETURNING n) SELECT n FROM changed",
        "MERGE INTO circle USING (VALUES ($1::int)) v (i) ON id = i WHEN MATCHED THEN UPDATE SET n = 7"
      ]
      for (const sql of lockers) {
        for (const maxConnections of [2, 3]) {
          const pool = yield* multiplexingPool({ maxConnections, acquireTimeout: "300 millis" })
          yield* learn(pool, sql, [2])
          yield* learn(pool, SHORT, [0])
          const holder = pool.withTransaction(
            Effect.gen(function* () {
              yield* pool.execute("UPDATE circle SET n = n + 1 WHERE id = 1")
              // Outside the transaction, in fibers that do not inherit it.
              const waiter = yield* Deferred.await(waiting)
              return yield* Fiber.join(waiter)
            })
          )
          const waiting = yield* Deferred.make<Fiber.Fiber<Option.Option<unknown>, PgError.PgError>>()
          const holding = yield* fork(Effect.exit(holder))
          yield* eventually(
            valueOf(
              setup,
              "SELECT count(*)::int FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
            ),
            1
          )
          const locking = yield* fork(pool.execute(sql, [1]))
          const waiter = yield* fork(pool.fetchValue(SHORT, [5]))
          yield* Deferred.succeed(waiting, waiter)
          const held = yield* soon(Fiber.join(holding))
          const answer = yield* Fiber.await(waiter)
          yield* soon(Fiber.join(locking))
          if (maxConnections === 3) assert.deepStrictEqual([held, answer], [Exit.succeed(Option.some(5)), answer], sql)
          else assert.strictEqual(tagOf(answer), "AcquireTimeoutError", sql)
          yield* assertSharingHealthy(pool)
        }
      }
    }).pipe(Effect.scoped)
  )

  it.effect("gives up after acquireTimeout if it was sent behind a statement that waits for a lock", () =>
    Effect.gen(function* () {
      const WAIT_MILLIS = 400
      const pool = yield* multiplexingPool({ maxConnections: 1, acquireTimeout: WAIT_MILLIS })
      const { lock, sql, unlock } = yield* lockedTable("behind")
      yield* learn(pool, sql)
      yield* learn(pool, SHORT, [0])
      yield* lock
      const blocked = yield* forkShared(pool, pool.fetch(sql))
      const behind = yield* Effect.forEach([1, 2, 3], (n) => forkTimed(pool.fetchValue(SHORT, [n])))
      for (const call of behind) {
        const { exit, millis } = yield* soon(Fiber.join(call))
        assert.strictEqual(tagOf(exit), "QueryTimeoutError")
        // It was written, and the server may still run it.
        assert.strictEqual(Exit.findErrorOption(exit).pipe(Option.getOrThrow).outcome, "unknown")
        assert.isBelow(millis, WAIT_MILLIS + SLACK_MILLIS)
      }
      assert.isUndefined(blocked.pollUnsafe(), "it is the one that runs, and waits as long as it likes")
      yield* unlock
      yield* Fiber.join(blocked)
      yield* assertSharingHealthy(pool)
    })
  )

  it.effect("leaves a connection that falls silent if it has not been written", () =>
    Effect.gen(function* () {
      const pool = yield* multiplexingPool()
      const { lock, sql, unlock } = yield* lockedTable("unwritten")
      yield* learn(pool, sql)
      yield* learn(pool, SHORT, [0])
      const holder = yield* hold(pool)
      yield* lock
      const blocked = yield* forkShared(pool, pool.fetch(sql))
      // So many are written behind it that further ones wait to be written together.
      const written = yield* Effect.forEach(Array.from({ length: 20 }), (_, n) => fork(pool.fetchValue(SHORT, [n])))
      yield* Effect.yieldNow
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      const unwritten = yield* Effect.forEach([30, 31, 32, 33], (n) => fork(pool.fetchValue(SHORT, [n])))
      yield* waitsForLock("unwritten")
      yield* holder.giveBack
      const answers = yield* soon(Effect.forEach(unwritten, Fiber.join))
      assert.deepStrictEqual(answers, [30, 31, 32, 33].map(Option.some))
      assert.isUndefined(blocked.pollUnsafe())
      yield* unlock
      yield* Fiber.join(blocked)
      assert.deepStrictEqual(
        yield* Effect.forEach(written, Fiber.join),
        Array.from({ length: 20 }, (_, n) => Option.some(n))
      )
      yield* assertSharingHealthy(pool)
    })
  )

  it.effect("also leaves a connection whose blocked query is being canceled, if it has not been written", () =>
    Effect.gen(function* () {
      const { host, port } = yield* TestDatabase
      const proxy = yield* proxyTo({ host, port })
      proxy.losesCancels = true
      const pool = yield* multiplexingPool({ host: proxy.host, port: proxy.port, cancelTimeout: "3 seconds" })
      const { lock, sql, unlock } = yield* lockedTable("fenced")
      yield* learn(pool, sql)
      yield* learn(pool, SHORT, [0])
      const holder = yield* hold(pool)
      yield* lock
      const written = yield* Effect.forEach(Array.from({ length: 20 }), () => fork(pool.fetch(sql)))
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      const unwritten = yield* Effect.forEach([30, 31], (n) => fork(pool.fetchValue(SHORT, [n])))
      yield* Effect.forEach(written, (call) => Effect.sync(() => call.interruptUnsafe()))
      const began = performance.now()
      yield* holder.giveBack
      assert.deepStrictEqual(yield* soon(Effect.forEach(unwritten, Fiber.join)), [30, 31].map(Option.some))
      assert.isBelow(performance.now() - began, 1_000)
      yield* unlock
      yield* eventually(
        Effect.map(pool.stats, ({ inUse }) => inUse),
        0
      )
      yield* assertSharingHealthy(pool)
    })
  )

  it.effect("gains most on a slow line: a hundred calls take no longer than a few", () =>
    Effect.gen(function* () {
      const LATENCY_MILLIS = 8
      const CALLS = 100
      const { host, port } = yield* TestDatabase
      const proxy = yield* proxyTo({ host, port })
      proxy.latencyMillis = LATENCY_MILLIS
      const pool = yield* multiplexingPool({ host: proxy.host, port: proxy.port, maxConnections: 1 })
      yield* learn(pool, SHORT, [0])
      const [took, values] = yield* Effect.timed(
        Effect.all(
          Array.from({ length: CALLS }, (_, n) => pool.fetchValue(SHORT, [n])),
          { concurrency: "unbounded" }
        )
      )
      assert.deepStrictEqual(
        values,
        Array.from({ length: CALLS }, (_, n) => Option.some(n))
      )
      assert.isBelow(Duration.toMillis(took), (CALLS * 2 * LATENCY_MILLIS) / 5)
      yield* assertSharingHealthy(pool)
    })
  )

  it.effect("counts as long if the server takes long, however slow the line is", () =>
    Effect.gen(function* () {
      const { host, port } = yield* TestDatabase
      const proxy = yield* proxyTo({ host, port })
      proxy.latencyMillis = 8
      const pool = yield* multiplexingPool({ host: proxy.host, port: proxy.port, maxConnections: 1 })
      const slow = "SELECT pg_sleep(0.05)"
      // The first statement that a session runs does not measure its line.
      yield* learn(pool, slow)
      yield* learn(pool, SHORT, [0])
      const calls = yield* Effect.forEach([1, 2], () => fork(pool.execute(slow)))
      assert.strictEqual((yield* pool.stats).waiting, 1, "each takes the connection for itself")
      for (const call of calls) yield* Fiber.join(call)
      yield* assertSharingHealthy(pool)
    })
  )

  it.effect("shares no connection again after it has left residue, and the next caller finds nothing of it", () =>
    Effect.gen(function* () {
      const pool = yield* multiplexingPool({ maxConnections: 1, applicationName: "mine" })
      yield* pool.executeScript(`
        CREATE FUNCTION perhaps(really bool) RETURNS int LANGUAGE plpgsql AS $$
        BEGIN IF really THEN PERFORM set_config('application_name', 'theirs', false); END IF; RETURN 1; END $$`)
      const sql = "SELECT perhaps($1) AS n"
      const name = "SELECT current_setting('application_name') AS name"
      yield* learn(pool, sql, [false])
      yield* learn(pool, name)
      yield* pool.fetch(sql, [true])
      assert.deepStrictEqual(yield* pool.fetchValue(name), Option.some("mine"))
      const both = yield* Effect.forEach([sql, name], (text) => fork(pool.fetchValue(text, text === sql ? [true] : [])))
      assert.deepStrictEqual(yield* Effect.forEach(both, Fiber.join), [Option.some(1), Option.some("mine")])
      yield* assertSharingHealthy(pool)
    })
  )

  it.effect("shares its connection only with small parameters", () =>
    Effect.gen(function* () {
      const MAX_PARAMETER_SIZE = 16_384
      const pool = yield* multiplexingPool({ maxConnections: 1 })
      const { lock, sql: locked, unlock } = yield* lockedTable("sized")
      const sql = "SELECT length($1::text) AS length"
      yield* learn(pool, locked)
      yield* learn(pool, sql, ["x"])
      /** Whether it could begin while another statement was unanswered on the only connection. */
      const isShared = (size: number) =>
        Effect.gen(function* () {
          yield* lock
          const { giveBack } = yield* hold(pool)
          const blocked = yield* fork(pool.fetch(locked))
          const call = yield* fork(pool.fetchOne(sql, ["x".repeat(size)]))
          yield* giveBack
          yield* waitsForLock("sized")
          const { waiting } = yield* pool.stats
          yield* unlock
          yield* Fiber.join(blocked)
          assert.strictEqual((yield* Fiber.join(call))["length"], size)
          return waiting === 0
        })
      assert.isTrue(yield* isShared(MAX_PARAMETER_SIZE))
      assert.isFalse(yield* isShared(MAX_PARAMETER_SIZE + 1))
      yield* assertSharingHealthy(pool)
    })
  )
})
