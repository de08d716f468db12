/** Tests which statements end a transaction, by their tag and their text. */
import { assert, describe, it } from "@effect/vitest"
import { outcomeOfEnd } from "../../../src/session/transaction/handEnded.ts"

const cases: ReadonlyArray<readonly [command: string, sql: string, outcome: "none" | "unknown" | undefined]> = [
  ["COMMIT", "COMMIT", "unknown"],
  ["COMMIT", "END", "unknown"],
  ["COMMIT", "COMMIT AND CHAIN", "unknown"],
  ["COMMIT", "COMMIT; BEGIN", "unknown"],
  ["PREPARE TRANSACTION", "PREPARE TRANSACTION 'x'", "unknown"],
  ["ROLLBACK", "ROLLBACK", "none"],
  ["ROLLBACK", "abort", "none"],
  ["ROLLBACK", "/* all */ rollback -- now\n work and chain", "none"],
  ["ROLLBACK", "ROLLBACK; BEGIN", "none"],
  ["ROLLBACK", "ROLLBACK TO a; ROLLBACK", "none"],
  ["ROLLBACK", "ROLLBACK TO a", undefined],
  ["ROLLBACK", "rollback transaction to savepoint a", undefined],
  ["ROLLBACK", "ROLLBACK /* not all */ WORK -- but\n TO SAVEPOINT a", undefined],
  ["ROLLBACK", "ROLLBACK TO a; INSERT INTO log VALUES ('rollback done')", undefined],
  ["ROLLBACK", 'ROLLBACK TO a; SELECT "rollback" FROM t', undefined],
  ["ROLLBACK", "ROLLBACK TO a; DO $x$ BEGIN NULL; /* rollback */ END $x$ -- rollback", undefined],
  ["BEGIN", "BEGIN", undefined],
  ["INSERT", "INSERT INTO log VALUES ('commit')", undefined]
]

describe("a user's command in a transaction:", () => {
  for (const [command, sql, outcome] of cases) {
    it(`${sql} ${outcome === undefined ? "does not end it" : `ends it, with outcome ${outcome}`}`, () => {
      assert.strictEqual(outcomeOfEnd(command, sql), outcome)
    })
  }
})
