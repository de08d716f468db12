/**
 * Collects the bytes of something that has arrived only in part. Memory grows with the bytes that actually arrived, and
 * growing costs time in proportion to those bytes, however small the pieces are. Large memory is given back at once when
 * it is no longer needed, because otherwise it waits for the garbage collector, which then has to run more often.
 */
import { Buffer } from "node:buffer"

const INITIAL_BYTES = 8_192

/** After one large item, memory that has grown beyond this size is released. */
const MAX_IDLE_BYTES = 65_536

/** What is not longer gets all its memory at its first bytes, because a declared length cannot do much harm up to here. */
const MAX_TRUSTED_BYTES = 1_048_576

/**
 * Above this size the memory is no longer doubled; all that is still missing is reserved at once. Copying more would
 * block the event loop, and reserved memory costs nothing before it is written.
 */
const MAX_DOUBLED_BYTES = 8_388_608

const NOTHING = Buffer.allocUnsafeSlow(0)

export class Carry {
  /** Valid until the next `append`, unless they were taken. */
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
    const outgrown = this.bytes
    const doubled = total > MAX_DOUBLED_BYTES ? most : Math.min(outgrown.length * 2, most)
    const size = most <= MAX_TRUSTED_BYTES ? most : doubled
    this.bytes = Buffer.allocUnsafeSlow(Math.max(total, size, INITIAL_BYTES))
    outgrown.copy(this.bytes, 0, 0, this.length)
    release(outgrown)
  }

  /** Empties the carry and returns its bytes, with which the caller calls `release` when it has read them. */
  take(): Buffer {
    const { bytes } = this
    this.length = 0
    if (bytes.length > MAX_IDLE_BYTES) this.bytes = NOTHING
    return bytes
  }

  /** Gives taken memory back, if it is too large to be kept for what comes next. No view of it may be used any more. */
  release(taken: Buffer): void {
    if (taken !== this.bytes) release(taken)
  }

  clear(): void {
    this.release(this.take())
  }
}

/** To transfer an ArrayBuffer into nothing frees its memory at once. */
const release = ({ buffer }: Buffer): void => {
  if (buffer !== NOTHING.buffer && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
