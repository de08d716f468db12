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

  it("is shared although one run was late, but not if its runs are late again and again", () => {
    const LATE_MILLIS = 21
    const statements = new ShortStatements()
    const isSharedAfter = (...runs: ReadonlyArray<number>): boolean => {
      for (const millis of runs) statements.ran("SELECT 1", millis, 0)
      return statements.find("SELECT 1", []) !== undefined
    }
    const SHORT_RUNS = Array.from({ length: 30 }, () => 1)
    assert.isTrue(isSharedAfter(1, LATE_MILLIS, 1))
    assert.isFalse(isSharedAfter(LATE_MILLIS, 1))
    assert.isTrue(isSharedAfter(...SHORT_RUNS), "a busy machine is forgiven")
    for (let times = 0; times < 20; times++) isSharedAfter(...SHORT_RUNS.slice(0, 19), LATE_MILLIS)
    assert.isFalse(isSharedAfter(...SHORT_RUNS), "one of twenty runs was late")
    assert.isTrue(isSharedAfter(...SHORT_RUNS, ...SHORT_RUNS))
  })

  it("is not shared any more if it takes long on a slow line, where a run may have prepared it", () => {
    const ROUND_TRIP_MILLIS = 30
    const statements = new ShortStatements()
    const isSharedAfter = (millis: number, times: number): boolean => {
      for (let time = 0; time < times; time++) statements.ran("SELECT 1", millis, ROUND_TRIP_MILLIS)
      return statements.find("SELECT 1", []) !== undefined
    }
    assert.isTrue(isSharedAfter(1, 1))
    assert.isTrue(isSharedAfter(ROUND_TRIP_MILLIS, 2), "each of two connections has prepared it")
    assert.isTrue(isSharedAfter(1, 1))
    assert.isFalse(isSharedAfter(10, 10))
    assert.isTrue(isSharedAfter(1, 1))
  })

  it("is not remembered if its text is very long", () => {
    assert.isTrue(isShared("SELECT 1".padEnd(MAX_SQL_LENGTH)))
    assert.isFalse(isShared("SELECT 1".padEnd(MAX_SQL_LENGTH + 1)))
  })
})
