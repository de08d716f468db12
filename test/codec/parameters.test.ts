import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { pgType } from "../../src/codec/oid.generated.ts"
import { parameterEncoders, type TypedParameterEncoder } from "../../src/codec/parameters.ts"
import { builtinTypes, type TypeRegistry } from "../../src/codec/registry.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { ByteWriter } from "../../src/wire/byteWriter.ts"
import { Unencodable } from "../../src/wire/failure.ts"

const encoderOf = (oid: number, types: TypeRegistry = builtinTypes): TypedParameterEncoder => {
  const [encoder] = parameterEncoders([oid], types)
  if (encoder === undefined) throw new Error("no encoder")
  return encoder
}

const encoded = (oid: number, value: unknown): readonly [format: Format, bytes: Buffer] => {
  const encoder = encoderOf(oid)
  const writer = new ByteWriter()
  const format = encoder.formatOf(value)
  encoder.write(writer, value, format)
  return [format, writer.take()]
}

const refusal = (encoder: TypedParameterEncoder, value: unknown): string => {
  try {
    encoder.write(new ByteWriter(), value, encoder.formatOf(value))
  } catch (thrown) {
    assert.instanceOf(thrown, Unencodable)
    return thrown.message
  }
  return assert.fail("nothing was thrown")
}

const everyOid = Object.values(pgType).flatMap((type) => ("arrayOid" in type ? [type.oid, type.arrayOid] : [type.oid]))

/** Types whose binary form takes any string. */
const textual = [pgType.text, pgType.varchar, pgType.bpchar, pgType.name, pgType.cstring, pgType.unknown]

describe("parameterEncoders", () => {
  it("gives one encoder for each parameter, in order, which knows the name of its type", () => {
    const encoders = parameterEncoders([pgType.int4.oid, pgType.text.arrayOid, 16_384], builtinTypes)
    assert.deepStrictEqual(
      encoders.map(({ typeName }) => typeName),
      ["int4", "text[]", "type 16384"]
    )
    assert.isEmpty(parameterEncoders([], builtinTypes))
  })

  it("encodes for the type that the server described, not for the JavaScript type of the value", () => {
    const table: ReadonlyArray<readonly [oid: number, value: unknown, hex: string]> = [
      [pgType.int2.oid, 5, "0005"],
      [pgType.int4.oid, 5, "00000005"],
      [pgType.int8.oid, 5, "0000000000000005"],
      [pgType.float4.oid, 5, "40a00000"],
      [pgType.float8.oid, 5, "4014000000000000"],
      [pgType.int8.oid, 5n, "0000000000000005"],
      [pgType.bool.oid, true, "01"],
      [pgType.text.oid, "5", "35"],
      [pgType.bytea.oid, Uint8Array.of(5), "05"],
      [pgType.json.oid, { a: 5 }, "7b2261223a357d"],
      [pgType.int4.arrayOid, [5], "00000001000000000000001700000001000000010000000400000005"]
    ]
    for (const [oid, value, hex] of table) {
      const [format, bytes] = encoded(oid, value)
      assert.strictEqual(format, Format.binary)
      assert.strictEqual(bytes.toString("hex"), hex)
    }
  })

  it.prop(
    "sends a string as text to every type whose codec does not write strings, known or not",
    { string: Schema.String },
    ({ string }) => {
      const value = string.replaceAll("\0", "").toWellFormed()
      for (const oid of [...everyOid, 16_384]) {
        if (builtinTypes.codec(oid)?.writesStrings === true) continue
        assert.deepStrictEqual(encoded(oid, value), [Format.text, Buffer.from(value)])
      }
    }
  )

  it.prop("sends a string to the text types unchanged", { string: Schema.String }, ({ string }) => {
    const value = string.replaceAll("\0", "").toWellFormed()
    for (const { oid } of textual) assert.deepStrictEqual(encoded(oid, value), [Format.binary, Buffer.from(value)])
  })

  it("sends an array as a literal if it has strings that the codec of its elements does not write", () => {
    const table: ReadonlyArray<readonly [oid: number, value: unknown, literal: string]> = [
      [pgType.int4.arrayOid, ["1", 2, null], `{"1","2",NULL}`],
      [
        pgType.int8.arrayOid,
        [
          ["1", 2n],
          [3, "4"]
        ],
        `{{"1","2"},{"3","4"}}`
      ],
      [pgType.interval.arrayOid, ['1 "day"'], `{"1 \\"day\\""}`],
      [pgType.bytea.arrayOid, [String.raw`\x00`], String.raw`{"\\x00"}`]
    ]
    for (const [oid, value, literal] of table) {
      assert.deepStrictEqual(encoded(oid, value), [Format.text, Buffer.from(literal)])
    }
  })

  it("sends an array of strings in binary if the codec of its elements writes them", () => {
    const [format, bytes] = encoded(pgType.text.arrayOid, ["a"])
    assert.strictEqual(format, Format.binary)
    assert.strictEqual(bytes.toString("hex"), "00000001000000000000001900000001000000010000000161")
  })

  it("sends numbers, bigints and booleans as text to types without a codec", () => {
    assert.deepStrictEqual(encoded(16_384, 12.5), [Format.text, Buffer.from("12.5")])
    assert.deepStrictEqual(encoded(16_384, 2n ** 31n), [Format.text, Buffer.from("2147483648")])
    assert.deepStrictEqual(encoded(16_384, true), [Format.text, Buffer.from("true")])
  })

  it("refuses anything else for types without a codec, and says what they take", () => {
    for (const [value, kind] of [
      [{ x: 1 }, "an object"],
      [[1, 2], "an array"],
      [Symbol("s"), "a symbol"],
      [() => 1, "a function"],
      [new Date(0), "a Date"]
    ] as const) {
      assert.strictEqual(
        refusal(encoderOf(16_384), value),
        `type 16384 takes a string, a number, a bigint or a boolean, not ${kind}`
      )
    }
  })

  it("refuses a value with the codec's reason", () => {
    assert.strictEqual(refusal(encoderOf(pgType.bool.oid), 1), "bool takes a boolean, not a number")
    assert.include(refusal(encoderOf(pgType.int2.oid), 40_000), "out of range for int2")
    assert.include(refusal(encoderOf(pgType.int4.oid), "1\0"), "NUL")
    assert.include(refusal(encoderOf(16_384), "\ud800"), "surrogate")
  })

  it("never quotes a value in the reason, whatever a codec throws", () => {
    for (const thrown of [new TypeError("cannot convert hunter2"), "hunter2", undefined]) {
      const types: TypeRegistry = {
        typeName: () => "vault",
        codec: () => ({
          name: "vault",
          read: () => undefined,
          write: () => {
            throw thrown
          },
          writesStrings: true
        })
      }
      assert.match(
        refusal(encoderOf(1, types), "hunter2"),
        /^its codec threw (TypeError|a value of type (string|undefined))$/
      )
    }
  })
})
