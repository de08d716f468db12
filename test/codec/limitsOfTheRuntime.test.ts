/**
 * Tests values at the limits of the runtime: long texts are read in one pass, and a value that no string holds fails
 * with that reason.
 */
import { assert, describe, it } from "@effect/vitest"
import { Buffer, constants } from "node:buffer"
import { arrayOf } from "../../src/codec/array.ts"
import { type Codec, ofText, textOf } from "../../src/codec/codec.ts"
import { compositeOf } from "../../src/codec/composite.ts"
import { json, jsonb } from "../../src/codec/json.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import { parameterEncoders } from "../../src/codec/parameters.ts"
import { rangeOf } from "../../src/codec/range.ts"
import { interpretTuples, UndecodableColumn } from "../../src/codec/rowReader.interpreted.ts"
import { pgSnapshot } from "../../src/codec/snapshot.ts"
import { text } from "../../src/codec/text.ts"
import { hstore } from "../../src/PgTypes.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { ByteWriter } from "../../src/wire/byteWriter.ts"
import { Undecodable, Unencodable } from "../../src/wire/failure.ts"

const subject = { oid: 1, name: "hstore", kind: "base", isTextual: false, attributes: [] } as const
const hstoreCodec: Codec = hstore.make?.(subject) ?? assert.fail("it has a codec")

const plain = "x".repeat(12_000_000)
const marked = 'a"b\\c, =>'.repeat(30_000)

describe("a text of many megabytes", () => {
  const holders: ReadonlyArray<readonly [string, Codec, (text: string) => unknown]> = [
    ["hstore", hstoreCodec, (value) => ({ key: value, nothing: null })],
    ["array", arrayOf(text, pgType.text.oid), (value) => [value, null]],
    [
      "composite",
      compositeOf({ oid: 1, name: "held", attributes: [{ name: "a", oid: pgType.text.oid, codec: text }] }),
      (value) => ({ a: value })
    ],
    ["json", json, (value) => ({ a: value })]
  ]

  for (const [name, codec, held] of holders) {
    it(`is written and read as the text of ${name}`, { timeout: 60_000 }, () => {
      for (const value of [plain, marked]) {
        // A deep comparison would print too much, which takes longer than the rest.
        assert.isTrue(JSON.stringify(ofText(codec, textOf(codec, held(value)))) === JSON.stringify(held(value)))
      }
    })
  }

  it("can be a bound of a range", { timeout: 60_000 }, () => {
    const range = rangeOf("textrange", text)
    const read: unknown = ofText(range, `["${plain}",)`)
    assert.isTrue(Object(read).lower === plain)
  })

  it("can be a list of very many elements", { timeout: 60_000 }, () => {
    const read: unknown = ofText(pgSnapshot, `1:2:1${",1".repeat(1_000_000)}`)
    assert.lengthOf(Object(read).xip, 1_000_001)
  })
})

describe("the text of an hstore", () => {
  for (const malformed of [
    '"a"',
    '"a"=>',
    '"a"=>"b',
    '"a"=>"b",',
    '"a"=>"b", ',
    '"a"=>"b""c"=>"d"',
    "a=>1",
    '"a"=>null',
    '"a\\'
  ]) {
    it(`is refused if it is malformed: ${malformed}`, () => {
      assert.throws(() => ofText(hstoreCodec, malformed), Undecodable, "the text of hstore is malformed")
    })
  }

  it("equals the text of the server, with its escapes", () => {
    assert.deepStrictEqual(ofText(hstoreCodec, ""), {})
    assert.deepStrictEqual(ofText(hstoreCodec, '"a\\"=>\\\\"=>NULL, "NULL"=>"NULL", ""=>", "'), {
      'a"=>\\': null,
      NULL: "NULL",
      "": ", "
    })
  })
})

const throwing = (name: string, thrown: () => unknown): Codec => ({
  name,
  read: thrown,
  write: thrown,
  textOf: () => String(thrown()),
  writesStrings: true
})

/**
 * Throws what a Buffer throws when it is too long for a string; a real one of that length takes the machine too long.
 */
const tooLong = () => {
  throw Object.assign(new Error("Cannot create a string longer than 0x1fffffe8 characters"), {
    code: "ERR_STRING_TOO_LONG"
  })
}
const tooLongTogether = () => "x".repeat(constants.MAX_STRING_LENGTH + 1)
const tooDeep = (): number => 1 + tooDeep()

const limits: ReadonlyArray<readonly [string, () => unknown, RegExp]> = [
  ["too long to be made of bytes", tooLong, /more than the 536,870,888 characters .* in parts/],
  ["too long to be put together", tooLongTogether, /more than the 536,870,888 characters .* in parts/],
  ["too deep", tooDeep, /nested too deep/]
]

describe("a value beyond what the runtime can hold", () => {
  for (const [what, thrown, message] of limits) {
    it(`is reported with that reason when it is read: ${what}`, () => {
      const read = interpretTuples([{ name: "a", typeName: "text", read: thrown }])
      assert.throws(() => read(Buffer.from("00010000000161", "hex"), 0, 7), UndecodableColumn, message)
      const held = compositeOf({
        oid: 1,
        name: "held",
        attributes: [{ name: "a", oid: 2, codec: { ...text, ofText: () => String(thrown()) } }]
      })
      assert.throws(() => ofText(held, "(a)"), Undecodable, message)
    })

    it(`is reported with that reason when it is written: ${what}`, () => {
      const [encoder] = parameterEncoders([1], { codec: () => throwing("odd", thrown), typeName: () => "odd" })
      for (const format of [Format.binary, Format.text]) {
        assert.throws(() => encoder?.write(new ByteWriter(), "a", format), Unencodable, message)
      }
    })
  }

  it("is reported with that reason for a JSON document", () => {
    const deep: unknown = JSON.parse("[".repeat(100_000) + "]".repeat(100_000))
    for (const codec of [json, jsonb]) {
      assert.throws(() => textOf(codec, deep), Unencodable, /nested too deep/)
      assert.throws(() => textOf(codec, { toJSON: tooLongTogether }), Unencodable, /in parts/)
    }
  })
})
