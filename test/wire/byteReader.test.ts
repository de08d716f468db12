import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { ByteReader } from "../../src/wire/byteReader.ts"
import { ProtocolViolation } from "../../src/wire/failure.ts"
import { bytes, hex, int, text } from "./frames.ts"

/** A reader over these bytes, which stand between others that must not be read. */
const reader = (content: Buffer): ByteReader =>
  new ByteReader(Buffer.concat([hex("ff 01"), content, hex("41 00 41 00 41 00 41 00")]), 2, 2 + content.length)

const numbers: ReadonlyArray<readonly [string, string, (reader: ByteReader) => number, number]> = [
  ["uint8", "ff", (reader) => reader.uint8(), 255],
  ["int16", "7fff", (reader) => reader.int16(), 32_767],
  ["int16", "8000", (reader) => reader.int16(), -32_768],
  ["int16", "fffe", (reader) => reader.int16(), -2],
  ["uint16", "8000", (reader) => reader.uint16(), 32_768],
  ["uint16", "ffff", (reader) => reader.uint16(), 65_535],
  ["int32", "7fffffff", (reader) => reader.int32(), 2_147_483_647],
  ["int32", "80000000", (reader) => reader.int32(), -2_147_483_648],
  ["int32", "00010203", (reader) => reader.int32(), 66_051],
  ["uint32", "80000000", (reader) => reader.uint32(), 2_147_483_648],
  ["uint32", "ffffffff", (reader) => reader.uint32(), 4_294_967_295]
]

describe("ByteReader", () => {
  for (const [name, bytes, read, expected] of numbers) {
    it(`reads ${expected} as ${name}, and refuses it if a byte is missing`, () => {
      const whole = reader(hex(bytes))
      assert.strictEqual(read(whole), expected)
      assert.strictEqual(whole.left, 0)
      assert.throws(() => read(reader(hex(bytes).subarray(1))), ProtocolViolation, "bytes left where it needs")
    })
  }

  it("reads one thing after the other", () => {
    const message = reader(hex("2a 0001 c3a900 00 0000000a dead"))
    assert.strictEqual(message.uint8(), 42)
    assert.strictEqual(message.int16(), 1)
    assert.strictEqual(message.cstring(), "é")
    assert.strictEqual(message.cstring(), "")
    assert.strictEqual(message.int32(), 10)
    assert.strictEqual(message.left, 2)
    assert.deepStrictEqual(message.view(2), hex("dead"))
    message.expectEnd("the message")
  })

  it("refuses a string whose terminator stands beyond the end", () => {
    assert.throws(() => reader(hex("4142")).cstring(), ProtocolViolation, "without a NUL at its end")
    assert.throws(() => reader(hex("")).cstring(), ProtocolViolation, "without a NUL at its end")
    assert.throws(() => reader(hex("4142")).skipString(), ProtocolViolation, "without a NUL at its end")
  })

  it("refuses a string without a terminator anywhere", () => {
    assert.throws(
      () => new ByteReader(Buffer.from("abc"), 0, 3).cstring(),
      ProtocolViolation,
      "without a NUL at its end"
    )
  })

  it("skips strings and bytes, and returns the length of a string in bytes", () => {
    const message = reader(hex("c3a961 00 00 dead 2a"))
    assert.strictEqual(message.skipString(), 3)
    assert.strictEqual(message.skipString(), 0)
    message.skip(2)
    assert.strictEqual(message.uint8(), 42)
    assert.throws(() => message.skip(1), ProtocolViolation, "0 bytes left where it needs 1")
  })

  it("refuses to go backwards", () => {
    const message = reader(hex("0102"))
    message.skip(2)
    assert.throws(() => message.skip(-1), ProtocolViolation, "0 bytes left where it needs -1")
    assert.throws(() => message.view(-2), ProtocolViolation, "0 bytes left where it needs -2")
    assert.strictEqual(message.left, 0)
  })

  it("returns a view of bytes, without a copy", () => {
    const source = hex("0102030405")
    const view = new ByteReader(source, 1, 4).view(2)
    source[1] = 0xff
    assert.deepStrictEqual(view, hex("ff03"))
  })

  it("reports how many bytes are left over, and in which message", () => {
    const message = reader(hex("010203"))
    message.uint8()
    assert.throws(() => message.expectEnd("ReadyForQuery"), ProtocolViolation, "ReadyForQuery with 2 bytes too many")
  })

  it.prop("reads any text up to its terminator", [text], ([value]) => {
    const message = reader(Buffer.from(`${value}\0`))
    assert.strictEqual(message.cstring(), value)
    message.expectEnd("the message")
  })

  it.prop("never leaves its bounds, whatever is asked of it", [bytes(12), int(-3, 12)], ([content, count]) => {
    for (const read of [
      (reader: ByteReader) => reader.int32(),
      (reader: ByteReader) => reader.cstring().length,
      (reader: ByteReader) => reader.view(count).length
    ]) {
      const message = reader(content)
      try {
        for (let times = 0; times < 16; times++) read(message)
      } catch (failure) {
        assert.instanceOf(failure, ProtocolViolation)
      }
      assert.isAtLeast(message.left, 0)
      assert.isAtMost(message.left, content.length)
    }
  })
})
