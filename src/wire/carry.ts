/**
 * Bytes that wait for the rest of what they begin. The memory grows with the bytes that came, never by a length that was
 * only declared, and what it costs to grow is in proportion to them, however small the pieces are.
 */
import { Buffer } from "node:buffer"

const INITIAL_BYTES = 8_192

/** Memory that has grown beyond this for one large thing is given up after it. */
const MAX_IDLE_BYTES = 65_536

/**
 * Beyond this the memory is no longer doubled but reserved for all that is still to come: to copy more at once would keep
 * the event loop, and what is reserved costs nothing before it is written.
 */
const MAX_DOUBLED_BYTES = 8_388_608

export class Carry {
  bytes: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  /** How many bytes wait. */
  length = 0

  /** Appends `source[start, end)`; `most` is what the whole may have at the most. */
  append(source: Buffer, start: number, end: number, most: number): void {
    const total = this.length + end - start
    if (total > this.bytes.length) this.grow(total, most)
    source.copy(this.bytes, this.length, start, end)
    this.length = total
  }

  private grow(total: number, most: number): void {
    const size = total > MAX_DOUBLED_BYTES ? most : Math.min(this.bytes.length * 2, most)
    const grown = Buffer.allocUnsafeSlow(Math.max(total, size))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }

  /** Nothing waits any more. Who still looks at the bytes may do so until the next `append`. */
  clear(): void {
    this.length = 0
    if (this.bytes.length > MAX_IDLE_BYTES) this.bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  }
}
