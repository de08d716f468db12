import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { Buffer } from "node:buffer"
import { bit, varbit } from "../../src/codec/bit.ts"
import { formatOf } from "../../src/codec/codec.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { int } from "../wire/frames.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, unspaced, written } from "../fixtures/codec.ts"

const rows = [
  ["", "00000000"],
  ["0", "00000001 00"],
  ["1", "00000001 80"],
  ["101", "00000003 a0"],
  ["10101010", "00000008 aa"],
  ["101010101", "00000009 aa80"],
  ["000000000000000000000001", "00000018 000001"]
] as const

for (const codec of [bit, varbit]) {
  describe(`the type ${codec.name}`, () => {
    for (const [value, hex] of rows) {
      it(`reads and writes "${value}" as ${hex}`, () => {
        assert.strictEqual(read(codec, hex), value)
        assert.strictEqual(written(codec, value), unspaced(hex))
      })
    }

    it("lets a string travel as text, because the server also takes hexadecimal digits", () => {
      assert.strictEqual(formatOf(codec, "x1F"), Format.text)
    })

    it("takes nothing but a string of 0 and 1", () => {
      for (const value of ["x1F", "2", "0 1", "０"]) {
        assert.strictEqual(unencodable(codec, value), `${codec.name} takes a string of 0 and 1, such as "0101"`)
      }
      for (const value of [1, true, Buffer.from([1])]) {
        assert.include(unencodable(codec, value), `${codec.name} takes a string of 0 and 1, such as "0101", not `)
      }
    })

    for (const [what, hex, message] of [
      ["less than a length", "000000", "ends within its header"],
      ["a negative length", "ffffffff", "declares -1 bits, but has 0 bytes"],
      ["two thousand million bits in no bytes", "7fffffff", "declares 2147483647 bits, but has 0 bytes"],
      ["a byte too few", "00000009 aa", "declares 9 bits, but has 1 bytes"],
      ["a byte too many", "00000008 aa80", "declares 8 bits, but has 2 bytes"]
    ] as const) {
      it(`refuses bytes with ${what}`, () => {
        assert.strictEqual(undecodable(codec, hex), `the ${codec.name} ${message}`)
      })
    }

    it.prop("survives a round trip with any bits", [Arbitrary.array(int(0, 1))], ([values]) => {
      const value = values.join("")
      assert.strictEqual(read(codec, written(codec, value)), value)
    })

    it.prop("throws nothing but Undecodable", [hostile(4, 5, 6)], ([values]) => assertWithstands(codec, values))
  })
}
