/**
 * Collects the bytes of something that has arrived only in part. Memory grows with the bytes that actually arrived,
 * never because of a declared length, and growing costs time in proportion to those bytes, however small the pieces
 * are.
 */
import { Buffer } from "node:buffer"

const MIN_BYTES = 8_192

/** Held until something arrives in parts, because that is rare. */
const NOTHING = Buffer.alloc(0)

/** After one large item, memory that has grown beyond this size is released. */
const MAX_IDLE_BYTES = 65_536

/**
 * Above this size the memory is no longer doubled; all that is still missing is reserved at once. Copying more would
 * block the event loop, and reserved memory costs nothing before it is written.
 */
const MAX_DOUBLED_BYTES = 8_388_608

export class Carry {
  bytes: Buffer = NOTHING
  /** How many bytes are held. */
  length = 0

  /** Appends `source[start, end)`; `most` is the maximum size of the whole. */
  append(source: Buffer, start: number, end: number, most: number): void {
    const total = this.length + end - start
    if (total > this.bytes.length) this.grow(total, most)
    source.copy(this.bytes, this.length, start, end)
    this.length = total
  }

  private grow(total: number, most: number): void {
    const size = total > MAX_DOUBLED_BYTES ? most : Math.min(this.bytes.length * 2, most)
    const grown = Buffer.allocUnsafeSlow(Math.max(MIN_BYTES, total, size))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }

  /** Empties the carry. A view of its bytes stays valid until the next `append`. */
  clear(): void {
    this.length = 0
    if (this.bytes.length > MAX_IDLE_BYTES) this.bytes = NOTHING
  }
}
