import { assert, describe, it } from "@effect/vitest"
import { SingleCalls } from "../../../src/session/statement/singleCall.ts"

const refusalOf = (sql: string) => new SingleCalls().refusalOf({ sql, params: [] })

const refusalOfScript = (sql: string) => new SingleCalls().refusalOf({ sql, params: undefined })

const refused: ReadonlyArray<readonly [sql: string, instead: RegExp]> = [
  ["BEGIN", /^call withTransaction/],
  ["begin isolation level serializable", /^call withTransaction/],
  ["  -- a comment\n/* and /* another */ */ BEGIN;", /^call withTransaction/],
  ["START TRANSACTION READ ONLY", /^call withTransaction/],
  ["COMMIT", /withTransaction.* begin/],
  ["END WORK", /withTransaction.* begin/],
  ["ROLLBACK", /withTransaction.* begin/],
  ["ROLLBACK TO SAVEPOINT a", /withTransaction.* begin/],
  ["ABORT", /withTransaction.* begin/],
  ["SAVEPOINT a", /withTransaction inside withTransaction/],
  ["RELEASE a", /withTransaction inside withTransaction/],
  ["SET search_path = billing", /"settings".* withConnection or withTransaction/],
  ["SET SESSION statement_timeout = 5", /"settings"/],
  ["SET application_name = 'a; b'", /"settings"/],
  ["SET ROLE reader", /"settings"/],
  ["RESET ALL", /"settings"/],
  ["SET LOCAL statement_timeout = 5", /^run it inside withTransaction$/],
  ["SET CONSTRAINTS ALL DEFERRED", /^run it inside withTransaction$/],
  ["SET TRANSACTION READ ONLY", /^call withTransaction, which takes isolation/],
  ["LISTEN jobs", /^call listen$/],
  ["UNLISTEN *", /scope in which you called listen$/],
  ["DECLARE c CURSOR FOR SELECT 1", /^call cursor or stream$/],
  ["DECLARE c CURSOR WITH HOLD FOR SELECT 1", /^call cursor or stream$/],
  ["LOCK TABLE books", /^run it inside withTransaction$/],
  ["PREPARE p AS SELECT 1", /^call prepare/],
  ["PREPARE TRANSACTION 'x'", /withConnection$/],
  ["DEALLOCATE ALL", /scope in which you called prepare$/],
  ["DISCARD ALL", /withConnection$/]
]

const allowed: ReadonlyArray<string> = [
  "SELECT 1",
  "  select 'BEGIN'",
  "(SELECT 1)",
  "",
  ";",
  "UPDATE books SET title = 'x'",
  "-- BEGIN\nSELECT 1",
  "/* SET */ SELECT 1",
  "COMMIT PREPARED 'x'",
  "ROLLBACK /* now */ PREPARED 'x'",
  "NOTIFY jobs",
  "beginning",
  "SETTLE",
  "DO $$ BEGIN NULL; END $$",
  "CREATE TEMP TABLE t (a int4)",
  "EXPLAIN SELECT 1"
]

describe("a statement as the only one of a call on a pool", () => {
  for (const [sql, instead] of refused) {
    it(`is refused, with the right call: ${sql}`, () => {
      const error = refusalOf(sql)
      assert.strictEqual(error?._tag, "UnsupportedError")
      assert.match(error?.instead ?? "", instead)
      assert.strictEqual(error?.sql, sql)
      assert.strictEqual(error?.outcome, "none")
      assert.strictEqual(refusalOfScript(sql.split(" '")[0] ?? "")?.instead, error?.instead, "as a script")
    })
  }

  for (const sql of allowed) {
    it(`runs: ${JSON.stringify(sql)}`, () => {
      assert.isUndefined(refusalOf(sql))
      assert.isUndefined(refusalOfScript(sql))
    })
  }

  it("says what was refused and why", () => {
    assert.strictEqual(
      refusalOf("listen jobs")?.message,
      "LISTEN in a single call on a pool, where it has no effect, is not supported here: call listen"
    )
  })

  it("runs in a script of several statements, and not in one with nothing but comments behind it", () => {
    assert.isUndefined(refusalOfScript("BEGIN; DELETE FROM books; COMMIT"))
    assert.isUndefined(refusalOfScript("SET search_path = billing;\nSELECT 1"))
    assert.isUndefined(refusalOfScript("SET application_name = 'a; b'"), "the semicolon might separate statements")
    assert.strictEqual(refusalOfScript("BEGIN; -- and then?\n/* nothing */ ")?._tag, "UnsupportedError")
  })

  it("is remembered if it has an effect, and read anew if not, or if it is long", () => {
    const calls = new SingleCalls()
    const long = `SELECT '${"x".repeat(5_000)}'`
    for (const sql of ["SELECT 1", "BEGIN", long]) calls.refusalOf({ sql, params: [] })
    calls.refusalOf({ sql: "SET a = 1; SELECT 1", params: undefined })
    assert.deepStrictEqual([...calls.effective], ["SELECT 1"])
    assert.strictEqual(calls.refusalOf({ sql: "SET a = 1; SELECT 1", params: [] })?._tag, "UnsupportedError")
    for (let at = 0; at < 5_000; at++) calls.refusalOf({ sql: `SELECT ${at}`, params: [] })
    assert.isAtMost(calls.effective.size, 1_000)
  })
})
