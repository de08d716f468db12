import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { readCommandTag } from "../../src/wire/commandTag.ts"
import { ProtocolViolation } from "../../src/wire/failure.ts"
import { bytes, int } from "./frames.ts"

const read = (tag: string) => {
  const body = Buffer.from(`C5${tag}\x009`)
  return readCommandTag(body, 2, body.length - 1)
}

const tags: ReadonlyArray<readonly [string, string, number]> = [
  ["SELECT 3", "SELECT", 3],
  ["SELECT 0", "SELECT", 0],
  ["INSERT 0 5", "INSERT", 5],
  ["INSERT 16385 1", "INSERT", 1],
  ["UPDATE 12345678901", "UPDATE", 12_345_678_901],
  ["DELETE 1", "DELETE", 1],
  ["MERGE 7", "MERGE", 7],
  ["COPY 2", "COPY", 2],
  ["FETCH 10", "FETCH", 10],
  ["MOVE 10", "MOVE", 10],
  ["SELECT", "SELECT", 0],
  ["BEGIN", "BEGIN", 0],
  ["COMMIT", "COMMIT", 0],
  ["ROLLBACK", "ROLLBACK", 0],
  ["SAVEPOINT", "SAVEPOINT", 0],
  ["RELEASE", "RELEASE", 0],
  ["SET", "SET", 0],
  ["RESET", "RESET", 0],
  ["CLOSE CURSOR ALL", "CLOSE CURSOR ALL", 0],
  ["UNLISTEN", "UNLISTEN", 0],
  ["DISCARD TEMP", "DISCARD TEMP", 0],
  ["DISCARD SEQUENCES", "DISCARD SEQUENCES", 0],
  ["CREATE TABLE", "CREATE TABLE", 0],
  ["DISCARD ALL", "DISCARD ALL", 0],
  ["SELEKT 3", "SELEKT", 3],
  ["SQL2 5", "SQL2", 5],
  ["", "", 0],
  ["7", "7", 0],
  [" 7", " 7", 0],
  ["7 7", "7", 7],
  ["COPY ", "COPY ", 0],
  ["COPY x7", "COPY x7", 0],
  ["COPY 9007199254740991", "COPY", Number.MAX_SAFE_INTEGER]
]

describe("readCommandTag", () => {
  for (const [tag, command, rowCount] of tags) {
    it(`reads "${tag}"`, () => {
      assert.deepStrictEqual(read(tag), { command, rowCount })
    })
  }

  it.prop("reads any number of rows", [int(0, Number.MAX_SAFE_INTEGER)], ([rowCount]) => {
    assert.deepStrictEqual(read(`INSERT 0 ${rowCount}`), { command: "INSERT", rowCount })
  })

  it("refuses a tag without its terminator, and one without a byte", () => {
    const body = Buffer.from("SELECT 1\0")
    assert.throws(() => readCommandTag(body, 0, body.length - 1), ProtocolViolation, "without a NUL at its end")
    assert.throws(() => readCommandTag(body, 3, 3), ProtocolViolation, "without a NUL at its end")
  })

  it("refuses a tag that continues after its terminator", () => {
    for (const tag of ["SELECT\0", "CREATE\0TABLE", "SEL\0CT 5", "\0", "COPY\0 5"]) {
      assert.throws(() => read(tag), ProtocolViolation, "a NUL in its middle")
    }
  })

  it("refuses a number of rows that JavaScript cannot count", () => {
    assert.throws(() => read("COPY 9007199254740992"), ProtocolViolation, "too large a number")
    assert.throws(() => read(`COPY ${"9".repeat(400)}`), ProtocolViolation, "too large a number")
  })

  it.prop("throws nothing but ProtocolViolation at random bytes", [bytes(20)], ([body]) => {
    try {
      assert.isAtLeast(readCommandTag(body, 0, body.length).rowCount, 0)
    } catch (failure) {
      assert.instanceOf(failure, ProtocolViolation)
    }
  })
})
