import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { ofText, textOf } from "../../src/codec/codec.ts"
import { pgSnapshot, txidSnapshot } from "../../src/codec/snapshot.ts"
import { Undecodable } from "../../src/wire/failure.ts"
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

const MAX = 2n ** 63n - 1n

for (const codec of [pgSnapshot, txidSnapshot]) {
  describe(`the type ${codec.name}`, () => {
    for (const [value, hex, text] of [
      [{ xmin: 1n, xmax: 1n, xip: [] }, "00000000 0000000000000001 0000000000000001", "1:1:"],
      [
        { xmin: 10n, xmax: MAX, xip: [10n, 14n] },
        "00000002 000000000000000a 7fffffffffffffff 000000000000000a 000000000000000e",
        `10:${MAX}:10,14`
      ]
    ] as const) {
      it(`reads and writes ${text} as ${hex}`, () => {
        assert.deepStrictEqual(read(codec, hex), value)
        assert.strictEqual(written(codec, value), unspaced(hex))
        assert.strictEqual(textOf(codec, value), text)
        assert.deepStrictEqual(ofText(codec, text), value)
      })
    }

    it("takes an object of bigints", () => {
      for (const value of [1n, {}, { xmin: 1, xmax: 1n, xip: [] }, { xmin: 1n, xmax: 1n, xip: 1n }, [1n, 1n, []]]) {
        assert.include(unencodable(codec, value), `${codec.name} takes { xmin, xmax, xip } with bigints, not `)
      }
      for (const xmax of [-1n, MAX + 1n]) {
        assert.strictEqual(
          unencodable(codec, { xmin: 1n, xmax, xip: [] }),
          `the value is out of range for ${codec.name}, which takes 0 to 2^63 - 1`
        )
      }
    })

    it("refuses bytes and texts that are not snapshots", () => {
      const message = `the length of the ${codec.name} does not match the number of its transactions`
      for (const hex of ["", "00000000", `00000001 ${"00".repeat(16)}`, `7fffffff ${"00".repeat(16)}`]) {
        assert.strictEqual(undecodable(codec, hex), message)
      }
      for (const text of ["", "1:1", "1:1:1,", "1:1:x", "-1:1:"]) {
        assert.throws(() => ofText(codec, text), Undecodable, `the text of ${codec.name} is malformed`)
      }
    })

    const xids = Arbitrary.array(int64(0n, MAX))
    it.prop("survives a round trip with any transactions", [xids, int64(0n, MAX)], ([xip, xmin]) => {
      const value = { xmin, xmax: MAX, xip }
      assert.deepStrictEqual(read(codec, written(codec, value)), value)
      assert.deepStrictEqual(ofText(codec, textOf(codec, value)), value)
    })

    it.prop("throws nothing but Undecodable", [hostile(20, 28)], ([values]) => assertWithstands(codec, values))
  })
}
