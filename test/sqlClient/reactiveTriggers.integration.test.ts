/** Tests the triggers that notify a channel when a table changes: what they send, how they are made, what is left. */
import { assert, describe, it as plainIt, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as SqlClient from "effect/sql/SqlClient"
import { isSqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../src/PgConnection.ts"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, liveSettings, valueOf } from "../support/live.ts"
import { SHADOWS } from "../support/shadows.ts"
import { inDatabase, rowsOf, sqlClients } from "../support/sqlClients.ts"

const CHANNEL = "app changes"

/** The payloads that a channel brings while an effect runs. */
const payloadsOf = <A, E, R>(connection: PgConnection.PgConnection, channel: string, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const events = yield* connection.listen(channel)
    const reading = yield* Effect.forkChild(
      Stream.runCollect(Stream.takeUntil(events, (event) => event._tag === "Notification" && event.payload === "end")),
      { startImmediately: true }
    )
    yield* effect
    yield* connection.notify(channel, "end")
    const heard = yield* Effect.timeout(Fiber.join(reading), "10 seconds")
    return heard.map((event) => (event._tag === "Notification" ? event.payload : event._tag)).slice(0, -1)
  }).pipe(Effect.scoped)

const installed = (
  connection: PgConnection.Queryable
): Effect.Effect<{ readonly triggers: unknown; readonly functions: unknown }, unknown> =>
  Effect.all({
    triggers: valueOf(connection, "SELECT count(*)::int4 FROM pg_trigger WHERE tgname ~ '^effectpg_reactive_'"),
    functions: valueOf(connection, "SELECT count(*)::int4 FROM pg_proc WHERE proname = 'effectpg_reactive'")
  })

const withClient = <A, E>(effect: Effect.Effect<A, E, SqlClient.SqlClient>) =>
  Effect.flatMap(liveSettings(), (settings) => Effect.provide(effect, PgSqlClient.layer(settings)))

const install = (channel: string, tables: ReadonlyArray<PgSqlClient.ReactiveTable>) =>
  withClient(PgSqlClient.installReactiveTriggers(channel, tables))

const remove = (channel: string, tables: ReadonlyArray<PgSqlClient.ReactiveTable>) =>
  withClient(PgSqlClient.removeReactiveTriggers(channel, tables))

layer(TestDatabase.layer, { excludeTestServices: true })("reactive triggers", (it) => {
  it.effect("send the table's key at COMMIT, once for all its changes, whichever kinds they are", () =>
    Effect.gen(function* () {
      const listener = yield* liveConnection()
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TABLE kinds (n int4 PRIMARY KEY)")
      yield* connection.execute("CREATE TABLE parts (n int4 REFERENCES kinds ON DELETE CASCADE ON UPDATE CASCADE)")
      yield* install(CHANNEL, ["kinds", { table: "parts" }])
      const changes: ReadonlyArray<readonly [sql: string, keys: ReadonlyArray<string>]> = [
        ["INSERT INTO kinds SELECT generate_series(1, 100)", ["kinds"]],
        ["UPDATE kinds SET n = n + 100 WHERE n = 1", ["kinds", "parts"]],
        ["INSERT INTO kinds VALUES (2) ON CONFLICT (n) DO NOTHING", ["kinds"]],
        ["MERGE INTO kinds USING (VALUES (4)) AS v (n) ON kinds.n = v.n WHEN MATCHED THEN UPDATE SET n = 4", ["kinds"]],
        ["DELETE FROM kinds WHERE n = 3", ["kinds", "parts"]],
        ["DELETE FROM kinds WHERE false", ["kinds"]],
        ["TRUNCATE parts", ["parts"]]
      ]
      for (const [sql, keys] of changes) {
        const heard = yield* payloadsOf(listener, CHANNEL, connection.execute(sql))
        assert.deepStrictEqual([...heard].sort(), keys, sql)
      }
      const copy = connection.copyInRows({ table: "kinds" }, [[5000], [5001]])
      assert.deepStrictEqual(yield* payloadsOf(listener, CHANNEL, copy), ["kinds"])
      const transaction = connection.withTransaction(
        Effect.forEach(["INSERT INTO kinds VALUES (6000)", "INSERT INTO kinds VALUES (6001)"], (sql) =>
          connection.execute(sql)
        )
      )
      assert.deepStrictEqual(yield* payloadsOf(listener, CHANNEL, transaction), ["kinds"])
      const rolledBack = connection.executeScript("BEGIN; TRUNCATE kinds CASCADE; ROLLBACK")
      assert.deepStrictEqual(yield* payloadsOf(listener, CHANNEL, rolledBack), [])
      yield* remove(CHANNEL, ["kinds", "parts"])
      assert.deepStrictEqual(yield* payloadsOf(listener, CHANNEL, connection.execute("TRUNCATE kinds CASCADE")), [])
      assert.deepStrictEqual(yield* installed(connection), { triggers: 0, functions: 0 })
    })
  )

  it.effect("take any names, of schemas, tables and channels", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript(`CREATE SCHEMA "Odd ""schema"""; CREATE TABLE "Odd ""schema"""."it's a \\ table" (n int4);
        CREATE TABLE "a.b" (n int4); CREATE SCHEMA a; CREATE TABLE a.b (n int4)`)
      const odd = { schema: 'Odd "schema"', table: "it's a \\ table" }
      const channels = ['it\'s \\ a "channel"', "x".repeat(63), "größe 🐘"]
      for (const channel of channels) {
        for (let time = 0; time < 2; time++) yield* install(channel, [odd, "a.b", { schema: "a", table: "b" }])
        const change = connection.execute(`INSERT INTO "Odd ""schema"""."it's a \\ table" VALUES (1)`)
        assert.deepStrictEqual(yield* payloadsOf(connection, channel, change), ['Odd "schema".it\'s a \\ table'])
        const others = connection.executeScript('INSERT INTO "a.b" VALUES (1); INSERT INTO a.b VALUES (1)')
        assert.deepStrictEqual(yield* payloadsOf(connection, channel, others), ["a.b"])
      }
      assert.deepStrictEqual(yield* installed(connection), { triggers: 9, functions: 3 })
      for (const [index, channel] of channels.entries()) {
        yield* remove(channel, [odd, "a.b", { schema: "a", table: "b" }])
        const left = channels.length - index - 1
        assert.deepStrictEqual(yield* installed(connection), { triggers: 3 * left, functions: left === 0 ? 0 : 3 })
      }
      yield* assertHealthy(connection)
    })
  )

  it.effect("are not made for one table if another does not exist, and may be removed when they are not there", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TABLE there (n int4)")
      const failure = yield* Effect.flip(install(CHANNEL, ["there", "missing"]))
      assert.isTrue(isSqlError(failure))
      assert.include(failure.message, 'relation "missing" does not exist')
      assert.deepStrictEqual(yield* installed(connection), { triggers: 0, functions: 0 })
      yield* remove(CHANNEL, ["there", "missing", { schema: "nowhere", table: "missing" }])
      yield* install(CHANNEL, [])
    })
  )

  it.effect("can be installed by many programs at once", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript("CREATE TABLE first (n int4); CREATE TABLE second (n int4)")
      const programs = Array.from({ length: 8 }, (_, index) =>
        install(CHANNEL, index % 2 === 0 ? ["first", "second"] : ["second", "first"])
      )
      yield* Effect.all(programs, { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* installed(connection), { triggers: 2, functions: 1 })
      yield* remove(CHANNEL, ["first", "second"])
    })
  )

  it.effect("are refused for what is no list of tables", () =>
    Effect.gen(function* () {
      const wrong: ReadonlyArray<unknown> = [
        "users",
        [1],
        [{ schema: "a" }],
        [{ table: "a", schema: 1 }],
        null,
        undefined
      ]
      for (const tables of wrong) {
        // @ts-expect-error: a program in JavaScript may pass anything.
        const failure = yield* Effect.flip(install(CHANNEL, tables))
        assert.isTrue(isSqlError(failure))
        assert.include(failure.message, "an array of names of tables")
      }
    })
  )

  it.effect("do not meet what a hostile search_path has, neither when they are made nor when they run", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript(SHADOWS)
      const search_path = "hostile, ours, pg_catalog"
      const settings = yield* liveSettings({ settings: { search_path } })
      const hostile = yield* liveConnection({ settings: { search_path } })
      assert.include(String(yield* Effect.flip(hostile.execute("SELECT pg_notify('a', 'b')"))), "hostile")
      const run = <A, E>(effect: Effect.Effect<A, E, SqlClient.SqlClient>) =>
        Effect.provide(effect, PgSqlClient.layer(settings))
      yield* run(PgSqlClient.installReactiveTriggers(CHANNEL, ["things"]))
      const change = hostile.execute("INSERT INTO ours.things VALUES (1, 'fine')")
      assert.deepStrictEqual(yield* payloadsOf(connection, CHANNEL, change), ["things"])
      yield* run(PgSqlClient.removeReactiveTriggers(CHANNEL, ["things"]))
      assert.deepStrictEqual(yield* installed(connection), { triggers: 0, functions: 0 })
    })
  )
})

describe.each(sqlClients)("reactive triggers through %s", (_, client) => {
  plainIt("are installed twice and removed again", () =>
    inDatabase(client)(() =>
      Effect.gen(function* () {
        const triggers = Effect.map(
          rowsOf("SELECT FROM pg_catalog.pg_trigger WHERE tgname ~ '^effectpg_reactive_'"),
          ({ length }) => length
        )
        yield* rowsOf("CREATE TABLE users (n int4)")
        for (let time = 0; time < 2; time++) yield* PgSqlClient.installReactiveTriggers(CHANNEL, ["users"])
        assert.strictEqual(yield* triggers, 1)
        yield* PgSqlClient.removeReactiveTriggers(CHANNEL, ["users"])
        assert.strictEqual(yield* triggers, 0)
      })
    ).pipe(Effect.runPromise)
  )
})
