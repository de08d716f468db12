/** Tests different statements in one round trip: all or nothing, or each for itself. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { sql } from "../../../src/PgSql.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveConnection, livePool, refusalOf, valueOf } from "../../support/live.ts"

layer(TestDatabase.layer, { excludeTestServices: true })("batch", (it) => {
  it.effect("gives the command and the rows of each statement", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TEMPORARY TABLE pairs (a int4, b text)")
      const run = connection.batch([
        { sql: "INSERT INTO pairs VALUES ($1, $2), ($3, $4)", params: [1, "x", 2, "y"] },
        sql`SELECT a, b FROM pairs WHERE a >= ${2}`,
        { sql: "UPDATE pairs SET a = a + 1 RETURNING a" },
        { sql: "SELECT WHERE false" }
      ])
      for (const first of [1, 2]) {
        const results = yield* run
        assert.deepStrictEqual(
          results.map(({ command, rowCount }) => `${command} ${rowCount}`),
          ["INSERT 2", `SELECT ${first === 1 ? 1 : 3}`, `UPDATE ${2 * first}`, "SELECT 0"]
        )
        assert.deepStrictEqual(results[1]?.rows[0], first === 1 ? { a: 2, b: "y" } : results[1]?.rows[0])
      }
      assert.deepStrictEqual(yield* connection.batch([]), [])
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("gives no rows for a statement that returns none, whatever the one before it has returned", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TEMPORARY TABLE quiet (a int4)")
      const results = yield* connection.batch([
        { sql: "SELECT 1 AS a" },
        { sql: "INSERT INTO quiet VALUES ($1)", params: [1] },
        { sql: "SELECT a FROM quiet" },
        { sql: "DELETE FROM quiet" }
      ])
      assert.deepStrictEqual(
        results.map(({ rows }) => rows),
        [[{ a: 1 }], [], [{ a: 1 }], []]
      )
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("is all or nothing outside a transaction, and its error has the statement and its number", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      yield* pool.execute("CREATE TABLE undone (a int4)")
      const refusal = yield* refusalOf(
        pool.batch([
          { sql: "INSERT INTO undone VALUES (1)" },
          { sql: "SELECT 1 / $1::int4", params: [0] },
          { sql: "SELECT 1" }
        ])
      )
      if (refusal._tag !== "DivisionByZeroError") return assert.fail(String(refusal))
      assert.deepStrictEqual([refusal.row, refusal.sql, refusal.outcome], [2, "SELECT 1 / $1::int4", "none"])
      const encoding = yield* refusalOf(
        pool.batch([{ sql: "INSERT INTO undone VALUES (1)" }, { sql: "SELECT $1::int4", params: [{}] }])
      )
      if (encoding._tag !== "EncodeError") return assert.fail(String(encoding))
      assert.strictEqual(encoding.row, 2)
      assert.strictEqual(yield* valueOf(pool, "SELECT count(*)::int4 FROM undone"), 0)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("runs each statement for itself with error barriers", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      yield* pool.execute("CREATE TABLE barred (a int4 PRIMARY KEY)")
      const results = yield* pool.batch(
        [
          { sql: "INSERT INTO barred VALUES ($1)", params: [1] },
          { sql: "INSERT INTO barred VALUES ($1)", params: [1] },
          { sql: "INSERT INTO barred VALUES ($1)", params: [{}] },
          { sql: "SELECT a FROM barred" }
        ],
        { errorBarriers: true }
      )
      assert.deepStrictEqual(
        results.map((result) => (Result.isSuccess(result) ? result.success.rows.length : result.failure._tag)),
        [0, "UniqueViolationError", "EncodeError", 1]
      )
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is repeated if a plan was stale and nothing had run", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const run = connection.batch([{ sql: "SELECT 1 AS one" }, { sql: "SELECT 2 AS two" }])
      yield* run
      yield* connection.executeScript("DEALLOCATE ALL")
      assert.deepStrictEqual((yield* run)[1]?.rows, [{ two: 2 }])
    }).pipe(Effect.scoped)
  )

  it.effect("works without a statement cache, inside a transaction too", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ statementCacheSize: 0 })
      const run = connection.batch([{ sql: "SELECT 1 AS one" }, { sql: "SELECT 2 AS two" }, { sql: "SELECT 1 AS one" }])
      const rows = Effect.map(run, (results) => results.flatMap((result) => result.rows))
      assert.deepStrictEqual(yield* rows, [{ one: 1 }, { two: 2 }, { one: 1 }])
      assert.deepStrictEqual(yield* connection.withTransaction(rows), [{ one: 1 }, { two: 2 }, { one: 1 }])
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("refuses COPY, and undoes the statements before it", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.executeScript("CREATE TEMPORARY TABLE copied (a int4)")
      const insert = { sql: "INSERT INTO copied VALUES ($1)", params: [1] }
      for (const [sql, call] of [
        ["copy copied from stdin", "copyIn"],
        ["/* load */ COPY copied FROM STDIN", "copyIn"],
        ["COPY copied TO STDOUT", "copyOut"]
      ] as const) {
        const refusal = yield* refusalOf(connection.batch([insert, { sql }, insert]))
        assert.strictEqual(refusal._tag, "UnsupportedError")
        assert.include(refusal.message, `call ${call}`)
        assert.deepStrictEqual(yield* connection.fetch("SELECT a FROM copied"), [])
        const results = yield* connection.batch([{ sql: "SELECT 1" }, { sql }], { errorBarriers: true })
        assert.deepStrictEqual(results.map(Result.isSuccess), [true, false])
        yield* assertHealthy(connection)
      }
      assert.strictEqual((yield* connection.batch([insert, { sql: "SELECT 'copy' AS a" }, insert])).length, 3)
      const emptied = yield* connection.batch([insert, { sql: "DELETE FROM copied WHERE 'copy' <> ''" }, insert])
      assert.strictEqual(emptied[1]?.rowCount, 3)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("refuses a template that cannot be run, before anything is sent", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const faulty = sql`SELECT ${sql.id("a\0b")}`
      assert.strictEqual((yield* refusalOf(pool.batch([faulty])))._tag, "EncodeError")
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})
