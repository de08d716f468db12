import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { arrayOf } from "../../src/codec/array.ts"
import { formatOf, ofText, textOf } from "../../src/codec/codec.ts"
import { date } from "../../src/codec/date.ts"
import { textOnlyOf } from "../../src/codec/derived.ts"
import { int4 } from "../../src/codec/integer.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import { multirangeOf, PgRange, rangeOf } from "../../src/codec/range.ts"
import { text } from "../../src/codec/text.ts"
import { timestamptz } from "../../src/codec/timestamp.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { int, text as anyText } from "../wire/frames.ts"
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

const int4range = rangeOf("int4range", int4)
const int4multirange = multirangeOf("int4multirange", int4, int4range)
const textrange = rangeOf("textrange", text)
const cuberange = rangeOf("cuberange", textOnlyOf("cube"))

const range = (
  lower: number | null,
  upper: number | null,
  lowerInclusive?: boolean,
  upperInclusive?: boolean
): PgRange<number> => new PgRange({ lower, upper, lowerInclusive, upperInclusive })

/** Flags; the bounds that exist, each after its length. */
const int4rangeTable: ReadonlyArray<Row> = [
  [PgRange.empty, "01"],
  [range(1, 5), "02 00000004 00000001 00000004 00000005"],
  [range(1, 5, false, true), "04 00000004 00000001 00000004 00000005"],
  [range(1, 5, true, true), "06 00000004 00000001 00000004 00000005"],
  [range(1, 5, false, false), "00 00000004 00000001 00000004 00000005"],
  [range(null, 5), "08 00000004 00000005"],
  [range(1, null), "12 00000004 00000001"],
  [range(null, null), "18"]
]

const bounds = Arbitrary.all([int(-9, 9), int(-9, 9), int(0, 63)]).pipe(
  Arbitrary.map(([lower, upper, flags]) =>
    flags === 63
      ? PgRange.empty
      : range((flags & 1) === 0 ? lower : null, (flags & 2) === 0 ? upper : null, (flags & 4) === 0, (flags & 8) === 0)
  )
)

const texts = Arbitrary.all([anyText, anyText]).pipe(
  Arbitrary.map(([lower, upper]) => new PgRange({ lower, upper, upperInclusive: true }))
)

describe("PgRange", () => {
  it("includes its lower bound and not its upper one by default", () => {
    assert.deepInclude(new PgRange({ lower: 1, upper: 2 }), { lowerInclusive: true, upperInclusive: false })
  })

  it("includes no bound that it lacks, and has no bounds if it is empty", () => {
    const unbounded = new PgRange({ lower: null, upper: null, lowerInclusive: true, upperInclusive: true })
    assert.deepInclude(unbounded, { lowerInclusive: false, upperInclusive: false, isEmpty: false })
    assert.deepStrictEqual(new PgRange({ lower: 1, upper: 2, isEmpty: true }), PgRange.empty)
  })

  it("prints and serializes as PostgreSQL's text", () => {
    assert.strictEqual(String(range(1, 5, false, true)), "(1,5]")
    assert.strictEqual(String(range(null, null)), "(,)")
    assert.strictEqual(String(PgRange.empty), "empty")
    assert.strictEqual(String(new PgRange({ lower: "", upper: 'a "b"\\' })), '["","a ""b""\\\\")')
    const noon = new Date("2024-02-29T12:00:00Z")
    assert.strictEqual(JSON.stringify(new PgRange({ lower: noon, upper: null })), '"[2024-02-29T12:00:00.000Z,)"')
  })
})

describe("rangeOf", () => {
  for (const [value, hex] of int4rangeTable) {
    it(`reads and writes ${String(value)}`, () => {
      assert.deepStrictEqual(read(int4range, hex), value)
      assert.strictEqual(written(int4range, value), unspaced(hex))
    })
  }

  it("takes plain objects too, with null for a missing bound", () => {
    assert.strictEqual(written(int4range, { lower: 1, upper: null }), written(int4range, range(1, null)))
    assert.strictEqual(
      written(int4range, { lower: null, upper: 3, upperInclusive: true }),
      written(int4range, range(null, 3, false, true))
    )
  })

  it("refuses a bound that is undefined, in binary and in text", () => {
    const refused = "a bound of int4range is undefined; use null if the range is infinite on that side"
    for (const value of [{ lower: undefined, upper: 3 }, new PgRange<unknown>({ lower: 1, upper: undefined })]) {
      assert.strictEqual(unencodable(int4range, value), refused)
      assert.throws(() => textOf(int4range, value), refused)
    }
  })

  it("refuses values that are not ranges, and bounds that are not of its type", () => {
    const wanted = "int4range takes a PgRange or { lower, upper, lowerInclusive, upperInclusive }"
    assert.strictEqual(unencodable(int4range, [1, 2]), `${wanted}, not an array`)
    assert.strictEqual(
      unencodable(int4range, { lower: 1, upper: 2, lowerInclusive: "yes" }),
      `${wanted}, not an object`
    )
    assert.include(unencodable(int4range, range(1.5, 2)), "int4")
  })

  it("travels as text if a bound can only travel as text", () => {
    assert.strictEqual(formatOf(int4range, range(1, 2)), Format.binary)
    assert.strictEqual(formatOf(int4range, "[1,2)"), Format.text)
    const days = rangeOf("daterange", date)
    const value = new PgRange<unknown>({ lower: "2024-01-01", upper: new Date("2024-02-01T00:00:00Z") })
    assert.strictEqual(formatOf(days, value), Format.text)
    assert.strictEqual(textOf(days, value), "[2024-01-01,2024-02-01)")
  })

  it("is always text if its bounds have no binary form", () => {
    assert.strictEqual(formatOf(cuberange, PgRange.empty), Format.text)
    assert.strictEqual(cuberange.resultFormat, Format.text)
    assert.deepStrictEqual(ofText(cuberange, '["(1, 2)",)'), new PgRange({ lower: "(1, 2)", upper: null }))
  })

  it("quotes bounds in text if they need it", () => {
    const noon = new Date("2024-02-29T12:00:00Z")
    const instants = rangeOf("tstzrange", timestamptz)
    const value = new PgRange<Date | number>({ lower: noon, upper: Infinity })
    assert.strictEqual(textOf(instants, value), '["2024-02-29 12:00:00+00",Infinity)')
    assert.deepStrictEqual(ofText(instants, '["2024-02-29 12:00:00+00",infinity)'), value)
  })

  it.prop("reads what it has written", [bounds], ([value]) => {
    assert.deepStrictEqual(read(int4range, written(int4range, value)), value)
    assert.deepStrictEqual(ofText(int4range, textOf(int4range, value)), value)
  })

  it.prop("reads its own text, whatever the bounds hold", [texts], ([value]) => {
    assert.deepStrictEqual(ofText(textrange, textOf(textrange, value)), value)
    assert.deepStrictEqual(ofText(textrange, String(value)), value)
  })

  it("refuses text that is not a range", () => {
    for (const malformed of ["", "[", "[1", "[1,", "[1,2", "1,2)", "[1,2)x", "[1,2,3)", '["1,2)', "{1,2}"]) {
      assert.throws(() => ofText(int4range, malformed), /the text of int4range is malformed/, malformed)
    }
  })

  it("refuses bytes that are not a range", () => {
    assert.include(undecodable(int4range, ""), "has no flags")
    assert.include(undecodable(int4range, "02"), "ends before the length of a part")
    assert.include(undecodable(int4range, "02 ffffffff"), "a part of -1 bytes")
    assert.include(undecodable(int4range, "02 00000005 00000001"), "a part of 5 bytes, but only 4 bytes are left")
    assert.include(undecodable(int4range, "01 00"), "1 bytes too many")
  })

  it.prop("withstands any bytes", [hostile(1, 5, 9, 17)], ([values]) => assertWithstands(int4range, values))
})

describe("multirangeOf", () => {
  const two = [range(1, 3), range(7, null)]

  it("reads and writes an array of ranges", () => {
    const hex = "00000002 00000011 0200000004000000010000000400000003 00000009 120000000400000007"
    assert.deepStrictEqual(read(int4multirange, hex), two)
    assert.strictEqual(written(int4multirange, two), unspaced(hex))
    assert.deepStrictEqual(read(int4multirange, "00000000"), [])
  })

  it("travels as text if one of its ranges can only travel as text", () => {
    assert.strictEqual(formatOf(int4multirange, two), Format.binary)
    assert.strictEqual(formatOf(int4multirange, ["[1,3)", range(7, null)]), Format.text)
    assert.strictEqual(textOf(int4multirange, ["[1,3)", range(7, null)]), "{[1,3),[7,)}")
    assert.deepStrictEqual(ofText(int4multirange, "{[1,3),[7,)}"), two)
    assert.deepStrictEqual(ofText(int4multirange, "{}"), [])
  })

  it("is an element of an array, not a dimension of it", () => {
    const arrays = arrayOf(int4multirange, pgType.int4multirange.oid)
    for (const value of [[two, []], [[]], [[two], [[]]], []]) {
      assert.deepStrictEqual(read(arrays, written(arrays, value)), value)
    }
  })

  it("refuses values that are not arrays of ranges", () => {
    assert.include(unencodable(int4multirange, range(1, 2)), "takes an array of ranges")
    assert.strictEqual(unencodable(int4multirange, [null]), "int4multirange takes no null among its ranges")
    assert.include(undecodable(int4multirange, "000000"), "ends within its header")
    assert.include(undecodable(int4multirange, "7fffffff"), "declares 2147483647 ranges, but only 0 bytes are left")
    assert.include(undecodable(int4multirange, "00000000 00"), "1 bytes too many")
    assert.throws(() => ofText(int4multirange, "{[1,2)"), /malformed/)
  })

  it.prop("withstands any bytes", [hostile(4, 9, 25)], ([values]) => assertWithstands(int4multirange, values))
})
