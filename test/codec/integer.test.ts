import { assert, describe, it } from "@effect/vitest"
import type { Codec } from "../../src/codec/codec.ts"
import { cid, int2, int4, int8, oid, xid, xid8 } from "../../src/codec/integer.ts"
import { int } from "../wire/frames.ts"
import {
  assertWithstands,
  hostile,
  int64,
  read,
  type Row,
  undecodable,
  unencodable,
  unspaced,
  written
} from "../fixtures/codec.ts"

const tables: ReadonlyArray<readonly [Codec, ReadonlyArray<Row>]> = [
  [
    int2,
    [
      [0, "0000"],
      [1, "0001"],
      [-1, "ffff"],
      [32_767, "7fff"],
      [-32_768, "8000"]
    ]
  ],
  [
    int4,
    [
      [0, "00000000"],
      [1, "00000001"],
      [-2, "fffffffe"],
      [2_147_483_647, "7fffffff"],
      [-2_147_483_648, "80000000"]
    ]
  ],
  [
    int8,
    [
      [0n, "00000000 00000000"],
      [1n, "00000000 00000001"],
      [-1n, "ffffffff ffffffff"],
      [2n ** 32n, "00000001 00000000"],
      [2n ** 53n, "00200000 00000000"],
      [2n ** 53n + 1n, "00200000 00000001"],
      [-(2n ** 53n) - 1n, "ffdfffff ffffffff"],
      [2n ** 63n - 1n, "7fffffff ffffffff"],
      [-(2n ** 63n), "80000000 00000000"]
    ]
  ],
  [
    xid8,
    [
      [0n, "00000000 00000000"],
      [2n ** 53n + 1n, "00200000 00000001"],
      [2n ** 63n, "80000000 00000000"],
      [2n ** 64n - 1n, "ffffffff ffffffff"]
    ]
  ],
  ...[oid, xid, cid].map(
    (codec) =>
      [
        codec,
        [
          [0, "00000000"],
          [2_147_483_647, "7fffffff"],
          [2_147_483_648, "80000000"],
          [4_294_967_295, "ffffffff"]
        ]
      ] as const
  )
]

const ranges: ReadonlyArray<readonly [Codec, bigint, bigint]> = [
  [int2, -(2n ** 15n), 2n ** 15n - 1n],
  [int4, -(2n ** 31n), 2n ** 31n - 1n],
  [int8, -(2n ** 63n), 2n ** 63n - 1n],
  [oid, 0n, 2n ** 32n - 1n],
  [xid, 0n, 2n ** 32n - 1n],
  [cid, 0n, 2n ** 32n - 1n],
  [xid8, 0n, 2n ** 64n - 1n]
]

for (const [codec, rows] of tables) {
  describe(`the type ${codec.name}`, () => {
    for (const [value, hex] of rows) {
      it(`reads and writes ${value} as ${hex}`, () => {
        assert.strictEqual(read(codec, hex), value)
        assert.strictEqual(written(codec, value), unspaced(hex))
      })
    }
  })
}

for (const [codec, min, max] of ranges) {
  describe(`the range of ${codec.name}`, () => {
    it("ends at PostgreSQL's limits, for bigints too", () => {
      const width = written(codec, 0n).length
      assert.strictEqual(BigInt.asUintN(64, min) % 2n ** BigInt(width * 4), BigInt(`0x${written(codec, min)}`))
      assert.strictEqual(max, BigInt.asIntN(width * 4 + (min === 0n ? 1 : 0), BigInt(`0x${written(codec, max)}`)))
      const expected = `the value is out of range for ${codec.name}, which takes whole numbers from ${min} to ${max}`
      for (const value of [min - 1n, max + 1n, 2n ** 256n, -(2n ** 256n)]) {
        assert.strictEqual(unencodable(codec, value), expected)
      }
    })

    it("excludes fractions, NaN, infinities, and everything that is not a number", () => {
      for (const value of [1.5, -0.1, NaN, Infinity, -Infinity, 2 ** 64]) unencodable(codec, value)
      for (const value of ["1", true, null, undefined, {}, [1], new Date(0), Symbol("1")]) {
        assert.match(unencodable(codec, value), /takes a number or a bigint, not /)
      }
    })

    it("is read from its own width only", () => {
      const width = written(codec, 0n).length / 2
      for (const other of [0, width - 1, width + 1]) {
        assert.strictEqual(
          undecodable(codec, "00".repeat(other)),
          `${codec.name} has ${width} bytes, but the server sent ${other}`
        )
      }
    })

    it.prop("survives a round trip, from a number or a bigint", [int64(min, max)], ([value]) => {
      assert.strictEqual(BigInt(Number(read(codec, written(codec, value)))), BigInt(Number(value)))
      if (codec === int8 || codec === xid8) assert.strictEqual(read(codec, written(codec, value)), value)
      if (Number.isSafeInteger(Number(value))) {
        assert.strictEqual(written(codec, Number(value)), written(codec, value))
      }
    })

    it.prop("throws nothing but Undecodable", [hostile(2, 4, 8)], ([values]) => assertWithstands(codec, values))
  })
}

describe("int8 from numbers", () => {
  it.prop("is exact for every integer that a number holds exactly", [int(-(2 ** 53) + 1, 2 ** 53 - 1)], ([value]) => {
    assert.strictEqual(read(int8, written(int8, value)), BigInt(value))
  })

  it("refuses a number beyond 2^53, because it may not be the intended one", () => {
    for (const value of [2 ** 53, -(2 ** 53), 1e300]) {
      assert.strictEqual(
        unencodable(int8, value),
        "int8 takes a number only if it is whole and at most 2^53 - 1; use a bigint beyond that"
      )
    }
  })

  it("reads -0 as 0", () => {
    for (const codec of [int2, int4, int8, oid]) assert.match(written(codec, -0), /^0+$/)
  })
})
