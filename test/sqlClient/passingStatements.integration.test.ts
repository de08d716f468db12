/**
 * Tests how statements of the SqlClient are prepared. A new text takes one round trip and leaves nothing behind on the
 * server; when it comes again, it is prepared under a name. Whatever the types of its rows are, the first run reads what
 * later runs read.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Stream from "effect/Stream"
import * as PgPool from "../../src/PgPool.ts"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import { TestDatabase } from "../support/database.ts"
import { liveSettings, uniqueName } from "../support/live.ts"
import { counting, type Counted } from "../support/roundTrips.ts"

const clientOf = (settings: PgPool.Settings) =>
  Effect.flatMap(PgPool.make({ maxConnections: 1, minConnections: 1, ...settings }), (pool) =>
    Effect.map(PgSqlClient.fromClient(pool), (sql) => ({ sql, pool }))
  )

const client = Effect.flatMap(liveSettings(), clientOf)

const roundTripsOf = <A, E>({ roundTrips }: Counted, effect: Effect.Effect<A, E>) =>
  Effect.suspend(() => {
    const before = roundTrips()
    return Effect.map(effect, () => roundTrips() - before)
  })

const TestLayer = Layer.merge(TestDatabase.layer, Reactivity.layer)

layer(TestLayer, { excludeTestServices: true })("a statement of the SqlClient", (it) => {
  it.effect("takes one round trip from its first run on, and is prepared under a name from its second", () =>
    Effect.gen(function* () {
      const counted = yield* counting
      const { sql, pool } = yield* clientOf(counted.settings)
      const kept = Effect.map(
        pool.fetch("SELECT statement FROM pg_prepared_statements WHERE statement LIKE 'SELECT $1 AS passing%'"),
        (rows) => rows.length
      )
      const select = sql`SELECT ${1} AS passing, ${"text"} AS b, now() AS at, ${null}::int AS n WHERE ${true}`
      const trips: Array<number> = []
      const names: Array<number> = []
      for (let run = 0; run < 3; run++) {
        trips.push(yield* roundTripsOf(counted, select))
        names.push(yield* kept)
      }
      assert.deepStrictEqual(trips, [1, 1, 1])
      assert.deepStrictEqual(names, [0, 1, 1])
      assert.strictEqual(yield* roundTripsOf(counted, sql`SELECT ${2} AS unkept`.unprepared), 1)
    })
  )

  it.effect("is reported once in a stream, also if a parameter is a Date or an array of texts", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const onQuery: PgPool.Settings["onQuery"] = ({ operation }) => Effect.sync(() => void told.push(operation))
      const { sql } = yield* clientOf({ ...(yield* liveSettings()), onQuery })
      yield* Stream.runDrain(sql`SELECT ${1}::int4 AS n`.stream)
      const withNumber = told.splice(0)
      yield* Stream.runDrain(sql`SELECT ${new Date(0)}::timestamptz AS d`.stream)
      assert.deepStrictEqual(told.splice(0), withNumber)
      yield* sql.withTransaction(Stream.runDrain(sql`SELECT ${["text"]}::text[] AS t`.stream))
      assert.deepStrictEqual(told, withNumber)
    })
  )

  it.effect("does not push out statements that come again", () =>
    Effect.gen(function* () {
      const { sql, pool } = yield* clientOf({ ...(yield* liveSettings()), statementCacheSize: 2 })
      for (let run = 0; run < 2; run++) yield* sql`SELECT 1 AS often`
      for (let run = 0; run < 10; run++) yield* sql.unsafe(`SELECT ${run} AS passing`)
      const rows = yield* pool.fetch("SELECT statement FROM pg_prepared_statements ORDER BY 1")
      assert.deepInclude(rows, { statement: "SELECT 1 AS often" })
      assert.isFalse(rows.some(({ statement }) => String(statement).includes("passing")))
    })
  )

  it.effect("reads every type in its first run as in later ones", () =>
    Effect.gen(function* () {
      const { sql } = yield* client
      yield* sql`CREATE TYPE mood AS ENUM ('sad', 'glad')`
      yield* sql`CREATE TYPE pair AS (a int, b mood)`
      yield* sql`CREATE DOMAIN positive AS int CHECK (VALUE > 0)`
      const columns = [
        "'sad'::mood AS a",
        "ROW(1, 'glad')::pair AS b",
        "ARRAY['sad', NULL]::mood[] AS c",
        "3::positive AS d",
        "ROW(1, 'x', now()::date) IS NULL AS e",
        "'{\"a\": [1]}'::jsonb AS f",
        "int4range(1, 5) AS g",
        "'postgres=r/postgres'::aclitem AS h",
        "ARRAY['postgres=r/postgres'::aclitem] AS i",
        "NULL::aclitem AS j",
        "1.50::numeric AS k",
        "'2024-02-29'::date AS l",
        "'1 day'::interval AS m",
        "'\\x00ff'::bytea AS n",
        "0.1::float8 + 0.2::float8 AS o"
      ]
      for (const column of [...columns, columns.join(", ")]) {
        const text = `SELECT ${column} /* ${uniqueName()} */`
        const first = yield* sql.unsafe(text)
        const second = yield* sql.unsafe(text)
        const third = yield* sql.unsafe(text)
        assert.deepStrictEqual(first, second, column)
        assert.deepStrictEqual(third, second, column)
        assert.deepStrictEqual(yield* sql.unsafe(text).unprepared, second, column)
        assert.deepStrictEqual(yield* sql.withTransaction(sql.unsafe(`${text} -- inside`)), second, column)
      }
    })
  )

  it.effect("is run once, although its rows come in a binary form that only the server can read", () =>
    Effect.gen(function* () {
      const { sql } = yield* client
      yield* sql`CREATE TYPE opaque`
      yield* sql`CREATE FUNCTION opaque_in(cstring) RETURNS opaque AS 'textin' LANGUAGE internal IMMUTABLE STRICT`
      yield* sql`CREATE FUNCTION opaque_out(opaque) RETURNS cstring AS 'textout' LANGUAGE internal IMMUTABLE STRICT`
      yield* sql`CREATE FUNCTION opaque_recv(internal) RETURNS opaque AS 'bytearecv' LANGUAGE internal IMMUTABLE STRICT`
      yield* sql`CREATE FUNCTION opaque_send(opaque) RETURNS bytea AS 'byteasend' LANGUAGE internal IMMUTABLE STRICT`
      yield* sql`CREATE TYPE opaque (INPUT = opaque_in, OUTPUT = opaque_out, RECEIVE = opaque_recv, SEND = opaque_send, INTERNALLENGTH = VARIABLE)`
      yield* sql`CREATE TABLE boxes (id int, content opaque, contents opaque[])`
      const insert = sql.unsafe(
        `INSERT INTO boxes VALUES (1, 'first', '{a,b}'), (2, NULL, NULL) RETURNING id, content, contents`
      )
      assert.deepStrictEqual(yield* insert, [
        { id: 1, content: "first", contents: ["a", "b"] },
        { id: 2, content: null, contents: null }
      ])
      assert.deepStrictEqual(yield* sql`SELECT count(*)::int AS n FROM boxes`, [{ n: 2 }])
      const many = sql`SELECT n, 'value ' || n AS text, ('value ' || n)::text::opaque AS content FROM generate_series(1, 4000) n`
      yield* sql`CREATE CAST (text AS opaque) WITH INOUT`
      for (let run = 0; run < 3; run++) {
        const rows = yield* many
        assert.lengthOf(rows, 4_000)
        assert.isTrue(rows.every(({ content, text }) => content === text))
      }
      assert.deepStrictEqual(yield* sql`SELECT content FROM boxes WHERE id = ${1}`.values, [["first"]])
    })
  )

  it.effect("says which column to cast if nobody can read it in binary form", () =>
    Effect.gen(function* () {
      const { sql } = yield* client
      yield* sql`CREATE TABLE measured AS SELECT n AS a, n AS b FROM generate_series(1, 100) n`
      yield* sql`CREATE STATISTICS both_columns (ndistinct) ON a, b FROM measured`
      yield* sql`ANALYZE measured`
      yield* sql`CREATE VIEW counted AS SELECT stxdndistinct AS counts FROM pg_statistic_ext_data`
      const error = yield* Effect.flip(sql`SELECT counts FROM counted`)
      assert.include(error.message, "counts")
      assert.include(error.message, "cast it to text")
      const [row] = yield* sql`SELECT stxdndistinct AS counts FROM pg_statistic_ext_data`
      assert.isString(row?.["counts"])
    })
  )

  it.effect("runs again without a trace if the server has refused a binary form outside a transaction", () =>
    Effect.gen(function* () {
      const { sql } = yield* client
      yield* sql`CREATE VIEW rights AS SELECT relacl AS granted, relname FROM pg_class WHERE relname = 'pg_class'`
      const [row] = yield* sql`SELECT granted FROM rights`
      assert.isArray(row?.["granted"])
      const inside = sql.withTransaction(sql`SELECT granted, relname FROM rights`)
      assert.lengthOf(yield* inside, 1)
    })
  )
})
