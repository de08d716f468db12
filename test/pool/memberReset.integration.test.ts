/**
 * Tests the reset between two borrowers as a fence: what it undoes, what it restores, and what happens to the next
 * borrower.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as PgConnection from "../../src/PgConnection.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, eventually, liveConnection, livePool, liveSettings, valueOf } from "../support/live.ts"
import { proxyTo } from "../../src/pgTest/proxy.ts"

const BACKEND = "SELECT pg_backend_pid()"
const PATIENCE = "10 seconds"

/** Messages of the server, such as that it ends the session, are not read before the next request is written. */
const blockForAWhile = (): void => {
  const until = performance.now() + 10
  while (performance.now() < until);
}

/** A pool of one connection with its `init`. */
const poolWith = (init: (connection: PgConnection.PgConnection) => ReturnType<PgConnection.PgConnection["execute"]>) =>
  Effect.flatMap(liveSettings({ maxConnections: 1 }), (settings) => PgPool.make({ ...settings, init }))

layer(TestDatabase.layer, { excludeTestServices: true })("the reset of a pool", (it) => {
  it.effect("leaves the next borrower another user, a setting of the application and a table that init made", () =>
    Effect.gen(function* () {
      const owner = yield* liveConnection()
      yield* owner.execute("CREATE ROLE reset_weak")
      yield* Effect.addFinalizer(() => Effect.ignore(owner.execute("DROP ROLE reset_weak")))
      let runs = 0
      const pool = yield* poolWith((connection) =>
        Effect.andThen(
          connection.executeScript(
            "CREATE TEMP TABLE made (n int); GRANT ALL ON made TO public; SET app.tenant = 'acme'; SET SESSION AUTHORIZATION reset_weak"
          ),
          connection.execute("INSERT INTO made VALUES ($1)", [++runs])
        )
      )
      const found = pool.fetchOne(
        "SELECT session_user::text AS who, current_setting('app.tenant') AS tenant, array_agg(n) AS made FROM made"
      )
      const backend = yield* valueOf(pool, BACKEND)
      assert.deepStrictEqual({ ...(yield* found) }, { who: "reset_weak", tenant: "acme", made: [1] })
      const leave = "RESET SESSION AUTHORIZATION; SET app.tenant = 'evil'; DROP TABLE made"
      const lease = pool.withConnection((connection) => connection.executeScript(leave))
      for (const borrowing of [lease, pool.executeScript(leave)]) {
        yield* borrowing
        assert.deepStrictEqual({ ...(yield* found) }, { who: "reset_weak", tenant: "acme", made: [runs] })
      }
      assert.strictEqual(yield* valueOf(pool, BACKEND), backend)
    })
  )

  it.effect("gives the next borrower another connection if it fails, and runs nothing on the old one", () =>
    Effect.gen(function* () {
      const owner = yield* liveConnection()
      yield* owner.execute("CREATE TABLE held (n int)")
      const pool = yield* livePool({ maxConnections: 1, cancelTimeout: "300 millis" })
      // The session's own table cannot be dropped while another session has it locked.
      const first = yield* pool.withConnection((connection) =>
        Effect.gen(function* () {
          yield* connection.execute("CREATE TEMP TABLE held (n int)")
          const schema = yield* valueOf(connection, "SELECT pg_my_temp_schema()::regnamespace::text")
          yield* owner.executeScript(`BEGIN; LOCK TABLE ${String(schema)}.held IN ACCESS SHARE MODE`)
          return connection.processId
        })
      )
      yield* Effect.timeout(pool.execute("INSERT INTO held VALUES (1)"), PATIENCE)
      assert.notStrictEqual(yield* valueOf(pool, BACKEND), first)
      yield* owner.execute("COMMIT")
      assert.strictEqual(yield* valueOf(owner, "SELECT count(*)::int4 FROM public.held"), 1)
      yield* assertHealthy(pool)
      assert.strictEqual((yield* pool.stats).size, 1)
    })
  )

  it.effect("waits for no transaction of other sessions, whatever modes the borrower has left", () =>
    Effect.gen(function* () {
      const other = yield* liveConnection()
      yield* other.executeScript("BEGIN ISOLATION LEVEL SERIALIZABLE; CREATE TABLE written (n int)")
      const pool = yield* livePool({ maxConnections: 1 })
      const backend = yield* valueOf(pool, BACKEND)
      const leave = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE"
      for (const lease of [
        pool.withConnection((connection) => connection.execute(leave)),
        pool.executeScript(`${leave}; SELECT 1`)
      ]) {
        yield* lease
        const startedAt = performance.now()
        assert.strictEqual(yield* valueOf(pool, BACKEND), backend)
        assert.isBelow(performance.now() - startedAt, 1_000)
        assert.strictEqual(yield* valueOf(pool, "SHOW transaction_isolation"), "read committed")
      }
      yield* other.execute("ROLLBACK")
      yield* assertHealthy(pool)
    })
  )

  for (const setting of ["statement_timeout", "transaction_timeout", "idle_session_timeout", "lock_timeout"]) {
    it.effect(`never fails the next borrower because of a ${setting} that the last one has left`, () =>
      Effect.gen(function* () {
        const pool = yield* livePool({ maxConnections: 1 })
        for (let round = 0; round < 10; round++) {
          // The server may end the session at any moment from here, so the lease may meet that too.
          yield* Effect.ignore(pool.withConnection((connection) => connection.execute(`SET ${setting} = '1ms'`)))
          yield* Effect.sync(blockForAWhile)
          assert.strictEqual(yield* Effect.timeout(valueOf(pool, "SELECT 1"), PATIENCE), 1)
        }
        yield* assertHealthy(pool)
      })
    )
  }

  it.effect("has no request of the next borrower written behind it before it is answered", () =>
    Effect.gen(function* () {
      const proxy = yield* proxyTo(yield* TestDatabase)
      const pool = yield* livePool({ host: proxy.host, port: proxy.port, sslMode: "disable", maxConnections: 1 })
      yield* assertHealthy(pool)
      const order: Array<string> = []
      proxy.onMessage = (_, { bytes, from, type }) => {
        const text = bytes.toString("latin1")
        if (from === "client" && text.includes("RESET ALL")) order.push("reset")
        else if (from === "client" && text.includes("'next'")) order.push("next")
        else if (from === "server" && type === "Z" && order.at(-1) === "reset") order.push("answered")
      }
      const next = valueOf(pool, "SELECT 'next'")
      const lease = pool.withConnection((connection) => connection.execute("SET search_path = pg_catalog"))
      yield* Effect.all([lease, next, pool.withConnection((connection) => valueOf(connection, "SELECT 'next'"))], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(order.slice(0, 3), ["reset", "answered", "next"])
    })
  )

  it.effect("is done at once, even if no borrower waits for the connection", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const pool = yield* livePool({ maxConnections: 1 })
      const left = "SELECT count(*)::int4 FROM pg_locks WHERE locktype = 'advisory' AND pid = $1"
      const processId = yield* pool.withConnection((connection) =>
        Effect.gen(function* () {
          yield* connection.execute("SELECT pg_advisory_lock(12)")
          yield* connection.execute("CREATE TEMP TABLE idle (n int)")
          assert.strictEqual(yield* valueOf(observer, left, [connection.processId]), 1)
          return connection.processId
        })
      )
      yield* eventually(valueOf(observer, left, [processId]), 0)
      yield* eventually(valueOf(observer, "SELECT count(*)::int4 FROM pg_class WHERE relname = 'idle'"), 0)
      assert.strictEqual(yield* valueOf(pool, BACKEND), processId)
    })
  )

  it.effect("serves a borrower that may not wait: it has the connection in a moment", () =>
    Effect.gen(function* () {
      for (const multiplex of [false, true]) {
        const pool = yield* livePool({ maxConnections: 1, maxWaiters: 0, multiplex })
        yield* assertHealthy(pool)
        for (let round = 0; round < 5; round++) {
          yield* pool.withConnection((connection) => connection.execute("SET search_path = pg_catalog"))
          assert.strictEqual(yield* valueOf(pool, "SELECT 1"), 1)
        }
      }
    })
  )

  it.effect("keeps prepared statements, even if statements that were prepared in SQL have to go", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const ours = valueOf(pool, "SELECT $1::int4 + 1", [1])
      for (let round = 0; round < 3; round++) {
        assert.strictEqual(yield* ours, 2)
        yield* pool.executeScript("PREPARE mine AS SELECT 1; SELECT 1")
        yield* pool.withConnection((connection) => connection.execute("PREPARE mine AS SELECT 2"))
      }
      assert.strictEqual(yield* ours, 2)
      yield* assertHealthy(pool)
    })
  )

  it.effect("replaces the connection after a LOAD, which it cannot undo", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const backend = yield* valueOf(pool, BACKEND)
      yield* pool.execute("LOAD 'auto_explain'")
      assert.notStrictEqual(yield* valueOf(pool, BACKEND), backend)
      yield* assertHealthy(pool)
    })
  )

  it.effect("comes before any other borrower if a single statement fails after it has changed the session", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      const changes = [
        "DO $$ BEGIN PERFORM pg_advisory_lock(13); RAISE 'on purpose'; END $$",
        "DO $$ BEGIN SET search_path = pg_catalog; COMMIT; RAISE 'on purpose'; END $$",
        "SELECT pg_advisory_lock(13), 1 / (SELECT 0)"
      ]
      for (const sql of changes) {
        assert.isDefined((yield* Effect.flip(pool.execute(sql))).message)
        const look = "SELECT count(*)::int4 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        assert.strictEqual(yield* valueOf(pool, look), 0, sql)
        assert.strictEqual(yield* valueOf(pool, "SHOW search_path"), '"$user", public', sql)
      }
      yield* assertHealthy(pool)
    })
  )

  it.effect("comes before any other borrower if the server reports that a function has changed a setting", () =>
    Effect.gen(function* () {
      const owner = yield* liveConnection()
      yield* owner.execute(
        "CREATE FUNCTION change_zone() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET TimeZone = 'Asia/Tokyo'; SET lock_timeout = '17s'; END $$"
      )
      for (const multiplex of [false, true]) {
        const pool = yield* livePool({ maxConnections: 1, multiplex })
        const found = valueOf(pool, "SELECT current_setting('TimeZone') || current_setting('lock_timeout')")
        const expected = yield* found
        for (let round = 0; round < 5; round++) {
          yield* Effect.all([pool.fetch("SELECT change_zone()"), found, found], { concurrency: "unbounded" })
          const calls = [pool.fetch("SELECT change_zone()"), ...Array.from({ length: 20 }, () => found)]
          const [, ...others] = yield* Effect.all(calls, { concurrency: "unbounded" })
          assert.deepStrictEqual(
            others,
            others.map(() => expected)
          )
        }
        yield* assertHealthy(pool)
      }
    })
  )

  it.effect("comes before any other borrower if connections are shared", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 2, multiplex: true })
      const look = pool.fetchValue("SELECT current_setting('search_path') || current_user")
      const expected = yield* look
      const change = pool.execute("DO $$ BEGIN EXECUTE 'SET ROLE pg_monitor'; SET search_path = pg_catalog; END $$")
      for (let round = 0; round < 5; round++) {
        const others = Array.from({ length: 60 }, () => look)
        const found = yield* Effect.all([change, ...others], { concurrency: "unbounded" })
        for (const each of found.slice(1)) assert.deepStrictEqual(each, expected)
      }
      yield* assertHealthy(pool)
    })
  )
})
