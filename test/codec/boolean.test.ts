import { assert, describe, it } from "@effect/vitest"
import { bool } from "../../src/codec/boolean.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, written } from "../fixtures/codec.ts"

describe("bool", () => {
  it("is one byte, 0 or 1", () => {
    assert.strictEqual(written(bool, true), "01")
    assert.strictEqual(written(bool, false), "00")
    assert.strictEqual(read(bool, "01"), true)
    assert.strictEqual(read(bool, "00"), false)
  })

  it("is true for every byte except 0, as it is for the server", () => {
    for (const hex of ["02", "80", "ff"]) assert.strictEqual(read(bool, hex), true)
  })

  for (const value of [0, 1, 1n, "true", null, undefined, [], {}]) {
    it(`refuses a ${typeof value} (${String(value)})`, () => {
      assert.match(unencodable(bool, value), /^bool takes a boolean, not /)
    })
  }

  it("refuses bytes of another width", () => {
    assert.strictEqual(undecodable(bool, ""), "bool has 1 bytes, but the server sent 0")
    assert.strictEqual(undecodable(bool, "0100"), "bool has 1 bytes, but the server sent 2")
  })

  it.prop("throws nothing but Undecodable", [hostile(1)], ([values]) => assertWithstands(bool, values))
})
