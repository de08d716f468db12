import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { float4, float8 } from "../../src/codec/float.ts"
import {
  assertWithstands,
  hostile,
  read,
  type Row,
  undecodable,
  unencodable,
  unspaced,
  written
} from "../fixtures/codec.ts"

const doubles: ReadonlyArray<Row> = [
  [0, "00000000 00000000"],
  [-0, "80000000 00000000"],
  [1.1, "3ff19999 9999999a"],
  [-1.5, "bff80000 00000000"],
  [5e-324, "00000000 00000001"],
  [1.7976931348623157e308, "7fefffff ffffffff"],
  [Infinity, "7ff00000 00000000"],
  [-Infinity, "fff00000 00000000"],
  [NaN, "7ff80000 00000000"]
]

const floats: ReadonlyArray<Row> = [
  [0, "00000000"],
  [-0, "80000000"],
  [1.5, "3fc00000"],
  [1.100000023841858, "3f8ccccd"],
  [1.401298464324817e-45, "00000001"],
  [3.4028234663852886e38, "7f7fffff"],
  [Infinity, "7f800000"],
  [-Infinity, "ff800000"],
  [NaN, "7fc00000"]
]

for (const [codec, rows] of [
  [float8, doubles],
  [float4, floats]
] as const) {
  describe(`the type ${codec.name}`, () => {
    for (const [value, hex] of rows) {
      it(`reads and writes ${Object.is(value, -0) ? "-0" : value} as ${hex}`, () => {
        assert.isTrue(Object.is(read(codec, hex), value))
        assert.strictEqual(written(codec, value), unspaced(hex))
      })
    }

    it("takes bigints", () => {
      assert.strictEqual(written(codec, 3n), written(codec, 3))
      assert.strictEqual(unencodable(codec, 10n ** 400n), `the value is out of range for ${codec.name}`)
    })

    it("takes nothing else", () => {
      for (const value of ["1.5", true, null, new Date(0), [1.5]]) {
        assert.match(unencodable(codec, value), /takes a number or a bigint, not /)
      }
    })

    it("is read from its own width only", () => {
      assert.match(undecodable(codec, "000000"), /bytes, but the server sent 3$/)
    })

    it.prop("throws nothing but Undecodable", [hostile(4, 8)], ([values]) => assertWithstands(codec, values))
  })
}

describe("a float4", () => {
  it("is written as the nearest representable number", () => {
    assert.strictEqual(written(float4, 1.1), "3f8ccccd")
    assert.strictEqual(read(float4, written(float4, 1.1)), Math.fround(1.1))
  })

  it("is refused if it would become an infinity", () => {
    for (const value of [4.1e40, -4.1e40, 3.4028235677973366e38]) {
      assert.strictEqual(unencodable(float4, value), "the value is out of range for float4")
    }
  })

  it.prop("survives a round trip with every number that it can hold", [Schema.Number], ([value]) => {
    const single = Math.fround(value)
    assert.isTrue(Object.is(read(float4, written(float4, single)), single))
  })
})

describe("a float8", () => {
  it.prop("survives a round trip with every number", [Schema.Number], ([value]) => {
    assert.isTrue(Object.is(read(float8, written(float8, value)), value))
  })
})
