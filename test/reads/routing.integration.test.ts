/** Which server runs a call of a client with a pool for reads. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as PgClient from "../../src/PgClient.ts"
import * as PgError from "../../src/PgError.ts"
import { sql } from "../../src/PgSql.ts"
import * as PgTransaction from "../../src/PgTransaction.ts"
import { Servers } from "../failover/rig/cluster.ts"
import { assertHealthy, refusalOf, valueOf } from "../support/live.ts"
import { clientOf, everywhere, type Kind, kindOf, PRIMARY, STANDBY, where, WHERE } from "./servers.ts"

const textOf = (bytes: ReadonlyArray<Uint8Array>): string => new TextDecoder().decode(bytes[0]).trim()

type Asked = (pg: PgClient.PgClient) => Effect.Effect<unknown, PgError.PgError, Scope.Scope | Servers>

/** What each kind of call answers with the address of its server. */
const reads: Readonly<Record<string, Asked>> = {
  fetch: (pg) => Effect.map(pg.fetch(WHERE), ([row]) => row?.["host"]),
  "fetch of a template": (pg) => Effect.map(pg.fetch(sql`SELECT host(inet_server_addr())`), ([row]) => row?.["host"]),
  "fetch behind a comment": (pg) => Effect.map(pg.fetch(`/* why */ -- and how\n (${WHERE})`), ([row]) => row?.["host"]),
  "fetch of a common table expression": (pg) =>
    Effect.map(pg.fetch(`WITH it AS (${WHERE}) TABLE it`), ([row]) => row?.["host"]),
  fetchTuples: (pg) => Effect.map(pg.fetchTuples(`VALUES (host(inet_server_addr()))`), ([row]) => row?.[0]),
  fetchRow: (pg) => Effect.map(pg.fetchRow(WHERE), (row) => Option.getOrThrow(row)["host"]),
  fetchOne: (pg) => Effect.map(pg.fetchOne(WHERE), (row) => row["host"]),
  fetchValue: (pg) => Effect.map(pg.fetchValue(WHERE), Option.getOrThrow),
  fetchMany: (pg) => Effect.map(pg.fetchMany(WHERE, [[]]), ([rows]) => rows?.[0]?.["host"]),
  batch: (pg) =>
    Effect.map(
      pg.batch([{ sql: WHERE }, { sql: "SHOW server_version" }]),
      ([{ rows } = { rows: [] }]) => rows[0]?.["host"]
    ),
  "batch with barriers": (pg) =>
    Effect.map(pg.batch([{ sql: WHERE }], { errorBarriers: true }), ([result]) =>
      result !== undefined && Result.isSuccess(result) ? result.success.rows[0]?.["host"] : undefined
    ),
  stream: (pg) => Effect.map(Stream.runCollect(pg.stream(WHERE)), ([row]) => row?.["host"]),
  // It asks for pages ahead, and before that whether its transaction has written.
  "stream of several pages": (pg) =>
    Effect.map(
      Stream.runCollect(pg.stream(`${WHERE} FROM generate_series(1, 9)`, [], { fetchSize: 2 })),
      ({ [8]: last }) => last?.["host"]
    ),
  cursor: (pg) =>
    Effect.flatMap(pg.cursor(WHERE), (cursor) => Effect.map(cursor.fetchRow, (row) => Option.getOrThrow(row)["host"])),
  "cursor that scrolls": (pg) =>
    Effect.flatMap(pg.cursor(WHERE, { scroll: true }), (cursor) =>
      Effect.map(cursor.last, (row) => Option.getOrThrow(row)["host"])
    ),
  prepare: (pg) => Effect.flatMap(pg.prepare(WHERE), (held) => Effect.map(held.fetchValue(), Option.getOrThrow)),
  copyOut: (pg) => Effect.map(Stream.runCollect(pg.copyOut({ query: WHERE })), textOf),
  copyOutRows: (pg) => Effect.map(Stream.runCollect(pg.copyOutRows({ query: WHERE })), ([row]) => row?.["host"]),
  "withTransaction that only reads": (pg) =>
    pg.withTransaction(Effect.map(pg.fetchValue(WHERE), Option.getOrThrow), {
      access: "read only",
      isolation: "repeatable read"
    }),
  "begin that only reads": (pg) =>
    Effect.flatMap(pg.begin({ access: "read only" }), (begun) =>
      Effect.tap(Effect.map(begun.fetchValue(WHERE), Option.getOrThrow), begun.commit)
    )
}

const value = (rows: ReadonlyArray<Readonly<Record<string, unknown>>>): unknown => rows[0]?.["host"]

/** Calls that run on the primary also inside of `readOnly`. */
const others: Readonly<Record<string, Asked>> = {
  "fetch of an INSERT": (pg) =>
    Effect.map(pg.fetch("INSERT INTO seen VALUES (1) RETURNING host(inet_server_addr())"), value),
  "fetch of an INSERT in a common table expression": (pg) =>
    Effect.map(pg.fetch("WITH it AS (INSERT INTO seen VALUES (1) RETURNING host(inet_server_addr())) TABLE it"), value),
  "batch with an UPDATE": (pg) =>
    Effect.map(pg.batch([{ sql: WHERE }, { sql: "UPDATE seen SET id = 2" }]), ([first]) => value(first?.rows ?? [])),
  "stream of an UPDATE": (pg) =>
    Effect.map(Stream.runCollect(pg.stream("DELETE FROM seen RETURNING host(inet_server_addr())")), (rows) =>
      rows.length === 0 ? "127.0.0.11" : value(rows)
    ),
  execute: (pg) => Effect.as(pg.execute("CREATE TABLE IF NOT EXISTS seen (id int)"), "127.0.0.11"),
  executeScript: (pg) =>
    Effect.as(pg.executeScript("SELECT 1; CREATE TABLE IF NOT EXISTS seen (id int)"), "127.0.0.11"),
  executeMany: (pg) => Effect.as(pg.executeMany("INSERT INTO seen VALUES ($1)", [[1]]), "127.0.0.11"),
  copyInRows: (pg) => Effect.as(pg.copyInRows({ table: "seen" }, [[1]]), "127.0.0.11"),
  notify: (pg) => Effect.as(pg.notify("heard"), "127.0.0.11"),
  listen: (pg) => Effect.as(pg.listen("heard"), "127.0.0.11"),
  withTransaction: (pg) => pg.withTransaction(Effect.map(pg.fetchValue(WHERE), Option.getOrThrow)),
  "withTransaction that is serializable": (pg) =>
    pg.withTransaction(Effect.map(pg.fetchValue(WHERE), Option.getOrThrow), {
      access: "read only",
      isolation: "serializable"
    }),
  begin: (pg) => Effect.flatMap(pg.begin(), (begun) => Effect.map(begun.fetchValue(WHERE), Option.getOrThrow)),
  withAdvisoryLock: (pg) => pg.withAdvisoryLock(7, Effect.map(pg.fetchValue(WHERE), Option.getOrThrow)),
  connection: (pg) =>
    Effect.flatMap(pg.connection, (connection) => Effect.map(connection.fetchValue(WHERE), Option.getOrThrow)),
  withConnection: (pg) =>
    pg.withConnection((connection) => Effect.map(connection.fetchValue(WHERE), Option.getOrThrow)),
  currentLsn: (pg) => Effect.as(pg.currentLsn, "127.0.0.11")
}

const kindsOf = (calls: Readonly<Record<string, Asked>>, run: (call: Asked) => ReturnType<Asked>) =>
  Effect.gen(function* () {
    const kinds: Record<string, Kind> = {}
    for (const [name, call] of Object.entries(calls)) {
      kinds[name] = yield* Effect.flatMap(Effect.scoped(run(call)), kindOf)
    }
    return kinds
  })

const all = (calls: Readonly<Record<string, unknown>>, kind: Kind): Readonly<Record<string, Kind>> =>
  Object.fromEntries(Object.keys(calls).map((name) => [name, kind]))

layer(Servers.layer, { excludeTestServices: true })("with a pool for reads", (it) => {
  it.effect("a call runs on the primary if nothing says that it may run elsewhere", () =>
    Effect.gen(function* () {
      const pg = yield* clientOf()
      const calls = { ...reads, ...others }
      yield* pg.execute("CREATE TABLE IF NOT EXISTS seen (id int)")
      assert.deepStrictEqual(yield* kindsOf(calls, (call) => call(pg)), all(calls, PRIMARY))
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it.effect("each kind of call that reads runs on a standby inside of readOnly", () =>
    Effect.gen(function* () {
      const pg = yield* clientOf()
      assert.deepStrictEqual(yield* kindsOf(reads, (call) => pg.readOnly(call(pg))), all(reads, STANDBY))
      const { reads: second } = yield* pg.stats
      assert.deepInclude(second, { inUse: 0, waiting: 0, maxConnections: 10 })
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it.effect("each other kind of call runs on the primary also inside of readOnly", () =>
    Effect.gen(function* () {
      const pg = yield* clientOf()
      yield* everywhere("CREATE TABLE IF NOT EXISTS seen (id int)")
      assert.deepStrictEqual(yield* kindsOf(others, (call) => pg.readOnly(call(pg))), all(others, PRIMARY))
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it.effect("the option readOnly of a call decides, inside of readOnly and outside", () =>
    Effect.gen(function* () {
      const pg = yield* clientOf()
      assert.strictEqual(yield* where(pg, { readOnly: true }), STANDBY)
      assert.strictEqual(yield* where(pg, { readOnly: false }), PRIMARY)
      assert.strictEqual(yield* where(pg, { readOnly: {} }), STANDBY)
      assert.strictEqual(yield* pg.readOnly(where(pg, { readOnly: false })), PRIMARY)
      assert.strictEqual(yield* pg.readOnly(where(pg, { readOnly: true })), STANDBY)
      const [first] = yield* pg.fetch("WITH update AS (SELECT host(inet_server_addr())) TABLE update", {
        readOnly: true
      })
      assert.strictEqual(yield* kindOf(first?.["host"]), STANDBY)
      const [streamed] = yield* Stream.runCollect(pg.stream(WHERE, { readOnly: true }))
      assert.strictEqual(yield* kindOf(streamed?.["host"]), STANDBY)
      const script = yield* refusalOf(pg.executeScript("CREATE TABLE never (id int)", { readOnly: true }))
      assert.strictEqual(script._tag, "ReadOnlySQLTransactionError")
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it.effect("a call stays in its transaction, whatever it says", () =>
    Effect.gen(function* () {
      const pg = yield* clientOf()
      const inside = Effect.all([
        where(pg),
        where(pg, { readOnly: true }),
        where(pg, { readOnly: false }),
        pg.readOnly(where(pg)),
        pg.withTransaction(pg.readOnly(where(pg))),
        pg.readOnly(pg.withTransaction(where(pg))),
        pg.readOnly(pg.withAdvisoryLock(7, where(pg)))
      ])
      assert.deepStrictEqual(
        yield* pg.withTransaction(inside),
        Array.from({ length: 7 }, () => PRIMARY)
      )
      assert.deepStrictEqual(
        yield* pg.readOnly(pg.withTransaction(inside)),
        Array.from({ length: 7 }, () => PRIMARY)
      )
      const begin = pg.withTransaction(
        Effect.all([where(pg), where(pg, { readOnly: false }), pg.withTransaction(where(pg))]),
        {
          access: "read only"
        }
      )
      assert.deepStrictEqual(yield* pg.readOnly(begin), [STANDBY, STANDBY, STANDBY])
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it.effect("a fiber that is forked inside of readOnly reads from a standby, too", () =>
    Effect.gen(function* () {
      const pg = yield* clientOf()
      const many = Effect.all(
        Array.from({ length: 20 }, () => where(pg)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(new Set(yield* pg.readOnly(many)), new Set([STANDBY]))
      assert.deepStrictEqual(new Set(yield* many), new Set([PRIMARY]))
    }).pipe(Effect.scoped)
  )

  it.effect("the connections for reads are spread over the standbys", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Servers
      const pg = yield* clientOf({ maxConnections: 16, minConnections: 16 })
      const slowly = "SELECT host(inet_server_addr()) FROM pg_sleep(0.2)"
      const answers = yield* pg.readOnly(
        Effect.all(
          Array.from({ length: 16 }, () => pg.fetchValue(slowly)),
          { concurrency: "unbounded" }
        )
      )
      const hosts = answers.map((answer) => String(Option.getOrThrow(answer)))
      for (const { host } of nodes.slice(1)) assert.isAtLeast(hosts.filter((each) => each === host).length, 2)
      assert.notInclude(hosts, nodes[0].host)
    }).pipe(Effect.scoped)
  )

  it.effect("readOnly of one client changes nothing for another", () =>
    Effect.gen(function* () {
      const [pg, other] = [yield* clientOf(), yield* clientOf()]
      assert.deepStrictEqual(yield* pg.readOnly(Effect.all([where(pg), where(other)])), [STANDBY, PRIMARY])
    }).pipe(Effect.scoped)
  )

  it.effect("a query that writes fails on a standby, with a hint, and the pool goes on", () =>
    Effect.gen(function* () {
      const pg = yield* clientOf()
      yield* everywhere("CREATE SEQUENCE IF NOT EXISTS numbers")
      const error = yield* refusalOf(pg.readOnly(pg.fetchValue("SELECT nextval('numbers')")))
      assert.strictEqual(error._tag, "ReadOnlySQLTransactionError")
      assert.include(String(error), "{ readOnly: false }")
      assert.strictEqual(yield* pg.readOnly(where(pg)), STANDBY)
      assert.isTrue(Option.isSome(yield* pg.readOnly(pg.fetchValue("SELECT nextval('numbers')", { readOnly: false }))))
      const { reads: second } = yield* pg.stats
      assert.deepInclude(second, { inUse: 0, waiting: 0 })
    }).pipe(Effect.scoped)
  )

  it.effect("settings of reads are laid over those of the client", () =>
    Effect.gen(function* () {
      const pg = yield* clientOf({
        maxConnections: 3,
        applicationName: "reports",
        settings: { default_transaction_read_only: "on" },
        targetSessionAttrs: "primary"
      })
      const name = "SELECT current_setting('application_name')"
      assert.deepStrictEqual(yield* pg.fetchValue(name, { readOnly: true }), Option.some("reports"))
      assert.notDeepEqual(yield* pg.fetchValue(name), Option.some("reports"))
      assert.strictEqual((yield* pg.stats).reads?.maxConnections, 3)
      assert.strictEqual((yield* pg.stats).maxConnections, 10)
      assert.strictEqual(yield* where(pg, { readOnly: true }), PRIMARY)
      const error = yield* refusalOf(pg.fetch("SELECT 1 INTO never", { readOnly: true }))
      assert.strictEqual(error._tag, "ReadOnlySQLTransactionError")
      yield* pg.execute("SELECT 1 INTO TEMPORARY seen_here")
    }).pipe(Effect.scoped)
  )

  it.effect("the outcome of a transaction is asked of the primary", () =>
    Effect.gen(function* () {
      const pg = yield* clientOf()
      const transactionId = yield* pg.withTransaction(valueOf(pg, "SELECT pg_current_xact_id()::text"))
      const lost = new PgError.ConnectionLostError({
        reason: "a test",
        server: undefined,
        safeToRetry: false,
        outcome: "unknown"
      })
      const error = new PgError.CommitOutcomeUnknownError({ lost, transactionId: String(transactionId) })
      assert.strictEqual(yield* pg.readOnly(PgTransaction.outcome(pg, error)), "committed")
    }).pipe(Effect.scoped)
  )

  it.effect("without the setting, readOnly changes nothing", () =>
    Effect.gen(function* () {
      const { settings } = yield* Servers
      const pg = yield* PgClient.make({ ...settings, targetSessionAttrs: "primary" })
      assert.strictEqual(yield* pg.readOnly(where(pg), { after: yield* pg.currentLsn, wait: 0 }), PRIMARY)
      assert.strictEqual(yield* where(pg, { readOnly: true }), PRIMARY)
      assert.isFalse("reads" in (yield* pg.stats))
      const connection = yield* pg.connection
      assert.strictEqual(yield* where(connection, { readOnly: true }), PRIMARY)
    }).pipe(Effect.scoped)
  )

  it.effect("expire replaces the connections of both pools", () =>
    Effect.gen(function* () {
      const pg = yield* clientOf({ maxConnections: 1 }, { maxConnections: 1 })
      const pid = (readOnly: boolean) => pg.fetchValue("SELECT pg_backend_pid()", { readOnly })
      const before = [yield* pid(true), yield* pid(false)]
      assert.deepStrictEqual([yield* pid(true), yield* pid(false)], before)
      yield* pg.expire
      const after = [yield* pid(true), yield* pid(false)]
      assert.notDeepEqual(after[0], before[0])
      assert.notDeepEqual(after[1], before[1])
    }).pipe(Effect.scoped)
  )
})
