/** Tests which statements may share a connection. */
import { assert, describe, it } from "@effect/vitest"
import { ShortStatements } from "../../../src/pool/multiplexing/shortStatements.ts"

const isShared = (sql: string): boolean => {
  const statements = new ShortStatements()
  statements.ran(sql, 1, 0)
  return statements.find(sql, []) !== undefined
}

const MAX_SQL_LENGTH = 8_192

describe("a statement that ran shortly", () => {
  it("is shared if it only reads or writes rows", () => {
    for (const sql of ["SELECT 1", "INSERT INTO temperatures VALUES (1)", "SELECT 1 INTO temperatures"]) {
      assert.isTrue(isShared(sql), sql)
    }
  })

  it("is not shared if it makes a temporary table, however that is spelled", () => {
    for (const kind of ["TEMP", "temporary", "LOCAL TEMP", "local temporary", "GLOBAL TEMP", "GLOBAL  TEMPORARY"]) {
      assert.isFalse(isShared(`SELECT 1 AS n INTO ${kind} t`), kind)
    }
  })

  it("is not remembered if its text is very long", () => {
    assert.isTrue(isShared("SELECT 1".padEnd(MAX_SQL_LENGTH)))
    assert.isFalse(isShared("SELECT 1".padEnd(MAX_SQL_LENGTH + 1)))
  })
})
