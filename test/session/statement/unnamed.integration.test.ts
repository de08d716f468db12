/**
 * Tests `statementMode: "unnamed"`: no statement is prepared under a name, and each run is one round trip that needs no
 * earlier one.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as PgConfig from "../../../src/PgConfig.ts"
import * as PgConnection from "../../../src/PgConnection.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveConnection, livePool, valueOf } from "../../support/live.ts"
import { counting, roundTripsOf } from "../../support/roundTrips.ts"

const unnamed: PgConfig.Settings = { statementMode: "unnamed" }

/** How many prepared statements the server keeps. */
const kept = (connection: PgConnection.PgConnection) =>
  Effect.map(connection.executeScript("SELECT FROM pg_prepared_statements"), ([result]) => result?.rowCount)

layer(TestDatabase.layer, { excludeTestServices: true })("unnamed statements", (it) => {
  it.effect("take one round trip after the server has described them", () =>
    Effect.gen(function* () {
      const counted = yield* counting
      const connection = yield* PgConnection.make({ ...counted.settings, ...unnamed })
      const select = connection.fetch("SELECT $1::int4 AS n, now() AS at", [1])
      const [first] = yield* roundTripsOf(counted, select)
      const [second, rows] = yield* roundTripsOf(counted, select)
      assert.deepStrictEqual([first, second], [2, 1])
      assert.strictEqual(rows[0]?.["n"], 1)
      assert.instanceOf(rows[0]?.["at"], Date)
      assert.strictEqual(yield* kept(connection), 0)
    })
  )

  it.effect("run whatever else is sent between their runs, also if the server has forgotten everything", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection(unnamed)
      const select = (value: unknown) => valueOf(connection, "SELECT $1::date", [value])
      for (const value of ["2024-02-29", "infinity"]) {
        assert.strictEqual(yield* select(value), value)
        yield* connection.executeScript("DISCARD ALL")
        assert.strictEqual(yield* select(value), value)
        assert.strictEqual(yield* valueOf(connection, "SELECT 1"), 1)
      }
      const values = yield* Effect.all([select("2024-01-01"), valueOf(connection, "SELECT 2"), select("2024-01-03")], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(values, ["2024-01-01", 2, "2024-01-03"])
      yield* assertHealthy(connection)
    })
  )

  it.effect(
    "serve prepared statements, streams, cursors, many runs, batches and COPY, and leave nothing on the server",
    () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection(unnamed)
        const numbers = Array.from({ length: 25 }, (_, index) => ({ n: index + 1 }))
        const sql = "SELECT n FROM generate_series(1, $1::int4) AS n"
        for (let run = 0; run < 2; run++) {
          assert.deepStrictEqual(yield* Stream.runCollect(connection.stream(sql, [25], { fetchSize: 10 })), numbers)
          yield* Effect.scoped(
            Effect.gen(function* () {
              const prepared = yield* connection.prepare(sql)
              assert.strictEqual(prepared.name, "")
              assert.deepStrictEqual(
                prepared.columns.map(({ name, type }) => [name, type.name]),
                [["n", "int4"]]
              )
              assert.deepStrictEqual(yield* prepared.fetch([25]), numbers)
              assert.deepStrictEqual(yield* prepared.fetchMany([[1], [2]]), [numbers.slice(0, 1), numbers.slice(0, 2)])
            })
          )
          yield* connection.withTransaction(
            Effect.scoped(
              Effect.gen(function* () {
                const cursor = yield* connection.cursor(sql, [25], { scroll: true })
                assert.deepStrictEqual(yield* cursor.fetch(24), numbers.slice(0, 24))
                assert.strictEqual(yield* valueOf(connection, "SELECT 'between'"), "between")
                assert.deepStrictEqual(yield* cursor.fetch(24), numbers.slice(24))
              })
            )
          )
          const results = yield* connection.batch([
            { sql, params: [1] },
            { sql: "SELECT 'x' AS x" },
            { sql, params: [2] }
          ])
          assert.deepStrictEqual(
            results.map(({ rows }) => rows),
            [numbers.slice(0, 1), [{ x: "x" }], numbers.slice(0, 2)]
          )
          assert.deepStrictEqual(yield* connection.fetchMany(sql, [[1], [1]]), [
            numbers.slice(0, 1),
            numbers.slice(0, 1)
          ])
          const rows = yield* Stream.runCollect(connection.copyOutRows({ query: sql, params: [3] }))
          assert.deepStrictEqual(rows, numbers.slice(0, 3))
        }
        assert.strictEqual(yield* kept(connection), 0)
        yield* assertHealthy(connection)
      })
  )

  it.effect("return the current columns if a table has changed in between", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection(unnamed)
      yield* connection.executeScript("CREATE TEMPORARY TABLE changing (a int4); INSERT INTO changing VALUES (1)")
      const select = connection.fetchTuples("SELECT * FROM changing WHERE a::text = $1", ["1"])
      const changes: ReadonlyArray<readonly [script: string, row: ReadonlyArray<unknown>]> = [
        ["SELECT 1", [1]],
        ["ALTER TABLE changing ADD b timestamptz DEFAULT 'epoch'", [1, new Date(0)]],
        ["ALTER TABLE changing DROP b", [1]],
        ["ALTER TABLE changing ALTER a TYPE numeric", ["1"]],
        [
          "CREATE TYPE pg_temp.mood AS ENUM ('sad'); ALTER TABLE changing ADD m pg_temp.mood DEFAULT 'sad'",
          ["1", "sad"]
        ],
        ["ALTER TABLE changing RENAME a TO z; ALTER TABLE changing RENAME m TO a", []]
      ]
      for (const [script, row] of changes) {
        yield* connection.executeScript(script)
        assert.deepStrictEqual(yield* select, row.length === 0 ? [] : [row], script)
        assert.deepStrictEqual(yield* select, row.length === 0 ? [] : [row], script)
      }
      yield* assertHealthy(connection)
    })
  )

  it.effect("return the current columns, also if one would need another format", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection(unnamed)
      const other = yield* liveConnection()
      yield* other.executeScript("CREATE TABLE named (a int4); INSERT INTO named VALUES (1)")
      const sql = "SELECT * FROM named"
      yield* connection.fetch(sql)
      const added = { b: "pg_class", c: new Date(0) }
      yield* other.executeScript("ALTER TABLE named ADD b regclass DEFAULT 'pg_class'")
      assert.deepStrictEqual(yield* connection.fetch(sql), [{ a: 1, b: "pg_class" }])
      assert.deepStrictEqual(yield* connection.fetch(sql), [{ a: 1, b: "pg_class" }])
      yield* other.executeScript("ALTER TABLE named ADD c timestamptz DEFAULT 'epoch'")
      assert.deepStrictEqual(yield* connection.fetch(sql), [{ a: 1, ...added }])
      yield* other.executeScript("ALTER TABLE named DROP a")
      assert.deepStrictEqual(yield* connection.fetchMany(sql, [[]]), [[added]])
      yield* other.executeScript("ALTER TABLE named RENAME c TO d")
      assert.deepStrictEqual(yield* connection.fetchMany(sql, [[]]), [[{ b: "pg_class", d: new Date(0) }]])
      yield* assertHealthy(connection)
    })
  )

  it.effect("encode parameters for the current types", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection(unnamed)
      yield* connection.executeScript("CREATE TEMPORARY TABLE retyped (a int4)")
      const insert = (value: unknown) => connection.execute("INSERT INTO retyped VALUES ($1)", [value])
      yield* insert(1)
      yield* connection.executeScript("ALTER TABLE retyped ALTER a TYPE jsonb USING to_jsonb(a)")
      yield* insert(2)
      assert.deepStrictEqual(yield* connection.fetch("SELECT a FROM retyped"), [{ a: 1 }, { a: 2 }])
      yield* connection.executeScript("ALTER TABLE retyped ALTER a TYPE uuid USING NULL")
      const uuid = "0b6f2f0c-4f0e-4b0e-8d0e-0a0b0c0d0e0f"
      assert.deepStrictEqual(yield* connection.executeMany("INSERT INTO retyped VALUES ($1)", [[uuid]]), {
        rowCount: 1
      })
      yield* assertHealthy(connection)
    })
  )

  it.effect("are shared by the connections of a pool, and multiplexed", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ ...unnamed, maxConnections: 2, multiplex: true })
      const numbers = Array.from({ length: 300 }, (_, index) => index)
      const answers = yield* Effect.forEach(numbers, (n) => valueOf(pool, "SELECT $1::int4", [n]), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(answers, numbers)
      yield* assertHealthy(pool)
    })
  )
})
