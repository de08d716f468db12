/** Positions in the write-ahead log. */
import { assert, describe, it } from "@effect/vitest"
import { endOfLog, lsnOf } from "../../src/call/lsn.ts"

describe("a position in the log", () => {
  it("is two halves in hexadecimal, of which the first counts more", () => {
    assert.strictEqual(lsnOf("0/0"), 0n)
    assert.strictEqual(lsnOf("16/B374D848"), 0x16b374d848n)
    assert.strictEqual(lsnOf("ffffffff/ffffffff"), 2n ** 64n - 1n)
    for (const wrong of ["", "0", "0/", "/0", "0/0/0", "0/123456789", "g/0", " 0/0", 7, 7n, null, undefined, {}]) {
      assert.isUndefined(lsnOf(wrong))
    }
  })

  it("behind the header of a page is the end of the page before", () => {
    assert.strictEqual(endOfLog("0/3002018"), "0/3002000")
    assert.strictEqual(endOfLog("A/3000028"), "A/3000000")
    for (const other of ["0/3002020", "0/3002000", "0/3002017", "0/3003FF8"]) assert.strictEqual(endOfLog(other), other)
  })
})
