/** Tests what is reported of `SqlClient`'s calls: by effect/sql in spans, and by effectpg in everything else. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type * as PgConfig from "../../src/PgConfig.ts"
import { TestDatabase } from "../support/database.ts"
import { telemetry } from "../support/telemetry.ts"
import { both } from "./support/bothApis.ts"

layer(TestDatabase.layer, { excludeTestServices: true })("a call of sql", (it) => {
  it.effect("has one span, within that of its transaction, and so have the native calls beside it", () =>
    Effect.gen(function* () {
      const { database } = yield* TestDatabase
      const { run, spans } = yield* telemetry
      const { healthy, pg, sql } = yield* both()
      yield* pg.execute("SELECT 0")
      yield* run(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`SELECT 1`
            yield* pg.fetch("SELECT 2")
            yield* pg.withTransaction(sql`SELECT 3`.unprepared)
            yield* sql.withTransaction(sql`SELECT 4`.values)
            yield* Stream.runDrain(sql`SELECT 5`.stream)
          })
        )
      )
      const all = yield* spans
      const nameOf = (id: string | undefined) => all.find((span) => span.id === id)?.name
      assert.deepStrictEqual(
        all.map(({ attributes, name, parent }) => [name, attributes["db.query.text"], nameOf(parent)]),
        [
          [database, "SELECT 1", "sql.transaction"],
          ["SELECT", "SELECT 2", "sql.transaction"],
          [database, "SELECT 3", `savepoint ${database}`],
          [`savepoint ${database}`, undefined, "sql.transaction"],
          [database, "SELECT 4", "sql.transaction"],
          ["sql.transaction", undefined, "sql.transaction"],
          [database, "SELECT 5", "sql.transaction"],
          ["sql.transaction", undefined, undefined]
        ]
      )
      yield* run(pg.withTransaction(sql.withTransaction(sql`SELECT 6`)))
      assert.deepStrictEqual(
        (yield* spans).map(({ name }) => name),
        [database, "sql.transaction", `transaction ${database}`]
      )
      yield* healthy
    }).pipe(Effect.scoped)
  )

  it.effect("reaches onQuery, the slow-query log and the metrics once", () =>
    Effect.gen(function* () {
      const { metrics, run } = yield* telemetry
      const events: Array<PgConfig.QueryEvent> = []
      const logged: Array<string> = []
      const logger = Logger.layer([Logger.make(({ message }) => void logged.push(String(message)))])
      const { healthy, pg, sql } = yield* run(
        both({
          metrics: true,
          onQuery: (event) => Effect.sync(() => void events.push(event)),
          slowQueryThreshold: "40 millis"
        })
      )
      yield* run(
        Effect.provide(
          Effect.gen(function* () {
            yield* sql.withTransaction(Effect.andThen(sql`SELECT pg_sleep(0.06)`, pg.fetch("SELECT 2")))
            yield* pg.withTransaction(sql`SELECT ${3} AS n`)
            yield* Effect.ignore(sql`SELECT 1 / 0`)
          }),
          logger
        )
      )
      assert.deepStrictEqual(
        events.map(({ operation, outcome, sql }) => [operation, sql, outcome]),
        [
          ["execute", "SELECT pg_sleep(0.06)", "success"],
          ["fetch", "SELECT 2", "success"],
          ["execute", "SELECT $1 AS n", "success"],
          ["execute", "SELECT 1 / 0", "failure"]
        ]
      )
      assert.strictEqual(logged.filter((line) => line.includes("slow query")).length, 1, String(logged))
      let attempts = 0
      const transient = Effect.suspend(() =>
        ++attempts === 1 ? sql`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$` : sql`SELECT 1`
      )
      yield* run(sql.withTransactionOptions({ retry: Schedule.recurs(1) })(transient))
      const all = yield* metrics
      const retries = all.find(({ descriptor }) => descriptor.name === "effectpg.transaction.retries")
      assert.deepStrictEqual(
        retries?.dataPoints.map(({ attributes, value }) => [attributes["error.type"], value]),
        [["DeadlockDetectedError", 1]]
      )
      yield* healthy
    }).pipe(Effect.scoped)
  )
})
