import { assert, describe, it } from "@effect/vitest"
import { formatOf, textOf } from "../../src/codec/codec.ts"
import { interval, PgInterval } from "../../src/codec/interval.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { int } from "../wire/frames.ts"
import {
  assertWithstands,
  hostile,
  int64,
  read,
  undecodable,
  unencodable,
  unspaced,
  written
} from "../fixtures/codec.ts"

const MAX_INT32 = 2_147_483_647
const MIN_INT32 = -2_147_483_648
const MAX_INT64 = 2n ** 63n - 1n
const MIN_INT64 = -(2n ** 63n)

/** Months, days and microseconds, the text under intervalstyle = iso_8601, and the bytes. */
const table = [
  [0, 0, 0n, "PT0S", "0000000000000000 00000000 00000000"],
  [14, 3, 14_706_789_000n, "P1Y2M3DT4H5M6.789S", "000000036c97ca88 00000003 0000000e"],
  [-14, 3, -14_706_789_000n, "P-1Y-2M3DT-4H-5M-6.789S", "fffffffc93683578 00000003 fffffff2"],
  [1, 0, 0n, "P1M", "0000000000000000 00000000 00000001"],
  [-5, 0, 0n, "P-5M", "0000000000000000 00000000 fffffffb"],
  [0, -1, 0n, "P-1D", "0000000000000000 ffffffff 00000000"],
  [0, 0, 1n, "PT0.000001S", "0000000000000001 00000000 00000000"],
  [0, 0, -1n, "PT-0.000001S", "ffffffffffffffff 00000000 00000000"],
  [0, 1, -1n, "P1DT-0.000001S", "ffffffffffffffff 00000001 00000000"],
  [0, 0, 360_000_100_000n, "PT100H0.1S", "00000053d1ad96a0 00000000 00000000"],
  [2_136_000_000, 0, 0n, "P178000000Y", "0000000000000000 00000000 7f50c600"],
  [-2_136_000_000, 0, 0n, "P-178000000Y", "0000000000000000 00000000 80af3a00"],
  [0, MAX_INT32, 0n, "P2147483647D", "0000000000000000 7fffffff 00000000"],
  [0, 0, MAX_INT64, "PT2562047788H54.775807S", "7fffffffffffffff 00000000 00000000"],
  [0, 0, MIN_INT64, "PT-2562047788H-54.775808S", "8000000000000000 00000000 00000000"]
] as const

describe("interval", () => {
  for (const [months, days, microseconds, text, hex] of table) {
    it(`reads and writes ${text} as ${hex}`, () => {
      const value = new PgInterval({ months, days, microseconds })
      assert.deepStrictEqual(read(interval, hex), value)
      assert.strictEqual(written(interval, value), unspaced(hex))
      assert.strictEqual(written(interval, { months, days, microseconds }), unspaced(hex))
      assert.strictEqual(String(value), text)
      assert.strictEqual(textOf(interval, value), text)
      assert.strictEqual(JSON.stringify([value]), `["${text}"]`)
    })
  }

  it("has PostgreSQL 17's infinities as numbers", () => {
    for (const [value, hex] of [
      [Infinity, "7fffffffffffffff 7fffffff 7fffffff"],
      [-Infinity, "8000000000000000 80000000 80000000"]
    ] as const) {
      assert.strictEqual(read(interval, hex), value)
      assert.strictEqual(written(interval, value), unspaced(hex))
    }
    assert.deepStrictEqual(
      read(interval, "7ffffffffffffffe 7fffffff 7fffffff"),
      new PgInterval({ months: MAX_INT32, days: MAX_INT32, microseconds: MAX_INT64 - 1n })
    )
  })

  it("counts missing parts of a PgInterval as zero", () => {
    assert.strictEqual(written(interval, new PgInterval({ days: 1 })), "00000000000000000000000100000000")
    assert.deepStrictEqual(new PgInterval({}), new PgInterval({ months: 0, days: 0, microseconds: 0n }))
  })

  it("takes microseconds as a number too, if it is exact", () => {
    assert.strictEqual(
      written(interval, { months: 0, days: 0, microseconds: 5 }),
      written(interval, new PgInterval({ microseconds: 5n }))
    )
    for (const microseconds of [1.5, 2 ** 53, NaN, "5", null]) {
      assert.match(
        unencodable(interval, { months: 0, days: 0, microseconds }),
        /^interval takes its microseconds as a bigint or a safe integer, not /
      )
    }
  })

  it("refuses parts that do not fit", () => {
    for (const part of ["months", "days"]) {
      for (const value of [MAX_INT32 + 1, MIN_INT32 - 1, 1.5, NaN]) {
        assert.strictEqual(
          unencodable(interval, { ...new PgInterval({}), [part]: value }),
          `the ${part} of an interval must be a whole number of 32 bits`
        )
      }
    }
    for (const microseconds of [MAX_INT64 + 1n, MIN_INT64 - 1n]) {
      assert.strictEqual(
        unencodable(interval, new PgInterval({ microseconds })),
        "the microseconds of an interval must be a whole number of 64 bits"
      )
    }
  })

  it("refuses unknown parts, so that a misspelled one does not count as zero", () => {
    for (const value of [
      {},
      { months: 1, days: 1 },
      { months: "1", days: 1, microseconds: 1n },
      0,
      NaN,
      1n,
      true,
      [],
      null
    ]) {
      assert.match(
        unencodable(interval, value),
        /^interval takes a PgInterval, \{ months, days, microseconds \}, Infinity or -Infinity, not /
      )
    }
  })

  it("lets a string travel as text", () => {
    assert.strictEqual(formatOf(interval, "1 day"), Format.text)
    assert.strictEqual(formatOf(interval, new PgInterval({ days: 1 })), Format.binary)
  })

  it("is read from exactly 16 bytes", () => {
    assert.strictEqual(undecodable(interval, "00"), "interval has 16 bytes, but the server sent 1")
  })

  it.prop(
    "survives a round trip with any interval",
    [int(MIN_INT32, MAX_INT32), int(MIN_INT32, MAX_INT32), int64(MIN_INT64, MAX_INT64)],
    ([months, days, microseconds]) => {
      const value = new PgInterval({ months, days, microseconds })
      assert.deepStrictEqual(read(interval, written(interval, value)), value)
    }
  )

  it.prop("throws nothing but Undecodable", [hostile(16)], ([values]) => assertWithstands(interval, values))
})
