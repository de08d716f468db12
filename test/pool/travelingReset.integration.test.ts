/**
 * Tests the reset that travels with the first request of the next lease on a real server: its round trips, each kind of
 * first request, and a reset that fails, is given up, or has nobody to travel with.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { Buffer } from "node:buffer"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, eventually, liveConnection, liveSettings, refusalOf, valueOf } from "../support/live.ts"
import { counting, roundTripsOf } from "../support/roundTrips.ts"
import { transactionPooler } from "../support/transactionPooler.ts"
import { proxyTo } from "../../src/pgTest/proxy.ts"

const INSERT = "INSERT INTO written VALUES ($1) RETURNING n"

type Act = (pg: PgConnection.PgConnection) => Effect.Effect<unknown, PgError.PgError>

/** Each kind of request that a lease may begin with: it inserts 1, and the reset adds so many round trips. */
const firsts: ReadonlyArray<readonly [what: string, act: Act, added: 0 | 1]> = [
  ["a statement", (pg) => pg.execute(INSERT, [1]), 0],
  ["a statement that returns rows", (pg) => pg.fetch(INSERT, [1]), 0],
  ["a script", (pg) => pg.executeScript("INSERT INTO written VALUES (1)"), 1],
  ["executeMany", (pg) => pg.executeMany(INSERT, [[1]]), 1],
  ["a batch", (pg) => pg.batch([{ sql: INSERT, params: [1] }]), 1],
  ["a COPY in", (pg) => pg.copyIn({ table: "written" }, [Buffer.from("1\n")]), 1],
  ["a transaction", (pg) => pg.withTransaction(pg.execute(INSERT, [1])), 0],
  ["a transaction of a script", (pg) => pg.withTransaction(pg.executeScript("INSERT INTO written VALUES (1)")), 0],
  ["a savepoint", (pg) => pg.withTransaction(pg.withTransaction(pg.execute(INSERT, [1]))), 1],
  ["a stream", (pg) => Stream.runDrain(pg.stream(INSERT, [1])), 0],
  ["a prepared statement", (pg) => Effect.scoped(Effect.flatMap(pg.prepare(INSERT), (one) => one.execute([1]))), 0]
]

/** What the client cannot see: a lease calls a function that changes settings, and takes a lock that outlives it. */
const OBJECTS = `
CREATE TABLE written (n int4);
CREATE FUNCTION leave_residue() RETURNS int4 LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('lock_timeout', '17s', false), pg_advisory_lock(17);
  RETURN 1;
END $$;
CREATE FUNCTION leave_residue_and_sleep() RETURNS int4 LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_lock(17), pg_sleep(10);
  RETURN 1;
END $$;
CREATE FUNCTION residue_left() RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' ', current_setting('lock_timeout'),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()))
$$`

const LEAVE = "SELECT leave_residue()"
const NOTHING_LEFT = "0 0"
const LOCKED = "SELECT count(*)::int4 FROM pg_locks WHERE locktype = 'advisory' AND objid = 17"

const left = (queryable: PgConnection.Queryable) => valueOf(queryable, "SELECT residue_left()")

const objects = Effect.gen(function* () {
  const observer = yield* liveConnection()
  yield* observer.executeScript(`DROP TABLE IF EXISTS written; DROP FUNCTION IF EXISTS leave_residue(),
    leave_residue_and_sleep(), residue_left(); ${OBJECTS}`)
  const written = Effect.map(observer.fetchTuples("SELECT n FROM written"), (rows) => rows.flat())
  return { observer, written }
})

/** A pool of one connection, which was reset once: the first reset never travels. */
const poolOf = (settings: Parameters<typeof PgPool.make>[0]) =>
  Effect.tap(PgPool.make({ ...settings, maxConnections: 1 }), (pool) =>
    Effect.andThen(
      pool.withConnection((connection) => connection.fetch("SELECT 1")),
      pool.fetch("SELECT 1")
    )
  )

/** A pool behind a proxy. `spoil` makes the server refuse the command of a reset that begins so. */
const spoilable = Effect.gen(function* () {
  const { host, port } = yield* TestDatabase
  const proxy = yield* proxyTo({ host, port })
  const pool = yield* poolOf(yield* liveSettings({ host: proxy.host, port: proxy.port, sslMode: "disable" }))
  const spoil = (text: string | undefined): void => {
    proxy.onMessage = (_, { bytes, from, type }) => {
      const at = text === undefined ? -1 : bytes.indexOf(text)
      if (from === "client" && (type === "P" || type === "Q") && at >= 0) bytes.write("X", at)
    }
  }
  return { pool, proxy, spoil }
})

const COMMANDS = [
  "BEGIN ISOLATION",
  "SET SESSION AUTH",
  "RESET ROLE",
  "RESET ALL",
  "CLOSE ALL",
  "UNLISTEN",
  "DISCARD TEMP",
  "DISCARD SEQ",
  "SET SEED",
  "SELECT pg_catalog.pg_advisory_unlock_all",
  "COMMIT"
]

layer(TestDatabase.layer, { excludeTestServices: true })("the reset between two leases of one tick", (it) => {
  it.effect("costs no round trip, one lease after the other and with leases that wait", () =>
    Effect.gen(function* () {
      const counted = yield* counting
      const pool = yield* poolOf(counted.settings)
      const lease = pool.withConnection((connection) => connection.fetch("SELECT 1"))
      yield* lease
      const leases = Effect.forEach([1, 2, 3, 4, 5], () => lease)
      assert.strictEqual((yield* roundTripsOf(counted, leases))[0], 5)
      const waiting = Effect.all([leases, leases, leases, leases], { concurrency: "unbounded" })
      assert.strictEqual((yield* roundTripsOf(counted, waiting))[0], 20)
      // A call is not sent before the reset is answered.
      yield* lease
      assert.strictEqual((yield* roundTripsOf(counted, pool.fetch("SELECT 1")))[0], 2)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("leaves nothing that a function of the first has left, whatever the second begins with", () =>
    Effect.gen(function* () {
      const { observer, written } = yield* objects
      const counted = yield* counting
      const pool = yield* poolOf(counted.settings)
      for (const [what, act, added] of firsts) {
        const residue = pool.withConnection((connection) => connection.fetch(LEAVE))
        const lease = pool.withConnection((connection) => Effect.andThen(act(connection), left(connection)))
        yield* lease
        yield* pool.fetch("SELECT 1")
        const [needed] = yield* roundTripsOf(counted, lease)
        yield* observer.execute("TRUNCATE written")
        yield* pool.fetch("SELECT 1")
        yield* residue
        const [taken, found] = yield* roundTripsOf(counted, lease)
        assert.deepStrictEqual([what, taken, found], [what, needed + added, NOTHING_LEFT])
        assert.deepStrictEqual([what, yield* written], [what, [1]])
        yield* assertHealthy(pool)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("is sent at once if the second lease asks for nothing, or gives the connection back", () =>
    Effect.gen(function* () {
      const { observer } = yield* objects
      const pool = yield* poolOf(yield* liveSettings())
      yield* pool.withConnection((connection) => connection.fetch(LEAVE))
      const found = pool.withConnection((connection) =>
        Effect.andThen(eventually(valueOf(observer, LOCKED), 0), left(connection))
      )
      assert.strictEqual(yield* found, NOTHING_LEFT)
      yield* pool.withConnection((connection) => connection.fetch(LEAVE))
      for (let round = 0; round < 3; round++) yield* pool.withConnection(() => Effect.void)
      yield* eventually(valueOf(observer, LOCKED), 0)
      assert.strictEqual(yield* left(pool), NOTHING_LEFT)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("has nothing written behind it before it is answered, if the second lease asks for much at once", () =>
    Effect.gen(function* () {
      yield* objects
      const { pool, proxy } = yield* spoilable
      yield* pool.withConnection((connection) => Effect.andThen(connection.fetch("SELECT 2"), connection.fetch(LEAVE)))
      const order: Array<string> = []
      proxy.onMessage = (_, { bytes, from, type }) => {
        if (from === "server" && type === "Z") order.push("answered")
        if (from !== "client") return
        if (bytes.includes("RESET ALL")) order.push("reset")
        if (type === "S") order.push("sync")
      }
      const found = yield* pool.withConnection((connection) =>
        Effect.all([connection.fetch("SELECT 2"), left(connection), left(connection)], { concurrency: "unbounded" })
      )
      assert.deepStrictEqual(found.slice(1), [NOTHING_LEFT, NOTHING_LEFT])
      assert.deepStrictEqual(order.slice(0, 4), ["reset", "sync", "answered", "sync"])
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("has a round trip of its own if the first is known to have left something, or an init is to run", () =>
    Effect.gen(function* () {
      const counted = yield* counting
      const pool = yield* poolOf(counted.settings)
      const ask = pool.withConnection((connection) => connection.fetch("SELECT 1"))
      yield* pool.withConnection((connection) => connection.execute("SET lock_timeout = '17s'"))
      assert.strictEqual((yield* roundTripsOf(counted, ask))[0], 2)
      yield* pool.withConnection((connection) => refusalOf(connection.execute("SET lock_timeout = 'nonsense'")))
      assert.strictEqual((yield* roundTripsOf(counted, ask))[0], 2)
      const prepared = yield* poolOf({
        ...counted.settings,
        init: (connection) => connection.execute("SET lock_timeout = '41s'")
      })
      yield* prepared.withConnection((connection) => connection.fetch("SELECT 1"))
      const shown = prepared.withConnection((connection) => valueOf(connection, "SHOW lock_timeout"))
      assert.strictEqual(yield* shown, "41s")
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a traveling reset that fails", (it) => {
  it.effect("leaves nothing of the request behind it, whichever command fails and whatever the request is", () =>
    Effect.gen(function* () {
      const { observer, written } = yield* objects
      const { pool, spoil } = yield* spoilable
      const backends = (processId: number) =>
        valueOf(observer, "SELECT count(*)::int4 FROM pg_stat_activity WHERE pid = $1", [processId])
      for (const [command, [what, act]] of [
        ...COMMANDS.map((command) => [command, firsts[1]!] as const),
        ...firsts.map((first) => ["RESET ALL", first] as const)
      ]) {
        spoil(undefined)
        // A statement that is not known would not run in the round trip of the reset.
        yield* pool.withConnection(act)
        yield* pool.fetch("SELECT 1")
        yield* observer.execute("TRUNCATE written")
        yield* pool.withConnection((connection) => connection.fetch(LEAVE))
        spoil(command)
        const [refused, processId] = yield* pool.withConnection((connection) =>
          Effect.gen(function* () {
            const [error, others] = yield* Effect.all([refusalOf(act(connection)), refusalOf(left(connection))], {
              concurrency: "unbounded"
            })
            // While a stream is read, its fiber may not ask for anything else.
            assert.include(["ConnectionLostError", "UnsupportedError"], others._tag, what)
            assert.strictEqual(others.outcome, "none", what)
            return [error, connection.processId] as const
          })
        )
        if (refused._tag !== "ConnectionLostError") throw refused
        assert.deepStrictEqual([command, what, refused.outcome, refused.safeToRetry], [command, what, "none", true])
        yield* eventually(backends(processId), 0)
        assert.deepStrictEqual([command, what, yield* written], [command, what, []])
        assert.strictEqual(yield* left(pool), NOTHING_LEFT)
      }
      spoil(undefined)
      yield* assertHealthy(pool)
      assert.strictEqual((yield* pool.stats).size, 1)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a lease that is given up", (it) => {
  it.effect("has its own residue removed too, although a reset came with its first request", () =>
    Effect.gen(function* () {
      const { observer } = yield* objects
      const pool = yield* poolOf(yield* liveSettings())
      const ask = (sql: string) => pool.withConnection((connection) => connection.fetch(sql))
      yield* ask("SELECT 1 WHERE leave_residue_and_sleep() IS NULL AND false")
      const known = yield* Effect.forkChild(ask("SELECT leave_residue_and_sleep()"), { startImmediately: true })
      yield* eventually(valueOf(observer, LOCKED), 1)
      yield* Fiber.interrupt(known)
      yield* eventually(valueOf(observer, LOCKED), 0)
      assert.strictEqual(yield* left(pool), NOTHING_LEFT)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("before its first request is written has the connection reset all the same", () =>
    Effect.gen(function* () {
      const { observer } = yield* objects
      const pool = yield* poolOf(yield* liveSettings())
      yield* pool.withConnection((connection) => connection.fetch(LEAVE))
      const given = yield* Effect.forkChild(
        pool.withConnection((connection) => connection.fetch("SELECT 1")),
        { startImmediately: true }
      )
      yield* Fiber.interrupt(given)
      yield* eventually(valueOf(observer, LOCKED), 0)
      assert.strictEqual(yield* left(pool), NOTHING_LEFT)
      // The lease may also go on without its first request.
      yield* pool.withConnection((connection) => connection.fetch(LEAVE))
      const found = yield* pool.withConnection((connection) =>
        Effect.gen(function* () {
          const first = yield* Effect.forkChild(connection.fetch("SELECT 1"), { startImmediately: true })
          const second = yield* Effect.forkChild(left(connection), { startImmediately: true })
          yield* Fiber.interrupt(first)
          return yield* Fiber.join(second)
        })
      )
      assert.strictEqual(found, NOTHING_LEFT)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a pooler in front of the server", (it) => {
  it.effect("never sees a traveling reset", () =>
    Effect.gen(function* () {
      const pooler = yield* transactionPooler({ connections: 1 })
      const pool = yield* poolOf(pooler.settings)
      for (let round = 0; round < 5; round++) {
        yield* pool.withConnection((connection) => connection.fetch("SELECT 1"))
      }
      yield* pool.fetch("SELECT 1")
      const resets = pooler.queries.filter((sql) => sql.includes("RESET ALL"))
      assert.isAtLeast(resets.length, 6)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})
