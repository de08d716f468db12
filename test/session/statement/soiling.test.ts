import { assert, describe, it } from "@effect/vitest"
import { mayHaveEnded } from "../../../src/session/statement/outcome.ts"
import {
  changesRowsOnly,
  failureIsSoiling,
  isSoiling,
  namesSessionState
} from "../../../src/session/statement/soiling.ts"
import { changesSchema } from "../../../src/session/types/schemaChange.ts"

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

describe("a command that changes rows only", () => {
  it.each([
    ["SELECT", true, true],
    ["SELECT", false, false],
    ["INSERT", false, true],
    ["UPDATE", true, true],
    ["DELETE", false, true],
    ["MERGE", false, true],
    ["COPY", false, false],
    ["COMMIT", false, false],
    ["ROLLBACK", false, false],
    ["SET", false, false],
    ["CREATE TABLE", false, false],
    ["A COMMAND OF TOMORROW", true, false]
  ])(
    "%s with columns %s: %s; then it leaves no residue, ends nothing and changes no schema",
    (command, has, expected) => {
      assert.strictEqual(changesRowsOnly(command, has), expected)
      if (!expected) return
      assert.isFalse(isSoiling({ command, rowCount: 1 }, has))
      assert.isFalse(mayHaveEnded(command))
      assert.isFalse(changesSchema({ command, rowCount: 1 }, has))
    }
  )
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
