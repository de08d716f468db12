/**
 * A bounds-checked cursor over one message or one value. Reading past the end, or a string without its terminator,
 * throws a `ProtocolViolation`; nothing beyond `end` is ever read.
 */
import type { Buffer } from "node:buffer"
import { ProtocolViolation } from "./failure.ts"

export class ByteReader {
  private readonly bytes: Buffer
  private readonly end: number
  private position: number

  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes
    this.position = start
    this.end = end
  }

  get left(): number {
    return this.end - this.position
  }

  private advance(count: number): number {
    const at = this.position
    if (count < 0 || count > this.end - at) {
      throw new ProtocolViolation(`a message with ${this.end - at} bytes left where it needs ${count}`)
    }
    this.position = at + count
    return at
  }

  uint8(): number {
    return this.bytes[this.advance(1)]!
  }

  int16(): number {
    return (this.uint16() << 16) >> 16
  }

  uint16(): number {
    const at = this.advance(2)
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!
  }

  int32(): number {
    const { bytes } = this
    const at = this.advance(4)
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  }

  uint32(): number {
    return this.int32() >>> 0
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.uint64())
  }

  uint64(): bigint {
    const high = this.uint32()
    return (BigInt(high) << 32n) | BigInt(this.uint32())
  }

  /** Reads the string up to the next NUL, and consumes the NUL. */
  cstring(): string {
    const start = this.position
    return this.bytes.toString("utf8", start, start + this.skipString())
  }

  /** Skips a string and its NUL; returns the string's length in bytes, without the NUL. */
  skipString(): number {
    const start = this.position
    const zero = this.bytes.indexOf(0, start)
    if (zero < 0 || zero >= this.end) throw new ProtocolViolation("a string without a NUL at its end")
    this.position = zero + 1
    return zero - start
  }

  skip(count: number): void {
    this.advance(count)
  }

  /** A view of the next `count` bytes, valid until the receive buffer is reused. */
  view(count: number): Buffer {
    const at = this.advance(count)
    return this.bytes.subarray(at, at + count)
  }

  expectEnd(message: string): void {
    if (this.position !== this.end) {
      throw new ProtocolViolation(`${message} with ${this.end - this.position} bytes too many`)
    }
  }
}
