import { assert, describe, it } from "@effect/vitest"
import { arrayOf } from "../../src/codec/array.ts"
import { formatOf, ofText } from "../../src/codec/codec.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import * as textOnly from "../../src/codec/textOnly.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { undecodable } from "../fixtures/codec.ts"

describe("a type without a binary form", () => {
  for (const codec of Object.values(textOnly)) {
    it(`travels as text both ways: ${codec.name}`, () => {
      assert.strictEqual(codec.resultFormat, Format.text)
      for (const value of ["x", null, []]) assert.strictEqual(formatOf(codec, value), Format.text)
      undecodable(codec, "00")
    })
  }

  it("has arrays that travel as text, even if they are empty", () => {
    const array = arrayOf(textOnly.aclitem, pgType.aclitem.oid)
    assert.strictEqual(array.resultFormat, Format.text)
    assert.strictEqual(formatOf(array, []), Format.text)
    assert.strictEqual(formatOf(array, [null]), Format.text)
    assert.deepStrictEqual(ofText(array, '{postgres=r/postgres,"\\"a,b\\"=r/postgres"}'), [
      "postgres=r/postgres",
      '"a,b"=r/postgres'
    ])
  })

  it("is the element of an array of any type, which is read as texts", () => {
    assert.deepStrictEqual(ofText(textOnly.anyarray, "{1,NULL,2}"), ["1", null, "2"])
  })
})
