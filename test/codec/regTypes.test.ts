import { assert, describe, it } from "@effect/vitest"
import { arrayOf } from "../../src/codec/array.ts"
import * as catalogueNames from "../../src/codec/regTypes.ts"
import { formatOf, ofText, textOf } from "../../src/codec/codec.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, written } from "../fixtures/codec.ts"

const { regclass } = catalogueNames

describe("a name of the catalogue", () => {
  for (const codec of Object.values(catalogueNames)) {
    it(`is read as the server's text: ${codec.name}`, () => {
      assert.strictEqual(codec.resultFormat, Format.text)
      assert.strictEqual(ofText(codec, "pg_class"), "pg_class")
      assert.strictEqual(formatOf(codec, "pg_class"), Format.text)
    })

    it(`consists of the digits of its OID within a binary value: ${codec.name}`, () => {
      for (const [value, hex] of [
        ["0", "00000000"],
        ["1259", "000004eb"],
        ["4294967295", "ffffffff"]
      ] as const) {
        assert.strictEqual(read(codec, hex), value)
        assert.strictEqual(written(codec, value), hex)
        assert.strictEqual(written(codec, Number(value)), hex)
        assert.strictEqual(written(codec, BigInt(value)), hex)
      }
      assert.match(undecodable(codec, "00"), new RegExp(`^${codec.name} has 4 bytes`))
    })
  }

  it("is refused in a place where only its OID can stand", () => {
    assert.strictEqual(unencodable(regclass, "pg_class"), "regclass takes a number or a bigint, not a string")
    assert.match(unencodable(regclass, "4294967296"), /^the value is out of range for regclass/)
    assert.match(unencodable(regclass, -1), /^the value is out of range for regclass/)
  })

  it("is an element of arrays that are read as text", () => {
    const array = arrayOf(regclass, pgType.regclass.oid)
    assert.strictEqual(array.resultFormat, Format.text)
    assert.deepStrictEqual(ofText(array, '{pg_class,"\\"Strange, name\\"",NULL}'), [
      "pg_class",
      '"Strange, name"',
      null
    ])
    assert.strictEqual(formatOf(array, [1259]), Format.binary)
    assert.strictEqual(textOf(array, ["pg_class", 1259]), '{"pg_class","1259"}')
  })

  it.prop("throws nothing but Undecodable", [hostile(4)], ([values]) => assertWithstands(regclass, values))
})
