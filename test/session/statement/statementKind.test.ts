import { assert, describe, it } from "@effect/vitest"
import { changesSchema, hasNoParameters, kindOf } from "../../../src/session/statement/statementKind.ts"

describe("the kind of a statement", () => {
  it.each([
    ["SELECT 1", "planned"],
    ["with t AS (SELECT 1) SELECT * FROM t", "planned"],
    ["(SELECT 1) UNION SELECT 2", "planned"],
    ["/* a */ INSERT INTO t VALUES (1)", "planned"],
    ["SET a.b = 'c'", "silent"],
    ["CREATE TABLE t ()", "silent"],
    ["COPY t TO STDOUT", "silent"],
    ["FETCH ALL IN c", "told"],
    ["EXECUTE s", "told"],
    ["CALL p()", "told"],
    ["SHOW work_mem", "told"],
    ["EXPLAIN SELECT 1", "told"],
    ["selecting", "told"],
    ["", "told"]
  ])("of %j is %s", (sql, kind) => {
    assert.strictEqual(kindOf(sql), kind)
  })
})

describe("a change of the schema", () => {
  it.each([
    ["ALTER TABLE t ADD c int4", true],
    ["DO $$ BEGIN END $$", true],
    ["call p()", true],
    ["-- why\nDROP TYPE t", true],
    ["SELECT 1", false],
    ["INSERT INTO t VALUES ('DROP')", false],
    ["SET search_path = mine", false]
  ])("is possible in %j: %s", (sql, expected) => {
    assert.strictEqual(changesSchema(sql), expected)
  })
})

describe("a text without a parameter", () => {
  it.each([
    ["SELECT 1", true],
    ["SELECT $$a$$", true],
    ["SELECT $1", false],
    ["SELECT '$1'", false]
  ])("is surely %j: %s", (sql, expected) => {
    assert.strictEqual(hasNoParameters(sql), expected)
  })
})
