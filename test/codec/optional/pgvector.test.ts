/**
 * Tests the types of pgvector. The bytes are those that pgvector 0.8.7 sends on PostgreSQL 18 (`vector_send` and the
 * send functions of the other types).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { arrayOf } from "../../../src/codec/array.ts"
import { ofText, textOf } from "../../../src/codec/codec.ts"
import { halfvec, sparsevec, vector } from "../../../src/codec/optional/pgvector.ts"
import { Undecodable } from "../../../src/wire/failure.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, unspaced, written } from "../../fixtures/codec.ts"
import { codecOf, mutated } from "../../fixtures/typeCodec.ts"
import { int } from "../../wire/frames.ts"

const dense = [
  { type: vector, elements: [1, 2.5, -3], hex: "000300003f80000040200000c0400000", text: "[1,2.5,-3]" },
  { type: vector, elements: [Math.fround(0.1)], hex: "000100003dcccccd", text: "[0.1]" },
  {
    type: vector,
    elements: [2 ** -149, Math.fround(3.4e38)],
    hex: "00020000000000017f7fc99e",
    text: "[1e-45,3.4e+38]"
  },
  { type: halfvec, elements: [1, 2.5, -3], hex: "000300003c004100c200", text: "[1,2.5,-3]" },
  { type: halfvec, elements: [0.0999755859375], hex: "000100002e66", text: "[0.099975586]" },
  {
    type: halfvec,
    elements: [65_504, 2 ** -24, -(2 ** -14)],
    hex: "000300007bff00018400",
    text: "[65504,5.9604645e-08,-6.1035156e-05]"
  },
  { type: halfvec, elements: [0.333251953125, 2 ** -23], hex: "0002000035550002", text: "[0.33325195,1.1920929e-07]" }
]

describe("vector and halfvec", () => {
  it.each(dense)("reads and writes $type.name $text as an array of its elements", ({ elements, hex, text, type }) => {
    const codec = codecOf(type)
    assert.deepStrictEqual(read(codec, hex), elements)
    assert.strictEqual(written(codec, elements), hex)
    assert.strictEqual(written(codec, Float64Array.from(elements)), hex)
    assert.strictEqual(written(codec, Float32Array.from(elements)), hex)
    assert.deepStrictEqual(ofText(codec, text), elements)
    assert.deepStrictEqual(ofText(codec, textOf(codec, elements)), elements)
  })

  it("round to the numbers that they hold, and to the even one of two equally near", () => {
    assert.strictEqual(written(codecOf(vector), [0.1]), "000100003dcccccd")
    const halves = [0.1, 2049, 2051, 2 ** -25, 3 * 2 ** -25, 1023.9999 * 2 ** -24, 65_519, -0]
    assert.strictEqual(written(codecOf(halfvec), halves), unspaced("00080000 2e66 6800 6802 0000 0002 0400 7bff 8000"))
  })

  it("refuse numbers that they cannot hold", () => {
    for (const type of [vector, halfvec]) {
      const codec = codecOf(type)
      assert.match(unencodable(codec, [1, "2"]), /takes an array of numbers/)
      assert.match(unencodable(codec, []), /1 to 16000 elements/)
      assert.match(unencodable(codec, new Float32Array(16_001)), /1 to 16000 elements/)
      assert.match(unencodable(codec, [NaN]), /neither NaN nor Infinity/)
      assert.match(unencodable(codec, [1e39]), /out of range/)
      for (const malformed of ["", "[]", "[1", "[1,a]", "1,2"])
        assert.throws(() => ofText(codec, malformed), Undecodable)
    }
    assert.match(unencodable(codecOf(halfvec), [65_520]), /out of range/)
  })

  it("refuse bytes that are not those of their elements", () => {
    for (const hex of ["", "0001", "00000000", "0003 0000 3f800000", "ffff0000"]) {
      assert.match(undecodable(codecOf(vector), hex), /does not match the number of its elements/)
      assert.match(undecodable(codecOf(halfvec), hex), /does not match the number of its elements/)
    }
  })

  it("are elements of their arrays, not dimensions", () => {
    const array = arrayOf(codecOf(vector), 70_000)
    const values = [[1, 2], null, [3]]
    assert.deepStrictEqual(read(array, written(array, values)), values)
    const nested = [[[1, 2]], [[3]]]
    assert.deepStrictEqual(read(array, written(array, nested)), nested)
  })

  it.prop("read and write every half", [int(0, 0xffff)], ([bits]) => {
    const codec = codecOf(halfvec)
    const hex = `00010000${bits.toString(16).padStart(4, "0")}`
    const value = read(codec, hex)
    const isFinite = (bits & 0x7c00) !== 0x7c00
    if (isFinite) assert.strictEqual(written(codec, value), hex)
    else assert.match(unencodable(codec, value), /neither NaN nor Infinity/)
  })
})

const SPARSE = "00000005000000020000000000000000000000023fc0000040000000"

const sparseVectors = Arbitrary.array(Arbitrary.all([int(1, 5), int(1, 9)]), { maxLength: 6 }).pipe(
  Arbitrary.map((steps) => {
    let index = -1
    const indices = steps.map(([step]) => (index += step))
    return { dimensions: index + 2, indices, values: steps.map(([, value]) => value / 4) }
  })
)

describe("sparsevec", () => {
  const codec = codecOf(sparsevec)

  it("holds its nonzero elements by their indices", () => {
    const value = { dimensions: 5, indices: [0, 2], values: [1.5, 2] }
    assert.deepStrictEqual(read(codec, SPARSE), value)
    assert.strictEqual(written(codec, value), SPARSE)
    assert.strictEqual(textOf(codec, value), "{1:1.5,3:2}/5")
    assert.deepStrictEqual(ofText(codec, "{1:1.5,3:2}/5"), value)
    const empty = { dimensions: 3, indices: [], values: [] }
    assert.deepStrictEqual(read(codec, "000000030000000000000000"), empty)
    assert.deepStrictEqual(ofText(codec, "{}/3"), empty)
    assert.strictEqual(
      written(codec, { dimensions: 1e9, indices: [1], values: [0.1] }),
      "3b9aca000000000100000000000000013dcccccd"
    )
  })

  it("takes elements in any order, and leaves out zeros", () => {
    assert.strictEqual(written(codec, { dimensions: 5, indices: [2, 1, 0], values: [2, 0, 1.5] }), SPARSE)
  })

  it("refuses elements that it cannot hold", () => {
    const sparse = (dimensions: unknown, indices: unknown, values: unknown) =>
      unencodable(codec, { dimensions, indices, values })
    assert.match(unencodable(codec, [1]), /takes \{ dimensions, indices, values \}/)
    assert.match(sparse(0, [], []), /1 to 1000000000 dimensions/)
    assert.match(sparse(1.5, [], []), /1 to 1000000000 dimensions/)
    assert.match(sparse(3, [0], []), /as many values as indices/)
    assert.match(sparse(3, [3], [1]), /indices from 0/)
    assert.match(sparse(3, [0.5], [1]), /indices from 0/)
    assert.match(sparse(3, ["0"], [1]), /that are numbers/)
    assert.match(sparse(3, [1, 1], [1, 2]), /each index only once/)
    assert.match(sparse(3, [1], [NaN]), /neither NaN nor Infinity/)
    for (const malformed of ["", "{}", "{1:2,}/3", "{1:a}/3", "{1}/3"]) {
      assert.throws(() => ofText(codec, malformed), Undecodable)
    }
  })

  it("refuses bytes that are not those of its elements", () => {
    assert.match(undecodable(codec, "00000005 7fffffff 00000000"), /does not match the number of its elements/)
    assert.match(undecodable(codec, "00000005"), /does not match the number of its elements/)
    assert.match(undecodable(codec, "00000001 00000001 00000000 00000001 3f800000"), /an index that is out of order/)
  })

  it.prop("survives a round trip with any elements, as bytes and as text", [sparseVectors], ([value]) => {
    assert.deepStrictEqual(read(codec, written(codec, value)), value)
    assert.deepStrictEqual(ofText(codec, textOf(codec, value)), value)
  })
})

describe("the types of pgvector", () => {
  const near = mutated(SPARSE, ...dense.map(({ hex }) => hex))
  it.prop("throw nothing but Undecodable", [hostile(4, 8, 12, 20), near], ([any, near]) => {
    for (const type of [vector, halfvec, sparsevec]) {
      assertWithstands(codecOf(type), any)
      assertWithstands(codecOf(type), near)
    }
  })
})
