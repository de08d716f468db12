/**
 * A growing buffer of frontend messages. Bytes are appended, lengths are backfilled, and `take` hands over all that was
 * written since the last `take`. Bytes once taken are never written again, so a socket may keep them for as long as it
 * likes. Nothing here knows what a message or a codec is.
 */
import { Buffer } from "node:buffer"
import { Unencodable } from "./failure.ts"
import { MAX_MESSAGE_BYTES } from "./limits.ts"

const SLAB_BYTES = 16_384

/** Below this length a JavaScript loop over an ASCII string is faster than the call into the runtime. */
const SHORT_TEXT = 24

const doubleScratch = new Float64Array(1)
const doubleBytes = new Uint8Array(doubleScratch.buffer)
const bigintScratch = new BigInt64Array(1)
const bigintWords = new Int32Array(bigintScratch.buffer)

export class ByteWriter {
  private bytes: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES)
  private base = 0
  private position = 0

  /** How many bytes wait to be taken. It also serves as a mark for `rewind` and the backfills. */
  get length(): number {
    return this.position - this.base
  }

  /** Forgets everything written since the mark. */
  rewind(mark: number): void {
    this.position = this.base + mark
  }

  /** The bytes written since the last `take`. They belong to the caller. */
  take(): Buffer {
    const taken = this.bytes.subarray(this.base, this.position)
    this.base = this.position
    return taken
  }

  private ensure(count: number): void {
    if (this.position + count > this.bytes.length) this.grow(count)
  }

  private grow(count: number): void {
    const pending = this.position - this.base
    const next = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, (pending + count) * 2))
    this.bytes.copy(next, 0, this.base, this.position)
    this.bytes = next
    this.base = 0
    this.position = pending
  }

  uint8(value: number): void {
    this.ensure(1)
    this.bytes[this.position++] = value
  }

  /** Also writes unsigned 16-bit values. */
  int16(value: number): void {
    this.ensure(2)
    const { bytes, position } = this
    bytes[position] = value >> 8
    bytes[position + 1] = value
    this.position = position + 2
  }

  /** Also writes unsigned 32-bit values. */
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
    bigintScratch[0] = value
    this.int32(bigintWords[1]!)
    this.int32(bigintWords[0]!)
  }

  float32(value: number): void {
    this.ensure(4)
    this.bytes.writeFloatBE(value, this.position)
    this.position += 4
  }

  float64(value: number): void {
    this.ensure(8)
    doubleScratch[0] = value
    const { bytes, position } = this
    for (let index = 0; index < 8; index++) bytes[position + index] = doubleBytes[7 - index]!
    this.position = position + 8
  }

  raw(value: Uint8Array): void {
    this.ensure(value.length)
    this.bytes.set(value, this.position)
    this.position += value.length
  }

  /** UTF-8, without a terminator. Refuses what UTF-8 or PostgreSQL's text cannot hold. */
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
    if (text.includes("\0")) throw new Unencodable("text with a NUL character (\\u0000), which PostgreSQL cannot hold")
    if (!text.isWellFormed()) {
      throw new Unencodable("text with a lone surrogate, which UTF-8 cannot hold; repair it with toWellFormed()")
    }
    const bound = text.length <= SLAB_BYTES ? text.length * 3 : Buffer.byteLength(text)
    if (bound > MAX_MESSAGE_BYTES) throw new Unencodable(tooLarge(bound))
    this.ensure(bound)
    this.position += this.bytes.write(text, this.position, "utf8")
  }

  /** UTF-8 and the terminating NUL. */
  cstring(text: string): void {
    this.utf8(text)
    this.uint8(0)
  }

  /** Leaves room for an Int16 that is known later; returns where. */
  reserveInt16(): number {
    const mark = this.length
    this.int16(0)
    return mark
  }

  backfillInt16(mark: number, value: number): void {
    const at = this.base + mark
    this.bytes[at] = value >> 8
    this.bytes[at + 1] = value
  }

  /** Leaves room for an Int32 that is known later; returns where. */
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

  /** Backfills the length of a value: the bytes after the Int32 at the mark. */
  backfillValueLength(mark: number): void {
    const length = this.length - mark - 4
    if (length > MAX_MESSAGE_BYTES) throw new Unencodable(tooLarge(length))
    this.backfillInt32(mark, length)
  }

  /** Writes a message's type byte and leaves room for its length; returns the mark for `endMessage`. */
  beginMessage(type: number): number {
    this.uint8(type)
    return this.reserveInt32()
  }

  /** Backfills the length of a message, which counts itself but not the type byte. */
  endMessage(mark: number): void {
    const length = this.length - mark
    if (length > MAX_MESSAGE_BYTES) throw new Unencodable(tooLarge(length))
    this.backfillInt32(mark, length)
  }
}

const tooLarge = (bytes: number): string =>
  `${bytes} bytes, more than the ${MAX_MESSAGE_BYTES} that PostgreSQL takes in one message; send it in pieces`
