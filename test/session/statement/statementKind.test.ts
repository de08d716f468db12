import { assert, describe, it } from "@effect/vitest"
import {
  changesSchema,
  hasNoParameters,
  kindOf,
  readsCatalog,
  returnsNoRows
} from "../../../src/session/statement/statementKind.ts"

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

describe("a change without RETURNING", () => {
  it.each([
    ["INSERT INTO t VALUES (1)", true],
    ["-- why\nupdate t SET a = 1", true],
    ["DELETE FROM t", true],
    ["INSERT INTO t VALUES (1) returning a", false],
    ["WITH gone AS (DELETE FROM t RETURNING a) SELECT a FROM gone", false],
    ["SELECT 1", false],
    ["FETCH ALL IN c", false]
  ])("is %j: %s", (sql, expected) => {
    assert.strictEqual(returnsNoRows(sql), expected)
  })
})

describe("a statement that reads columns of the catalog without a binary form", () => {
  it.each([
    ["SELECT relacl FROM pg_class", true],
    ["SELECT * FROM PG_CATALOG.PG_STATS", true],
    ["SELECT pg_try_advisory_lock(1)", false],
    ["SELECT pg_notify('a', 'b')", false],
    ["SELECT page_type FROM books", false]
  ])("is %j: %s", (sql, expected) => {
    assert.strictEqual(readsCatalog(sql), expected)
  })
})
