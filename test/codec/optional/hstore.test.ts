import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { ofText, textOf } from "../../../src/codec/codec.ts"
import { hstore } from "../../../src/codec/optional/hstore.ts"
import { Undecodable } from "../../../src/wire/failure.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, unspaced, written } from "../../fixtures/codec.ts"
import { codecOf, mutated } from "../../fixtures/typeCodec.ts"
import { int, text } from "../../wire/frames.ts"

const codec = codecOf(hstore)

const BYTES = "00000002 00000001 61 00000002 c3a9 00000000 ffffffff"
const VALUE = { a: "é", "": null }

const pairs: Arbitrary.Arbitrary<Readonly<Record<string, string | null>>> = Arbitrary.array(
  Arbitrary.all([text, text, int(0, 3)]),
  { maxLength: 5 }
).pipe(
  Arbitrary.map((entries) => Object.fromEntries(entries.map(([key, value, kind]) => [key, kind === 0 ? null : value])))
)

describe("hstore", () => {
  it("is an object of texts and nulls", () => {
    assert.deepStrictEqual(read(codec, BYTES), VALUE)
    assert.strictEqual(written(codec, VALUE), unspaced(BYTES))
    assert.deepStrictEqual(read(codec, "00000000"), {})
    assert.strictEqual(written(codec, new Map([["a", "é"]])), unspaced("00000001 00000001 61 00000002 c3a9"))
  })

  it("has a text form too, for places beside text", () => {
    const value = { 'a "b"\\': "c, d=>e", f: null, NULL: "NULL" }
    const printed = '"a \\"b\\"\\\\"=>"c, d=>e", "f"=>NULL, "NULL"=>"NULL"'
    assert.strictEqual(textOf(codec, value), printed)
    assert.deepStrictEqual(ofText(codec, printed), value)
    for (const malformed of ['"a"', '"a"=>"b", "c"', 'a=>"b"', '"a"=>"b"x', ' "a"=>"b"']) {
      assert.throws(() => ofText(codec, malformed), Undecodable)
    }
  })

  it("keeps a key named __proto__ as an ordinary key", () => {
    const value: object = Object(read(codec, "00000001 00000009 5f5f70726f746f5f5f 00000001 61"))
    assert.deepStrictEqual(Object.entries(value), [["__proto__", "a"]])
    assert.strictEqual(Object.getPrototypeOf(value), Object.prototype)
  })

  it("refuses values that are not objects of texts", () => {
    assert.match(unencodable(codec, 1), /an object or a Map/)
    assert.match(unencodable(codec, [1]), /an object or a Map/)
    assert.match(unencodable(codec, { a: 1 }), /values that are strings or null, not a number/)
    assert.match(unencodable(codec, new Map([[1, "a"]])), /keys that are strings/)
  })

  it("refuses bytes that are not those of its pairs", () => {
    assert.match(undecodable(codec, "000000"), /more pairs than its bytes can hold/)
    assert.match(undecodable(codec, "7fffffff 00000000"), /more pairs than its bytes can hold/)
    assert.match(undecodable(codec, "00000001 ffffffff ffffffff"), /a key that is NULL/)
    assert.match(undecodable(codec, "00000001 00000005 61 00000000"), /ends within a pair/)
    assert.match(undecodable(codec, `${BYTES} 00`), /1 bytes too many/)
  })

  it.prop("survives a round trip with any pairs, as bytes and as text", [pairs], ([value]) => {
    assert.deepStrictEqual(read(codec, written(codec, value)), value)
    assert.deepStrictEqual(ofText(codec, textOf(codec, value)), value)
  })

  it.prop("throws nothing but Undecodable", [hostile(4, 12), mutated(unspaced(BYTES))], ([any, near]) => {
    assertWithstands(codec, any)
    assertWithstands(codec, near)
  })
})
