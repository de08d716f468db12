import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { arrayOf } from "../../src/codec/array.ts"
import { type Codec, formatOf, ofText, textOf } from "../../src/codec/codec.ts"
import { box, circle, line, lseg, path, point, polygon } from "../../src/codec/geometry.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { Undecodable } from "../../src/wire/failure.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, unspaced, written } from "../fixtures/codec.ts"

const ONE = "3ff0000000000000"
const TWO = "4000000000000000"
const THREE = "4008000000000000"
const FOUR = "4010000000000000"

const p = { x: 1, y: 2 }
const q = { x: 3, y: 4 }

const tables: ReadonlyArray<readonly [Codec, unknown, string, string]> = [
  [point, p, `${ONE} ${TWO}`, "(1,2)"],
  [point, { x: Infinity, y: -Infinity }, "7ff0000000000000 fff0000000000000", "(Infinity,-Infinity)"],
  [point, { x: NaN, y: -0 }, "7ff8000000000000 8000000000000000", "(NaN,-0)"],
  [line, { a: 1, b: 2, c: 3 }, `${ONE} ${TWO} ${THREE}`, "{1,2,3}"],
  [lseg, { start: p, end: q }, `${ONE} ${TWO} ${THREE} ${FOUR}`, "[(1,2),(3,4)]"],
  [box, { high: q, low: p }, `${THREE} ${FOUR} ${ONE} ${TWO}`, "(3,4),(1,2)"],
  [circle, { center: p, radius: 3 }, `${ONE} ${TWO} ${THREE}`, "<(1,2),3>"],
  [path, { closed: false, points: [p] }, `00 00000001 ${ONE} ${TWO}`, "[(1,2)]"],
  [path, { closed: true, points: [p, q] }, `01 00000002 ${ONE} ${TWO} ${THREE} ${FOUR}`, "((1,2),(3,4))"],
  [polygon, { points: [p, q] }, `00000002 ${ONE} ${TWO} ${THREE} ${FOUR}`, "((1,2),(3,4))"]
]

const codecs = [point, line, lseg, box, circle, path, polygon]

const points = Arbitrary.array(
  Arbitrary.all([Arbitrary.schema(Schema.Number), Arbitrary.schema(Schema.Number)]).pipe(
    Arbitrary.map(([x, y]) => ({ x, y }))
  ),
  { minLength: 1, maxLength: 9 }
)

for (const [codec, value, hex, text] of tables) {
  describe(`the type ${codec.name}`, () => {
    it(`reads and writes ${text} as ${hex}`, () => {
      assert.deepStrictEqual(read(codec, hex), value)
      assert.strictEqual(written(codec, value), unspaced(hex))
    })

    it(`has the text ${text}`, () => {
      assert.strictEqual(textOf(codec, value), text)
      assert.deepStrictEqual(ofText(codec, text), value)
    })
  })
}

describe("a geometric type", () => {
  it("names the form that its objects need", () => {
    assert.strictEqual(unencodable(point, 1), "point takes { x, y }, not a number")
    assert.strictEqual(unencodable(point, [1, 2]), "point takes { x, y }, not an array")
    assert.strictEqual(unencodable(point, { x: 1 }), "point takes { x, y }")
    assert.strictEqual(unencodable(point, { x: 1, y: "2" }), "point takes { x, y }")
    assert.strictEqual(unencodable(line, { a: 1, b: 2 }), "line takes { a, b, c }")
    assert.strictEqual(unencodable(lseg, { start: p }), "lseg takes { start: { x, y }, end: { x, y } }")
    assert.strictEqual(unencodable(box, { high: p, low: 1 }), "box takes { high: { x, y }, low: { x, y } }")
    assert.strictEqual(unencodable(circle, { center: p }), "circle takes { center: { x, y }, radius }")
    assert.strictEqual(unencodable(path, { points: [p] }), "path takes { closed, points: [{ x, y }, ...] }")
    assert.strictEqual(unencodable(polygon, { points: [p, null] }), "polygon takes { points: [{ x, y }, ...] }")
  })

  it("has at least one point if it may have any number", () => {
    assert.strictEqual(unencodable(path, { closed: true, points: [] }), "path takes at least one point")
    assert.strictEqual(unencodable(polygon, { points: [] }), "polygon takes at least one point")
  })

  it("is divided by semicolons in arrays of boxes that travel as text", () => {
    const boxes = arrayOf(box, pgType.box.oid, ";")
    const value = ["(3,4),(1,2)", { high: q, low: p }]
    assert.strictEqual(formatOf(boxes, value), Format.text)
    assert.strictEqual(textOf(boxes, value), '{"(3,4),(1,2)";"(3,4),(1,2)"}')
  })

  it("refuses bytes of another length", () => {
    assert.match(undecodable(point, ONE), /^point has 16 bytes/)
    assert.match(undecodable(line, ONE), /^line has 24 bytes/)
    assert.match(undecodable(lseg, ONE), /^lseg has 32 bytes/)
    assert.match(undecodable(box, ONE), /^box has 32 bytes/)
    assert.match(undecodable(circle, ONE), /^circle has 24 bytes/)
    for (const hex of ["", "02 00000000"]) {
      assert.strictEqual(undecodable(path, hex), "the path does not say whether it is closed")
    }
    for (const hex of ["", "7fffffff", "ffffffff", `00000002 ${ONE} ${TWO}`, `00000001 ${ONE} ${TWO} 00`]) {
      assert.strictEqual(undecodable(polygon, hex), "the length of the polygon does not match the number of its points")
      assert.strictEqual(
        undecodable(path, `01 ${hex}`),
        "the length of the path does not match the number of its points"
      )
    }
  })

  it("refuses other texts", () => {
    for (const text of ["", "()", "(1)", "(1,x)", "(1,2),(3,4),5"]) {
      for (const codec of codecs) {
        assert.throws(() => ofText(codec, text), Undecodable, `the text of ${codec.name} is malformed`)
      }
    }
  })

  it.prop("survives a round trip with any points, as bytes and as text", [points], ([points]) => {
    const values: ReadonlyArray<readonly [Codec, unknown]> = [
      [polygon, { points }],
      [path, { closed: true, points }],
      [path, { closed: false, points }],
      [point, points[0]]
    ]
    for (const [codec, value] of values) {
      assert.deepStrictEqual(read(codec, written(codec, value)), value)
      assert.deepStrictEqual(ofText(codec, textOf(codec, value)), value)
    }
  })

  it.prop("throws nothing but Undecodable", [hostile(16, 20, 21, 24, 32)], ([values]) => {
    for (const codec of codecs) assertWithstands(codec, values)
  })
})
