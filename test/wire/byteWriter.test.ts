import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { Buffer } from "node:buffer"
import { ByteWriter } from "../../src/wire/byteWriter.ts"
import { Unencodable } from "../../src/wire/failure.ts"
import { MAX_MESSAGE_BYTES } from "../../src/wire/limits.ts"
import { bytes, hex, int, text } from "./frames.ts"

const written = (write: (writer: ByteWriter) => void): string => {
  const writer = new ByteWriter()
  write(writer)
  return writer.take().toString("hex")
}

/** Pretends to have written this many bytes, without the memory, for limits that only count. */
const pretend = (writer: ByteWriter, bytes: number): void => writer.rewind(writer.length + bytes)

const numbers: ReadonlyArray<readonly [string, (writer: ByteWriter) => void, string]> = [
  ["uint8 200", (writer) => writer.uint8(200), "c8"],
  ["int16 -2", (writer) => writer.int16(-2), "fffe"],
  ["int16 32767", (writer) => writer.int16(32_767), "7fff"],
  ["int16 65535, unsigned", (writer) => writer.int16(65_535), "ffff"],
  ["int32 1", (writer) => writer.int32(1), "00000001"],
  ["int32 -2147483648", (writer) => writer.int32(-2_147_483_648), "80000000"],
  ["int32 4294967295, unsigned", (writer) => writer.int32(4_294_967_295), "ffffffff"],
  ["int64 1", (writer) => writer.int64(1n), "0000000000000001"],
  ["int64 -2", (writer) => writer.int64(-2n), "fffffffffffffffe"],
  ["int64 2^63 - 1", (writer) => writer.int64(2n ** 63n - 1n), "7fffffffffffffff"],
  ["int64 -2^63", (writer) => writer.int64(-(2n ** 63n)), "8000000000000000"],
  ["int64 2^32", (writer) => writer.int64(2n ** 32n), "0000000100000000"],
  ["float32 1.5", (writer) => writer.float32(1.5), "3fc00000"],
  ["float32 -Infinity", (writer) => writer.float32(-Infinity), "ff800000"],
  ["float32 NaN", (writer) => writer.float32(NaN), "7fc00000"],
  ["float64 1.5", (writer) => writer.float64(1.5), "3ff8000000000000"],
  ["float64 -0", (writer) => writer.float64(-0), "8000000000000000"],
  ["float64 5e-324", (writer) => writer.float64(5e-324), "0000000000000001"],
  ["float64 NaN", (writer) => writer.float64(NaN), "7ff8000000000000"]
]

const texts: ReadonlyArray<readonly [string, string]> = [
  ["no character", ""],
  ["a short ASCII text", "SELECT 1"],
  ["ASCII of the longest short length", "x".repeat(24)],
  ["ASCII that is one longer", "x".repeat(25)],
  ["DEL, the last of ASCII", "\x7f"],
  ["the first beyond ASCII", "\x80"],
  ["a short text that leaves ASCII late", "straightforward größe"],
  ["three-byte characters", "名前"],
  ["surrogate pairs", "🐘".repeat(20)],
  ["a long ASCII text", "0123456789".repeat(5_000)],
  ["a long text of three-byte characters", "名".repeat(20_000)]
]

describe("ByteWriter", () => {
  for (const [name, write, expected] of numbers) {
    it(`writes ${name}`, () => {
      assert.strictEqual(written(write), expected)
    })
  }

  for (const [name, value] of texts) {
    it(`writes ${name} as UTF-8`, () => {
      assert.strictEqual(
        written((writer) => writer.utf8(value)),
        Buffer.from(value).toString("hex")
      )
      assert.strictEqual(
        written((writer) => writer.cstring(value)),
        `${Buffer.from(value).toString("hex")}00`
      )
    })
  }

  it.prop("writes any text as Node does", [Arbitrary.array(text)], ([values]) => {
    assert.strictEqual(
      written((writer) => {
        for (const value of values) writer.utf8(value)
      }),
      Buffer.from(values.join("")).toString("hex")
    )
  })

  for (const [what, value] of [
    ["a NUL in a short text", "a\0b"],
    ["a NUL alone", "\0"],
    ["a NUL in a long text", `${"x".repeat(100)}\0`],
    ["a NUL after a character that is not ASCII", "é\0"],
    ["a lone high surrogate", "\ud83d"],
    ["a lone low surrogate", `${"x".repeat(100)}\udc18`],
    ["surrogates in the wrong order", "\udc18\ud83d"]
  ] as const) {
    it(`refuses ${what}, and writes nothing of it`, () => {
      const writer = new ByteWriter()
      writer.uint8(1)
      assert.throws(() => writer.utf8(value), Unencodable, value.includes("\0") ? "NUL" : "surrogate")
      assert.throws(() => writer.cstring(value), Unencodable)
      assert.deepStrictEqual(writer.take(), hex("01"))
    })
  }

  it("backfills counts and lengths, also in a buffer that was outgrown", () => {
    const writer = new ByteWriter()
    writer.uint8(0xaa)
    writer.take()
    const message = writer.beginMessage(0x42)
    const count = writer.reserveInt32()
    const value = writer.reserveInt32()
    writer.raw(Buffer.alloc(100_000))
    writer.backfillValueLength(value)
    writer.backfillInt32(count, 40_000)
    writer.endMessage(message)
    const taken = writer.take()
    assert.strictEqual(taken.length, 1 + 4 + 4 + 4 + 100_000)
    assert.deepStrictEqual(taken.subarray(0, 13), hex("42 000186ac 00009c40 000186a0"))
  })

  it("writes the length of an empty message, which counts itself", () => {
    assert.strictEqual(
      written((writer) => writer.endMessage(writer.beginMessage(0x53))),
      "5300000004"
    )
  })

  it("forgets what was written since a mark, also in a buffer that was outgrown", () => {
    const writer = new ByteWriter()
    writer.int16(1)
    const mark = writer.length
    writer.raw(Buffer.alloc(50_000))
    writer.rewind(mark)
    writer.int16(2)
    assert.strictEqual(writer.length, 4)
    assert.deepStrictEqual(writer.take(), hex("0001 0002"))
  })

  it("hands over each byte once", () => {
    const writer = new ByteWriter()
    writer.int16(1)
    assert.deepStrictEqual(writer.take(), hex("0001"))
    assert.strictEqual(writer.length, 0)
    assert.deepStrictEqual(writer.take(), hex(""))
    writer.int16(2)
    assert.deepStrictEqual(writer.take(), hex("0002"))
  })

  it("makes room beforehand without changing what is written", () => {
    const writer = new ByteWriter()
    writer.uint8(1)
    const mark = writer.reserveInt32()
    writer.reserve(1_000_000)
    writer.uint8(2)
    writer.backfillInt32(mark, 3)
    assert.strictEqual(writer.length, 6)
    assert.strictEqual(writer.take().toString("hex"), "010000000302")
  })

  it.prop(
    "never overwrites bytes that it has handed over",
    [Arbitrary.array(Arbitrary.all([bytes(30), int(1, 700)]), { minLength: 1, maxLength: 40 })],
    ([pieces]) => {
      const writer = new ByteWriter()
      const taken: Array<readonly [Buffer, Buffer]> = []
      for (const [piece, times] of pieces) {
        for (let time = 0; time < times; time++) writer.raw(piece)
        writer.int32(times)
        writer.rewind(writer.length - 4)
        const bytes = writer.take()
        taken.push([bytes, Buffer.from(bytes)])
      }
      for (const [bytes, copy] of taken) assert.isTrue(bytes.equals(copy))
      assert.isTrue(
        Buffer.concat(taken.map(([bytes]) => bytes)).equals(
          Buffer.concat(pieces.flatMap(([piece, times]) => Array.from({ length: times }, () => piece)))
        )
      )
    }
  )

  it("releases the memory of a large request after it has been taken", () => {
    const writer = new ByteWriter()
    writer.raw(Buffer.alloc(2_000_000))
    assert.strictEqual(writer.take().length, 2_000_000)
    writer.uint8(1)
    const next = writer.take()
    assert.deepStrictEqual(next, hex("01"))
    assert.isBelow(next.buffer.byteLength, 100_000)
  })

  it("refuses a value that is larger than a message may be, before it makes room for it", () => {
    const writer = new ByteWriter()
    writer.uint8(1)
    const before = process.memoryUsage().arrayBuffers
    const value = new Uint8Array(MAX_MESSAGE_BYTES + 1)
    assert.throws(
      () => writer.raw(value),
      Unencodable,
      `${MAX_MESSAGE_BYTES + 1} bytes, but PostgreSQL accepts at most`
    )
    assert.isBelow(process.memoryUsage().arrayBuffers - before - value.length, 1_000_000)
    assert.deepStrictEqual(writer.take(), hex("01"))
  })

  it("takes lengths up to the largest that PostgreSQL takes, and refuses the next", () => {
    const writer = new ByteWriter()
    const value = writer.reserveInt32()
    pretend(writer, MAX_MESSAGE_BYTES)
    writer.backfillValueLength(value)
    pretend(writer, 1)
    assert.throws(
      () => writer.backfillValueLength(value),
      Unencodable,
      `${MAX_MESSAGE_BYTES + 1} bytes, but PostgreSQL accepts at most`
    )
    writer.rewind(0)

    const message = writer.beginMessage(0x42)
    pretend(writer, MAX_MESSAGE_BYTES - 4)
    writer.endMessage(message)
    pretend(writer, 1)
    assert.throws(
      () => writer.endMessage(message),
      Unencodable,
      `${MAX_MESSAGE_BYTES + 1} bytes, but PostgreSQL accepts at most`
    )
  })

  it("stops growing if no sequence of messages could be that long", () => {
    const writer = new ByteWriter()
    pretend(writer, 2 * MAX_MESSAGE_BYTES)
    assert.throws(() => writer.uint8(0), Unencodable, "accepts at most")
  })
})
