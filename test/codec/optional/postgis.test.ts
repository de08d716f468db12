import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { ofText, textOf } from "../../../src/codec/codec.ts"
import type { PgGeometry } from "../../../src/codec/optional/geoJson.ts"
import { geography, geometry } from "../../../src/codec/optional/postgis.ts"
import { Undecodable } from "../../../src/wire/failure.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, written } from "../../fixtures/codec.ts"
import { postgisWire } from "../../fixtures/postgisWire.ts"
import { codecOf, mutated } from "../../fixtures/typeCodec.ts"
import { int } from "../../wire/frames.ts"

const codec = codecOf(geometry)

const SQUARE = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 0]
]
const ARC = [
  [0, 0],
  [1, 1],
  [2, 0]
]

const line = (...coordinates: ReadonlyArray<ReadonlyArray<number>>): PgGeometry => ({ type: "LineString", coordinates })
const arc: PgGeometry = { type: "CircularString", coordinates: ARC }

/** The values as they are read, by their WKT. */
const geometries: Readonly<Record<string, PgGeometry>> = {
  "POINT(1 2)": { type: "Point", coordinates: [1, 2] },
  "SRID=4326;POINT(13.4 52.5)": { type: "Point", coordinates: [13.4, 52.5], srid: 4326 },
  "POINT Z (1 2 3)": { type: "Point", coordinates: [1, 2, 3], layout: "XYZ" },
  "POINT M (1 2 3)": { type: "Point", coordinates: [1, 2, 3], layout: "XYM" },
  "SRID=3857;POINT ZM (1 2 3 4)": { type: "Point", coordinates: [1, 2, 3, 4], layout: "XYZM", srid: 3857 },
  "POINT EMPTY": { type: "Point", coordinates: [] },
  "POINT Z EMPTY": { type: "Point", coordinates: [], layout: "XYZ" },
  "LINESTRING(0 0,1 1,2 1)": line([0, 0], [1, 1], [2, 1]),
  "LINESTRING M (0 0 5,1 1 6)": { ...line([0, 0, 5], [1, 1, 6]), layout: "XYM" },
  "LINESTRING EMPTY": line(),
  "POLYGON((0 0,4 0,4 4,0 0),(1 1,2 1,2 2,1 1))": {
    type: "Polygon",
    coordinates: [
      [
        [0, 0],
        [4, 0],
        [4, 4],
        [0, 0]
      ],
      [
        [1, 1],
        [2, 1],
        [2, 2],
        [1, 1]
      ]
    ]
  },
  "POLYGON EMPTY": { type: "Polygon", coordinates: [] },
  "MULTIPOINT(1 2,3 4)": {
    type: "MultiPoint",
    coordinates: [
      [1, 2],
      [3, 4]
    ]
  },
  "MULTIPOINT(1 2,EMPTY)": { type: "MultiPoint", coordinates: [[1, 2], []] },
  "MULTILINESTRING((0 0,1 1),(2 2,3 3))": {
    type: "MultiLineString",
    coordinates: [
      [
        [0, 0],
        [1, 1]
      ],
      [
        [2, 2],
        [3, 3]
      ]
    ]
  },
  "MULTIPOLYGON(((0 0,1 0,1 1,0 0)),EMPTY)": { type: "MultiPolygon", coordinates: [[SQUARE], []] },
  "SRID=4326;GEOMETRYCOLLECTION(POINT(1 2),GEOMETRYCOLLECTION(LINESTRING(0 0,1 1)))": {
    type: "GeometryCollection",
    geometries: [
      { type: "Point", coordinates: [1, 2] },
      { type: "GeometryCollection", geometries: [line([0, 0], [1, 1])] }
    ],
    srid: 4326
  },
  "GEOMETRYCOLLECTION Z (POINT Z (1 2 3))": {
    type: "GeometryCollection",
    geometries: [{ type: "Point", coordinates: [1, 2, 3], layout: "XYZ" }],
    layout: "XYZ"
  },
  "GEOMETRYCOLLECTION EMPTY": { type: "GeometryCollection", geometries: [] },
  "CIRCULARSTRING(0 0,1 1,2 0)": arc,
  "COMPOUNDCURVE(CIRCULARSTRING(0 0,1 1,2 0),(2 0,3 0))": {
    type: "CompoundCurve",
    geometries: [arc, line([2, 0], [3, 0])]
  },
  "CURVEPOLYGON(CIRCULARSTRING(0 0,2 2,4 0,2 -2,0 0))": {
    type: "CurvePolygon",
    geometries: [
      {
        type: "CircularString",
        coordinates: [
          [0, 0],
          [2, 2],
          [4, 0],
          [2, -2],
          [0, 0]
        ]
      }
    ]
  },
  "MULTICURVE((0 0,1 1),CIRCULARSTRING(0 0,1 1,2 0))": { type: "MultiCurve", geometries: [line([0, 0], [1, 1]), arc] },
  "MULTISURFACE(CURVEPOLYGON((0 0,1 0,1 1,0 0)),((5 5,6 5,6 6,5 5)))": {
    type: "MultiSurface",
    geometries: [
      { type: "CurvePolygon", geometries: [line(...SQUARE)] },
      {
        type: "Polygon",
        coordinates: [
          [
            [5, 5],
            [6, 5],
            [6, 6],
            [5, 5]
          ]
        ]
      }
    ]
  },
  "POLYHEDRALSURFACE(((0 0,1 0,1 1,0 0)))": { type: "PolyhedralSurface", coordinates: [[SQUARE]] },
  "TIN(((0 0,1 0,1 1,0 0)),((0 0,1 1,0 1,0 0)))": {
    type: "Tin",
    coordinates: [
      [SQUARE],
      [
        [
          [0, 0],
          [1, 1],
          [0, 1],
          [0, 0]
        ]
      ]
    ]
  },
  "TRIANGLE((0 0,1 0,1 1,0 0))": { type: "Triangle", coordinates: [SQUARE] }
}

const nested = (depth: number): object => {
  let value: object = { type: "GeometryCollection", geometries: [] }
  for (let level = 1; level < depth; level++) value = { type: "GeometryCollection", geometries: [value] }
  return value
}

const refusals: ReadonlyArray<readonly [unknown, RegExp]> = [
  [1, /takes an object/],
  [{ type: "Circle", coordinates: [] }, /type of a geometry must be one of: Point/],
  [{ type: "Point" }, /needs an array as its coordinates/],
  [{ type: "GeometryCollection", coordinates: [] }, /needs an array as its geometries/],
  [{ type: "GeometryCollection", geometries: [1] }, /must be objects with a type/],
  [{ type: "Point", coordinates: [1] }, /must have 2 coordinates/],
  [{ type: "Point", coordinates: [1, 2, 3], layout: "XY" }, /must have 2 coordinates/],
  [
    {
      type: "LineString",
      coordinates: [
        [1, 2],
        [1, 2, 3]
      ]
    },
    /must have 2 coordinates/
  ],
  [{ type: "LineString", coordinates: [1, 2] }, /needs an array as each level of its coordinates/],
  [{ type: "Point", coordinates: [1, "2"] }, /coordinates of a geometry must be numbers/],
  [{ type: "Point", coordinates: [1, 2], srid: -1 }, /srid of a geometry/],
  [{ type: "Point", coordinates: [1, 2], srid: 1.5 }, /srid of a geometry/],
  [{ type: "Point", coordinates: [1, 2], layout: "YX" }, /layout of a geometry must be one of/],
  [
    {
      type: "GeometryCollection",
      geometries: [
        { type: "Point", coordinates: [1, 2] },
        { type: "Point", coordinates: [1, 2, 3] }
      ]
    },
    /the same layout/
  ],
  [nested(101), /nested more than 100 levels deep/]
]

describe("geometry", () => {
  it.each(postgisWire)("%s is read as the matching GeoJSON, and written so that it reads the same", (wkt, hex) => {
    const value = geometries[wkt]
    assert.isDefined(value)
    assert.deepStrictEqual(read(codec, hex), value)
    assert.deepStrictEqual(read(codec, written(codec, value)), value)
    assert.deepStrictEqual(ofText(codec, hex.toUpperCase()), value)
    assert.strictEqual(textOf(codec, value), written(codec, value))
    assert.deepStrictEqual(read(codecOf(geography), hex), value)
  })

  it("is written in big-endian order, with its flags and its srid at the outside only", () => {
    const point = { type: "Point", coordinates: [1, 2, 3] }
    const xyz = "3ff000000000000040000000000000004008000000000000"
    assert.strictEqual(
      written(codec, { type: "GeometryCollection", geometries: [point], srid: 4326 }),
      `00a0000007000010e6000000010080000001${xyz}`
    )
  })

  it("has the layout of its first position if it names none, wherever that position is", () => {
    const value = {
      type: "GeometryCollection",
      geometries: [line(), { type: "MultiPoint", coordinates: [[], [1, 2, 3]] }]
    }
    assert.strictEqual(written(codec, value).slice(0, 10), "0080000007")
  })

  it.each(refusals)("refuses %j", (value, reason) => {
    assert.match(unencodable(codec, value), reason)
  })

  it("refuses bytes that are not a geometry", () => {
    assert.match(undecodable(codec, ""), /ends too early/)
    assert.match(undecodable(codec, "00 00000001 3ff0000000000000"), /ends too early/)
    assert.match(undecodable(codec, "00 00000002 ffffffff"), /declares 4294967295 parts, but only 0 bytes are left/)
    assert.match(undecodable(codec, "00 0000000d 00000000"), /kind 13/)
    assert.match(undecodable(codec, "00 00000004 00000001 00 00000002 00000000"), /a part of the wrong kind, 2/)
    assert.match(undecodable(codec, "00 00000002 00000000 00"), /1 bytes too many/)
    assert.match(undecodable(codec, "0000000007000000 01".repeat(101)), /nested more than 100 levels deep/)
    assert.throws(() => ofText(codec, "POINT(1 2)"), Undecodable)
    assert.throws(() => ofText(codec, "000"), Undecodable)
  })

  it("is read as deep as it can be written", () => {
    assert.deepStrictEqual(read(codec, written(codec, nested(100))), nested(100))
  })

  const points = Arbitrary.array(Arbitrary.all([int(-180, 180), int(-90, 90), int(0, 9)]), { maxLength: 5 })
  it.prop("survives a round trip with any line", [points], ([coordinates]) => {
    const value = { type: "LineString", coordinates, layout: "XYM", srid: 4326 }
    assert.deepStrictEqual(read(codec, written(codec, value)), value)
  })

  const near = mutated(...postgisWire.map(([, hex]) => hex))
  it.prop("throws nothing but Undecodable", [hostile(5, 9, 21), near], ([any, near]) => {
    assertWithstands(codec, any)
    assertWithstands(codec, near)
  })
})
