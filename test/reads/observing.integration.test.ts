/** Spans and metrics name the server on which an operation ran, also if a pool has several. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import { Servers } from "../failover/rig/cluster.ts"
import { assertHealthy } from "../support/live.ts"
import { type Exported, telemetry } from "../support/telemetry.ts"
import { clientOf, onServers } from "./servers.ts"

/** One standby, so that there is one answer. */
const clientOfOne = Effect.flatMap(Servers, ({ nodes: [, second] }) =>
  clientOf({ host: second.host }, { metrics: true, host: ["127.0.0.12", "127.0.0.11"] })
)

/** The servers that spans name, by the method that they report. */
const hostsOf = (spans: ReadonlyArray<Exported>) =>
  spans
    .filter(({ name }) => !name.startsWith("acquire") && !name.startsWith("connect"))
    .map(({ attributes, name }) => [attributes["effectpg.method"] ?? name, attributes["server.address"]])

layer(Servers.layer, { excludeTestServices: true })("with a pool for reads", (it) => {
  it.effect("the span of each call names the server that ran it", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Servers
      const [{ host: primary }, { host: standby }] = nodes
      const { run, spans } = yield* telemetry
      const pg = yield* clientOfOne
      const calls = Effect.gen(function* () {
        yield* pg.fetch("SELECT 1")
        yield* Effect.scoped(Effect.flatMap(pg.cursor("SELECT 1"), (cursor) => cursor.fetch(1)))
        yield* pg.batch([{ sql: "SELECT 1" }])
        yield* Stream.runDrain(pg.stream("SELECT 1"))
        yield* Stream.runDrain(pg.copyOut({ query: "SELECT 1" }))
        yield* pg.withTransaction(Effect.andThen(pg.fetch("SELECT 1"), pg.withTransaction(pg.fetch("SELECT 2"))), {
          access: "read only"
        })
        yield* Effect.scoped(Effect.flatMap(pg.prepare("SELECT 1"), (held) => held.fetch()))
      })
      yield* run(calls)
      const methods = [
        "fetch",
        "cursor",
        "cursor",
        "batch",
        "stream",
        "copyOut",
        "fetch",
        "fetch",
        "savepoint postgres",
        "transaction postgres",
        "prepare",
        "fetch"
      ]
      const seen = hostsOf(yield* spans)
      assert.deepStrictEqual(
        seen,
        methods.map((name) => [name, primary])
      )
      yield* run(pg.readOnly(calls))
      assert.deepStrictEqual(
        hostsOf(yield* spans),
        methods.map((name) => [name, standby])
      )
      yield* run(pg.readOnly(pg.withTransaction(pg.fetch("SELECT 1"))))
      assert.deepStrictEqual(hostsOf(yield* spans), [
        ["fetch", primary],
        ["transaction postgres", primary]
      ])
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it.effect("a read that waits for a standby in vain names the primary", () =>
    Effect.gen(function* () {
      const {
        nodes: [first, second]
      } = yield* Servers
      const { run, spans } = yield* telemetry
      const pg = yield* clientOfOne
      yield* Effect.acquireUseRelease(
        Effect.promise(() => second.query("SELECT pg_wal_replay_pause()")),
        () =>
          Effect.gen(function* () {
            yield* pg.execute("CREATE TABLE IF NOT EXISTS observed (id int)")
            const after = yield* pg.currentLsn
            yield* run(pg.fetch("SELECT 1", { readOnly: { after, wait: 20 } }))
            assert.deepStrictEqual(hostsOf(yield* spans), [["fetch", first.host]])
          }),
        () => Effect.promise(() => second.query("SELECT pg_wal_replay_resume()"))
      )
      yield* onServers((servers) => servers.untilReplayed())
    }).pipe(Effect.scoped)
  )

  it.effect("the metrics of operations tell the servers apart, and those of connections the pools", () =>
    Effect.gen(function* () {
      const {
        nodes: [first, second]
      } = yield* Servers
      const { metrics, run } = yield* telemetry
      yield* run(
        Effect.gen(function* () {
          const pg = yield* clientOfOne
          for (let n = 0; n < 3; n++) yield* pg.fetch("SELECT 1")
          for (let n = 0; n < 2; n++) yield* pg.readOnly(pg.fetch("SELECT 1"))
          yield* pg.readOnly(pg.withTransaction(pg.fetch("SELECT 1"), { access: "read only" }))
          const all = yield* metrics
          const points = (name: string) => all.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? []
          const counts = Object.fromEntries(
            points("db.client.operation.duration").map(({ attributes, value }) => [
              attributes["server.address"],
              typeof value === "object" && "count" in value ? value.count : value
            ])
          )
          assert.deepStrictEqual(counts, { [first.host]: 3, [second.host]: 3 })
          const pools = points("db.client.connection.max").map(
            ({ attributes }) => attributes["db.client.connection.pool.name"]
          )
          assert.strictEqual(new Set(pools).size, 2)
          assert.isTrue(pools.some((name) => String(name).endsWith(" reads")))
        })
      )
    }).pipe(Effect.scoped)
  )

  it.effect("the spans of effect/sql name no server, because they cannot name the right one", () =>
    Effect.gen(function* () {
      const { run, spans } = yield* telemetry
      const pg = yield* clientOfOne
      const program = Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`SELECT 1`
        yield* pg.readOnly(sql`SELECT 1`)
      })
      const sql = yield* Effect.provide(PgSqlClient.fromClient(pg), Reactivity.layer)
      yield* run(Effect.provideService(program, SqlClient.SqlClient, sql))
      const statements = (yield* spans).filter(({ attributes }) => attributes["db.query.text"] === "SELECT 1")
      assert.deepStrictEqual(
        statements.map(({ attributes }) => [attributes["db.system.name"], attributes["server.address"]]),
        [
          ["postgresql", undefined],
          ["postgresql", undefined]
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("a pool with several hosts names the one that it has reached", () =>
    Effect.gen(function* () {
      const {
        nodes: [first],
        settings
      } = yield* Servers
      const { run, spans } = yield* telemetry
      const pool = yield* PgPool.make({ ...settings, host: ["127.0.0.13", first.host], targetSessionAttrs: "primary" })
      const failing: Effect.Effect<PgError.PgError> = Effect.orDie(Effect.flip(pool.fetch("SELECT 1 / 0")))
      yield* run(Effect.andThen(failing, pool.withTransaction(pool.fetch("SELECT 1"))))
      assert.deepStrictEqual(new Set(hostsOf(yield* spans).map(([, host]) => host)), new Set([first.host]))
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})
