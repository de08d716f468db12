/** What effect/sql and Kysely do inside of `readOnly`, and how a client with two pools closes. */
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { sql as kyselySql } from "kysely"
import * as PgClient from "../../src/PgClient.ts"
import * as PgKysely from "../../src/PgKysely.ts"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import { inspect } from "node:util"
import { Servers } from "../failover/rig/cluster.ts"
import { assertHealthy, uniqueName } from "../support/live.ts"
import { clientOf, everywhere, kindOf, onServers, PRIMARY, STANDBY, where } from "./servers.ts"

const hostOf = (rows: ReadonlyArray<unknown>) => {
  const [row] = rows
  return kindOf(typeof row === "object" && row !== null && "host" in row ? row.host : undefined)
}

layer(Servers.layer, { excludeTestServices: true })("inside of readOnly", (it) => {
  it.effect("statements of effect/sql that read run on a standby, and others on the primary", () =>
    Effect.gen(function* () {
      yield* everywhere("CREATE TABLE IF NOT EXISTS noted (id int)")
      const pg = yield* clientOf()
      const sql = yield* PgSqlClient.fromClient(pg)
      const host = Effect.flatMap(sql`SELECT host(inet_server_addr())`, hostOf)
      const inserted = Effect.flatMap(sql`INSERT INTO noted VALUES (${1}) RETURNING host(inet_server_addr())`, hostOf)
      const streamed = Effect.flatMap(Stream.runCollect(sql`SELECT host(inet_server_addr())`.stream), hostOf)
      const all = Effect.all({
        host,
        typed: Effect.flatMap(sql`SELECT host(inet_server_addr()), ${new Date(0)} AS at`, hostOf),
        inserted,
        streamed,
        transaction: sql.withTransaction(host),
        readOnly: host.pipe(sql.withTransactionOptions({ access: "read only" })),
        native: where(pg),
        nativeInside: sql.withTransaction(where(pg))
      })
      assert.deepStrictEqual(yield* pg.readOnly(all), {
        host: STANDBY,
        typed: STANDBY,
        inserted: PRIMARY,
        streamed: STANDBY,
        transaction: PRIMARY,
        readOnly: STANDBY,
        native: STANDBY,
        nativeInside: PRIMARY
      })
      assert.deepStrictEqual(new Set(Object.values(yield* all)), new Set([PRIMARY]))
      const error = yield* Effect.flip(pg.readOnly(sql`SELECT * FROM noted FOR UPDATE`))
      assert.strictEqual(error._tag, "SqlError")
      assert.include(inspect(error, { depth: 9 }), "{ readOnly: false }")
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped, Effect.provide(Reactivity.layer))
  )

  it.effect("the layer of effect/sql takes the setting, also as Configs", () =>
    Effect.gen(function* () {
      const { settings } = yield* Servers
      const use = Effect.gen(function* () {
        const pg = yield* PgClient.PgClient
        const sql = yield* SqlClient.SqlClient
        return yield* pg.readOnly(Effect.flatMap(sql`SELECT host(inet_server_addr())`, hostOf))
      })
      assert.strictEqual(yield* Effect.provide(use, PgSqlClient.layer({ ...settings, reads: {} })), STANDBY)
      const fromConfig = PgSqlClient.layerConfig({ ...settings, reads: { maxConnections: 2, settings: {} } })
      assert.strictEqual(yield* Effect.provide(use, fromConfig), STANDBY)
      assert.strictEqual(yield* Effect.provide(use, PgSqlClient.layer(settings)), PRIMARY)
    })
  )

  it.effect("queries of Kysely run on a standby, and its transactions on the primary", () =>
    Effect.gen(function* () {
      const pg = yield* clientOf()
      const db = yield* Effect.provideService(PgKysely.make(), PgClient.PgClient, pg)
      const query = db.selectNoFrom(kyselySql<string>`host(inet_server_addr())`.as("host"))
      const host = Effect.flatMap(PgKysely.execute(query), hostOf)
      assert.deepStrictEqual(yield* pg.readOnly(Effect.all([host, pg.withTransaction(host)])), [STANDBY, PRIMARY])
    }).pipe(Effect.scoped)
  )
})

layer(Servers.layer, { excludeTestServices: true })("the close of a client with a pool for reads", (it) => {
  it.effect("closes the connections of both pools, and waits for those in use", () =>
    Effect.gen(function* () {
      const applicationName = uniqueName()
      const scope = yield* Scope.make()
      const pg = yield* clientOf({ minConnections: 4 }, { applicationName, minConnections: 4 }).pipe(
        Scope.provide(scope)
      )
      const begun = yield* Deferred.make<void>()
      const slow = Effect.andThen(Deferred.succeed(begun, undefined), pg.fetchValue("SELECT pg_sleep(0.3)::text"))
      const fiber = yield* Effect.forkChild(pg.readOnly(slow))
      yield* Deferred.await(begun)
      yield* Effect.sleep(50)
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(fiber)))
      for (const readOnly of [true, false]) {
        const refused = yield* Effect.flip(where(pg, { readOnly }))
        assert.strictEqual(refused._tag, "PoolClosedError")
      }
      const left = yield* onServers(async ({ nodes }) => {
        const counts = nodes.map((node) =>
          node.query("SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1", [applicationName])
        )
        return (await Promise.all(counts)).map(([row]) => row?.["n"])
      })
      assert.deepStrictEqual(left, [0, 0, 0])
    })
  )

  it.effect("happens with its layer", () =>
    Effect.gen(function* () {
      const { settings } = yield* Servers
      const kinds = yield* Effect.provide(
        PgClient.PgClient.use((pg) => Effect.all([where(pg), where(pg, { readOnly: true })])),
        Layer.fresh(PgClient.layer({ ...settings, reads: {} }))
      )
      assert.deepStrictEqual(kinds, [PRIMARY, STANDBY])
    })
  )
})
