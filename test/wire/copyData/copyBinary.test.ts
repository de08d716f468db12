import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { Buffer } from "node:buffer"
import { COPY_HEADER, COPY_TRAILER, CopyRowDecoder } from "../../../src/wire/copyData/copyBinary.ts"
import { ProtocolViolation } from "../../../src/wire/failure.ts"
import { bytes, hex, int, int16, int32 } from "../frames.ts"

const row = (values: ReadonlyArray<Uint8Array | null>): Buffer =>
  Buffer.concat([
    int16(values.length),
    ...values.flatMap((value) => (value === null ? [int32(-1)] : [int32(value.length), value]))
  ])

/** The rows in hex if the pieces come one by one, each in a receive buffer that is overwritten afterwards. */
const decoded = (pieces: ReadonlyArray<Uint8Array>, { whole = true } = {}): ReadonlyArray<string> => {
  const rows: Array<string> = []
  const decoder = new CopyRowDecoder((received, start, end) => rows.push(received.toString("hex", start, end)))
  const received = Buffer.alloc(Math.max(...pieces.map((piece) => piece.length)) + 8)
  for (const piece of pieces) {
    received.fill(0xee)
    received.set(piece, 3)
    decoder.push(received, 3, 3 + piece.length)
  }
  if (whole) decoder.expectEnd()
  return rows
}

const value = Arbitrary.map(Arbitrary.all([bytes(12), int(0, 3)]), ([content, luck]) => (luck === 0 ? null : content))
const values = Arbitrary.array(value, { maxLength: 5 })

describe("CopyRowDecoder", () => {
  it.prop(
    "finds the same rows however the data is cut",
    [Arbitrary.array(values, { maxLength: 8 }), Arbitrary.array(int(1, 40), { minLength: 1, maxLength: 20 })],
    ([rows, sizes]) => {
      const all = Buffer.concat([COPY_HEADER, ...rows.map(row), COPY_TRAILER])
      const pieces: Array<Buffer> = []
      for (let at = 0; at < all.length; at += pieces.at(-1)!.length) {
        pieces.push(all.subarray(at, at + sizes[pieces.length % sizes.length]!))
      }
      assert.deepStrictEqual(
        decoded(pieces),
        rows.map((each) => row(each).toString("hex"))
      )
    },
    { arbitrary: { runs: 500 } }
  )

  it("skips an extension of the header, and flags that may be ignored", () => {
    const header = Buffer.concat([COPY_HEADER.subarray(0, 11), hex("00000001 00000003 aabbcc")])
    assert.deepStrictEqual(decoded([header, row([hex("01")]), COPY_TRAILER]), ["00010000000101"])
  })

  const refused: ReadonlyArray<readonly [string, Uint8Array, string]> = [
    ["other data", Buffer.from("a\tb\n"), "not in the binary format"],
    ["flags that change the meaning", Buffer.concat([COPY_HEADER.subarray(0, 11), hex("00010000 00000000")]), "flags"],
    [
      "a negative extension",
      Buffer.concat([COPY_HEADER.subarray(0, 11), hex("00000000 ffffffff")]),
      "header of negative length"
    ],
    ["a negative count", Buffer.concat([COPY_HEADER, hex("fffe")]), "-2 columns"],
    ["a negative length", Buffer.concat([COPY_HEADER, hex("0001 fffffffe")]), "length -2"],
    ["data after the end", Buffer.concat([COPY_HEADER, COPY_TRAILER, hex("00")]), "behind the end marker"]
  ]
  for (const [what, data, reason] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => decoded([data]), ProtocolViolation, reason)
    })
  }

  it("refuses data that ends too early", () => {
    const all = Buffer.concat([COPY_HEADER, row([hex("0102"), null]), COPY_TRAILER])
    for (let end = 0; end < all.length; end++) {
      assert.throws(() => decoded([all.subarray(0, end)]), ProtocolViolation, "ends within a row")
    }
  })
})
