import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { ofText, textOf } from "../../../src/codec/codec.ts"
import { cube } from "../../../src/codec/optional/cube.ts"
import { Undecodable } from "../../../src/wire/failure.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, unspaced, written } from "../../fixtures/codec.ts"
import { codecOf, mutated } from "../../fixtures/typeCodec.ts"
import { int } from "../../wire/frames.ts"

const codec = codecOf(cube)

const POINT = "80000002 3ff0000000000000 c000000000000000"
const BOX = "00000001 4008000000000000 3ff0000000000000"

const cornersOf = (length: number) => ({
  from: Array.from({ length }, () => 1),
  to: Array.from({ length }, () => 2)
})

const cubes = Arbitrary.array(Arbitrary.all([int(-9, 9), int(-9, 9)]), { maxLength: 4 }).pipe(
  Arbitrary.map((sides) => ({ from: sides.map(([from]) => from / 4), to: sides.map(([, to]) => to) }))
)

describe("cube", () => {
  it("consists of two corners, which are equal for a point", () => {
    assert.deepStrictEqual(read(codec, POINT), { from: [1, -2], to: [1, -2] })
    assert.strictEqual(written(codec, { from: [1, -2], to: [1, -2] }), unspaced(POINT))
    assert.deepStrictEqual(read(codec, BOX), { from: [3], to: [1] })
    assert.strictEqual(written(codec, { from: [3], to: [1] }), unspaced(BOX))
    assert.deepStrictEqual(read(codec, "80000000"), { from: [], to: [] })
  })

  it("has a text form too, for places beside text", () => {
    assert.strictEqual(textOf(codec, { from: [1, -0], to: [1, 2.5] }), "(1, -0),(1, 2.5)")
    assert.deepStrictEqual(ofText(codec, "(1, 2)"), { from: [1, 2], to: [1, 2] })
    assert.deepStrictEqual(ofText(codec, "(NaN),(-Infinity)"), { from: [NaN], to: [-Infinity] })
    for (const malformed of ["", "(1", "(1),(1, 2)", "(a)", "(1)x"]) {
      assert.throws(() => ofText(codec, malformed), Undecodable)
    }
  })

  it("refuses values that are not cubes", () => {
    assert.match(unencodable(codec, [1]), /takes \{ from, to \}/)
    assert.match(unencodable(codec, { from: [1], to: ["1"] }), /takes \{ from, to \}/)
    assert.match(unencodable(codec, { from: [1], to: [1, 2] }), /same number of coordinates/)
    assert.match(unencodable(codec, cornersOf(101)), /at most 100/)
    assert.deepStrictEqual(read(codec, written(codec, cornersOf(100))), cornersOf(100))
  })

  it("refuses bytes that are not those of its coordinates", () => {
    for (const hex of ["", "000000", "80000001", "00000001 3ff0000000000000", `${POINT} 00`, "7fffffff"]) {
      assert.match(undecodable(codec, hex), /does not match the number of its coordinates/)
    }
  })

  it.prop("survives a round trip with any cube, as bytes and as text", [cubes], ([value]) => {
    assert.deepStrictEqual(read(codec, written(codec, value)), value)
    assert.deepStrictEqual(ofText(codec, textOf(codec, value)), value)
  })

  it.prop(
    "throws nothing but Undecodable",
    [hostile(4, 12, 20), mutated(unspaced(POINT), unspaced(BOX))],
    ([any, near]) => {
      assertWithstands(codec, any)
      assertWithstands(codec, near)
    }
  )
})
