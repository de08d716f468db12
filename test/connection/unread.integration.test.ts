/**
 * Tests rows of many runs whose types show only in the data, or have changed: they are read after the types were looked
 * up.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection } from "../support/live.ts"

const MOODS = `CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE weather AS ENUM ('rain', 'sun');
  CREATE TYPE day AS (mood mood); CREATE TABLE kept (n int4)`

const UNDO = "DROP TABLE kept; DROP TYPE day, mood, weather"

layer(TestDatabase.layer, { excludeTestServices: true })(
  "anonymous records of types that the client has not met",
  (it) => {
    const fresh = Effect.acquireRelease(
      Effect.tap(liveConnection(), (connection) => connection.executeScript(MOODS)),
      (connection) => Effect.orDie(connection.executeScript(UNDO))
    )

    it.effect("are read in all runs of fetchMany, each with its own rows, in their order", () =>
      Effect.gen(function* () {
        const connection = yield* fresh
        const sql =
          "SELECT CASE $1::int4 WHEN 1 THEN ROW('sad'::mood) WHEN 2 THEN ROW('sun'::weather) ELSE ROW($1) END AS r"
        const runs = [[0], [1], [0], [2], [1]]
        const expected = [[0], ["sad"], [0], ["sun"], ["sad"]].map((r) => [{ r }])
        for (let times = 0; times < 2; times++) assert.deepStrictEqual(yield* connection.fetchMany(sql, runs), expected)
        yield* assertHealthy(connection)
      })
    )

    it.effect("are read in a batch, whose statements run once", () =>
      Effect.gen(function* () {
        const connection = yield* fresh
        const results = yield* connection.batch([
          { sql: "INSERT INTO kept VALUES ($1) RETURNING n", params: [1] },
          { sql: "SELECT ROW('glad'::mood) AS r" },
          { sql: "INSERT INTO kept VALUES ($1) RETURNING ROW(n, 'rain'::weather) AS r", params: [2] }
        ])
        assert.deepStrictEqual(
          results.map(({ rows }) => rows),
          [[{ n: 1 }], [{ r: ["glad"] }], [{ r: [2, "rain"] }]]
        )
        assert.deepStrictEqual(yield* connection.fetch("SELECT n FROM kept ORDER BY n"), [{ n: 1 }, { n: 2 }])
        yield* assertHealthy(connection)
      })
    )

    it.effect("are read inside a transaction, also if a type has changed since", () =>
      Effect.gen(function* () {
        const connection = yield* fresh
        const days = connection.fetchMany("SELECT ROW('sad')::day AS day FROM generate_series(1, $1::int4)", [[1], [2]])
        const day = { day: { mood: "sad" } }
        assert.deepStrictEqual(yield* connection.withTransaction(days), [[day], [day, day]])
        const records = connection.fetchMany("SELECT ROW(ROW('sad')::day) AS r", [[]])
        assert.deepStrictEqual(yield* records, [[{ r: [{ mood: "sad" }] }]])
        // Another session changes the type: this one would prepare its statements anew, and the cast no longer fits the
        // type.
        yield* (yield* liveConnection()).executeScript("ALTER TYPE day ADD ATTRIBUTE n int4")
        assert.deepStrictEqual(yield* connection.withTransaction(records), [[{ r: [{ mood: "sad", n: null }] }]])
        yield* assertHealthy(connection)
      })
    )
  }
)
