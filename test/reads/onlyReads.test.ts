/** Which statements may run on a standby inside of `readOnly`, by their texts. */
import { assert, describe, it } from "@effect/vitest"
import { mayOnlyRead } from "../../src/reads/onlyReads.ts"

describe("a statement", () => {
  it.each([
    "SELECT 1",
    "select\n1",
    "  -- why\n /* how /* and */ */ Select 1",
    "(SELECT 1) UNION (SELECT 2)",
    "VALUES (1)",
    "TABLE books",
    "SHOW work_mem",
    "EXPLAIN SELECT 1",
    "WITH a AS (SELECT 1) TABLE a",
    "SELECT updated, deleted FROM books"
  ])("that begins as a query may only read: %s", (sql) => {
    assert.isTrue(mayOnlyRead(sql))
  })

  it.each([
    "",
    "INSERT INTO books VALUES (1)",
    "update books SET id = 1",
    "DELETE FROM books",
    "MERGE INTO books USING others ON true WHEN MATCHED THEN DELETE",
    "WITH a AS (INSERT INTO books VALUES (1) RETURNING id) TABLE a",
    "with a as (select 1) update books set id = 1",
    "WITH a AS (SELECT 1) DELETE FROM books",
    "CALL work()",
    "DO 'BEGIN END'",
    "CREATE TABLE books ()",
    "SET work_mem = '1GB'",
    "NOTIFY books",
    "REFRESH MATERIALIZED VIEW books",
    "SELECTED",
    "COPY books FROM STDIN"
  ])("with another beginning, or a change in it, does not: %s", (sql) => {
    assert.isFalse(mayOnlyRead(sql))
  })
})
