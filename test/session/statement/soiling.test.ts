import { assert, describe, it } from "@effect/vitest"
import { failureIsSoiling, isSoiling, namesSessionState } from "../../../src/session/statement/soiling.ts"

describe("a completed statement", () => {
  it.each([
    ["SELECT", true, false],
    ["SELECT", false, true],
    ["INSERT", false, false],
    ["COPY", false, false],
    ["COMMIT", false, false],
    ["SHOW", true, false],
    ["SET", false, true],
    ["DISCARD ALL", false, true],
    ["CREATE TABLE", false, true],
    ["DO", false, true],
    ["CALL", true, true],
    ["FETCH", true, true],
    ["A COMMAND OF TOMORROW", false, true]
  ])("%s with columns: %s may leave residue: %s", (command, hasColumns, expected) => {
    assert.strictEqual(isSoiling({ command, rowCount: 0 }, hasColumns), expected)
  })
})

describe("a statement that names a function", () => {
  it.each([
    ["SELECT set_config('a.b', 'c', false)", true],
    ["SELECT pg_catalog.SET_CONFIG('a.b', 'c', false)", true],
    ["SELECT setseed(0.5)", true],
    ["SELECT pg_advisory_lock(1)", true],
    ["SELECT pg_try_advisory_lock_shared(1)", true],
    ["SELECT pg_advisory_unlock_all()", true],
    ["SELECT pg_advisory_xact_lock(1)", false],
    ["SELECT my_set_config()", false],
    ["SELECT current_setting('a.b')", false]
  ])("%j names session state: %s", (sql, expected) => {
    assert.strictEqual(namesSessionState(sql), expected)
  })
})

describe("a failed statement", () => {
  it.each([
    ["SELECT 1 / 0", false],
    ["  \n with t AS (SELECT 1) SELECT 1 / 0", false],
    ["INSERT INTO t VALUES (1)", false],
    ["copy t FROM STDIN", false],
    ["SELECT pg_advisory_lock(1), 1 / 0", true],
    ["CALL work()", true],
    ["DO $$ BEGIN RAISE 'no'; END $$", true],
    ["SET work_mem = 'much'", true],
    ["/* a comment */ SELECT 1 / 0", true],
    ["selection", true]
  ])("%j may leave residue: %s", (sql, expected) => {
    assert.strictEqual(failureIsSoiling(sql), expected)
  })
})
