import { assert, describe, it } from "@effect/vitest"
import { formatOf } from "../../src/codec/codec.ts"
import { DatabaseTypes } from "../../src/codec/databaseTypes.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import { PgRange } from "../../src/codec/range.ts"
import type { TypeDescription } from "../../src/codec/typeDescription.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { UnresolvedType } from "../../src/wire/failure.ts"
import { int } from "../wire/frames.ts"
import { assertWithstands, hostile, read, undecodable, unencodable, written } from "../fixtures/codec.ts"

const Oid = {
  mood: 20_000,
  moods: 20_001,
  ints: 20_002,
  intsArray: 20_003,
  row: 20_004,
  span: 20_005,
  spans: 20_006,
  citext: 20_007,
  cube: 20_008,
  cubes: 20_009,
  deep: 20_010
} as const

const schema = "public"
const descriptions: ReadonlyArray<TypeDescription> = [
  { oid: Oid.mood, schema: "app", name: "mood", kind: "enum" },
  { oid: Oid.moods, schema: "app", name: "_mood", kind: "array", element: Oid.mood, delimiter: "," },
  { oid: Oid.ints, schema, name: "ints", kind: "domain", base: pgType.int4.arrayOid },
  { oid: Oid.intsArray, schema, name: "_ints", kind: "array", element: Oid.ints, delimiter: "," },
  {
    oid: Oid.row,
    schema,
    name: "row",
    kind: "composite",
    attributes: [
      { name: "moods", oid: Oid.moods },
      { name: "ints", oid: Oid.ints }
    ]
  },
  { oid: Oid.span, schema, name: "span", kind: "range", subtype: pgType.float8.oid },
  { oid: Oid.spans, schema, name: "spans", kind: "multirange", range: Oid.span },
  { oid: Oid.citext, schema, name: "citext", kind: "base", isTextual: true },
  { oid: Oid.cube, schema, name: "cube", kind: "base", isTextual: false },
  { oid: Oid.cubes, schema, name: "_cube", kind: "array", element: Oid.cube, delimiter: "," },
  { oid: Oid.deep, schema, name: "deep", kind: "domain", base: Oid.ints }
]

const known = (): DatabaseTypes => {
  const types = new DatabaseTypes()
  types.add(descriptions)
  return types
}

const codecOf = (oid: number) => known().codec(oid) ?? assert.fail(`no codec for ${oid}`)

const roundTrips: ReadonlyArray<readonly [oid: number, value: unknown]> = [
  [Oid.mood, "sad"],
  [Oid.moods, ["sad", null]],
  [Oid.ints, [1, 2]],
  [Oid.deep, [[1], [2]]],
  [Oid.intsArray, [[1, 2], [], null, [3]]],
  [Oid.row, { moods: ["sad"], ints: null }],
  [Oid.span, new PgRange({ lower: 0.5, upper: null })],
  [Oid.spans, [new PgRange({ lower: 0.5, upper: 1 })]],
  [Oid.citext, "Ab"],
  [pgType.int4.oid, 1]
]

describe("DatabaseTypes", () => {
  for (const [oid, value] of roundTrips) {
    it(`makes the codec of ${known().typeName(oid)}`, () => {
      const codec = codecOf(oid)
      assert.deepStrictEqual(read(codec, written(codec, value)), value)
      assert.strictEqual(codec.name, known().typeName(oid))
    })
  }

  it.prop(
    "makes codecs that withstand spoiled bytes of their values",
    [int(0, roundTrips.length - 1), int(0, 0xffff), int(0, 255)],
    ([which, position, spoilt]) => {
      const [oid, value] = roundTrips[which] ?? assert.fail("no such value")
      const codec = codecOf(oid)
      const bytes = Buffer.from(written(codec, value), "hex")
      bytes[position % bytes.length] = spoilt
      assertWithstands(codec, [bytes, bytes.subarray(0, position % bytes.length)])
    },
    { arbitrary: { runs: 500 } }
  )

  it("knows the types of every server, and those that it was told", () => {
    const types = new DatabaseTypes()
    const oids = [pgType.int4.oid, pgType.int4.arrayOid, pgType.record.oid, Oid.mood, Oid.moods]
    assert.deepStrictEqual(types.unknownAmong(oids), [Oid.mood, Oid.moods])
    types.add(descriptions)
    assert.deepStrictEqual(types.unknownAmong([...oids, 99_999]), [99_999])
    assert.isUndefined(types.codec(99_999))
  })

  it("keeps its types when it is told them again", () => {
    const types = known()
    const before = types.codec(Oid.row)
    types.add([
      { oid: Oid.row, schema, name: "other", kind: "composite", attributes: [] },
      { oid: pgType.int4.oid, schema, name: "other", kind: "enum" }
    ])
    assert.strictEqual(types.codec(Oid.row), before)
    assert.deepStrictEqual(
      [Oid.row, pgType.int4.oid].map((oid) => types.typeName(oid)),
      ["row", "int4"]
    )
  })

  it("names types with their schema, unless the schema is public", () => {
    const types = known()
    assert.strictEqual(types.typeName(Oid.moods), "app.mood[]")
    assert.strictEqual(types.typeName(Oid.row), "row")
    assert.strictEqual(types.typeName(99_999), "type 99999")
  })

  it("exchanges types as text if only their text form is known", () => {
    for (const oid of [Oid.cube, Oid.cubes]) {
      const codec = codecOf(oid)
      assert.strictEqual(codec.resultFormat, Format.text)
      assert.strictEqual(formatOf(codec, "(1)"), Format.text)
    }
    assert.include(undecodable(codecOf(Oid.cube), "00"), "cast the value to text")
    assert.include(unencodable(codecOf(Oid.cube), 1), "only as text")
  })

  it("counts a type as fixed if no statement has to be prepared anew for it", () => {
    const types = known()
    assert.isTrue(types.isFixed(pgType.int4.arrayOid))
    assert.isFalse(types.isFixed(Oid.mood))
    assert.isFalse(types.isFixed(pgType.record.oid), "its fields may be of any type")
  })
})

const word = (value: number): string => value.toString(16).padStart(8, "0")
const field = (oid: number, hex: string): string => word(oid) + word(hex.length / 2) + hex
const row = (...fields: ReadonlyArray<string>): string => word(fields.length) + fields.join("")

describe("record", () => {
  const record = codecOf(pgType.record.oid)
  const one = field(pgType.int4.oid, "00000001")

  it("reads arrays of the fields in their order, nested and in arrays", () => {
    const sad = field(Oid.mood, Buffer.from("sad").toString("hex"))
    const inner = row(one, "00000019ffffffff")
    assert.deepStrictEqual(read(record, row(one, sad, field(pgType.record.oid, inner))), [1, "sad", [1, null]])
    assert.deepStrictEqual(read(record, row()), [])
    const oneRecord = [1, 0, pgType.record.oid, 1, 1, inner.length / 2].map(word).join("") + inner
    assert.deepStrictEqual(read(codecOf(pgType.record.arrayOid), oneRecord), [[1, null]])
  })

  it("asks for all unknown types of its fields", () => {
    try {
      read(record, row(field(Oid.mood, ""), field(30_001, ""), one, field(30_002, ""), field(30_001, "")))
      assert.fail("nothing was thrown")
    } catch (thrown) {
      if (!(thrown instanceof UnresolvedType)) throw thrown
      assert.deepStrictEqual([thrown.oids, thrown.isOutdated], [[30_001, 30_002], false])
    }
  })

  it("cannot be written", () => {
    assert.include(unencodable(record, [1]), "cast the parameter to a composite type")
  })

  it("refuses to nest without end", () => {
    let nested = row(one)
    for (let depth = 0; depth < 501; depth++) nested = row(field(pgType.record.oid, nested))
    assert.include(undecodable(record, nested), "nested more than 500 levels deep")
    assert.deepStrictEqual(read(record, row(one)), [1])
  })

  it.prop("withstands any bytes", [hostile(4, 12, 20)], ([values]) => assertWithstands(record, values))
})
