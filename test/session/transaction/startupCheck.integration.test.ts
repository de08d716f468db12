/**
 * Tests that a session has the settings of its startup after a reset, also behind a pooler, for which RESET ALL goes back
 * to something else. A pooler that ignores settings is told of in the log.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as PgConnection from "../../../src/PgConnection.ts"
import type * as PgError from "../../../src/PgError.ts"
import * as PgPool from "../../../src/PgPool.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveSettings, valueOf } from "../../support/live.ts"
import { type LoggedLine, loggingTo } from "../../support/logging.ts"
import { proxyTo } from "../../../src/pgTest/proxy.ts"
import { transactionPooler, type PoolerOptions } from "../../support/transactionPooler.ts"

const SETTINGS = { applicationName: "o'clock", settings: { TimeZone: "Asia/Tokyo", DateStyle: "German, DMY" } }

const inForce = (queryable: PgConnection.Queryable) =>
  Effect.all(["TimeZone", "DateStyle", "application_name"].map((name) => valueOf(queryable, `SHOW ${name}`)))

const EXPECTED = ["Asia/Tokyo", "German, DMY", "o'clock"]

/** Changes the session as a borrower may, so that it is reset. */
const changed = (pool: PgPool.PgPool) =>
  pool.withConnection((connection) =>
    connection.executeScript("SET search_path TO public; SET TimeZone TO 'Asia/Kolkata'; SET application_name TO other")
  )

const behind = <A>(
  options: PoolerOptions,
  settings: PgPool.Settings,
  use: (pool: PgPool.PgPool) => Effect.Effect<A, PgError.PgError, Scope.Scope | TestDatabase>
) => {
  const lines: Array<LoggedLine> = []
  return Effect.gen(function* () {
    const pooler = yield* transactionPooler(options)
    const pool = yield* PgPool.make({ ...(yield* liveSettings(settings)), ...pooler.settings })
    const answer = yield* use(pool)
    yield* assertHealthy(pool)
    return { answer, queries: pooler.queries, lines: lines.filter(({ text }) => text.includes("ignores")) }
  }).pipe(Effect.scoped, Effect.provide(loggingTo(lines)))
}

/** The simple queries of a pool of three with these settings, whose sessions are reset five times. */
const asked = (settings: Record<string, string>) =>
  Effect.gen(function* () {
    const { host, port } = yield* TestDatabase
    const proxy = yield* proxyTo({ host, port })
    const queries: Array<string> = []
    proxy.onMessage = (_, { bytes, from, type }) => {
      if (from === "client" && type === "Q") queries.push(bytes.subarray(5).toString())
    }
    const pool = yield* PgPool.make({
      ...(yield* liveSettings({ settings, applicationName: "app", minConnections: 3, maxConnections: 3 })),
      host: proxy.host,
      port: proxy.port,
      sslMode: "disable"
    })
    for (let round = 0; round < 5; round++) {
      yield* changed(pool)
      for (const [name, value] of Object.entries(settings)) {
        assert.strictEqual(yield* valueOf(pool, `SELECT current_setting('${name}')`), value)
      }
    }
    yield* assertHealthy(pool)
    return queries
  }).pipe(Effect.scoped)

layer(TestDatabase.layer, { excludeTestServices: true })("the settings of the startup", (it) => {
  for (const isInSessionMode of [true, false]) {
    const mode = isInSessionMode ? "session" : "transaction"
    it.effect(
      `are in force after each reset behind a pooler in ${mode} mode, without another round trip but the first`,
      () =>
        Effect.gen(function* () {
          const { lines, queries } = yield* behind({ isInSessionMode }, { ...SETTINGS, maxConnections: 1 }, (pool) =>
            Effect.gen(function* () {
              assert.deepStrictEqual(yield* inForce(pool), EXPECTED)
              for (let round = 0; round < 4; round++) {
                yield* changed(pool)
                assert.deepStrictEqual(yield* inForce(pool), EXPECTED)
                yield* pool.withTransaction(pool.executeScript("SET search_path TO public"))
                assert.deepStrictEqual(yield* inForce(pool), EXPECTED)
              }
            })
          )
          assert.strictEqual(queries.filter((sql) => sql.startsWith("SELECT pg_catalog.set_config")).length, 1)
          assert.deepStrictEqual(lines, [])
        })
    )
  }

  it.effect("are in force after the reset of a single connection behind a pooler", () =>
    Effect.gen(function* () {
      const pooler = yield* transactionPooler({ isInSessionMode: true })
      const connection = yield* PgConnection.make({ ...(yield* liveSettings(SETTINGS)), ...pooler.settings })
      for (let round = 0; round < 3; round++) {
        yield* connection.executeScript("SET TimeZone TO 'Asia/Kolkata'")
        yield* connection.reset
        assert.deepStrictEqual(yield* inForce(connection), EXPECTED)
      }
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("are in force after each reset although the server reports none of them", () =>
    Effect.gen(function* () {
      const settings = { work_mem: "7MB", "app.tenant": "x" }
      const options = { isInSessionMode: true, applied: ["work_mem", "app.tenant"] }
      const { lines } = yield* behind(options, { settings, maxConnections: 2, minConnections: 2 }, (pool) =>
        Effect.gen(function* () {
          for (let round = 0; round < 4; round++) {
            for (const [name, value] of Object.entries(settings)) {
              const connections = [pool, pool].map((each) => valueOf(each, `SHOW ${name}`))
              assert.deepStrictEqual(yield* Effect.all(connections, { concurrency: 2 }), [value, value])
            }
            yield* Effect.all([changed(pool), changed(pool)], { concurrency: 2 })
          }
        })
      )
      assert.deepStrictEqual(lines, [])
    })
  )

  it.effect("that a pooler ignores are named once in the log, and those that it keeps for each client are set", () =>
    Effect.gen(function* () {
      const settings = { work_mem: "7MB", "app.tenant": "x", IntervalStyle: "sql_standard", TimeZone: "Asia/Tokyo" }
      const ignored = ["work_mem", "app.tenant", "IntervalStyle"]
      const { answer, lines } = yield* behind({ ignored }, { settings, minConnections: 3, maxConnections: 3 }, (pool) =>
        Effect.gen(function* () {
          yield* changed(pool)
          return yield* valueOf(pool, "SHOW TimeZone")
        })
      )
      assert.strictEqual(answer, "Asia/Tokyo")
      assert.deepStrictEqual(
        lines.map(({ text }) => /these settings: ([^;]*);/.exec(text)?.[1]),
        ["work_mem, app.tenant, IntervalStyle"]
      )
    })
  )

  it.effect(
    "cost a pool on the server itself no message, and if the server does not report them a question for each connection",
    () =>
      Effect.gen(function* () {
        const reported = yield* asked({ TimeZone: "Asia/Tokyo", DateStyle: "German, DMY" })
        assert.isAbove(reported.filter((sql) => sql.includes("RESET ALL")).length, 4)
        assert.deepStrictEqual(
          reported.filter((sql) => sql.includes("set_config") || sql.includes("pg_settings")),
          []
        )
        const unreported = yield* asked({ work_mem: "7MB", "app.tenant": "x" })
        const questions = unreported.filter((sql) => sql.includes("pg_settings")).length
        assert.isAtLeast(questions, 2)
        assert.isAtMost(questions, 4)
        assert.deepStrictEqual(
          unreported.filter((sql) => sql.includes("set_config")),
          []
        )
      })
  )
})
