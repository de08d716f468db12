/**
 * A growing buffer in which frontend messages are built. Bytes are appended, lengths are backfilled, and `take` hands
 * over everything written since the last `take`. Bytes that were taken are never written again, so a socket may keep
 * them as long as it likes. This file knows neither messages nor codecs.
 */
import { Buffer } from "node:buffer"
import { Unencodable } from "./failure.ts"
import { MAX_MESSAGE_BYTES } from "./limits.ts"

/** The memory of a writer is taken in slabs, and the first ones are small, because many writers never write much. */
const FIRST_SLAB_BYTES = 1_024
const SLAB_BYTES = 16_384

const NOTHING = Buffer.alloc(0)

/** After a large request has been taken, a buffer that has grown beyond this size is released. */
const MAX_IDLE_BYTES = 1_048_576

/** A safety limit: more than one message of the maximum size plus everything that may be queued before it. */
const MAX_PENDING_BYTES = 2 * MAX_MESSAGE_BYTES

/** Up to this length, a JavaScript loop over an ASCII string is faster than calling the runtime. */
const SHORT_TEXT = 24

const scratch = new DataView(new ArrayBuffer(8))
const scratchBytes = new Uint8Array(scratch.buffer)

export class ByteWriter {
  private bytes: Buffer = NOTHING
  private base = 0
  private position = 0
  private slabBytes = FIRST_SLAB_BYTES

  /** How many bytes wait to be taken. Also used as the mark for `rewind` and for backfilling. */
  get length(): number {
    return this.position - this.base
  }

  /** Discards everything written since the mark. */
  rewind(mark: number): void {
    this.position = this.base + mark
  }

  /** The bytes written since the last `take`. They belong to the caller. */
  take(): Buffer {
    const taken = this.bytes.subarray(this.base, this.position)
    if (this.bytes.length > MAX_IDLE_BYTES) {
      this.bytes = NOTHING
      this.position = 0
    }
    this.base = this.position
    return taken
  }

  private ensure(count: number): void {
    if (this.position + count > this.bytes.length) this.grow(count)
  }

  private grow(count: number): void {
    const pending = this.position - this.base
    if (count > MAX_MESSAGE_BYTES || pending + count > MAX_PENDING_BYTES) throw new Unencodable(tooLarge(count))
    this.moveTo(Math.max(this.slabBytes, (pending + count) * 2))
    this.slabBytes = Math.min(this.slabBytes * 4, SLAB_BYTES)
  }

  /** Makes room for many bytes at once, instead of growing step by step. */
  reserve(count: number): void {
    if (this.position + count > this.bytes.length) this.moveTo(this.length + count)
  }

  private moveTo(bytes: number): void {
    const pending = this.length
    const next = Buffer.allocUnsafeSlow(bytes)
    this.bytes.copy(next, 0, this.base, this.position)
    this.bytes = next
    this.base = 0
    this.position = pending
  }

  uint8(value: number): void {
    this.ensure(1)
    this.bytes[this.position++] = value
  }

  /** Writes a signed or unsigned 16-bit value. */
  int16(value: number): void {
    this.ensure(2)
    const { bytes, position } = this
    bytes[position] = value >> 8
    bytes[position + 1] = value
    this.position = position + 2
  }

  /** Writes a signed or unsigned 32-bit value. */
  int32(value: number): void {
    this.ensure(4)
    const { bytes, position } = this
    bytes[position] = value >> 24
    bytes[position + 1] = value >> 16
    bytes[position + 2] = value >> 8
    bytes[position + 3] = value
    this.position = position + 4
  }

  int64(value: bigint): void {
    scratch.setBigInt64(0, value)
    this.int32(scratch.getInt32(0))
    this.int32(scratch.getInt32(4))
  }

  float32(value: number): void {
    scratch.setFloat32(0, value)
    this.int32(scratch.getInt32(0))
  }

  float64(value: number): void {
    scratch.setFloat64(0, value)
    this.int32(scratch.getInt32(0))
    this.int32(scratch.getInt32(4))
  }

  raw(value: Uint8Array): void {
    this.ensure(value.length)
    this.bytes.set(value, this.position)
    this.position += value.length
  }

  /** Writes UTF-8 without a terminator. Throws if neither UTF-8 nor a PostgreSQL text can hold the string. */
  utf8(text: string): void {
    const length = text.length
    if (length <= SHORT_TEXT) {
      this.ensure(length)
      const { bytes, position } = this
      let index = 0
      for (; index < length; index++) {
        const code = text.charCodeAt(index)
        if (code === 0 || code > 0x7f) break
        bytes[position + index] = code
      }
      if (index === length) {
        this.position = position + length
        return
      }
    }
    this.longUtf8(text)
  }

  private longUtf8(text: string): void {
    if (text.includes("\0"))
      throw new Unencodable("the text contains a NUL character (\\u0000), which PostgreSQL does not accept")
    if (!text.isWellFormed()) {
      throw new Unencodable(
        "the text contains a lone surrogate, which UTF-8 cannot encode; repair it with toWellFormed()"
      )
    }
    this.ensure(text.length <= SLAB_BYTES ? text.length * 3 : Buffer.byteLength(text))
    this.position += this.bytes.write(text, this.position, "utf8")
  }

  /** Writes UTF-8 and a terminating NUL. */
  cstring(text: string): void {
    this.utf8(text)
    this.uint8(0)
  }

  /** Writes an Int32 as a value: behind its length. */
  int32Value(value: number): void {
    this.ensure(8)
    const { bytes, position } = this
    bytes[position] = 0
    bytes[position + 1] = 0
    bytes[position + 2] = 0
    bytes[position + 3] = 4
    bytes[position + 4] = value >> 24
    bytes[position + 5] = value >> 16
    bytes[position + 6] = value >> 8
    bytes[position + 7] = value
    this.position = position + 8
  }

  /** Writes a float64 as a value: behind its length. */
  float64Value(value: number): void {
    this.ensure(12)
    const { bytes, position } = this
    scratch.setFloat64(0, value)
    bytes[position] = 0
    bytes[position + 1] = 0
    bytes[position + 2] = 0
    bytes[position + 3] = 8
    for (let index = 0; index < 8; index++) bytes[position + 4 + index] = scratchBytes[index]!
    this.position = position + 12
  }

  /** Writes a short ASCII text as a value: behind its length. Returns false, and writes nothing, for any other text. */
  shortTextValue(text: string): boolean {
    const length = text.length
    if (length > SHORT_TEXT) return false
    this.ensure(LENGTH_BYTES + length)
    const { bytes, position } = this
    const start = position + LENGTH_BYTES
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index)
      if (code === 0 || code > 0x7f) return false
      bytes[start + index] = code
    }
    bytes[position] = 0
    bytes[position + 1] = 0
    bytes[position + 2] = 0
    bytes[position + 3] = length
    this.position = start + length
    return true
  }

  /** Leaves room for an Int32 that is filled in later; returns its position. */
  reserveInt32(): number {
    const mark = this.length
    this.int32(0)
    return mark
  }

  backfillInt32(mark: number, value: number): void {
    const at = this.base + mark
    this.bytes[at] = value >> 24
    this.bytes[at + 1] = value >> 16
    this.bytes[at + 2] = value >> 8
    this.bytes[at + 3] = value
  }

  /** Backfills the length of a value: the number of bytes that follow the Int32 at the mark. */
  backfillValueLength(mark: number): void {
    const length = this.length - mark - 4
    if (length > MAX_MESSAGE_BYTES) throw new Unencodable(tooLarge(length))
    this.backfillInt32(mark, length)
  }

  /** Writes a message's type byte and leaves room for its length; returns the mark for `endMessage`. */
  beginMessage(type: number): number {
    this.ensure(MESSAGE_HEADER_BYTES)
    this.bytes[this.position] = type
    this.position += MESSAGE_HEADER_BYTES
    return this.length - LENGTH_BYTES
  }

  /** Backfills the length of a message, which counts itself but not the type byte. */
  endMessage(mark: number): void {
    const length = this.length - mark
    if (length > MAX_MESSAGE_BYTES) throw new Unencodable(tooLarge(length))
    this.backfillInt32(mark, length)
  }
}

/** The Int32 behind the type byte of a message. */
const LENGTH_BYTES = 4
const MESSAGE_HEADER_BYTES = 1 + LENGTH_BYTES

const tooLarge = (bytes: number): string =>
  `it has ${bytes} bytes, but PostgreSQL accepts at most ${MAX_MESSAGE_BYTES} in one message; send it in parts`
