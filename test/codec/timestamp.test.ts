import { assert, describe, it } from "@effect/vitest"
import { formatOf, textOf } from "../../src/codec/codec.ts"
import { PgTimestamp, timestamp, timestamptz } from "../../src/codec/timestamp.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { assertWithstands, hostile, int64, read, undecodable, unencodable, written } from "../fixtures/codec.ts"

const MIN = -211_813_488_000_000_000n
const MAX = 9_223_371_331_199_999_999n

/** Text as the server prints it (a timestamptz with +00), what `toISOString` says, and the bytes. */
const table = [
  ["2000-01-01 00:00:00", "2000-01-01T00:00:00.000Z", "0000000000000000"],
  ["1970-01-01 00:00:00", "1970-01-01T00:00:00.000Z", "fffca2fec4c82000"],
  ["1999-12-31 23:59:59.999", "1999-12-31T23:59:59.999Z", "fffffffffffffc18"],
  ["1999-12-31 23:59:59.999999", "1999-12-31T23:59:59.999999Z", "ffffffffffffffff"],
  ["2024-02-29 12:34:56.789", "2024-02-29T12:34:56.789Z", "0002b58341728608"],
  ["2024-02-29 12:34:56.789012", "2024-02-29T12:34:56.789012Z", "0002b58341728614"],
  ["1714-01-01 00:00:00.000001", "1714-01-01T00:00:00.000001Z", "ffdfef9376bee001"],
  ["2285-12-31 00:00:00.000001", "2285-12-31T00:00:00.000001Z", "0020106c89412001"],
  ["9999-12-31 23:59:59.999999", "9999-12-31T23:59:59.999999Z", "0380e70b913b7fff"],
  ["0001-01-01 00:00:00", "0001-01-01T00:00:00.000Z", "ff1fe2ffc59c6000"],
  ["0044-03-15 12:00:00 BC", "-000043-03-15T12:00:00.000Z", "ff1af9e8fb46d000"],
  ["4714-11-24 00:00:00 BC", "-004713-11-24T00:00:00.000Z", "fd0f7cc1411fa000"],
  ["4714-11-24 00:00:00.000001 BC", "-004713-11-24T00:00:00.000001Z", "fd0f7cc1411fa001"],
  ["275760-09-13 00:00:00", "+275760-09-13T00:00:00.000Z", "77e41537f0282000"],
  ["275760-09-13 00:00:00.000999", "+275760-09-13T00:00:00.000999Z", "77e41537f02823e7"]
] as const

/** PostgreSQL's range goes beyond that of Date. */
const beyondDate = [
  ["275760-09-13 00:00:00.001", "77e41537f02823e8"],
  ["294276-12-31 23:59:59.999999", "7fffff5bb3b29fff"]
] as const

const withOffset = (text: string): string => (text.endsWith(" BC") ? `${text.slice(0, -3)}+00 BC` : `${text}+00`)

for (const [codec, textFor] of [
  [timestamp, (text: string) => text],
  [timestamptz, withOffset]
] as const) {
  describe(`the type ${codec.name}`, () => {
    for (const [text, iso, hex] of table) {
      it(`is ${textFor(text)} as a Date`, () => {
        const value = read(codec, hex)
        assert.instanceOf(value, Date)
        if (!(value instanceof Date)) return
        assert.strictEqual(value.toISOString(), iso)
        assert.strictEqual(value instanceof PgTimestamp, /\.\d{6}Z$/.test(iso))
        assert.strictEqual(written(codec, value), hex)
        assert.strictEqual(textOf(codec, value), textFor(text))
        assert.strictEqual(written(codec, textFor(text)), hex)
      })
    }

    for (const [text, hex] of beyondDate) {
      it(`is ${textFor(text)} as the server's text`, () => {
        assert.strictEqual(read(codec, hex), textFor(text))
        assert.strictEqual(written(codec, textFor(text)), hex)
      })
    }

    it("has the infinities as numbers", () => {
      for (const [value, hex] of [
        [Infinity, "7fffffffffffffff"],
        [-Infinity, "8000000000000000"]
      ] as const) {
        assert.strictEqual(read(codec, hex), value)
        assert.strictEqual(written(codec, value), hex)
        assert.strictEqual(written(codec, String(value).toLowerCase()), hex)
      }
    })

    it("lets a string travel as text", () => {
      assert.strictEqual(formatOf(codec, "2024-02-29T12:00:00Z"), Format.text)
      assert.strictEqual(formatOf(codec, new Date(0)), Format.binary)
    })

    it("refuses values that PostgreSQL does not hold", () => {
      const expected = `the value is out of range for ${codec.name}, which goes from 4714-11-24 BC to 294276-12-31`
      for (const value of [
        new Date(-8.64e15),
        new Date(Date.parse("-004713-11-24T00:00:00Z") - 1),
        textFor("294277-01-01 00:00:00"),
        textFor("4714-11-23 23:59:59.999999 BC")
      ]) {
        assert.strictEqual(unencodable(codec, value), expected)
      }
    })

    it("refuses values that are not points in time", () => {
      assert.strictEqual(unencodable(codec, new Date(NaN)), `${codec.name} does not take an invalid Date`)
      for (const microsecond of [-1, 1_000, 0.5, NaN]) {
        assert.match(unencodable(codec, new PgTimestamp(0, microsecond)), /whole number from 0 to 999$/)
      }
      for (const value of [0, NaN, 1n, true, {}]) {
        assert.match(unencodable(codec, value), /takes a Date, a PgTimestamp, Infinity or -Infinity, not /)
      }
      for (const value of ["", "now", "2024-02-30 00:00:00", "2024-02-29", "2024-02-29T12:00:00Z"]) {
        assert.include(unencodable(codec, value), 'takes strings such as "2024-02-29 12:00:00.5')
      }
    })

    it("refuses bytes of another width, and times beyond PostgreSQL's range", () => {
      assert.strictEqual(undecodable(codec, "00000000"), `${codec.name} has 8 bytes, but the server sent 4`)
      for (const hex of ["7fffff5bb3b2a000", "7ffffffffffffffe", "8000000000000001", "fd0f7cc1411f9fff"]) {
        assert.strictEqual(undecodable(codec, hex), `the ${codec.name} is beyond the range of PostgreSQL`)
      }
    })

    it.prop("survives a round trip with any microsecond", [int64(MIN, MAX)], ([value]) => {
      const hex = BigInt.asUintN(64, value).toString(16).padStart(16, "0")
      const point = read(codec, hex)
      assert.strictEqual(written(codec, point), hex)
      assert.strictEqual(written(codec, textOf(codec, point)), hex)
    })

    it.prop("throws nothing but Undecodable", [hostile(8)], ([values]) => assertWithstands(codec, values))
  })
}

describe("the offset of a timestamptz", () => {
  it("counts, and only a timestamptz may have it", () => {
    assert.strictEqual(
      written(timestamptz, "2024-02-29 13:34:56.789+01"),
      written(timestamptz, "2024-02-29 12:34:56.789+00")
    )
    assert.include(unencodable(timestamptz, "2024-02-29 12:34:56"), "takes strings")
    assert.include(unencodable(timestamp, "2024-02-29 12:34:56+00"), "takes strings")
  })
})

describe("PgTimestamp", () => {
  it("is a Date whose millisecond is rounded down, and whose microsecond counts on from it", () => {
    const value = read(timestamp, "ffffffffffffffff")
    assert.instanceOf(value, PgTimestamp)
    if (!(value instanceof PgTimestamp)) return
    assert.strictEqual(value.getTime(), Date.UTC(1999, 11, 31, 23, 59, 59, 999))
    assert.strictEqual(value.microsecond, 999)
    assert.isTrue(value < new Date(Date.UTC(2000, 0, 1)))
  })

  it("serializes with all its digits", () => {
    const value = new PgTimestamp(Date.UTC(2024, 1, 29, 12, 34, 56, 789), 12)
    assert.strictEqual(JSON.stringify({ value }), '{"value":"2024-02-29T12:34:56.789012Z"}')
    assert.strictEqual(new Date(value.toISOString()).getTime(), value.getTime())
  })
})
