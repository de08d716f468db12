import { assert, describe, it } from "@effect/vitest"
import { arrayOf } from "../../src/codec/array.ts"
import { formatOf, ofText, textOf } from "../../src/codec/codec.ts"
import { money } from "../../src/codec/money.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { Unencodable } from "../../src/wire/failure.ts"
import { assertWithstands, hostile, read, unencodable, written } from "../fixtures/codec.ts"

describe("money", () => {
  it("is read as the server's text, since only that says the currency and the decimal point", () => {
    assert.strictEqual(money.resultFormat, Format.text)
    assert.strictEqual(ofText(money, "$1,234.50"), "$1,234.50")
    assert.deepStrictEqual(ofText(arrayOf(money, pgType.money.oid), '{$0.10,"$1,234.50"}'), ["$0.10", "$1,234.50"])
  })

  for (const [value, hex] of [
    [0n, "0000000000000000"],
    [1234n, "00000000000004d2"],
    [-1n, "ffffffffffffffff"],
    [2n ** 63n - 1n, "7fffffffffffffff"]
  ] as const) {
    it(`reads and writes ${value} of its smallest unit as ${hex}`, () => {
      assert.strictEqual(read(money, hex), value)
      assert.strictEqual(written(money, value), hex)
    })
  }

  it("travels as text if its place allows it", () => {
    for (const value of ["$1", 1, 1n]) assert.strictEqual(formatOf(money, value), Format.text)
    assert.strictEqual(formatOf(arrayOf(money, pgType.money.oid), []), Format.text)
  })

  it("refuses a number, because its unit would be a guess", () => {
    for (const [value, kind] of [
      [12.34, "number"],
      [12n, "bigint"]
    ] as const) {
      assert.throws(() => textOf(money, value), Unencodable, `money takes a string such as "12.34", not a ${kind}`)
    }
    assert.strictEqual(
      unencodable(money, 12),
      "money takes a bigint of its smallest unit in the binary format, not a number"
    )
    assert.match(unencodable(money, 2n ** 63n), /^the value is out of range for int8/)
  })

  it.prop("throws nothing but Undecodable", [hostile(8)], ([values]) => assertWithstands(money, values))
})
