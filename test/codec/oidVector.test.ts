import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { arrayOf } from "../../src/codec/array.ts"
import { formatOf, ofText, textOf } from "../../src/codec/codec.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import { int2vector, oidvector } from "../../src/codec/oidVector.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { Undecodable } from "../../src/wire/failure.ts"
import { int } from "../wire/frames.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, unspaced, written } from "../fixtures/codec.ts"

const EMPTY = "00000001 00000000 00000015 00000000 00000000"

describe("a vector of the catalogue", () => {
  it("is an array whose indexes begin at 0", () => {
    const int2s = "00000001 00000000 00000015 00000002 00000000 00000002 0001 00000002 ffff"
    assert.deepStrictEqual(read(int2vector, int2s), [1, -1])
    assert.strictEqual(written(int2vector, [1, -1]), unspaced(int2s))
    const oids = "00000001 00000000 0000001a 00000001 00000000 00000004 ffffffff"
    assert.deepStrictEqual(read(oidvector, oids), [4_294_967_295])
    assert.strictEqual(written(oidvector, [4_294_967_295]), unspaced(oids))
  })

  it("is read without elements, and then travels as text", () => {
    assert.deepStrictEqual(read(int2vector, EMPTY), [])
    assert.strictEqual(formatOf(int2vector, []), Format.text)
    assert.strictEqual(textOf(int2vector, []), "")
    assert.deepStrictEqual(ofText(int2vector, ""), [])
    assert.match(unencodable(int2vector, []), /^the server accepts an empty int2vector only as text/)
    assert.strictEqual(formatOf(int2vector, [1]), Format.binary)
  })

  it("is one element of an array of vectors, however long it is", () => {
    const vectors = arrayOf(int2vector, pgType.int2vector.oid)
    const value = [[1, 2], [3], null]
    assert.deepStrictEqual(read(vectors, written(vectors, value)), value)
    assert.deepStrictEqual(read(vectors, written(vectors, [[[1]], [[2]]])), [[[1]], [[2]]])
    assert.strictEqual(textOf(vectors, [[1, 2], []]), '{"1 2",""}')
    assert.strictEqual(formatOf(vectors, [[1], []]), Format.text)
  })

  it("takes only numbers in the range of its elements", () => {
    for (const value of [1, [null], ["1"], [[1]], {}]) {
      assert.match(unencodable(oidvector, value), /^oidvector takes an array of numbers, not /)
    }
    assert.match(unencodable(int2vector, [32_768]), /^the value is out of range for int2/)
  })

  it("refuses arrays of another kind", () => {
    const withNull = "00000001 00000001 00000015 00000001 00000000 ffffffff"
    const nested = "00000002 00000000 00000015 00000001 00000000 00000001 00000000 00000002 0001"
    for (const hex of [withNull, nested]) {
      assert.strictEqual(undecodable(int2vector, hex), "the int2vector is not a list of numbers")
    }
    assert.throws(() => ofText(int2vector, "1 x"), Undecodable, "the text of int2vector is malformed")
  })

  it.prop("gives back any numbers", [Arbitrary.array(int(-32_768, 32_767), { minLength: 1 })], ([value]) => {
    assert.deepStrictEqual(read(int2vector, written(int2vector, value)), value)
    assert.deepStrictEqual(ofText(int2vector, textOf(int2vector, value)), value)
  })

  it.prop("throws nothing but Undecodable", [hostile(12, 20, 26)], ([values]) => {
    for (const codec of [int2vector, oidvector]) assertWithstands(codec, values)
  })
})
