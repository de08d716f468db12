/** Tests that the bytes which a server sends are bounded in memory, and cost linear time, however they are cut. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { BackendDecoder, type FrameSink } from "../../src/wire/backendDecoder.ts"
import { Backend } from "../../src/wire/backendMessage.ts"
import { Carry } from "../../src/wire/carry.ts"
import { COPY_HEADER, COPY_TRAILER, CopyRowDecoder } from "../../src/wire/copyData/copyBinary.ts"
import { readErrorFields, readNoticeFields } from "../../src/wire/errorFields.ts"
import { ProtocolViolation } from "../../src/wire/failure.ts"
import { MAX_ERROR_BYTES, MAX_MESSAGE_BYTES, MAX_NOTICE_BYTES } from "../../src/wire/limits.ts"
import { cstring, frame, int16, int32 } from "./frames.ts"

const MEGABYTE = 1_048_576

/** How many bytes are reserved, and copied from one buffer to another, while a test runs. */
const counted = { reserved: 0, copied: 0 }
const { allocUnsafeSlow, concat } = Buffer
const { copy } = Buffer.prototype

beforeEach(() => {
  counted.reserved = 0
  counted.copied = 0
  Buffer.allocUnsafeSlow = (size) => {
    counted.reserved += size
    return allocUnsafeSlow(size)
  }
  Buffer.concat = (list, ...rest) => {
    const joined = concat(list, ...rest)
    counted.reserved += joined.length
    counted.copied += joined.length
    return joined
  }
  Buffer.prototype.copy = function (this: Buffer, ...args: Parameters<typeof copy>) {
    const bytes = copy.apply(this, args)
    counted.copied += bytes
    return bytes
  }
})

afterEach(() => {
  Buffer.allocUnsafeSlow = allocUnsafeSlow
  Buffer.concat = concat
  Buffer.prototype.copy = copy
})

const header = (type: number, length: number): Buffer => Buffer.from([type, ...int32(length)])

const authenticated = (sink: FrameSink): BackendDecoder => {
  const decoder = new BackendDecoder(sink)
  decoder.maxMessageBytes = MAX_MESSAGE_BYTES
  return decoder
}

/** How many columns a row of COPY may have. */
const MOST_COLUMNS = 32_767

describe("CopyRowDecoder", () => {
  it("copies a row that comes in pieces of one byte in linear time", () => {
    const row = Buffer.from([...int16(2), ...int32(-1), ...int32(MEGABYTE)])
    const rows: Array<number> = []
    const decoder = new CopyRowDecoder((_bytes, start, end) => rows.push(end - start))
    decoder.push(Buffer.from(COPY_HEADER), 0, COPY_HEADER.length)
    for (let at = 0; at < row.length; at++) decoder.push(row, at, at + 1)
    const byte = Buffer.of(7)
    for (let left = MEGABYTE; left > 0; left--) decoder.push(byte, 0, 1)
    decoder.push(Buffer.from(COPY_TRAILER), 0, COPY_TRAILER.length)
    decoder.expectEnd()
    assert.deepStrictEqual(rows, [row.length + MEGABYTE])
    assert.isBelow(counted.copied, 4 * MEGABYTE)
    assert.isBelow(counted.reserved, 8 * MEGABYTE)
  })

  it("reads each column of a row once, in however many pieces it comes", () => {
    const row = Buffer.concat([int16(MOST_COLUMNS), Buffer.alloc(4 * MOST_COLUMNS, 0xff)])
    let lengths = 0
    const { readInt32BE } = Buffer.prototype
    Buffer.prototype.readInt32BE = function (this: Buffer, offset?: number) {
      lengths++
      return readInt32BE.call(this, offset)
    }
    try {
      const rows: Array<number> = []
      const decoder = new CopyRowDecoder((_bytes, start, end) => rows.push(end - start))
      decoder.push(Buffer.from(COPY_HEADER), 0, COPY_HEADER.length)
      for (let at = 0; at < row.length; at++) decoder.push(row, at, at + 1)
      assert.deepStrictEqual(rows, [row.length])
      assert.isBelow(lengths, MOST_COLUMNS + 10)
    } finally {
      Buffer.prototype.readInt32BE = readInt32BE
    }
  })

  it("refuses a row that is longer than any message at its header, and keeps nothing of it", () => {
    const decoder = new CopyRowDecoder(() => {})
    decoder.push(Buffer.from(COPY_HEADER), 0, COPY_HEADER.length)
    const half = Buffer.from([...int16(3), ...int32(MAX_MESSAGE_BYTES / 2)])
    decoder.push(half, 0, half.length)
    assert.isBelow(counted.reserved, MEGABYTE)
    const endless = Buffer.from([...int16(1), ...int32(MAX_MESSAGE_BYTES)])
    const other = new CopyRowDecoder(() => {})
    other.push(Buffer.from(COPY_HEADER), 0, COPY_HEADER.length)
    assert.throws(() => other.push(endless, 0, endless.length), ProtocolViolation, "a row of more than")
    assert.isBelow(counted.reserved, MEGABYTE)
  })

  it("skips an extension of the header of any size, and keeps nothing of it", () => {
    const extended = Buffer.concat([COPY_HEADER.subarray(0, 15), int32(300 * MEGABYTE)])
    const rows: Array<number> = []
    const decoder = new CopyRowDecoder((_bytes, start, end) => rows.push(end - start))
    counted.copied = 0
    decoder.push(extended, 0, extended.length)
    const piece = Buffer.alloc(65_536)
    for (let left = 300 * MEGABYTE; left > 0; left -= piece.length) decoder.push(piece, 0, piece.length)
    const rest = Buffer.concat([int16(1), int32(-1), COPY_TRAILER])
    decoder.push(rest, 0, rest.length)
    decoder.expectEnd()
    assert.deepStrictEqual(rows, [6])
    assert.isBelow(counted.copied, 1_000)
  })
})

describe("BackendDecoder", () => {
  it("copies a frame that comes in small pieces in linear time", () => {
    let delivered = 0
    const decoder = authenticated({ frame: (_type, _bytes, start, end) => (delivered = end - start) })
    decoder.push(header(Backend.DataRow, 4 + 4 * MEGABYTE))
    const piece = Buffer.alloc(16)
    for (let left = 4 * MEGABYTE; left > 0; left -= piece.length) decoder.push(piece)
    assert.strictEqual(delivered, 4 * MEGABYTE)
    assert.isBelow(counted.copied, 16 * MEGABYTE)
    assert.isBelow(counted.reserved, 16 * MEGABYTE)
  })

  for (const [name, type, most] of [
    ["an error", Backend.ErrorResponse, MAX_ERROR_BYTES],
    ["a notice", Backend.NoticeResponse, MAX_NOTICE_BYTES]
  ] as const) {
    it(`keeps the beginning of ${name} of 300 MB, and goes on behind it`, () => {
      const seen: Array<readonly [number, number]> = []
      const decoder = authenticated({ frame: (each, _bytes, start, end) => seen.push([each, end - start]) })
      const beginning = Buffer.concat([cstring("SERROR"), cstring("C22012"), Buffer.from("M")])
      decoder.push(Buffer.concat([header(type, 4 + 300 * MEGABYTE), beginning]))
      const piece = Buffer.alloc(65_536, "x")
      let left = 300 * MEGABYTE - beginning.length
      for (; left > piece.length; left -= piece.length) decoder.push(piece)
      decoder.push(Buffer.concat([piece.subarray(0, left), frame(Backend.ReadyForQuery, Buffer.from("I"))]))
      assert.deepStrictEqual(seen, [
        [type, most],
        [Backend.ReadyForQuery, 1]
      ])
      assert.isBelow(counted.reserved, 4 * most)
    })
  }

  it("refuses a length that no server sends at the header of the message, whatever its type", () => {
    const most: ReadonlyArray<readonly [number, number]> = [
      [Backend.NotificationResponse, 65_536],
      [Backend.RowDescription, 6 * MEGABYTE],
      [Backend.ParameterDescription, 262_146],
      [Backend.CopyInResponse, 131_077],
      [Backend.CopyOutResponse, 131_077],
      [Backend.CopyBothResponse, 30_000],
      [Backend.FunctionCallResponse, 30_000]
    ]
    for (const [type, length] of most) {
      const decoder = authenticated({ frame: () => {} })
      assert.throws(() => decoder.push(header(type, length + 1)), ProtocolViolation, "at most")
    }
  })
})

describe("Carry", () => {
  it("copies at most 8 MiB at a time, so that a growing value does not block the event loop", () => {
    const carry = new Carry()
    const piece = Buffer.alloc(65_536)
    let worst = 0
    for (let bytes = 0; bytes < 100 * MEGABYTE; bytes += piece.length) {
      const before = counted.copied
      carry.append(piece, 0, piece.length, 200 * MEGABYTE)
      worst = Math.max(worst, counted.copied - before)
    }
    assert.isAtMost(worst, 8 * MEGABYTE + 2 * piece.length)
  })

  it("gives large memory back as soon as it is outgrown or its frame has been read", () => {
    const body = Buffer.alloc(MEGABYTE * 3, 7)
    const frames: Array<Buffer> = []
    let last: number | undefined
    const decoder = authenticated({
      frame: (_, bytes, start, end) => {
        frames.push(bytes)
        assert.strictEqual(end - start, body.length)
        last = bytes[end - 1]
      }
    })
    decoder.push(header(Backend.DataRow, body.length + 4))
    decoder.push(body.subarray(0, MEGABYTE))
    decoder.push(body.subarray(MEGABYTE))
    assert.strictEqual(last, 7)
    assert.strictEqual(frames[0]?.length, 0)

    const carry = new Carry()
    carry.append(body, 0, 100_000, body.length)
    const outgrown = carry.bytes
    carry.append(body, 100_000, body.length, body.length)
    assert.strictEqual(outgrown.length, 0)
    assert.isTrue(carry.bytes.subarray(0, carry.length).equals(body))
  })

  it("releases large memory when nothing waits in it", () => {
    const carry = new Carry()
    carry.append(Buffer.alloc(MEGABYTE), 0, MEGABYTE, MEGABYTE)
    carry.clear()
    assert.isBelow(carry.bytes.length, 10_000)
  })
})

const message = (text: string): Buffer =>
  Buffer.concat([cstring("SERROR"), cstring("C22012"), cstring(`M${text}`), cstring("RroutineName"), Buffer.of(0)])

describe("readErrorFields", () => {
  it("reads the beginning of a text that is too long, up to the last whole character, and says so", () => {
    for (let shift = 0; shift < 4; shift++) {
      const body = message("x".repeat(shift) + "\u{1f600}".repeat(MAX_ERROR_BYTES / 4))
      const fields = readErrorFields(body, 0, body.length)
      assert.strictEqual(fields.code, "22012")
      assert.isTrue(fields.message.isWellFormed())
      assert.isFalse(fields.message.includes("\ufffd"))
      assert.match(fields.message, /\u{1f600}\u2026$/u)
      assert.isAbove(Buffer.byteLength(fields.message), MAX_ERROR_BYTES - 40)
      assert.isAtMost(Buffer.byteLength(fields.message), MAX_ERROR_BYTES)
      assert.strictEqual(fields.routine, undefined)
    }
  })

  it("reads the whole of a text that is just short enough", () => {
    const { length } = message("")
    const body = message("x".repeat(MAX_ERROR_BYTES - 1 - length))
    assert.strictEqual(readErrorFields(body, 0, body.length).routine, "routineName")
    const notice = message("x".repeat(MAX_NOTICE_BYTES - 1 - length))
    assert.strictEqual(readNoticeFields(notice, 0, notice.length).routine, "routineName")
  })
})
