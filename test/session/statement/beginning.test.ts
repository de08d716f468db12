import { assert, describe, it } from "@effect/vitest"
import { begins } from "../../../src/session/statement/beginning.ts"

describe("the beginning of a statement", () => {
  it.each([
    ["SELECT 1", "select", "1"],
    ["  \n\tInsert INTO t", "insert", "INTO t"],
    ["-- a comment\nUPDATE t", "update", "t"],
    ["-- one\r-- two\r\nDELETE FROM t", "delete", "FROM t"],
    ["/* a */ /* b */VALUES (1)", "values", "(1)"],
    ["/* outer /* inner */ still outer */ TABLE t", "table", "t"],
    ["COMMIT/* a */AND CHAIN", "commit", "AND CHAIN"],
    ["BEGIN", "begin", ""],
    ["", "", ""],
    ["-- only a comment", "", ""],
    ["/* not closed SELECT 1", "", ""],
    ["; SELECT 1", "", "; SELECT 1"],
    ["1", "", "1"]
  ])("%j has the first word %j, and then %j", (sql, word, rest) => {
    const beginning = begins(sql)
    assert.deepStrictEqual([beginning.word, beginning.rest()], [word, rest])
    assert.isFalse(beginning.isQuery)
  })

  it.each(["(SELECT 1)", " ((SELECT 1) UNION SELECT 2)", "/* a */(VALUES (1))"])("%j is that of a query", (sql) => {
    assert.isTrue(begins(sql).isQuery)
  })

  it("is read in linear time", () => {
    const began = performance.now()
    for (const part of ["/*", "/**/", "-- x\n", " ", "/* */ "]) begins(part.repeat(500_000))
    assert.isBelow(performance.now() - began, 5_000)
  })
})
