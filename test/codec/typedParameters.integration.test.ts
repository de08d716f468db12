/**
 * Tests parameters whose types the caller names: a statement whose rows are not read then takes one round trip even the
 * first time.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgTypes from "../../src/PgTypes.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, refusalOf, valueOf } from "../support/live.ts"
import { counting, roundTripsOf } from "../support/roundTrips.ts"

const SQL = `SELECT $1 AS int, $2 AS texts, $3 AS at, $4 AS json, $5 AS nothing, 1.5::numeric AS exact, '\\x00ff'::bytea AS bytes`

const parameters = (number: number): PgConnection.Parameters => [
  PgTypes.int4(number),
  PgTypes.typed("text[]", ["a", null]),
  PgTypes.timestamptz(new Date(0)),
  PgTypes.jsonb({ a: [1] }),
  PgTypes.float8(null)
]

const rowOf = (int: number) => ({
  int,
  texts: ["a", null],
  at: new Date(0),
  json: { a: [1] },
  nothing: null,
  exact: "1.5",
  bytes: Uint8Array.of(0, 255)
})

layer(TestDatabase.layer, { excludeTestServices: true })("parameters that have a type", (it) => {
  it.effect("give the same result every time, with one round trip more the first time", () =>
    Effect.gen(function* () {
      const counted = yield* counting
      const connection = yield* PgConnection.make(counted.settings)
      assert.deepStrictEqual(yield* roundTripsOf(counted, connection.fetch(SQL, parameters(1))), [2, [rowOf(1)]])
      assert.deepStrictEqual(yield* roundTripsOf(counted, connection.fetch(SQL, parameters(2))), [1, [rowOf(2)]])
      const untyped = yield* roundTripsOf(counted, connection.fetch("SELECT $1::int4 AS int", [3]))
      assert.deepStrictEqual(untyped, [2, [{ int: 3 }]])
      yield* assertHealthy(connection)
    })
  )

  it.effect("take one round trip if the statement returns no rows or the caller drops them", () =>
    Effect.gen(function* () {
      const counted = yield* counting
      const connection = yield* PgConnection.make(counted.settings)
      yield* connection.executeScript("CREATE TEMPORARY TABLE kept (id int8 UNIQUE, name varchar(5))")
      const insert = connection.execute("INSERT INTO kept VALUES ($1, $2)", [PgTypes.int8(1n), PgTypes.text("one")])
      assert.deepStrictEqual(yield* roundTripsOf(counted, insert), [1, { command: "INSERT", rowCount: 1 }])
      assert.strictEqual((yield* refusalOf(insert))._tag, "UniqueViolationError")
      const select = connection.execute("SELECT * FROM kept WHERE id = $1", [PgTypes.int8("1")])
      assert.deepStrictEqual(yield* roundTripsOf(counted, select), [1, { command: "SELECT", rowCount: 1 }])
      const deletion = "DELETE FROM kept WHERE id = $1 RETURNING name"
      assert.strictEqual(yield* valueOf(connection, deletion, [PgTypes.int8(1)]), "one")
      yield* assertHealthy(connection)
    })
  )

  it.effect("make another statement of the same text if they have other types", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const select = (value: unknown) => valueOf(connection, "SELECT $1", [value])
      for (let run = 0; run < 2; run++) {
        assert.strictEqual(yield* select(PgTypes.int4(1)), 1)
        assert.strictEqual(yield* select(PgTypes.int8(1)), 1n)
        assert.strictEqual(
          yield* select(PgTypes.uuid("0b6f2f0c-4f0e-4b0e-8d0e-0a0b0c0d0e0f")),
          "0b6f2f0c-4f0e-4b0e-8d0e-0a0b0c0d0e0f"
        )
        assert.strictEqual(yield* select("1"), "1")
      }
    })
  )

  it.effect("can stand beside others, whose types the server says", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      for (let run = 0; run < 2; run++) {
        const rows = yield* connection.fetchTuples("SELECT $1, $2::int4, pg_typeof($1)::text", [
          PgTypes.date("2024-02-29"),
          2
        ])
        assert.deepStrictEqual(rows, [["2024-02-29", 2, "date"]])
      }
    })
  )

  it.effect("are accepted by every call that takes values", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const one = [PgTypes.int4(1)]
      assert.deepStrictEqual(yield* connection.fetchMany("SELECT $1::int4 AS n", [one]), [[{ n: 1 }]])
      const results = yield* connection.batch([
        { sql: "SELECT $1 AS n", params: one },
        { sql: "SELECT $1 AS n", params: ["1"] }
      ])
      assert.deepStrictEqual(
        results.map(({ rows }) => rows),
        [[{ n: 1 }], [{ n: "1" }]]
      )
      const text = yield* connection
        .copyOut({ query: "SELECT $1 + 1", params: one })
        .pipe(Stream.decodeText(), Stream.mkString)
      assert.strictEqual(text, "2\n")
      assert.deepStrictEqual(yield* Stream.runCollect(connection.stream("SELECT $1 AS n", one)), [{ n: 1 }])
      const prepared = yield* connection.prepare("SELECT $1::int8 AS n")
      assert.deepStrictEqual(yield* prepared.fetch(one), [{ n: 1n }])
    })
  )

  it.effect("look types of columns up before the first run", () =>
    Effect.gen(function* () {
      const counted = yield* counting
      const connection = yield* PgConnection.make(counted.settings)
      yield* connection.executeScript(`CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE spot AS (mood mood, days daterange, n int4);
        CREATE TEMPORARY SEQUENCE runs`)
      const sql = "SELECT ROW('sad', '[2024-01-01,2024-02-01)', $1)::spot AS spot, nextval('runs') AS run"
      const [first, rows] = yield* roundTripsOf(counted, connection.fetch(sql, [PgTypes.int4(1)]))
      const LOOKUP_WITH_ITS_OWN_PREPARE = 2
      assert.strictEqual(first, 2 + LOOKUP_WITH_ITS_OWN_PREPARE)
      const [second, rowsAgain] = yield* roundTripsOf(counted, connection.fetch(sql, [PgTypes.int4(1)]))
      assert.strictEqual(second, 1)
      const spot = { mood: "sad", days: new PgTypes.PgRange({ lower: "2024-01-01", upper: "2024-02-01" }), n: 1 }
      assert.deepStrictEqual([rows, rowsAgain], [[{ spot, run: 1n }], [{ spot, run: 2n }]])
    })
  )

  it.effect("have the server describe the statement if dates or intervals are printed in another style", () =>
    Effect.gen(function* () {
      for (const settings of [{ DateStyle: "German" }, { IntervalStyle: "iso_8601" }]) {
        const connection = yield* liveConnection({ settings })
        const row = yield* connection.fetchTuples("SELECT $1, '1 day'::interval", [PgTypes.date("2024-02-29")])
        assert.deepStrictEqual(row, [["2024-02-29", new PgTypes.PgInterval({ days: 1 })]])
      }
    })
  )

  it.effect("cause a typed error if their number differs from that of the statement, inside a transaction too", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const call = connection.fetch("SELECT $1::int4 + $2::int4", [PgTypes.int4(1)])
      const refusal = yield* refusalOf(call)
      assert.ok(refusal._tag === "ParameterCountError")
      assert.deepStrictEqual([refusal.expected, refusal.actual], [2, 1])
      const inside = connection.fetch("SELECT $2::int4 + $1::int4", [PgTypes.int4(1)])
      assert.strictEqual((yield* refusalOf(connection.withTransaction(inside)))._tag, "ParameterCountError")
      const unread = connection.execute("SELECT $2::int4 * $1::int4", [PgTypes.int4(1)])
      assert.strictEqual((yield* refusalOf(connection.withTransaction(unread)))._tag, "ProtocolViolationError")
      yield* assertHealthy(connection)
    })
  )

  it.effect("fail alone and leave nothing behind if a value cannot be encoded or the statement cannot take it", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const tagOf = (sql: string, ...params: PgConnection.Parameters) =>
        Effect.map(refusalOf(connection.fetch(sql, params)), ({ _tag }) => _tag)
      for (let times = 0; times < 2; times++) {
        assert.strictEqual(yield* tagOf("SELECT $1", PgTypes.int4(2 ** 31)), "EncodeError")
        assert.strictEqual(yield* tagOf("SELECT $1", PgTypes.int4("one")), "InvalidTextRepresentationError")
        assert.strictEqual(yield* tagOf("SELECT $1 FROM nowhere", PgTypes.int4(1)), "UndefinedTableError")
        assert.strictEqual(yield* tagOf("SELECT upper($1)", PgTypes.int4(1)), "UndefinedFunctionError")
        assert.strictEqual(yield* tagOf("SELECT 1 / $1", PgTypes.int4(0)), "DivisionByZeroError")
        assert.strictEqual(yield* valueOf(connection, "SELECT 1 / $1", [PgTypes.int4(1)]), 1)
      }
      yield* assertHealthy(connection)
    })
  )
})
