import { assert, describe, it } from "@effect/vitest"
import { formatOf } from "../../src/codec/codec.ts"
import { date } from "../../src/codec/date.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { int, int32 } from "../wire/frames.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, written } from "../fixtures/codec.ts"

const table = [
  ["2000-01-01", "00000000"],
  ["1999-12-31", "ffffffff"],
  ["1970-01-01", "ffffd533"],
  ["2024-02-29", "00002279"],
  ["1900-02-28", "ffff718e"],
  ["1900-03-01", "ffff718f"],
  ["0004-02-29", "fff4e07b"],
  ["0001-01-01", "fff4dbf9"],
  ["0001-12-31 BC", "fff4dbf8"],
  ["0001-02-29 BC", "fff4dac6"],
  ["0005-02-28 BC", "fff4d510"],
  ["0044-03-15 BC", "fff49d7b"],
  ["4714-11-24 BC", "ffda97a7"],
  ["9999-12-31", "002c95d3"],
  ["10000-01-01", "002c95d4"],
  ["5874897-12-31", "7fda970c"],
  ["infinity", "7fffffff"],
  ["-infinity", "80000000"]
] as const

const MILLISECONDS_PER_DAY = 86_400_000

describe("date", () => {
  for (const [value, hex] of table) {
    it(`reads and writes ${value} as ${hex}`, () => {
      assert.strictEqual(read(date, hex), value)
      assert.strictEqual(written(date, value), hex)
    })
  }

  it("takes a Date as its day in UTC", () => {
    assert.strictEqual(written(date, new Date("2024-02-29T23:59:59.999Z")), written(date, "2024-02-29"))
    assert.strictEqual(written(date, new Date("1969-12-31T00:00:00.001Z")), written(date, "1969-12-31"))
    assert.strictEqual(written(date, new Date("-000043-03-15T12:00:00Z")), written(date, "0044-03-15 BC"))
    assert.strictEqual(written(date, new Date(8.64e15)), written(date, "275760-09-13"))
  })

  it("takes the infinities as numbers", () => {
    assert.strictEqual(written(date, Infinity), "7fffffff")
    assert.strictEqual(written(date, -Infinity), "80000000")
  })

  it("lets a string travel as text, because the server takes more forms than one", () => {
    assert.strictEqual(formatOf(date, "today"), Format.text)
    assert.strictEqual(formatOf(date, new Date(0)), Format.binary)
  })

  for (const value of [
    "",
    "today",
    "2024-2-9",
    "2024-02-30",
    "2023-02-29",
    "1900-02-29",
    "2024-13-01",
    "2024-00-01",
    "2024-01-00",
    "0000-01-01",
    "02024-01-01",
    "2024-01-01 AD",
    "2024-01-01T00:00:00Z",
    "24-01-01",
    "0001-01-01 BC BC"
  ]) {
    it(`refuses ${JSON.stringify(value)} if it can only be binary`, () => {
      assert.strictEqual(
        unencodable(date, value),
        'date takes days of the calendar, such as "2024-02-29" or "0044-03-15 BC"'
      )
    })
  }

  it("refuses days that PostgreSQL does not have", () => {
    const expected = "the value is out of range for date, which takes days from 4714-11-24 BC to 5874897-12-31"
    for (const value of ["4714-11-23 BC", "5874898-01-01", new Date(-8.64e15)]) {
      assert.strictEqual(unencodable(date, value), expected)
    }
    assert.strictEqual(unencodable(date, new Date(NaN)), "date does not take an invalid Date")
    for (const value of [0, NaN, 1n, true, {}, [2024, 1, 1]]) {
      assert.match(unencodable(date, value), /^date takes a string such as "2024-02-29" or a Date, not /)
    }
  })

  it("refuses bytes of another width, and days that PostgreSQL does not have", () => {
    assert.strictEqual(undecodable(date, "000000"), "date has 4 bytes, but the server sent 3")
    for (const hex of ["7ffffffe", "80000001", "ffda97a6", "7fda970d"]) {
      assert.strictEqual(undecodable(date, hex), "the date is beyond the range of PostgreSQL")
    }
  })

  it.prop("survives a round trip with any day", [int(-2_451_545, 2_145_031_948)], ([days]) => {
    const hex = int32(days).toString("hex")
    const value = read(date, hex)
    assert.strictEqual(written(date, value), hex)
    const time = new Date((days + 10_957) * MILLISECONDS_PER_DAY)
    if (!Number.isNaN(time.getTime())) assert.strictEqual(written(date, time), hex)
  })

  it.prop("follows the calendar of Date", [int(-719_162, 2_932_896)], ([day]) => {
    const time = new Date(day * MILLISECONDS_PER_DAY)
    assert.strictEqual(read(date, written(date, time)), time.toISOString().slice(0, 10))
  })

  it.prop("throws nothing but Undecodable", [hostile(4)], ([values]) => assertWithstands(date, values))
})
