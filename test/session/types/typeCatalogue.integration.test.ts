/**
 * Tests the types that users make: the client resolves them on a real server without help, and again after they have
 * changed.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { PgRange } from "../../../src/codec/range.ts"
import * as PgConnection from "../../../src/PgConnection.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveConnection, livePool, valueOf } from "../../support/live.ts"
import { counting, roundTripsOf } from "../../support/roundTrips.ts"

/** A unique name for an object of a test, so that tests of one database do not meet. */
let names = 0
const unique = (name: string): string => `${name}_${names++}`

const script = (queryable: PgConnection.Queryable, sql: string) => Effect.asVoid(queryable.executeScript(sql))

layer(TestDatabase.layer, { excludeTestServices: true })("types that users make", (it) => {
  it.effect("are read and written without any configuration, in any schema and on any search_path", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* script(
        connection,
        `CREATE SCHEMA "Not on the path";
         CREATE TYPE "Not on the path".mood AS ENUM ('sad', 'happy "so"');
         CREATE DOMAIN "Not on the path".ints AS int[];
         CREATE TYPE "Not on the path".spot AS (mood "Not on the path".mood, days daterange);
         CREATE TYPE "Not on the path".span AS RANGE (subtype = float8, multirange_type_name = "Not on the path".spans);
         CREATE TYPE "Not on the path".whole AS (
           spots "Not on the path".spot[], moods "Not on the path".mood[], ints "Not on the path".ints,
           span "Not on the path".span, spans "Not on the path".spans, "__proto__" text);
         CREATE TABLE public.pg_type (oid int); CREATE TABLE public.pg_attribute (attrelid int);
         CREATE FUNCTION public.never(oid, oid) RETURNS bool LANGUAGE sql AS 'SELECT false';
         CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = public.never);
         SET search_path = public, pg_catalog`
      )
      const whole = {
        spots: [{ mood: "sad", days: new PgRange({ lower: "2024-02-29", upper: null }) }, null],
        moods: ['happy "so"', null],
        ints: [1, 2],
        span: new PgRange({ lower: 0.5, upper: 1.5, upperInclusive: true }),
        spans: [new PgRange({ lower: 0.5, upper: 1 }), new PgRange({ lower: 3, upper: null })],
        ["__proto__"]: "a name like any other"
      }
      const sql = 'SELECT $1::"Not on the path".whole AS whole, ARRAY[$1, NULL]::"Not on the path".whole[] AS wholes'
      assert.deepStrictEqual(yield* connection.fetch(sql, [whole]), [{ whole, wholes: [whole, null] }])
      yield* script(
        connection,
        "DROP TABLE public.pg_type, public.pg_attribute; DROP OPERATOR public.= (oid, oid); DROP FUNCTION public.never"
      )
    })
  )

  it.effect("are read in anonymous records, even if only the data names them", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const [mood, pair] = [unique("mood"), unique("pair")]
      yield* script(connection, `CREATE TYPE ${mood} AS ENUM ('sad'); CREATE TYPE ${pair} AS (a int, b ${mood}[])`)
      const sql = `SELECT n, CASE n WHEN 1 THEN ROW(1) WHEN 2 THEN ROW('sad'::${mood})
        WHEN 3 THEN ROW(ROW(1, '{sad}')::${pair}, ARRAY[ROW('sad'::${mood})]) END AS record
        FROM generate_series(1, 4) AS n ORDER BY n`
      const rows = [
        { n: 1, record: [1] },
        { n: 2, record: ["sad"] },
        { n: 3, record: [{ a: 1, b: ["sad"] }, [["sad"]]] },
        { n: 4, record: null }
      ]
      assert.deepStrictEqual(yield* connection.fetch(sql), rows)
      assert.deepStrictEqual(yield* connection.fetch(sql), rows)
      assert.deepStrictEqual(yield* connection.fetchOne(`${sql} OFFSET 1 LIMIT 1`), { n: 2, record: ["sad"] })
      yield* assertHealthy(connection)
    })
  )

  it.effect("may belong to extensions: they are text if they are text types, or if only their text form is known", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* script(
        connection,
        `CREATE EXTENSION citext; CREATE EXTENSION cube;
         CREATE TYPE labelled AS (id int8, place cube, at timestamptz, label citext)`
      )
      const sql = `SELECT 'Ab'::citext AS a, ARRAY['a', NULL]::citext[] AS b, ROW('Ab'::citext) AS c,
        cube(1) AS d, ARRAY[cube(1), NULL] AS e, ROW(1, cube(1), '2024-02-29 12:00+00', 'Ab')::labelled AS f`
      const labelled = { id: 1n, place: "(1)", at: new Date("2024-02-29T12:00:00Z"), label: "Ab" }
      assert.deepStrictEqual(yield* connection.fetch(sql), [
        { a: "Ab", b: ["a", null], c: ["Ab"], d: "(1)", e: ["(1)", null], f: labelled }
      ])
      assert.deepStrictEqual(yield* valueOf(connection, "SELECT ARRAY[$1::labelled]", [labelled]), [labelled])
      const error = yield* Effect.flip(connection.fetch("SELECT ROW(cube(1)) AS record"))
      assert.deepInclude(error, { _tag: "DecodeError", column: "record", type: "record" })
      assert.include(error.message, "cast the value to text")
      yield* assertHealthy(connection)
    })
  )

  it.effect("are looked up in one round trip, once for a pool, and cost nothing afterwards", () =>
    Effect.gen(function* () {
      const counted = yield* counting
      const [mood, pair] = [unique("mood"), unique("pair")]
      yield* script(yield* liveConnection(), `CREATE TYPE ${mood} AS ENUM ('sad'); CREATE TYPE ${pair} AS (a ${mood})`)
      const pool = yield* livePool({ ...counted.settings, maxConnections: 2 })
      const first = yield* pool.connection
      const second = yield* pool.connection
      const select = (connection: PgConnection.Queryable) =>
        roundTripsOf(counted, valueOf(connection, `SELECT ROW($1)::${pair}`, ["sad"]))
      const PREPARE = 1
      const RUN = 1
      const LOOKUP_WITH_ITS_OWN_PREPARE = 2
      assert.deepStrictEqual(yield* select(first), [PREPARE + LOOKUP_WITH_ITS_OWN_PREPARE + RUN, { a: "sad" }])
      // Written together with the next request, so that no caller waits for it.
      const IDENTIFICATION = 1
      assert.deepStrictEqual(yield* select(first), [IDENTIFICATION + RUN, { a: "sad" }])
      assert.deepStrictEqual(yield* select(first), [RUN, { a: "sad" }])
      assert.deepStrictEqual(yield* select(second), [IDENTIFICATION + PREPARE + RUN, { a: "sad" }])
      assert.deepStrictEqual(yield* select(second), [RUN, { a: "sad" }])
      const other = unique("other")
      yield* script(yield* liveConnection(), `CREATE TYPE ${other} AS ENUM ('new')`)
      const [roundTrips] = yield* roundTripsOf(counted, first.fetch(`SELECT 'new'::${other}`))
      assert.strictEqual(roundTrips, PREPARE + 1 + RUN)
    })
  )

  it.effect("are looked up in one round trip in a schema of 1,000 tables, all at once", () =>
    Effect.gen(function* () {
      const counted = yield* counting
      const owner = yield* liveConnection()
      const schema = unique("crowded")
      const columns = Array.from({ length: 10 }, (_, index) => `c${index} ${schema}.mood`).join(", ")
      yield* script(
        owner,
        `CREATE SCHEMA ${schema}; CREATE TYPE ${schema}.mood AS ENUM ('sad');
         DO $$ BEGIN FOR n IN 1..1000 LOOP
           EXECUTE format('CREATE TABLE ${schema}.t%s (${columns}, before ${schema}.mood[])', n);
         END LOOP; END $$`
      )
      const connection = yield* PgConnection.make({ ...counted.settings, statementCacheMaxSqlBytes: 0 })
      yield* connection.fetch(`SELECT 'sad'::${schema}.mood`)
      const everyTable = Array.from({ length: 1000 }, (_, index) => `NULL::${schema}.t${index + 1}`).join(", ")
      const started = performance.now()
      const [roundTrips] = yield* roundTripsOf(counted, connection.fetchTuples(`SELECT ${everyTable}`))
      const millis = performance.now() - started
      yield* Effect.logInfo(
        `the row types of 1,000 tables with 11,000 columns were looked up in ${millis.toFixed(0)} ms`
      )
      assert.strictEqual(roundTrips, 3, "Parse and Describe, the lookup, Bind and Execute")
    })
  )

  it.effect("work if no statement is kept, and the unnamed one serves every query", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ statementCacheSize: 0 })
      const mood = unique("mood")
      yield* script(connection, `CREATE TYPE ${mood} AS ENUM ('sad')`)
      for (let run = 0; run < 2; run++) {
        assert.deepStrictEqual(yield* valueOf(connection, `SELECT ARRAY[$1::${mood}]`, ["sad"]), ["sad"])
        assert.deepStrictEqual(yield* valueOf(connection, `SELECT ROW($1::${mood})`, ["sad"]), ["sad"])
      }
      yield* assertHealthy(connection)
    })
  )

  it.effect("keep the order of concurrent calls", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const mood = unique("mood")
      yield* script(connection, `CREATE TYPE ${mood} AS ENUM ('sad'); CREATE TEMPORARY TABLE log (n serial, what text)`)
      const insert = (what: string) =>
        connection.execute(`INSERT INTO log (what) VALUES ($1) RETURNING 'sad'::${mood}`, [what])
      yield* Effect.all([insert("first"), connection.execute("INSERT INTO log (what) VALUES ('second')")], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(yield* connection.fetch("SELECT what FROM log ORDER BY n"), [
        { what: "first" },
        { what: "second" }
      ])
    })
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("types that have changed", (it) => {
  const madePair = Effect.gen(function* () {
    const pair = unique("pair")
    const owner = yield* liveConnection()
    yield* script(owner, `CREATE TYPE ${pair} AS (a int, b text)`)
    return { owner, pair }
  })

  it.effect("are read in their current form, in the same call", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const { owner, pair } = yield* madePair
      const sql = `SELECT n, CASE n WHEN 1 THEN NULL ELSE ROW(n, 'x')::${pair} END AS pair FROM generate_series(1, 3) AS n`
      const before = yield* connection.fetch(`SELECT ARRAY[(1, 'x')::${pair}] AS pairs`)
      assert.deepStrictEqual(before, [{ pairs: [{ a: 1, b: "x" }] }])
      yield* script(owner, `ALTER TYPE ${pair} DROP ATTRIBUTE b; ALTER TYPE ${pair} ADD ATTRIBUTE c varchar`)
      assert.deepStrictEqual(yield* connection.fetch(sql), [
        { n: 1, pair: null },
        { n: 2, pair: { a: 2, c: "x" } },
        { n: 3, pair: { a: 3, c: "x" } }
      ])
      yield* assertHealthy(connection)
    })
  )

  it.effect("are read in their current form inside a transaction too", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const { owner, pair } = yield* madePair
      const table = unique("pairs")
      yield* script(owner, `CREATE TABLE ${table} AS SELECT 1 AS id, ROW(1, 'x')::${pair} AS pair`)
      const select = `SELECT pair FROM ${table}`
      assert.deepStrictEqual(yield* connection.fetch(select), [{ pair: { a: 1, b: "x" } }])
      yield* script(owner, `ALTER TYPE ${pair} ADD ATTRIBUTE c int`)
      yield* connection.withTransaction(
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* connection.fetch(select), [{ pair: { a: 1, b: "x", c: null } }])
          assert.deepStrictEqual(yield* connection.fetch(select), [{ pair: { a: 1, b: "x", c: null } }])
        })
      )
    })
  )

  it.effect("are written in their current form outside a transaction", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const { owner, pair } = yield* madePair
      const sql = `SELECT $1::${pair}::text`
      const value = { a: 1, b: "x", c: 2 }
      assert.strictEqual(yield* valueOf(connection, sql, [{ a: 1, b: "x" }]), "(1,x)")
      yield* script(owner, `ALTER TYPE ${pair} ADD ATTRIBUTE c int`)
      assert.strictEqual(yield* valueOf(connection, sql, [value]), "(1,x,2)")
      yield* script(owner, `ALTER TYPE ${pair} ADD ATTRIBUTE d int`)
      assert.strictEqual(yield* valueOf(connection, sql, [{ ...value, a: "1", d: 3 }]), "(1,x,2,3)", "as text")
      yield* assertHealthy(connection)
    })
  )

  it.effect("fail a parameter inside a transaction with advice, and the next transaction works", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const { owner, pair } = yield* madePair
      const sql = `SELECT $1::${pair}::text`
      const write = valueOf(connection, sql, [{ a: 1, b: "x" }])
      assert.strictEqual(yield* write, "(1,x)")
      yield* script(owner, `ALTER TYPE ${pair} ADD ATTRIBUTE c int`)
      const error = yield* Effect.flip(connection.withTransaction(write))
      assert.strictEqual(error._tag, "DatatypeMismatchError")
      assert.deepInclude(error, {
        hint: "The type has changed, and the client has looked it up again. Run the transaction again."
      })
      const now = valueOf(connection, sql, [{ a: 1, b: "x", c: 2 }])
      assert.strictEqual(yield* connection.withTransaction(now), "(1,x,2)")
      yield* assertHealthy(connection)
    })
  )

  it.effect("may have been dropped and made again", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const { owner, pair } = yield* madePair
      const sql = `SELECT $1::${pair} AS pair`
      assert.deepStrictEqual(yield* valueOf(connection, sql, [[1, "x"]]), { a: 1, b: "x" })
      yield* script(owner, `DROP TYPE ${pair}; CREATE TYPE ${pair} AS ENUM ('one')`)
      assert.deepStrictEqual(yield* valueOf(connection, sql, ["one"]), "one")
      yield* assertHealthy(connection)
    })
  )

  it.effect("accept renamed and added labels of an enum at once", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const mood = unique("mood")
      yield* script(connection, `CREATE TYPE ${mood} AS ENUM ('sad')`)
      const sql = `SELECT enum_range(NULL::${mood})`
      assert.deepStrictEqual(yield* valueOf(connection, sql), ["sad"])
      yield* script(connection, `ALTER TYPE ${mood} ADD VALUE 'happy'; ALTER TYPE ${mood} RENAME VALUE 'sad' TO 'blue'`)
      assert.deepStrictEqual(yield* valueOf(connection, sql), ["blue", "happy"])
    })
  )

  it.effect("leave the statements of other types alone", () =>
    Effect.gen(function* () {
      const counted = yield* counting
      const connection = yield* PgConnection.make(counted.settings)
      const { owner, pair } = yield* madePair
      const plain = roundTripsOf(counted, valueOf(connection, "SELECT 1"))
      yield* plain
      yield* connection.fetch(`SELECT (1, 'x')::${pair}`)
      yield* script(owner, `ALTER TYPE ${pair} ADD ATTRIBUTE c int`)
      yield* connection.fetch(`SELECT NULL::${pair}, (1, 'x', 3)::${pair} AS p`)
      assert.deepStrictEqual(yield* plain, [1, 1])
    })
  )

  it.effect("are forgotten on every connection of a pool by reloadSchemaState", () =>
    Effect.gen(function* () {
      const counted = yield* counting
      const { pair } = yield* madePair
      const pool = yield* livePool({ ...counted.settings, maxConnections: 1 })
      const select = roundTripsOf(counted, valueOf(pool, `SELECT (1, 'x')::${pair}`))
      const plain = roundTripsOf(counted, valueOf(pool, "SELECT 1"))
      yield* select
      yield* plain
      assert.strictEqual((yield* select)[0], 1)
      yield* pool.reloadSchemaState
      const LOOKUP_THAT_IS_KNOWN = 1
      assert.deepStrictEqual(yield* select, [2 + LOOKUP_THAT_IS_KNOWN, { a: 1, b: "x" }])
      assert.deepStrictEqual(yield* plain, [2, 1])
      assert.strictEqual((yield* select)[0], 1)
      assert.strictEqual(
        yield* valueOf(pool, "SELECT count(*)::int4 FROM pg_prepared_statements WHERE statement = 'SELECT 1'"),
        1
      )
    })
  )
})
