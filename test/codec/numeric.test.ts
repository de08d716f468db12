import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import { formatOf } from "../../src/codec/codec.ts"
import { numeric } from "../../src/codec/numeric.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { int } from "../wire/frames.ts"
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

/** As PostgreSQL 18 sends them: groups, weight, sign, scale, then the groups. */
const table: ReadonlyArray<Row> = [
  ["0", "0000 0000 0000 0000"],
  ["0.00", "0000 0000 0000 0002"],
  ["1", "0001 0000 0000 0000 0001"],
  ["-1", "0001 0000 4000 0000 0001"],
  ["1.50", "0002 0000 0000 0002 0001 1388"],
  ["9999", "0001 0000 0000 0000 270f"],
  ["10000", "0001 0001 0000 0000 0001"],
  ["10001", "0002 0001 0000 0000 0001 0001"],
  ["100000000", "0001 0002 0000 0000 0001"],
  ["0.0001", "0001 ffff 0000 0004 0001"],
  ["0.001000", "0001 ffff 0000 0006 000a"],
  ["0.00000001", "0001 fffe 0000 0008 0001"],
  ["0.00000000000000000001", "0001 fffb 0000 0014 0001"],
  ["12345678.90", "0003 0001 0000 0002 04d2 162e 2328"],
  ["-0.00012345", "0002 ffff 4000 0008 0001 0929"],
  ["99999999", "0002 0001 0000 0000 270f 270f"],
  ["123456789012345678901234567890.5", "0009 0007 0000 0001 000c 0d80 1ed2 04d2 162e 2334 0d80 1ed2 1388"],
  ["NaN", "0000 0000 c000 0000"],
  ["Infinity", "0000 0000 d000 0000"],
  ["-Infinity", "0000 0000 f000 0000"]
]

/** Other spellings of one of the values above. */
const synonyms: ReadonlyArray<readonly [unknown, string]> = [
  ["+1.50", "1.50"],
  ["0001", "1"],
  ["-0", "0"],
  ["-0.00", "0.00"],
  [".0001", "0.0001"],
  ["10000.", "10000"],
  ["1e4", "10000"],
  ["1E+8", "100000000"],
  ["1e-4", "0.0001"],
  ["1.000e-3", "0.001000"],
  ["0e0", "0"],
  ["0e-2", "0.00"],
  ["0.1e-19", "0.00000000000000000001"],
  ["1234567.890e1", "12345678.90"],
  [1n, "1"],
  [-1n, "-1"],
  [100_000_000n, "100000000"],
  [123_456_789_012_345_678_901_234_567_890n, "123456789012345678901234567890"],
  [1, "1"],
  [-0, "0"],
  [1.1, "1.1"],
  [1e-20, "0.00000000000000000001"],
  [1e21, "1000000000000000000000"],
  [5e-324, `0.${"0".repeat(323)}5`],
  [NaN, "NaN"],
  [Infinity, "Infinity"],
  [-Infinity, "-Infinity"]
]

const decimal = Arbitrary.all([
  Arbitrary.array(int(0, 9), { maxLength: 40 }),
  Arbitrary.array(int(0, 9), { maxLength: 40 }),
  int(0, 1)
]).pipe(
  Arbitrary.map(([whole, fraction, negative]) => {
    const magnitude = `${whole.join("").replace(/^0+/, "") || "0"}${fraction.length === 0 ? "" : `.${fraction.join("")}`}`
    return negative === 1 && /[1-9]/.test(magnitude) ? `-${magnitude}` : magnitude
  })
)

describe("numeric", () => {
  for (const [value, hex] of table) {
    it(`reads and writes ${String(value)} as ${hex}`, () => {
      assert.strictEqual(read(numeric, hex), value)
      assert.strictEqual(written(numeric, value), unspaced(hex))
    })
  }

  for (const [value, same] of synonyms) {
    it(`takes the ${typeof value} ${Object.is(value, -0) ? "-0" : String(value)}`, () => {
      assert.strictEqual(written(numeric, value), written(numeric, same))
      assert.strictEqual(read(numeric, written(numeric, value)), same)
    })
  }

  it("has as many digits as PostgreSQL: 131,072 before the point and 16,383 after it", () => {
    const largest = `-${"9".repeat(131_072)}.${"1".repeat(16_383)}`
    assert.strictEqual(read(numeric, written(numeric, largest)), largest)
    assert.strictEqual(read(numeric, written(numeric, "1e131071")), `1${"0".repeat(131_071)}`)
    assert.strictEqual(read(numeric, written(numeric, "1e-16383")), `0.${"0".repeat(16_382)}1`)
    for (const value of [
      "1e131072",
      "9".repeat(131_073),
      "1e-16384",
      `0.${"0".repeat(16_384)}`,
      "1e999999999999999999999"
    ]) {
      assert.strictEqual(
        unencodable(numeric, value),
        "the value is out of range for numeric, which takes 131072 digits before the point and 16383 behind it"
      )
    }
  })

  for (const value of [
    "",
    " 1",
    "1 ",
    ".",
    "-",
    "+",
    "e5",
    "1e",
    "1e+",
    "1.2.3",
    "--1",
    "1,5",
    "0x10",
    "infinit",
    "١",
    "1\n"
  ]) {
    it(`refuses ${JSON.stringify(value)} if it can only be binary`, () => {
      assert.strictEqual(
        unencodable(numeric, value),
        'numeric takes decimals such as "-12.50" or "1e-5", NaN, Infinity and -Infinity'
      )
    })
  }

  it("lets a string travel as text, because the server takes more forms than one", () => {
    assert.strictEqual(formatOf(numeric, "0x10"), Format.text)
    assert.strictEqual(formatOf(numeric, 1.5), Format.binary)
    assert.strictEqual(formatOf(numeric, 1n), Format.binary)
  })

  it("takes nothing else", () => {
    for (const value of [true, null, {}, [1], new Date(0)]) {
      assert.match(unencodable(numeric, value), /^numeric takes a string, a bigint or a number, not /)
    }
  })

  for (const [what, hex] of [
    ["less than a header", "0000 0000 0000 00"],
    ["fewer groups than it says", "0002 0000 0000 0000 0001"],
    ["more groups than it says", "0000 0000 0000 0000 0001"],
    ["a group above 9999", "0001 0000 0000 0000 2710"],
    ["a group above 9999 behind the point", "0001 ffff 0000 0004 ffff"],
    ["an unknown sign", "0001 0000 8000 0000 0001"],
    ["a scale above the largest", "0000 0000 0000 4000"]
  ] as const) {
    it(`refuses bytes with ${what}`, () => {
      assert.match(undecodable(numeric, hex), /^the (length of the )?numeric /)
    })
  }

  it("reads unusual groups as the server would print them", () => {
    assert.strictEqual(read(numeric, "0003 0002 0000 0000 0000 0000 0005"), "5")
    assert.strictEqual(read(numeric, "0000 0003 0000 0001"), "0.0")
    assert.strictEqual(read(numeric, "0002 0000 0000 0000 0001 1388"), "1")
    assert.strictEqual(read(numeric, "0001 8000 0000 0002 0001"), "0.00")
  })

  it("never takes more memory than its longest text if it has ten bytes", () => {
    const text = read(numeric, "0001 7fff 4000 3fff 0001")
    assert.strictEqual(text.length, 1 + 131_069 + 1 + 16_383)
  })

  it.prop("survives a round trip with any decimal and its scale", [decimal], ([value]) => {
    assert.strictEqual(read(numeric, written(numeric, value)), value)
  })

  it.prop("survives a round trip with any number as its shortest decimal", [Schema.Finite], ([value]) => {
    assert.strictEqual(Number(read(numeric, written(numeric, value))), value + 0)
  })

  it.prop("throws nothing but Undecodable", [hostile(8, 10, 20)], ([values]) => {
    assertWithstands(numeric, values)
    // The same with a header that passes the first checks.
    for (const value of values) {
      const bytes = Buffer.concat([Buffer.alloc(8), value.subarray(0, value.length & ~1)])
      bytes.writeUInt16BE((bytes.length - 8) / 2)
      if (value.length >= 2) bytes.writeInt16BE((value[0]! - 128) * 256, 2)
      assertWithstands(numeric, [bytes])
    }
  })
})
