import { assert, describe, it } from "@effect/vitest"
import { formatOf, ofText, textOf } from "../../src/codec/codec.ts"
import { int4 } from "../../src/codec/integer.ts"
import { text } from "../../src/codec/text.ts"
import { codec, composite, losslessArrayOf } from "../../src/codec/userCodec.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { Undecodable, Unencodable } from "../../src/wire/failure.ts"
import { read, undecodable, unencodable, written } from "../fixtures/codec.ts"
import { codecOf } from "../fixtures/typeCodec.ts"

const asText = codec({ name: "thing", format: "text", decode: (text) => text.toUpperCase(), encode: String })
const asBytes = codec({
  name: "thing",
  format: "binary",
  decode: (bytes) => Array.from(bytes),
  encode: (value) => Uint8Array.from(Object.values(Object(value)), Number)
})

describe("a codec of the text of a type", () => {
  it("travels as text, and reports a place that only takes bytes", () => {
    const made = codecOf(asText)
    assert.strictEqual(formatOf(made, "a"), Format.text)
    assert.strictEqual(formatOf(made, null), Format.text)
    assert.strictEqual(made.resultFormat, Format.text)
    assert.strictEqual(textOf(made, 1), "1")
    assert.strictEqual(ofText(made, "a"), "A")
    assert.match(unencodable(made, "a"), /writes thing only as text/)
    assert.match(undecodable(made, "61"), /cast the value to text/)
  })

  it("travels as bytes if these are the text", () => {
    const made = codecOf(asText, { isTextual: true })
    assert.strictEqual(formatOf(made, "a"), Format.binary)
    assert.strictEqual(made.resultFormat, Format.binary)
    assert.strictEqual(written(made, "a"), "61")
    assert.strictEqual(read(made, "61"), "A")
  })

  it("must give a string", () => {
    // As a JavaScript program may do it.
    const wrong = codec({ name: "thing", format: "text", decode: String, encode: () => Reflect.get({}, "missing") })
    assert.throws(() => textOf(codecOf(wrong), 1), Unencodable, /must return a string/)
  })
})

describe("a codec of the bytes of a type", () => {
  it("is given an ArrayBuffer that holds nothing of other values", () => {
    const buffers = codec({
      name: "thing",
      format: "binary",
      decode: ({ buffer }) => buffer.byteLength,
      encode: () => new Uint8Array()
    })
    assert.strictEqual(read(codecOf(buffers), "07".repeat(100)), 100)
  })

  it("is given a copy of the bytes", () => {
    assert.deepStrictEqual(read(codecOf(asBytes), "0102"), [1, 2])
    assert.strictEqual(written(codecOf(asBytes), [1, 2]), "0102")
    assert.strictEqual(formatOf(codecOf(asBytes), "12"), Format.binary)
    assert.strictEqual(written(codecOf(asBytes), "12"), "0102")
  })

  it("works beside text only if its bytes are the text", () => {
    assert.throws(() => textOf(codecOf(asBytes), [97]), Unencodable, /writes only the binary format/)
    assert.throws(() => ofText(codecOf(asBytes), "a"), Undecodable, /reads only the binary format/)
    const textual = codecOf(asBytes, { isTextual: true })
    assert.strictEqual(textOf(textual, [97]), "a")
    assert.deepStrictEqual(ofText(textual, "a"), [97])
  })

  it("says whether arrays are values", () => {
    assert.isUndefined(codecOf(asBytes).isElement)
    const arrays = codec({
      ...asBytes,
      format: "binary",
      decode: Array.from,
      encode: () => new Uint8Array(),
      valuesAreArrays: true
    })
    assert.isTrue(codecOf(arrays).isElement?.([1]))
  })
})

describe("a codec of a composite type", () => {
  const attributes = [
    { name: "b", oid: 23, codec: int4 },
    { name: "1", oid: 25, codec: text }
  ]
  const subject = { kind: "composite", attributes } as const

  it("is a tuple by default", () => {
    const tuple = codecOf(composite({ name: "pair" }), subject)
    assert.deepStrictEqual(read(tuple, written(tuple, [7, "a"])), [7, "a"])
    assert.strictEqual(textOf(tuple, [7, null]), '("7",)')
    assert.deepStrictEqual(ofText(tuple, '("7",)'), [7, null])
    assert.strictEqual(formatOf(tuple, "(7,a)"), Format.text)
    assert.isTrue(tuple.isElement?.([7, "a"]))
    assert.match(unencodable(tuple, { b: 7 }), /takes an array/)
    assert.match(unencodable(tuple, [7]), /has 2 attributes/)
  })

  it("travels as text if an attribute does, and only so if its encode throws", () => {
    const throwing = composite({
      name: "pair",
      encode: (value) => {
        if (value === 0) throw new RangeError("zero")
        return [String(value), "a"]
      }
    })
    assert.strictEqual(formatOf(codecOf(throwing, subject), 7), Format.text)
    assert.strictEqual(formatOf(codecOf(throwing, subject), 0), Format.binary)
    assert.throws(() => written(codecOf(throwing, subject), 0), RangeError)
  })

  it("is refused for another kind of type", () => {
    assert.match(unencodable(codecOf(composite({ name: "pair" })), [1]), /not a composite type/)
    assert.match(undecodable(codecOf(composite({ name: "pair" })), "00"), /not a composite type/)
  })
})

const nameOf = (name: string, schema?: string) => {
  const { name: found, schema: where } = losslessArrayOf({ name, schema })
  return `${where}.${found}`
}

describe("the name of a type", () => {
  it.each([
    ["int8", undefined, "pg_catalog.int8"],
    ["BigInt", undefined, "pg_catalog.int8"],
    ["timestamp with time zone", "pg_catalog", "pg_catalog.timestamptz"],
    ["integer", "mine", "mine.integer"],
    ["geometry", undefined, "public.geometry"],
    ["__proto__", undefined, "public.__proto__"]
  ])("%s in %s is %s", (name, schema, expected) => assert.strictEqual(nameOf(name, schema), expected))
})
