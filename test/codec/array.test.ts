import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import { arrayOf, losslessArrayOf, PgArray } from "../../src/codec/array.ts"
import { bool } from "../../src/codec/boolean.ts"
import { bytea } from "../../src/codec/bytea.ts"
import { type Codec, formatOf, ofText, textOf } from "../../src/codec/codec.ts"
import { date } from "../../src/codec/date.ts"
import { float8 } from "../../src/codec/float.ts"
import { int2, int4, int8, oid as oidCodec } from "../../src/codec/integer.ts"
import { interval, PgInterval } from "../../src/codec/interval.ts"
import { json } from "../../src/codec/json.ts"
import { int2vector } from "../../src/codec/oidVector.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import { text } from "../../src/codec/text.ts"
import { time } from "../../src/codec/time.ts"
import { timestamptz } from "../../src/codec/timestamp.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { int, int32 } from "../wire/frames.ts"
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

const int4s = arrayOf(int4, pgType.int4.oid)
const texts = arrayOf(text, pgType.text.oid)

describe("elements of fixed width", () => {
  for (const [element, oid, values] of [
    [bool, pgType.bool.oid, [true, false, null]],
    [int2, pgType.int2.oid, [-0x8000, -1, 0, 0x7fff, null]],
    [int4, pgType.int4.oid, [-0x80000000, -1, 0, 0x7fffffff, null]],
    [oidCodec, pgType.oid.oid, [0, 0x80000000, 0xffffffff, null]]
  ] as const) {
    it(`are read as their codec reads them, wherever in memory they lie: ${element.name}`, () => {
      const codec = arrayOf(element, oid)
      const array = Buffer.from(written(codec, values), "hex")
      for (const before of [0, 1, 7, 4096]) {
        const bytes = Buffer.concat([Buffer.alloc(before, 0xee), array, Buffer.alloc(9, 0xee)])
        for (const memory of [bytes, Buffer.from(bytes)]) {
          assert.deepStrictEqual(codec.read(memory, before, before + array.length), values)
        }
      }
    })
  }
})

/** Dimensions, NULL flag, element type; length and lower bound of each dimension; the elements. */
const int4Table: ReadonlyArray<Row> = [
  [[], "00000000 00000000 00000017"],
  [[1], "00000001 00000000 00000017 00000001 00000001 00000004 00000001"],
  [[1, null, 3], "00000001 00000001 00000017 00000003 00000001 00000004 00000001 ffffffff 00000004 00000003"],
  [
    [
      [1, 2],
      [3, 4],
      [5, 6]
    ],
    "00000002 00000000 00000017 00000003 00000001 00000002 00000001" +
      [1, 2, 3, 4, 5, 6].map((value) => ` 00000004 0000000${value}`).join("")
  ],
  [[[[[[[7]]]]]], `00000006 00000000 00000017 ${"00000001 00000001 ".repeat(6)} 00000004 00000007`],
  [
    [
      [[1], [2]],
      [[null], [4]]
    ],
    "00000003 00000001 00000017 00000002 00000001 00000002 00000001 00000001 00000001" +
      "00000004 00000001 00000004 00000002 ffffffff 00000004 00000004"
  ]
]

const rectangle = Arbitrary.all([
  Arbitrary.array(int(1, 3), { maxLength: 6 }),
  Arbitrary.array(int(-5, 5), { minLength: 729, maxLength: 729 })
]).pipe(
  Arbitrary.map(([lengths, leaves]): ReadonlyArray<unknown> => {
    let at = 0
    const build = (dimension: number): unknown => {
      const leaf = leaves[at++ % leaves.length]!
      if (dimension === lengths.length) return leaf === 0 ? null : leaf
      return Array.from({ length: lengths[dimension]! }, () => build(dimension + 1))
    }
    const built = build(0)
    return Array.isArray(built) ? built : []
  })
)

describe("an array", () => {
  for (const [value, hex] of int4Table) {
    it(`reads and writes ${JSON.stringify(value)}`, () => {
      assert.deepStrictEqual(read(int4s, hex), value)
      assert.strictEqual(written(int4s, value), unspaced(hex))
    })
  }

  it("distinguishes empty texts, NULLs and the text NULL", () => {
    const hex = "00000001 00000001 00000019 00000004 00000001 00000001 61 00000000 ffffffff 00000004 4e554c4c"
    assert.deepStrictEqual(read(texts, hex), ["a", "", null, "NULL"])
    assert.strictEqual(written(texts, ["a", "", null, "NULL"]), unspaced(hex))
  })

  it("loses its lower bounds", () => {
    const hex =
      "00000002 00000000 00000017 00000003 00000001 00000002 ffffffff" +
      [1, 2, 4, 5, 6, 7].map((value) => ` 00000004 0000000${value}`).join("")
    assert.deepStrictEqual(read(int4s, hex), [
      [1, 2],
      [4, 5],
      [6, 7]
    ])
  })

  it("is named after its elements", () => {
    assert.strictEqual(int4s.name, "int4[]")
  })

  it("refuses undefined and the holes of a sparse array, in binary and in text", () => {
    const refused = "an element of the array is undefined; use null for NULL"
    const sparse: Array<unknown> = [1]
    sparse[2] = 3
    for (const value of [[1, undefined, 3], sparse, [[1], [undefined]], [undefined], new PgArray([undefined], [0])]) {
      assert.strictEqual(unencodable(int4s, value), refused)
      assert.throws(() => textOf(int4s, value), refused)
    }
    assert.throws(() => textOf(int4s, ["1", undefined]), refused)
  })

  it("takes typed arrays", () => {
    assert.strictEqual(written(int4s, Int32Array.of(1, 2)), written(int4s, [1, 2]))
    assert.strictEqual(written(int4s, Uint8Array.of(1, 2)), written(int4s, [1, 2]))
    assert.strictEqual(
      written(arrayOf(float8, pgType.float8.oid), Float64Array.of(1.5, -0)),
      written(arrayOf(float8, pgType.float8.oid), [1.5, -0])
    )
    assert.strictEqual(
      written(arrayOf(int8, pgType.int8.oid), BigInt64Array.of(5n)),
      written(arrayOf(int8, pgType.int8.oid), [5n])
    )
  })

  it("holds bytes as elements, not as dimensions", () => {
    const byteas = arrayOf(bytea, pgType.bytea.oid)
    const value = [Uint8Array.of(1, 2), Uint8Array.of()]
    assert.deepStrictEqual(read(byteas, written(byteas, value)), value)
    assert.match(unencodable(byteas, Uint8Array.of(1)), /^bytea takes a Uint8Array/)
  })

  it("is empty if a dimension is, provided that all of them are", () => {
    for (const value of [[[]], [[], []], [[[]], [[]]]]) assert.strictEqual(written(int4s, value), written(int4s, []))
  })

  for (const value of [
    [[1], [2, 3]],
    [[1, 2], [3]],
    [[], [1]],
    [[1], []],
    [1, [2]],
    [[1], 2],
    [null, [1]],
    [[1], null],
    [[[1]], [2]],
    [[1], [[2]]],
    [[["1"]], ["2"]],
    [["1"], ["2", "3"]]
  ]) {
    it(`is refused if it is not rectangular: ${JSON.stringify(value)}`, () => {
      assert.strictEqual(
        unencodable(int4s, value),
        "the array is not rectangular: its inner arrays must all have the same length"
      )
      assert.throws(
        () => textOf(int4s, value),
        "the array is not rectangular: its inner arrays must all have the same length"
      )
    })
  }

  it("is not rectangular if it has a hole for a row", () => {
    const rows: Array<unknown> = [[1]]
    rows[2] = [3]
    assert.strictEqual(
      unencodable(int4s, rows),
      "the array is not rectangular: its inner arrays must all have the same length"
    )
  })

  it("has six dimensions at most, even if it contains itself", () => {
    const endless: Array<unknown> = []
    endless.push(endless)
    for (const value of [[[[[[[[1]]]]]]], endless]) {
      assert.strictEqual(formatOf(int4s, value), Format.binary)
      assert.strictEqual(unencodable(int4s, value), "int4[] has at most 6 dimensions, but the array has more")
    }
  })

  it("refuses single values, sets and objects with a length", () => {
    for (const value of [1, {}, new Set([1]), { length: 1, 0: 1 }, new DataView(new ArrayBuffer(4))]) {
      assert.match(unencodable(int4s, value), /^int4\[\] takes an array, not /)
      assert.strictEqual(formatOf(int4s, value), Format.binary)
    }
  })

  it("names the reason for which an element is refused", () => {
    assert.match(unencodable(int4s, [1, 2.5]), /^the value is out of range for int4/)
    assert.match(undecodable(int4s, "00000001 00000000 00000017 00000001 00000001 00000002 0001"), /^int4 has 4 bytes/)
  })

  it.prop("survives a round trip with any rectangle", [rectangle], ([value]) => {
    assert.deepStrictEqual(read(int4s, written(int4s, value)), value)
  })

  it.prop("survives a round trip with any texts", [Arbitrary.array(Arbitrary.schema(Schema.String))], ([values]) => {
    const held = values.map((value) => value.replaceAll("\0", "").toWellFormed())
    assert.deepStrictEqual(read(texts, written(texts, held)), held)
  })
})

describe("an array with strings among elements of another type", () => {
  const formats: ReadonlyArray<readonly [Codec, unknown, Format]> = [
    [int4s, "{1,2}", Format.text],
    [int4s, ["1"], Format.text],
    [int4s, [1, null, "2"], Format.text],
    [int4s, [[1], ["2"]], Format.text],
    [int4s, [1, 2], Format.binary],
    [int4s, [], Format.binary],
    [int4s, Int32Array.of(1), Format.binary],
    [texts, ["1"], Format.binary],
    [texts, "{a}", Format.text]
  ]

  for (const [codec, value, format] of formats) {
    it(`travels as ${format === Format.text ? "text" : "binary"}: ${codec.name} ${JSON.stringify(value)}`, () => {
      assert.strictEqual(formatOf(codec, value), format)
    })
  }

  it("is a literal in which every string is quoted", () => {
    assert.strictEqual(textOf(int4s, [1, "2", null]), '{"1","2",NULL}')
    assert.strictEqual(
      textOf(int4s, [
        ["1", 2n],
        [3, null]
      ]),
      '{{"1","2"},{"3",NULL}}'
    )
    assert.strictEqual(textOf(texts, ['a"b', "c\\d", "", "NULL", "{x,y}"]), '{"a\\"b","c\\\\d","","NULL","{x,y}"}')
    assert.strictEqual(textOf(int4s, [[], []]), "{}")
    assert.strictEqual(textOf(int4s, "{1,2}"), "{1,2}")
  })

  it("writes every other element in its text form", () => {
    assert.strictEqual(
      textOf(arrayOf(timestamptz, pgType.timestamptz.oid), ["now", new Date(0), Infinity]),
      '{"now","1970-01-01 00:00:00+00","Infinity"}'
    )
    assert.strictEqual(textOf(arrayOf(bytea, pgType.bytea.oid), ["\\x01", Uint8Array.of(2)]), '{"\\\\x01","\\\\x02"}')
    assert.strictEqual(
      textOf(arrayOf(json, pgType.json.oid), ['{"a":1}', { b: 2 }]),
      '{"\\"{\\\\\\"a\\\\\\":1}\\"","{\\"b\\":2}"}'
    )
    assert.strictEqual(
      textOf(arrayOf(date, pgType.date.oid), ["today", new Date(0), -Infinity]),
      '{"today","1970-01-01","-infinity"}'
    )
    assert.strictEqual(textOf(arrayOf(time, pgType.time.oid), ["noon", 120_000n]), '{"noon","00:00:00.12"}')
    assert.strictEqual(
      textOf(arrayOf(interval, pgType.interval.oid), ["1 day", new PgInterval({ months: 1 }), Infinity]),
      '{"1 day","P1M","Infinity"}'
    )
    assert.strictEqual(textOf(arrayOf(float8, pgType.float8.oid), ["1", -0, NaN]), '{"1","-0","NaN"}')
    assert.strictEqual(textOf(arrayOf(bool, pgType.bool.oid), ["on", false]), '{"on","false"}')
    assert.throws(() => textOf(int4s, ["1", {}]), "int4 cannot turn an object into text; give a string")
  })

  it("is divided by semicolons if the type requires it", () => {
    const boxes = arrayOf({ ...text, name: "box", writesStrings: false }, pgType.box.oid, ";")
    assert.strictEqual(textOf(boxes, ["(1,1),(0,0)", "(2,2),(1,1)"]), '{"(1,1),(0,0)";"(2,2),(1,1)"}')
  })
})

describe("an array with lower bounds", () => {
  const lossless = losslessArrayOf(int4, pgType.int4.oid)

  for (const [value, hex, text] of [
    [new PgArray([1], [0]), "00000001 00000000 00000017 00000001 00000000 00000004 00000001", '[0:0]={"1"}'],
    [new PgArray([1], [1]), "00000001 00000000 00000017 00000001 00000001 00000004 00000001", '{"1"}'],
    [
      new PgArray([[1, null]], [-2, 5]),
      "00000002 00000001 00000017 00000001 fffffffe 00000002 00000005 00000004 00000001 ffffffff",
      '[-2:-2][5:6]={{"1",NULL}}'
    ],
    [new PgArray([], []), "00000000 00000000 00000017", "{}"]
  ] as const) {
    it(`is read if a program asks for it, and always taken: ${text}`, () => {
      assert.deepStrictEqual(read(lossless, hex), value)
      assert.deepStrictEqual(read(int4s, hex), value.values)
      for (const codec of [lossless, int4s]) {
        assert.strictEqual(written(codec, value), unspaced(hex))
        assert.strictEqual(textOf(codec, value), text)
      }
    })
  }

  it("is read from text too, by the codec of its elements", () => {
    const vectors = losslessArrayOf(int2vector, pgType.int2vector.oid)
    assert.deepStrictEqual(ofText(vectors, '[0:1]={"1 2",NULL}'), new PgArray([[1, 2], null], [0]))
  })

  it("travels as text if an element does", () => {
    assert.strictEqual(formatOf(int4s, new PgArray(["1"], [0])), Format.text)
    assert.strictEqual(formatOf(int4s, new PgArray([1], [0])), Format.binary)
  })

  it("has one lower bound for each dimension", () => {
    for (const lowerBounds of [[], [1, 1]]) {
      assert.strictEqual(
        unencodable(int4s, new PgArray([1], lowerBounds)),
        "int4[] takes a PgArray with one lower bound for each of its 1 dimensions"
      )
    }
  })

  it("refuses a lower bound that would leave an index out of range", () => {
    for (const lower of [0.5, NaN, -(2 ** 31) - 1, 2 ** 31 - 1]) {
      assert.match(
        unencodable(int4s, new PgArray([1], [lower])),
        /^int4\[\] takes only lower bounds that are whole numbers/
      )
    }
    for (const lower of [-(2 ** 31), 2 ** 31 - 2]) {
      const value = new PgArray([1], [lower])
      assert.deepStrictEqual(read(lossless, written(lossless, value)), value)
    }
  })

  it("is an array of its values in JSON", () => {
    assert.strictEqual(JSON.stringify(new PgArray([1, null], [0])), "[1,null]")
  })
})

describe("malformed bytes of an array", () => {
  for (const [what, hex, message] of [
    ["less than a header", "00000000 00000000", "the array ends within its header"],
    ["seven dimensions", "00000007 00000000 00000017", "the array has 7 dimensions"],
    ["a negative number of dimensions", "ffffffff 00000000 00000017", "the array has -1 dimensions"],
    [
      "elements of another type",
      "00000000 00000000 80000019",
      "the array has elements of type 2147483673, but the client expected type 23"
    ],
    ["dimensions cut short", "00000001 00000000 00000017 00000001", "the array ends within its dimensions"],
    [
      "a negative length of a dimension",
      "00000001 00000000 00000017 ffffffff 00000001",
      "the array has a dimension of length -1, but only 0 bytes are left for its elements"
    ],
    [
      "two negative lengths, whose product is not",
      "00000002 00000000 00000017 ffffffff 00000001 ffffffff 00000001 ffffffff",
      "the array has a dimension of length -1, but only 4 bytes are left for its elements"
    ],
    [
      "two thousand million elements in no bytes",
      "00000001 00000000 00000017 7fffffff 00000001",
      "the array has a dimension of length 2147483647, but only 0 bytes are left for its elements"
    ],
    [
      "lengths whose product overflows",
      `00000006 00000000 00000017 ${"00010000 00000001".repeat(6)}`,
      "the array has a dimension of length 65536, but only 0 bytes are left for its elements"
    ],
    [
      "elements cut short",
      "00000001 00000000 00000017 00000002 00000001 00000004 00000001",
      "the array ends before its last element"
    ],
    [
      "an element cut short",
      "00000001 00000000 00000017 00000001 00000001 00000004 0000",
      "the array has an element of 4 bytes, but only 2 bytes are left"
    ],
    [
      "an element of negative length",
      "00000001 00000000 00000017 00000001 00000001 fffffffe",
      "the array has an element of -2 bytes, but only 0 bytes are left"
    ],
    [
      "an element of a width that is not its type's, though all bytes together are as many as they should be",
      "00000001 00000000 00000017 00000001 00000001 00000003 00000000",
      "int4 has 4 bytes, but the server sent 3"
    ],
    ["bytes left over", "00000001 00000000 00000017 00000001 00000001 ffffffff 00", "the array has 1 bytes too many"],
    ["bytes left over after no elements", "00000000 00000000 00000017 00", "the array has 1 bytes too many"]
  ] as const) {
    it(`are refused for ${what}`, () => {
      assert.strictEqual(undecodable(int4s, hex), message)
    })
  }

  it("are refused for a huge dimension beside an empty one, before anything is allocated", () => {
    assert.deepStrictEqual(read(int4s, "00000002 00000000 00000017 00000000 00000001 7fffffff 00000001"), [])
  })

  it.prop(
    "throw nothing but Undecodable",
    [hostile(0, 12, 20), Arbitrary.array(int(-2, 9), { maxLength: 12 }), int(-1, 7)],
    ([values, words, dimensions]) => {
      assertWithstands(int4s, values)
      const header = [dimensions, 0, 23].map(int32)
      assertWithstands(int4s, [Buffer.concat([...header, ...words.map(int32)])])
    }
  )
})
