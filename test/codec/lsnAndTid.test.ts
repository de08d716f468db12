import { assert, describe, it } from "@effect/vitest"
import { formatOf, textOf } from "../../src/codec/codec.ts"
import { pgLsn, tid } from "../../src/codec/lsnAndTid.ts"
import { Format } from "../../src/wire/backendMessage.ts"
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

describe("pg_lsn", () => {
  for (const [value, number, hex] of [
    ["0/0", 0n, "00000000 00000000"],
    ["16/B374D848", 0x16b374d848n, "00000016 b374d848"],
    ["A/0", 0xa00000000n, "0000000a 00000000"],
    ["FFFFFFFF/FFFFFFFF", 2n ** 64n - 1n, "ffffffff ffffffff"]
  ] as const) {
    it(`reads and writes ${value} as ${hex}, and as the bigint ${number}`, () => {
      assert.strictEqual(read(pgLsn, hex), value)
      assert.strictEqual(written(pgLsn, value), unspaced(hex))
      assert.strictEqual(written(pgLsn, number), unspaced(hex))
      assert.strictEqual(textOf(pgLsn, number), value)
    })
  }

  it("refuses texts that are not a position in a log of 64 bits", () => {
    for (const value of [-1n, 2n ** 64n]) {
      assert.strictEqual(unencodable(pgLsn, value), "the value is out of range for pg_lsn, which takes 0 to 2^64 - 1")
    }
    for (const value of ["", "0", "0/", "/0", "0/123456789", "0/x", "0/0/0"]) {
      assert.strictEqual(unencodable(pgLsn, value), 'pg_lsn takes strings such as "16/B374D848"')
    }
    assert.strictEqual(unencodable(pgLsn, 1), "pg_lsn takes a string or a bigint, not a number")
    assert.match(undecodable(pgLsn, "00"), /^pg_lsn has 8 bytes/)
  })

  it.prop("survives a round trip with any position", [int64(0n, 2n ** 64n - 1n)], ([value]) => {
    const text = read(pgLsn, written(pgLsn, value))
    assert.strictEqual(text, textOf(pgLsn, value))
    assert.strictEqual(written(pgLsn, text), written(pgLsn, value))
  })
})

describe("tid", () => {
  for (const [value, hex] of [
    ["(0,0)", "00000000 0000"],
    ["(0,1)", "00000000 0001"],
    ["(4294967295,65535)", "ffffffff ffff"]
  ] as const) {
    it(`reads and writes ${value} as ${hex}`, () => {
      assert.strictEqual(read(tid, hex), value)
      assert.strictEqual(written(tid, value), unspaced(hex))
      assert.strictEqual(formatOf(tid, value), Format.text)
    })
  }

  it("refuses texts that are not a position of a row", () => {
    for (const value of ["", "0,1", "(0)", "(0,65536)", "(4294967296,0)", "(-1,0)", "(0,1,2)"]) {
      assert.match(unencodable(tid, value), /^tid takes strings such as "\(0,1\)"/)
    }
    assert.strictEqual(unencodable(tid, [0, 1]), "tid takes a string, not an array")
    assert.match(undecodable(tid, "0000000000000000"), /^tid has 6 bytes/)
  })
})

it.prop("pg_lsn and tid throw nothing but Undecodable", [hostile(6, 8)], ([values]) => {
  for (const codec of [pgLsn, tid]) assertWithstands(codec, values)
})
