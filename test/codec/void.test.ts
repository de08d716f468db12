import { assert, describe, it } from "@effect/vitest"
import { ofText } from "../../src/codec/codec.ts"
import { voidType } from "../../src/codec/void.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, written } from "../fixtures/codec.ts"

describe("void", () => {
  it("is read as null", () => {
    assert.isNull(read(voidType, ""))
    assert.isNull(ofText(voidType, ""))
    assert.match(undecodable(voidType, "00"), /^void has 0 bytes/)
  })

  it("takes only null and the empty string, and says so", () => {
    assert.strictEqual(written(voidType, ""), "")
    for (const value of ["x", 0, {}]) {
      assert.strictEqual(unencodable(voidType, value), "void takes only null and the empty string")
    }
  })

  it.prop("throws nothing but Undecodable", [hostile(0, 1)], ([values]) => assertWithstands(voidType, values))
})
