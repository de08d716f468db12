/**
 * Tests prepared statements as the server sees them, and how a connection recovers those that the server no longer has.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as PgConnection from "../../../src/PgConnection.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveConnection, livePool, refusalOf, valueOf } from "../../support/live.ts"

/** Uses a simple query, so that the question does not prepare anything. */
const preparedOn = (connection: PgConnection.PgConnection, statement: string) =>
  Effect.gen(function* () {
    const [result] = yield* connection.executeScript(
      `SELECT FROM pg_prepared_statements WHERE statement = '${statement.replaceAll("'", "''")}'`
    )
    return result?.rowCount
  })

const preparedName = (connection: PgConnection.PgConnection, statement: string) =>
  valueOf(connection, "SELECT name FROM pg_prepared_statements WHERE statement = $1", [statement])

const countPrepared = (connection: PgConnection.PgConnection) =>
  Effect.map(connection.executeScript("SELECT FROM pg_prepared_statements"), ([result]) => result?.rowCount)

layer(TestDatabase.layer, { excludeTestServices: true })("a connection", (it) => {
  it.effect("prepares a statement once, under a name of its own, and does not describe it again", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const preparedAt = valueOf(
        connection,
        "SELECT prepare_time::text FROM pg_prepared_statements WHERE statement = 'SELECT $1::int4'"
      )
      assert.strictEqual(yield* valueOf(connection, "SELECT $1::int4", [0]), 0)
      const before = yield* preparedAt
      for (const n of [1, 2, 3]) assert.strictEqual(yield* valueOf(connection, "SELECT $1::int4", [n]), n)
      assert.strictEqual(yield* preparedAt, before)
      assert.strictEqual(yield* preparedOn(connection, "SELECT $1::int4"), 1)
    })
  )

  it.effect("closes an evicted statement with its next request", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ statementCacheSize: 3 })
      for (let n = 0; n < 20; n++) assert.strictEqual(yield* valueOf(connection, `SELECT ${n}`), n)
      assert.strictEqual(yield* valueOf(connection, "SELECT 19"), 19)
      assert.strictEqual(yield* countPrepared(connection), 3)
      assert.strictEqual(yield* preparedOn(connection, "SELECT 18"), 1)
      assert.strictEqual(yield* preparedOn(connection, "SELECT 0"), 0)
      assert.strictEqual(yield* valueOf(connection, "SELECT 0"), 0)
      yield* assertHealthy(connection)
    })
  )

  it.effect("keeps no statement that is too old or too long, and none if the cache is turned off", () =>
    Effect.gen(function* () {
      const none = yield* liveConnection({ statementCacheSize: 0 })
      const short = yield* liveConnection({ statementCacheMaxSqlBytes: 20 })
      const brief = yield* liveConnection({ statementCacheLifetime: "20 millis" })
      const long = `SELECT 1 /* ${"x".repeat(20)} */`
      for (const connection of [none, short]) {
        assert.strictEqual(yield* valueOf(connection, long), 1)
        assert.strictEqual(yield* valueOf(connection, long), 1)
        assert.strictEqual(yield* preparedOn(connection, long), 0)
        yield* assertHealthy(connection)
      }
      const preparedAt = valueOf(
        brief,
        "SELECT prepare_time::text FROM pg_prepared_statements WHERE statement = 'SELECT 1'"
      )
      assert.strictEqual(yield* valueOf(brief, "SELECT 1"), 1)
      const before = yield* preparedAt
      yield* Effect.sleep("40 millis")
      assert.strictEqual(yield* valueOf(brief, "SELECT 1"), 1)
      assert.strictEqual(yield* preparedOn(brief, "SELECT 1"), 1)
      assert.notStrictEqual(yield* preparedAt, before)
    })
  )

  it.effect("does not keep a statement that the server refuses", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ statementCacheSize: 2 })
      for (let n = 0; n < 5; n++) yield* Effect.flip(connection.fetch(`SELECT missing_${n}`))
      assert.strictEqual(yield* countPrepared(connection), 0)
      yield* assertHealthy(connection)
    })
  )

  it.effect("hides a change of its tables from its caller outside a transaction", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const other = yield* liveConnection()
      yield* connection.executeScript("CREATE TABLE changing (a int4); INSERT INTO changing VALUES (1)")
      assert.deepStrictEqual(yield* connection.fetch("SELECT * FROM changing"), [{ a: 1 }])
      yield* other.execute("ALTER TABLE changing ADD COLUMN b text DEFAULT 'x'")
      assert.deepStrictEqual(yield* connection.fetch("SELECT * FROM changing"), [{ a: 1, b: "x" }])
      yield* other.execute("ALTER TABLE changing ALTER COLUMN a TYPE text")
      assert.deepStrictEqual(yield* connection.fetch("SELECT * FROM changing"), [{ a: "1", b: "x" }])
      yield* other.executeScript("DROP TABLE changing; CREATE TABLE changing (c bool)")
      assert.deepStrictEqual(yield* connection.fetch("SELECT * FROM changing"), [])
      assert.strictEqual(yield* preparedOn(connection, "SELECT * FROM changing"), 1)
      yield* connection.execute("DROP TABLE changing")
      assert.strictEqual((yield* Effect.flip(connection.fetch("SELECT * FROM changing")))._tag, "UndefinedTableError")
      yield* assertHealthy(connection)
    })
  )

  it.effect("reads the table that a change of search_path makes it mean", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript(`
        CREATE SCHEMA one; CREATE TABLE one.meant (a int4); INSERT INTO one.meant VALUES (1);
        CREATE SCHEMA two; CREATE TABLE two.meant (a text, b int4); INSERT INTO two.meant VALUES ('x', 2)`)
      for (const [schema, row] of [
        ["one", { a: 1 }],
        ["two", { a: "x", b: 2 }],
        ["one", { a: 1 }]
      ] as const) {
        yield* connection.execute(`SET search_path = ${schema}`)
        assert.deepStrictEqual(yield* connection.fetch("SELECT * FROM meant"), [row])
        yield* assertHealthy(connection)
      }
    })
  )

  it.effect("prepares anew on every connection of a pool after a change of the table", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ minConnections: 3, maxConnections: 3 })
      yield* pool.executeScript("CREATE TABLE shared (a int4); INSERT INTO shared VALUES (1)")
      const everywhere = (row: PgConnection.Row) =>
        Effect.scoped(
          Effect.gen(function* () {
            const connections = yield* Effect.all([pool.connection, pool.connection, pool.connection])
            for (const connection of connections) {
              assert.deepStrictEqual(yield* connection.fetch("SELECT * FROM shared"), [row])
            }
          })
        )
      yield* everywhere({ a: 1 })
      yield* pool.execute("ALTER TABLE shared ADD COLUMN b text DEFAULT 'x'")
      yield* everywhere({ a: 1, b: "x" })
      yield* assertHealthy(pool)
    })
  )

  it.effect("fails a transaction that meets such a change, advises to run it again, and then runs it", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript("CREATE TABLE moved (a int4); INSERT INTO moved VALUES (1)")
      const read = connection.fetch("SELECT * FROM moved")
      assert.deepStrictEqual(yield* read, [{ a: 1 }])
      yield* (yield* liveConnection()).execute("ALTER TABLE moved ADD COLUMN b int4")
      const error = yield* Effect.flip(connection.withTransaction(read))
      if (error._tag !== "FeatureNotSupportedError") return assert.fail(String(error))
      assert.strictEqual(error.routine, "RevalidateCachedQuery")
      assert.include(error.hint, "Run the transaction again")
      assert.strictEqual(error.outcome, "none")
      assert.deepStrictEqual(yield* connection.withTransaction(read), [{ a: 1, b: null }])
      yield* assertHealthy(connection)
    })
  )

  for (const statement of ["DISCARD ALL", "DEALLOCATE ALL"]) {
    it.effect(`prepares anew after ${statement}, by whatever call it was run`, () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection()
        const ask = valueOf(connection, "SELECT $1::text", ["same"])
        for (const discard of [
          connection.execute(statement),
          connection.executeScript(`${statement};`),
          connection.execute(statement.toLowerCase())
        ]) {
          assert.strictEqual(yield* ask, "same")
          yield* discard
          assert.strictEqual(yield* ask, "same")
        }
        if (statement === "DEALLOCATE ALL") {
          const inTransaction = Effect.andThen(connection.execute(statement), ask)
          assert.strictEqual(yield* connection.withTransaction(inTransaction), "same")
        }
        yield* assertHealthy(connection)
      })
    )
  }

  it.effect("prepares anew if the server has forgotten one statement unnoticed", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute(`CREATE FUNCTION deallocate_each() RETURNS void LANGUAGE plpgsql AS $$
        DECLARE n text; BEGIN
          FOR n IN SELECT name FROM pg_prepared_statements LOOP EXECUTE format('DEALLOCATE %I', n); END LOOP; END $$`)
      const ask = valueOf(connection, "SELECT $1::text", ["same"])
      assert.strictEqual(yield* ask, "same")
      yield* connection.executeScript("SELECT deallocate_each()")
      assert.strictEqual(yield* ask, "same")
      yield* connection.executeScript("SELECT deallocate_each()")
      const error = yield* Effect.flip(connection.withTransaction(ask))
      assert.strictEqual(error._tag, "InvalidSQLStatementNameError")
      assert.strictEqual(yield* connection.withTransaction(ask), "same")
      yield* assertHealthy(connection)
    })
  )

  it.effect(
    "names the setting for poolers if the mode is cached and the server has another statement than it should",
    () =>
      Effect.gen(function* () {
        const connection = yield* liveConnection({ statementMode: "cached" })
        yield* connection.execute(`CREATE FUNCTION deallocate_all() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        EXECUTE 'DEALLOCATE ALL'; END $$`)
        const ask = valueOf(connection, "SELECT $1::name", ["same"])
        assert.strictEqual(yield* ask, "same")
        const name = yield* preparedName(connection, "SELECT $1::name")
        yield* connection.executeScript("SELECT deallocate_all()")
        const missing = yield* Effect.flip(connection.withTransaction(ask))
        if (missing._tag !== "InvalidSQLStatementNameError") return assert.fail(String(missing))
        assert.include(missing.hint, "statementMode")
        // The Close that goes with it is for another server connection; this one has the statement of an earlier run.
        yield* connection.fetch("SELECT 1")
        yield* connection.executeScript(`PREPARE "${name}" AS SELECT 2`)
        const double = yield* Effect.flip(ask)
        if (double._tag !== "DuplicatePreparedStatementError") return assert.fail(String(double))
        assert.include(double.hint, "statementMode")
        assert.strictEqual(double.outcome, "none")
        yield* assertHealthy(connection)
      })
  )

  it.effect("does not repeat a function that raises the same error itself", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE SEQUENCE runs")
      // An immutable function runs while the statement is planned, which is before BindComplete.
      for (const [index, volatility] of ["VOLATILE", "IMMUTABLE"].entries()) {
        const sql = `SELECT refuse_${index}()`
        yield* connection.execute(`
          CREATE FUNCTION refuse_${index}() RETURNS int LANGUAGE plpgsql ${volatility} AS $$ BEGIN
            PERFORM nextval('runs');
            RAISE EXCEPTION 'cached plan must not change result type' USING ERRCODE = '0A000';
          END $$`)
        for (const run of [1, 2]) {
          assert.strictEqual((yield* refusalOf(connection.fetch(sql)))._tag, "FeatureNotSupportedError")
          assert.strictEqual(yield* valueOf(connection, "SELECT last_value FROM runs"), BigInt(index * 2 + run))
        }
        assert.strictEqual(yield* preparedOn(connection, sql), 1)
      }
      yield* assertHealthy(connection)
    })
  )

  it.effect("answers other requests while a statement is prepared anew", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript("CREATE TABLE busy (a int4); INSERT INTO busy VALUES (1)")
      const read = connection.fetch("SELECT * FROM busy")
      yield* read
      yield* connection.execute("ALTER TABLE busy ADD COLUMN b int4")
      const asked = [read, connection.fetch("SELECT 1 AS n"), read, connection.fetch("SELECT 2 AS n"), read]
      const row = { a: 1, b: null }
      assert.deepStrictEqual(yield* Effect.all(asked, { concurrency: "unbounded" }), [
        [row],
        [{ n: 1 }],
        [row],
        [{ n: 2 }],
        [row]
      ])
      assert.strictEqual(yield* preparedOn(connection, "SELECT * FROM busy"), 1)
      yield* assertHealthy(connection)
    })
  )
})
