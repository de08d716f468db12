import { assert, describe, it } from "@effect/vitest"
import { formatOf, textOf } from "../../src/codec/codec.ts"
import { time, timetz } from "../../src/codec/time.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { int } from "../wire/frames.ts"
import { assertWithstands, hostile, int64, read, undecodable, unencodable, written } from "../fixtures/codec.ts"

const MICROSECONDS_PER_DAY = 86_400_000_000n

const times = [
  [0n, "00:00:00", "0000000000000000"],
  [1n, "00:00:00.000001", "0000000000000001"],
  [49_020_500_000n, "13:37:00.5", "0000000b69d97820"],
  [86_399_999_999n, "23:59:59.999999", "000000141dd75fff"],
  [86_400_000_000n, "24:00:00", "000000141dd76000"]
] as const

const timesWithOffset = [
  ["00:00:00+00", "0000000000000000 00000000"],
  ["24:00:00-15:59:59", "000000141dd76000 0000e0ff"],
  ["13:37:00.5+05:30", "0000000b69d97820 ffffb2a8"],
  ["13:37:00-00:00:01", "0000000b69d1d700 00000001"],
  ["13:37:01.000001+15:59:59", "0000000b69e11941 ffff1f01"],
  ["01:02:03-08", "00000000dde878c0 00007080"],
  ["01:02:03+00:00:30", "00000000dde878c0 ffffffe2"]
] as const

describe("time", () => {
  for (const [value, text, hex] of times) {
    it(`reads and writes ${text} as ${value} microseconds`, () => {
      assert.strictEqual(read(time, hex), value)
      assert.strictEqual(written(time, value), hex)
      assert.strictEqual(written(time, text), hex)
      assert.strictEqual(textOf(time, value), text)
    })
  }

  it("lets a string travel as text", () => {
    assert.strictEqual(formatOf(time, "noon"), Format.text)
    assert.strictEqual(formatOf(time, 1n), Format.binary)
  })

  it("refuses a time outside the day, and a number, because its unit would be a guess", () => {
    for (const value of [-1n, MICROSECONDS_PER_DAY + 1n, 2n ** 64n]) {
      assert.strictEqual(
        unencodable(time, value),
        "the value is out of range for time, which takes microseconds from 0 to 86400000000"
      )
    }
    for (const value of [0, 1.5, new Date(0), {}, true]) {
      assert.match(unencodable(time, value), /^time takes a bigint of microseconds since midnight, not /)
    }
    for (const value of ["", "24:00:00.000001", "12:60", "12:00:60", "1:00", "noon", "12:00:00.1234567", "12:00 "]) {
      assert.match(unencodable(time, value), /^time takes times from 00:00:00 to 24:00:00/)
    }
  })

  it("refuses bytes of another width, and times beyond the day", () => {
    assert.strictEqual(undecodable(time, "00"), "time has 8 bytes, but the server sent 1")
    for (const hex of ["ffffffffffffffff", "000000141dd76001", "7fffffffffffffff"]) {
      assert.strictEqual(undecodable(time, hex), "the time is beyond 24:00:00")
    }
  })

  it.prop("survives a round trip with any time", [int64(0n, MICROSECONDS_PER_DAY)], ([value]) => {
    assert.strictEqual(read(time, written(time, value)), value)
  })

  it.prop("throws nothing but Undecodable", [hostile(8)], ([values]) => assertWithstands(time, values))
})

describe("timetz", () => {
  for (const [value, hex] of timesWithOffset) {
    it(`reads and writes ${value} as ${hex}`, () => {
      assert.strictEqual(read(timetz, hex), value)
      assert.strictEqual(written(timetz, value), hex.replace(" ", ""))
    })
  }

  it("lets a string travel as text, because the server takes names of zones too", () => {
    assert.strictEqual(formatOf(timetz, "12:00 CET"), Format.text)
  })

  it("refuses other strings if it can only be binary", () => {
    for (const value of [
      "",
      "12:00:00",
      "+01",
      "12:00:00+16",
      "12:00:00-16:00",
      "12:00:00+1",
      "12:00 CET",
      "25:00+00"
    ]) {
      assert.match(unencodable(timetz, value), /^timetz takes times from 00:00:00 to 24:00:00/)
    }
    assert.match(unencodable(timetz, 1n), /^timetz takes a string such as "13:37:00\+02", not a bigint$/)
  })

  it("refuses other widths, times and offsets", () => {
    assert.strictEqual(undecodable(timetz, "0000000000000000"), "timetz has 12 bytes, but the server sent 8")
    assert.strictEqual(undecodable(timetz, "ffffffffffffffff 00000000"), "the timetz is beyond 24:00:00")
    for (const offset of ["0000e100", "ffff1f00", "7fffffff", "80000000"]) {
      assert.strictEqual(
        undecodable(timetz, `0000000000000000 ${offset}`),
        "the timetz has an offset of 16 hours or more"
      )
    }
  })

  it.prop(
    "survives a round trip with any time and offset",
    [int64(0n, MICROSECONDS_PER_DAY), int(-57_599, 57_599)],
    ([value, west]) => {
      const hex = written(time, value) + (west >>> 0).toString(16).padStart(8, "0")
      assert.strictEqual(written(timetz, read(timetz, hex)), hex)
    }
  )

  it.prop("throws nothing but Undecodable", [hostile(12)], ([values]) => assertWithstands(timetz, values))
})
