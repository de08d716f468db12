import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { arrayOf } from "../../src/codec/array.ts"
import { type Codec, formatOf, ofText, textOf } from "../../src/codec/codec.ts"
import { compositeOf } from "../../src/codec/composite.ts"
import { date } from "../../src/codec/date.ts"
import { textOnlyOf } from "../../src/codec/derived.ts"
import { int4, int8 } from "../../src/codec/integer.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import { text } from "../../src/codec/text.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { UnresolvedType } from "../../src/wire/failure.ts"
import { int, text as anyText } from "../wire/frames.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, unspaced, written } from "../fixtures/codec.ts"

const PAIR = 20_000
/** An array with a hole at its end, as `[1, ,]` makes one. */
const HOLED = Object.assign(Array<unknown>(2), [1])
const attribute = (name: string, oid: number, codec: Codec) => ({ name, oid, codec })

const pair = compositeOf({
  oid: PAIR,
  name: "pair",
  attributes: [attribute("n", pgType.int4.oid, int4), attribute("label", pgType.text.oid, text)]
})
const nested = compositeOf({
  oid: 20_001,
  name: "nested",
  attributes: [attribute("first", PAIR, pair), attribute("others", 20_002, arrayOf(pair, PAIR))]
})
const withCube = compositeOf({
  oid: 20_003,
  name: "with_cube",
  attributes: [
    attribute("id", pgType.int8.oid, int8),
    attribute("cube", 20_004, textOnlyOf("cube")),
    attribute("label", pgType.text.oid, text)
  ]
})

/** Number of fields; for each the OID of its type, its length and its bytes. */
const PAIR_1_A = "00000002 00000017 00000004 00000001 00000019 00000001 61"
const PAIR_NULLS = "00000002 00000017 ffffffff 00000019 ffffffff"

const pairs = Arbitrary.all([int(-9, 9), anyText, int(0, 3)]).pipe(
  Arbitrary.map(([n, label, nulls]) => ({ n: nulls === 1 ? null : n, label: nulls === 2 ? null : label }))
)

describe("compositeOf", () => {
  it("reads and writes plain objects", () => {
    assert.deepStrictEqual(read(pair, PAIR_1_A), { n: 1, label: "a" })
    assert.strictEqual(written(pair, { n: 1, label: "a" }), unspaced(PAIR_1_A))
    assert.deepStrictEqual(read(pair, PAIR_NULLS), { n: null, label: null })
    assert.strictEqual(written(pair, { n: null, label: null }), unspaced(PAIR_NULLS))
  })

  it("writes an array of the attributes in their order", () => {
    assert.strictEqual(written(pair, [1, "a"]), unspaced(PAIR_1_A))
  })

  it("names the key of an object that is not an attribute, in binary and in text", () => {
    const excess = 'pair has no attribute "more", but the object has a value for it'
    assert.strictEqual(unencodable(pair, { label: "a", more: 0, n: 1 }), excess)
    assert.strictEqual(
      unencodable(pair, { lable: "a", n: 1 }),
      'pair has no attribute "lable", but the object has a value for it'
    )
    assert.throws(() => textOf(pair, { label: "a", more: null, n: 1 }), excess)
    assert.strictEqual(written(pair, { label: "a", more: undefined, n: 1 }), unspaced(PAIR_1_A))
  })

  it("refuses an attribute that is undefined, in an object and in an array, in binary and in text", () => {
    const cases = [
      [{ n: 1, label: undefined }, 'the object has no value for the attribute "label" of pair; use null for NULL'],
      [[undefined, "a"], 'the attribute "n" of pair is undefined; use null for NULL'],
      [HOLED, 'the attribute "label" of pair is undefined; use null for NULL']
    ] as const
    for (const [value, reason] of cases) {
      assert.strictEqual(unencodable(pair, value), reason)
      assert.throws(() => textOf(pair, value), reason)
    }
  })

  it("counts the own keys of an object, and not those of its class", () => {
    class Pair {
      n = 1
      label = "a"
      get more() {
        return 0
      }
    }
    assert.strictEqual(written(pair, new Pair()), unspaced(PAIR_1_A))
    const more = Object.assign(new Pair(), { extra: true })
    assert.strictEqual(unencodable(pair, more), 'pair has no attribute "extra", but the object has a value for it')
    const hidden = Object.defineProperty(new Pair(), "hidden", { value: 1, enumerable: false })
    assert.strictEqual(written(pair, hidden), unspaced(PAIR_1_A))
  })

  it("writes the properties that an object inherits from its class", () => {
    class Pair {
      get n() {
        return 1
      }
      get label() {
        return "a"
      }
    }
    assert.strictEqual(written(pair, new Pair()), unspaced(PAIR_1_A))
  })

  it("names the attribute that an object lacks", () => {
    const lacks = 'the object has no value for the attribute "label" of pair; use null for NULL'
    assert.strictEqual(unencodable(pair, { n: 1 }), lacks)
    assert.strictEqual(unencodable(pair, [1]), "pair has 2 attributes, but the array has 1 elements")
    assert.strictEqual(unencodable(pair, 1), "pair takes an object or an array, not a number")
    const hostileName = compositeOf({ oid: 1, name: "t", attributes: [attribute("constructor", 25, text)] })
    assert.include(unencodable(hostileName, {}), 'no value for the attribute "constructor"')
  })

  it("keeps attributes of any name, __proto__ too", () => {
    const codec = compositeOf({
      oid: 1,
      name: "t",
      attributes: ["__proto__", "constructor", "", "a b"].map((name) => attribute(name, pgType.int4.oid, int4))
    })
    const value = read(codec, written(codec, [1, 2, 3, 4]))
    assert.deepStrictEqual(Object.entries(value), [
      ["__proto__", 1],
      ["constructor", 2],
      ["", 3],
      ["a b", 4]
    ])
    assert.strictEqual(Object.getPrototypeOf(value), Object.prototype)
    assert.strictEqual(written(codec, value), written(codec, [1, 2, 3, 4]))
  })

  it("reports that the attributes differ from the known ones", () => {
    for (const hex of [
      "00000001 00000017 ffffffff",
      "00000003 00000017 ffffffff 00000019 ffffffff 00000017 ffffffff",
      "00000002 00000017 ffffffff 00000017 ffffffff",
      "00000002 00000019 ffffffff 00000017 ffffffff",
      "00000000"
    ]) {
      try {
        read(pair, hex)
        assert.fail("nothing was thrown")
      } catch (thrown) {
        if (!(thrown instanceof UnresolvedType)) throw thrown
        assert.deepStrictEqual([thrown.oids, thrown.isOutdated], [[PAIR], true])
        assert.strictEqual(thrown.message, "the attributes of pair are not the ones that the client knows")
      }
    }
  })

  it("travels as text if a value in it can only travel as text", () => {
    const dated = compositeOf({
      oid: 1,
      name: "dated",
      attributes: [attribute("n", pgType.int4.oid, int4), attribute("day", pgType.date.oid, date)]
    })
    assert.strictEqual(formatOf(dated, { n: 1, day: new Date(0) }), Format.binary)
    assert.strictEqual(formatOf(dated, { n: 1, day: "2024-02-29" }), Format.text)
    assert.strictEqual(formatOf(dated, [1, "2024-02-29"]), Format.text)
    assert.strictEqual(formatOf(dated, { n: 1 }), Format.binary)
    assert.strictEqual(textOf(dated, { n: null, day: "2024-02-29" }), '(,"2024-02-29")')
    assert.strictEqual(textOf(pair, ["1", 'a "b"\\, c']), '("1","a ""b""\\\\, c")')
    assert.strictEqual(textOf(pair, ["1", ""]), '("1","")')
  })

  it("is text both ways if an attribute has no binary form", () => {
    assert.strictEqual(withCube.resultFormat, Format.text)
    assert.strictEqual(formatOf(withCube, [1n, null, null]), Format.text)
    const value = { id: 1n, cube: "(1, 2)", label: null }
    assert.deepStrictEqual(ofText(withCube, '(1,"(1, 2)",)'), value)
    assert.deepStrictEqual(ofText(withCube, textOf(withCube, value)), value)
    assert.strictEqual(arrayOf(withCube, 20_003).resultFormat, Format.text)
  })

  it("refuses text that is not a row, and reports a row of other attributes", () => {
    for (const malformed of ["", "(", "1,2)", "(1,2", '(1,"2)', "(1,2)x"]) {
      assert.throws(() => ofText(pair, malformed), /the text of pair is malformed/, malformed)
    }
    assert.throws(() => ofText(pair, "(1)"), UnresolvedType)
    assert.throws(() => ofText(pair, "(1,2,3)"), UnresolvedType)
  })

  it.prop("reads what it has written, nested and in arrays", [Arbitrary.array(pairs), pairs], ([others, first]) => {
    const value = { first, others }
    assert.deepStrictEqual(read(nested, written(nested, value)), value)
    assert.deepStrictEqual(ofText(nested, textOf(nested, value)), value)
  })

  it("refuses bytes that are not a row", () => {
    assert.include(undecodable(pair, "0000"), "ends within its header")
    assert.include(undecodable(pair, "7fffffff"), "declares 2147483647 fields, but only 0 bytes are left")
    assert.include(
      undecodable(pair, "00000002 00000017 00000004 00000001 0000"),
      "declares 2 fields, but only 14 bytes are left"
    )
    assert.include(undecodable(pair, "00000002 00000017 fffffffe 00000019 ffffffff"), "a field of -2 bytes")
    assert.include(undecodable(pair, `${PAIR_NULLS} 00`), "1 bytes too many")
  })

  it.prop("withstands any bytes", [hostile(4, 20, 21)], ([values]) => assertWithstands(pair, values))
})
