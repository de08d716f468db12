import { assert, describe, it } from "@effect/vitest"
import { char } from "../../src/codec/char.ts"
import { int } from "../wire/frames.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, written } from "../fixtures/codec.ts"

describe('"char"', () => {
  for (const [value, hex] of [
    ["a", "61"],
    ["", "00"],
    [" ", "20"],
    ["\\", "5c"],
    ["\x7f", "7f"],
    ["\\200", "80"],
    ["\\377", "ff"]
  ] as const) {
    it(`reads and writes ${JSON.stringify(value)} as ${hex}`, () => {
      assert.strictEqual(read(char, hex), value)
      assert.strictEqual(written(char, value), hex)
    })
  }

  it("refuses a longer text and a character of several bytes, instead of cutting it off", () => {
    for (const value of ["ab", "é", "\\400", "\\08", "\\2000", "\u0080"]) {
      assert.strictEqual(
        unencodable(char, value),
        '"char" takes one ASCII character, or a byte in octal such as "\\200"'
      )
    }
    assert.strictEqual(unencodable(char, 97), '"char" takes a string, not a number')
  })

  it("is read from exactly one byte", () => {
    for (const hex of ["", "6162"]) assert.match(undecodable(char, hex), /^char has 1 bytes/)
  })

  it.prop("survives a round trip with any byte", [int(0, 255)], ([byte]) => {
    const hex = byte.toString(16).padStart(2, "0")
    assert.strictEqual(written(char, read(char, hex)), hex)
  })

  it.prop("throws nothing but Undecodable", [hostile(1, 2)], ([values]) => assertWithstands(char, values))
})
