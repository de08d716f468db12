/** Tests that knowledge of a statement ends when the statement, the schema or the statements of the pool change. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../../src/PgConnection.ts"
import * as PgTypes from "../../../src/PgTypes.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveConnection, livePool, refusalOf, valueOf } from "../../support/live.ts"

const names = (results: ReadonlyArray<PgConnection.BatchResult>) => results.map(({ command }) => command)

layer(TestDatabase.layer, { excludeTestServices: true })("a statement that the server does not plan", (it) => {
  it.effect("FETCH gives the rows of the cursor that currently has the name", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const rowsOf = (query: string) =>
        connection.withTransaction(
          Effect.andThen(connection.execute(`DECLARE m CURSOR FOR ${query}`), connection.fetch("FETCH ALL IN m"))
        )
      assert.deepStrictEqual(yield* rowsOf("SELECT 1 AS a"), [{ a: 1 }])
      assert.deepStrictEqual(yield* rowsOf("SELECT 'abcd'::text AS a"), [{ a: "abcd" }])
      assert.deepStrictEqual(yield* rowsOf("SELECT 2 AS b"), [{ b: 2 }])
      assert.deepStrictEqual(yield* rowsOf("SELECT 1 AS a, true AS b, NULL::date AS c"), [{ a: 1, b: true, c: null }])
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("EXECUTE, SHOW, EXPLAIN and CALL give their current results", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const executed = (query: string) =>
        Effect.gen(function* () {
          yield* connection.execute(`PREPARE q AS ${query}`)
          const rows = yield* connection.fetch("EXECUTE q")
          yield* connection.execute("DEALLOCATE q")
          return rows
        })
      assert.deepStrictEqual(yield* executed("SELECT 1 AS a"), [{ a: 1 }])
      assert.deepStrictEqual(yield* executed("SELECT 'x'::text AS b, 2.5::float8 AS c"), [{ b: "x", c: 2.5 }])

      yield* connection.execute("CREATE PROCEDURE told(INOUT a int4) LANGUAGE sql AS 'SELECT a + 1'")
      assert.deepStrictEqual(yield* connection.fetch("CALL told($1)", [1]), [{ a: 2 }])
      yield* connection.executeScript(
        "DROP PROCEDURE told; CREATE PROCEDURE told(INOUT a text, INOUT b date DEFAULT '2024-02-29') LANGUAGE sql AS 'SELECT a || a, b'"
      )
      assert.deepStrictEqual(yield* connection.fetch("CALL told($1)", ["no"]), [{ a: "nono", b: "2024-02-29" }])
      yield* connection.execute("DROP PROCEDURE told")

      const setting = connection.fetch("SHOW statement_timeout")
      assert.deepStrictEqual(yield* setting, [{ statement_timeout: "0" }])
      yield* connection.execute("SET statement_timeout = '7s'")
      assert.deepStrictEqual(yield* setting, [{ statement_timeout: "7s" }])
      const explained = yield* connection.fetch("EXPLAIN (FORMAT JSON) SELECT $1::int4", [1])
      assert.isArray(explained[0]?.["QUERY PLAN"])
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("is described in a batch after the statements before it have run", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const declared = yield* pool.withTransaction(
        pool.batch([
          { sql: "DECLARE m CURSOR FOR SELECT n, n::text AS t FROM generate_series(1, 3) AS n" },
          { sql: "FETCH 2 FROM m" },
          { sql: "FETCH ALL FROM m" },
          { sql: "CLOSE m" }
        ])
      )
      assert.deepStrictEqual(names(declared), ["DECLARE CURSOR", "FETCH", "FETCH", "CLOSE CURSOR"])
      assert.deepStrictEqual(
        declared.map(({ rows }) => rows),
        [
          [],
          [
            { n: 1, t: "1" },
            { n: 2, t: "2" }
          ],
          [{ n: 3, t: "3" }],
          []
        ]
      )
      const prepared = yield* pool.batch([
        { sql: "PREPARE q AS SELECT 'x'::text AS a UNION ALL SELECT 'y'" },
        { sql: "EXECUTE q" },
        { sql: "DEALLOCATE q" },
        { sql: "SELECT $1::int4 AS last", params: [5] }
      ])
      assert.deepStrictEqual(prepared[1]?.rows, [{ a: "x" }, { a: "y" }])
      assert.deepStrictEqual(prepared[3]?.rows, [{ last: 5 }])
      const made = yield* pool.batch([
        { sql: "CREATE TYPE made AS ENUM ('one')" },
        { sql: "CREATE TABLE of_made (m made, n int4)" },
        { sql: "INSERT INTO of_made VALUES ('one', $1) RETURNING *", params: [1] },
        { sql: "SHOW search_path" },
        { sql: "DROP TABLE of_made" },
        { sql: "DROP TYPE made" }
      ])
      assert.deepStrictEqual(made[2]?.rows, [{ m: "one", n: 1 }])
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("fails the batch with its own text if it cannot be described in its turn, and undoes everything", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      yield* pool.execute("CREATE TABLE kept_out (n int4)")
      const failing = pool.batch([
        { sql: "INSERT INTO kept_out VALUES (1)" },
        { sql: "EXECUTE nobody_prepared_this" },
        { sql: "INSERT INTO kept_out VALUES (2)" }
      ])
      for (let run = 0; run < 2; run++) {
        const refusal = yield* refusalOf(failing)
        if (refusal._tag !== "InvalidSQLStatementNameError") return assert.fail(String(refusal))
        assert.deepStrictEqual([refusal.row, refusal.sql, refusal.outcome], [2, "EXECUTE nobody_prepared_this", "none"])
      }
      const unsendable = yield* refusalOf(
        pool.batch([
          { sql: "INSERT INTO kept_out VALUES (1)" },
          { sql: "CREATE TABLE kept_out_too (n int4)" },
          { sql: "INSERT INTO kept_out_too VALUES ($1)", params: [{}] }
        ])
      )
      assert.strictEqual(unsendable._tag, "EncodeError")
      assert.strictEqual(yield* valueOf(pool, "SELECT count(*)::int4 FROM kept_out"), 0)
      assert.isNull(yield* valueOf(pool, "SELECT to_regclass('kept_out_too')"))
      yield* pool.execute("DROP TABLE kept_out")
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("may be prepared before the objects that it names exist", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const fetch = yield* connection.prepare("FETCH ALL IN later")
      for (const query of ["SELECT 1 AS a", "SELECT 'abcd'::text AS a, 2 AS b"]) {
        const rows = yield* connection.withTransaction(
          Effect.andThen(connection.execute(`DECLARE later CURSOR FOR ${query}`), fetch.fetch())
        )
        assert.deepStrictEqual(rows, yield* connection.fetch(query))
      }
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })(
  "a statement whose schema another session has changed",
  (it) => {
    /** The change, the statement, and its values before and after. */
    const changes = [
      {
        name: "a column becomes text",
        before: "CREATE TABLE t (a int4); INSERT INTO t VALUES (1)",
        change: "ALTER TABLE t ALTER a TYPE text",
        sql: "SELECT a FROM t WHERE a = $1",
        values: [[1], ["1"]],
        rows: [[{ a: 1 }], [{ a: "1" }]]
      },
      {
        name: "text becomes uuid",
        before: "CREATE TABLE t (a text)",
        change: "ALTER TABLE t ALTER a TYPE uuid USING a::uuid",
        sql: "INSERT INTO t VALUES ($1) RETURNING a",
        values: [["x"], ["0b6f2f0c-4f0e-4b0e-8d0e-0a0b0c0d0e0f"]],
        rows: [[{ a: "x" }], [{ a: "0b6f2f0c-4f0e-4b0e-8d0e-0a0b0c0d0e0f" }]],
        between: "TRUNCATE t"
      },
      {
        name: "text becomes jsonb",
        before: "CREATE TABLE t (a text)",
        change: "ALTER TABLE t ALTER a TYPE jsonb USING a::jsonb",
        sql: "INSERT INTO t VALUES ($1) RETURNING a",
        values: [["x"], [{ b: 1 }]],
        rows: [[{ a: "x" }], [{ a: { b: 1 } }]],
        between: "TRUNCATE t"
      },
      {
        name: "int4 becomes int8",
        before: "CREATE TABLE t (a int4)",
        change: "ALTER TABLE t ALTER a TYPE int8",
        sql: "INSERT INTO t VALUES ($1) RETURNING a",
        values: [[1], [3_000_000_000]],
        rows: [[{ a: 1 }], [{ a: 3_000_000_000n }]]
      },
      {
        name: "int4 becomes timestamptz, whose text is no number",
        before: "CREATE TABLE t (a int4)",
        change: "ALTER TABLE t ALTER a TYPE timestamptz USING NULL",
        sql: "INSERT INTO t VALUES ($1) RETURNING a",
        values: [["1"], ["2024-02-29T00:00:00Z"]],
        rows: [[{ a: 1 }], [{ a: new Date("2024-02-29") }]]
      },
      {
        name: "a function takes another type",
        before: "CREATE FUNCTION t(int4) RETURNS int4 LANGUAGE sql AS 'SELECT $1'",
        change: "DROP FUNCTION t; CREATE FUNCTION t(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
        sql: "SELECT t($1) AS a",
        values: [[1], ["x"]],
        rows: [[{ a: 1 }], [{ a: "x" }]]
      },
      {
        name: "a row type loses a column",
        before: "CREATE TABLE t (a int4, b int4)",
        change: "ALTER TABLE t DROP COLUMN a",
        sql: "SELECT ($1::t).*",
        values: [[{ a: 1, b: 2 }], [{ b: 3 }]],
        rows: [[{ a: 1, b: 2 }], [{ b: 3 }]]
      },
      {
        name: "an enum is made anew",
        before: "CREATE TYPE t AS ENUM ('x')",
        change: "DROP TYPE t; CREATE TYPE t AS ENUM ('y')",
        sql: "SELECT $1::t AS a",
        values: [["x"], ["y"]],
        rows: [[{ a: "x" }], [{ a: "y" }]]
      }
    ] as const
    /** Every kind of call, which gives the rows of one run. */
    const calls: ReadonlyArray<
      readonly [
        name: string,
        run: (
          on: PgConnection.Queryable,
          sql: string,
          values: ReadonlyArray<unknown>
        ) => Effect.Effect<ReadonlyArray<unknown>, unknown>
      ]
    > = [
      ["fetch", (on, sql, values) => on.fetch(sql, values)],
      ["fetchMany", (on, sql, values) => Effect.map(on.fetchMany(sql, [values]), ([rows = []]) => rows)],
      ["batch", (on, sql, params) => Effect.map(on.batch([{ sql, params }]), ([first]) => first?.rows ?? [])],
      ["stream", (on, sql, values) => Stream.runCollect(on.stream(sql, values))],
      ["cursor", (on, sql, values) => Effect.scoped(Effect.flatMap(on.cursor(sql, values), (at) => at.fetch(9)))]
    ]
    for (const [name, run] of calls) {
      it.effect(`is right at the next ${name}, on every connection`, () =>
        Effect.gen(function* () {
          const pool = yield* livePool({ maxConnections: 2 })
          const other = yield* liveConnection()
          for (const changed of changes) {
            const { before, change, rows, sql, values } = changed
            yield* other.executeScript(before)
            const onBoth = (index: 0 | 1) =>
              pool.withConnection((first) =>
                pool.withConnection((second) =>
                  Effect.gen(function* () {
                    for (const on of [first, second]) {
                      assert.deepStrictEqual(
                        yield* run(on, sql, values[index]),
                        rows[index],
                        `${changed.name}, ${index}`
                      )
                    }
                  })
                )
              )
            yield* onBoth(0)
            if ("between" in changed) yield* other.execute(changed.between)
            yield* other.executeScript(change)
            yield* onBoth(1)
            yield* other.executeScript(
              "DROP TABLE IF EXISTS t; DROP FUNCTION IF EXISTS t; DO $$ BEGIN IF to_regtype('t') IS NOT NULL THEN DROP TYPE t; END IF; END $$"
            )
          }
          yield* assertHealthy(pool)
        }).pipe(Effect.scoped)
      )
    }

    it.effect("fails in a transaction at most once in the pool, and the error has advice", () =>
      Effect.gen(function* () {
        const pool = yield* livePool({ maxConnections: 2 })
        const other = yield* liveConnection()
        yield* other.executeScript("CREATE TABLE t (a int4)")
        type Use = (on: PgConnection.Queryable) => Effect.Effect<unknown, unknown>
        const both = (use: Use) =>
          pool.withConnection((first) =>
            pool.withConnection((second) =>
              Effect.forEach([first, second], (on) => Effect.exit(on.withTransaction(use(on))))
            )
          )
        const uses: ReadonlyArray<readonly [column: string, use: Use]> = [
          ["b", (on) => on.fetch("SELECT * FROM t")],
          ["c", (on) => on.fetchMany("SELECT * FROM t WHERE a > $1", [[1]])],
          ["d", (on) => on.batch([{ sql: "SELECT 1" }, { sql: "SELECT * FROM t WHERE true" }])]
        ]
        for (const [column, use] of uses) {
          yield* both(use)
          yield* other.execute(`ALTER TABLE t ADD COLUMN ${column} int4`)
          const exits = yield* both(use)
          assert.deepStrictEqual(
            exits.map(({ _tag }) => _tag),
            ["Failure", "Success"]
          )
          assert.include(String(exits[0]), "Run the transaction again")
        }
        yield* other.execute("DROP TABLE t")
        yield* assertHealthy(pool)
      }).pipe(Effect.scoped)
    )

    it.effect("is right at the next run as the second of a batch", () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        const other = yield* liveConnection()
        yield* other.executeScript("CREATE TABLE t (a int4)")
        const batch = connection.batch([{ sql: "INSERT INTO t VALUES (1)" }, { sql: "SELECT * FROM t" }])
        yield* batch
        yield* other.execute("ALTER TABLE t ADD COLUMN b int4")
        const refusal = yield* refusalOf(batch)
        if (refusal._tag !== "FeatureNotSupportedError") return assert.fail(String(refusal))
        assert.strictEqual(refusal.outcome, "none")
        const [, second] = yield* batch
        assert.deepStrictEqual(second?.rows, [
          { a: 1, b: null },
          { a: 1, b: null }
        ])
        yield* other.execute("DROP TABLE t")
        yield* assertHealthy(connection)
      }).pipe(Effect.scoped)
    )

    it.effect("never fails outside a transaction, even if its columns change all the time", () =>
      Effect.gen(function* () {
        const pool = yield* livePool({ maxConnections: 2 })
        const other = yield* liveConnection()
        yield* other.executeScript("CREATE TABLE t (a int4); INSERT INTO t VALUES (1)")
        const changing = Effect.forever(
          Effect.andThen(
            other.execute("ALTER TABLE t ADD COLUMN b int4"),
            Effect.andThen(other.execute("ALTER TABLE t DROP COLUMN b"), Effect.sleep("2 millis"))
          )
        )
        const reading = Effect.forEach(
          Array.from({ length: 150 }),
          () => Effect.all([pool.fetch("SELECT * FROM t"), pool.fetchMany("SELECT * FROM t WHERE a = $1", [[1]])]),
          { discard: true }
        )
        yield* Effect.raceFirst(reading, Effect.andThen(changing, Effect.never))
        yield* other.execute("DROP TABLE t")
        yield* assertHealthy(pool)
      }).pipe(Effect.scoped)
    )

    it.effect("fails as often as it is run if the error is its own, and is kept", () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        yield* connection.executeScript("CREATE TABLE own (a int4 UNIQUE); CREATE TYPE two AS (a int4, b int4)")
        const insert = (value: unknown) => connection.execute("INSERT INTO own VALUES ($1)", [value])
        yield* insert(1)
        const kept = "SELECT count(*)::int4 FROM pg_prepared_statements WHERE statement LIKE 'INSERT INTO own%'"
        for (let run = 0; run < 3; run++) {
          assert.strictEqual((yield* refusalOf(insert({})))._tag, "EncodeError")
          assert.strictEqual((yield* refusalOf(insert("x")))._tag, "InvalidTextRepresentationError")
          assert.strictEqual((yield* refusalOf(insert(1)))._tag, "UniqueViolationError")
          assert.strictEqual((yield* refusalOf(connection.fetch("SELECT $1::two", [{ a: 1 }])))._tag, "EncodeError")
          assert.strictEqual(yield* valueOf(connection, kept), 1)
        }
        yield* connection.executeScript("DROP TABLE own; DROP TYPE two")
        yield* assertHealthy(connection)
      }).pipe(Effect.scoped)
    )
  }
)

layer(TestDatabase.layer, { excludeTestServices: true })("statements beyond the size of the cache", (it) => {
  it.effect("run in one batch", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ statementCacheSize: 5 })
      const statements = Array.from({ length: 12 }, (_, index) => ({
        sql: `SELECT $1::int4 + ${index} AS n`,
        params: [1]
      }))
      for (let run = 0; run < 2; run++) {
        const results = yield* connection.batch([...statements, ...statements])
        assert.deepStrictEqual(
          results.map(({ rows }) => rows[0]?.["n"]),
          [...statements, ...statements].map((_, index) => 1 + (index % 12))
        )
      }
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("run in many calls at once", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ statementCacheSize: 2 })
      const calls = Array.from({ length: 60 }, (_, index) => index)
      const answers = yield* Effect.forEach(
        calls,
        (index) => connection.fetchMany(`SELECT $1::int4 + ${index % 12} AS n`, [[index], [index + 1]]),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        answers,
        calls.map((index) => [[{ n: index + (index % 12) }], [{ n: index + 1 + (index % 12) }]])
      )
      const inTransaction = connection.withTransaction(
        Effect.forEach(calls, (index) => connection.batch([{ sql: `SELECT ${index} AS n` }]), {
          concurrency: "unbounded"
        })
      )
      assert.strictEqual((yield* inTransaction).length, 60)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a value that is read at the first run", (it) => {
  it.effect("equals that of every other run, whatever the settings and the types", () =>
    Effect.gen(function* () {
      const settings = {
        extra_float_digits: "0",
        bytea_output: "escape",
        DateStyle: "German",
        IntervalStyle: "iso_8601"
      }
      const connection = yield* liveConnection({ settings })
      yield* connection.execute("CREATE TEMPORARY TABLE first (a int4)")
      const statements = [
        ["SELECT $1 + 0.2::float8 AS sum", [PgTypes.float8(0.1)]],
        ["INSERT INTO first VALUES ($1) RETURNING ROW(a, 'x'::text) AS row", [PgTypes.int4(1)]],
        ["SELECT $1 AS bytes", [PgTypes.bytea(Uint8Array.of(0, 92, 255))]],
        ["SELECT $1 AS day, '1 day 2 hours'::interval AS while", [PgTypes.date("2024-02-29")]],
        ["SELECT set_config('DateStyle', 'SQL, DMY', false), $1 AS day", [PgTypes.date("2024-02-29")]]
      ] as const
      for (const [sql, values] of statements) {
        const first = yield* connection.fetch(sql, values)
        assert.deepStrictEqual(yield* connection.fetch(sql, values), first, sql)
      }
      const [sum, row] = yield* Effect.forEach(statements, ([sql, values]) => connection.fetch(sql, values))
      assert.deepStrictEqual(sum, [{ sum: 0.1 + 0.2 }])
      assert.deepStrictEqual(row, [{ row: [1, "x"] }])
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})
