import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import type { Codec } from "../../src/codec/codec.ts"
import { float4, float8 } from "../../src/codec/float.ts"
import { int2, int4 } from "../../src/codec/integer.ts"
import { shortcutFor, wasShort } from "../../src/codec/shortWrite.ts"
import { bpchar, text, varchar } from "../../src/codec/text.ts"
import { ByteWriter } from "../../src/wire/byteWriter.ts"

const NUMBERS = [0, -0, 1, -1, 1.5, 10.333, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 53, 1e308, NaN, Infinity, -Infinity]
const TEXTS = [
  "",
  "a",
  "TESTTESTTEST",
  "a".repeat(24),
  "a".repeat(25),
  "é",
  "\u007f",
  "\u0080",
  "a\0b",
  "\ud800",
  "日本"
]
const VALUES: ReadonlyArray<unknown> = [...NUMBERS, ...TEXTS, 1n, true, {}, [1], new Date(0)]

const byCodec = (codec: Codec, value: unknown): Result.Result<string, string> => {
  const writer = new ByteWriter()
  return Result.try({
    try: () => {
      const length = writer.reserveInt32()
      codec.write(writer, value)
      writer.backfillValueLength(length)
      return writer.take().toString("hex")
    },
    catch: String
  })
}

describe.each([int4, float8, text, varchar, bpchar])("the shortcut for $name", (codec) => {
  it("writes what the codec writes, or nothing", () => {
    const shortened = VALUES.filter((value) => {
      const writer = new ByteWriter()
      writer.uint8(0xee)
      const wasWritten = wasShort(writer, value, shortcutFor(codec))
      const bytes = writer.take().toString("hex")
      if (wasWritten) assert.deepStrictEqual(Result.succeed(bytes.slice(2)), byCodec(codec, value))
      else assert.strictEqual(bytes, "ee")
      return wasWritten
    })
    assert.isAbove(shortened.length, 4)
  })

  it("makes room, wherever the buffer ends", () => {
    const value = codec.name === "int4" ? 0x01020304 : codec.name === "float8" ? 1.5 : "abcdefghijklmnopqrstuvwx"
    for (let filled = 16_350; filled < 16_390; filled++) {
      const writer = new ByteWriter()
      writer.raw(new Uint8Array(filled))
      assert.isTrue(wasShort(writer, value, shortcutFor(codec)))
      assert.deepStrictEqual(Result.succeed(writer.take().subarray(filled).toString("hex")), byCodec(codec, value))
    }
  })
})

it("there is no shortcut for another codec, nor for one that a program has put in place of a built-in one", () => {
  assert.isUndefined(shortcutFor(undefined))
  assert.isUndefined(shortcutFor(int2))
  assert.isUndefined(shortcutFor(float4))
  assert.isUndefined(shortcutFor({ ...int4, write: (writer, value) => int4.write(writer, value) }))
})
