/**
 * PostgreSQL's binary COPY format, except for the values themselves:
 * ```
 * header   "PGCOPY\n\xff\r\n\0", Int32 flags, Int32 length of an extension, the extension
 * rows     Int16 number of columns, each: Int32 length (-1 for NULL), the value's bytes
 * trailer  Int16 -1
 * ```
 * A row has the layout of a DataRow's body, and the row readers read both.
 */
import type { Buffer } from "node:buffer"
import { Carry } from "../carry.ts"
import { ProtocolViolation } from "../failure.ts"
import { MAX_MESSAGE_BYTES } from "../limits.ts"

const SIGNATURE = Uint8Array.of(0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0x00)

/** The whole header: no flags, no extension. */
export const COPY_HEADER: Uint8Array = Uint8Array.of(...SIGNATURE, 0, 0, 0, 0, 0, 0, 0, 0)

export const COPY_TRAILER: Uint8Array = Uint8Array.of(0xff, 0xff)

const FLAGS_AT = SIGNATURE.length
const EXTENSION_LENGTH_AT = FLAGS_AT + 4
const HEADER_BYTES = EXTENSION_LENGTH_AT + 4

/** The upper half of the flags. A reader that does not know one of these must not continue. */
const CRITICAL_FLAGS = 0xffff0000

const COUNT_BYTES = 2
const LENGTH_BYTES = 4
const NULL_LENGTH = -1
const END_OF_ROWS = -1

/** Takes a row in `bytes[start, end)`; the bytes are reused afterwards. */
export type TakeRow = (bytes: Buffer, start: number, end: number) => void

/** The server cannot send a longer row, because it would not fit into a message. */
const MAX_ROW_BYTES = MAX_MESSAGE_BYTES

/**
 * Cuts the binary COPY format into rows, however the data is split into pieces. A row that spans pieces is assembled in
 * a carry. The decoder remembers where the row's next length stands, so it looks at no byte twice.
 */
export class CopyRowDecoder {
  private readonly take: TakeRow
  private state: "header" | "extension" | "rows" | "end" = "header"
  /** The part of a row, or of the header, that has arrived so far. */
  private readonly carry = new Carry()
  /** How many bytes of the header's extension are still to be skipped. */
  private extensionLeft = 0
  /** How many columns of the row are still to be skipped; undefined until their number is known. */
  private columnsLeft: number | undefined
  /**
   * The position in the row of the next length, or the row's end after the last column. It may lie beyond the bytes
   * that have arrived.
   */
  private passed = 0

  constructor(take: TakeRow) {
    this.take = take
  }

  /** Takes the next piece. Throws `ProtocolViolation` if the data is malformed, and whatever `take` throws. */
  push(bytes: Buffer, start: number, end: number): void {
    let at = start
    while (at < end) {
      switch (this.state) {
        case "header":
          at = this.readHeader(bytes, at, end)
          break
        case "extension": {
          const skipped = Math.min(this.extensionLeft, end - at)
          this.extensionLeft -= skipped
          at += skipped
          if (this.extensionLeft === 0) this.state = "rows"
          break
        }
        case "rows":
          at = this.carry.length === 0 ? this.readRow(bytes, at, end) : this.completeRow(bytes, at, end)
          break
        case "end":
          throw new ProtocolViolation("COPY data behind the end marker")
      }
    }
  }

  /** Throws if the data ended in the middle of a row or without the trailer. */
  expectEnd(): void {
    if (this.state !== "end") throw new ProtocolViolation("COPY data that ends within a row")
  }

  private readHeader(bytes: Buffer, start: number, end: number): number {
    const { carry } = this
    const at = Math.min(end, start + HEADER_BYTES - carry.length)
    carry.append(bytes, start, at, HEADER_BYTES)
    const extension = extensionOf(carry.bytes, carry.length)
    if (extension === undefined) return at
    carry.clear()
    this.extensionLeft = extension
    this.state = extension === 0 ? "rows" : "extension"
    return at
  }

  /** Reads the row or the trailer that begins at `start`; keeps what has arrived of it if it is incomplete. */
  private readRow(bytes: Buffer, start: number, end: number): number {
    if (this.pass(bytes, start, end)) return this.deliver(bytes, start)
    this.carry.append(bytes, start, end, MAX_ROW_BYTES)
    return end
  }

  /** Appends to the partial row as many bytes as are needed to continue. */
  private completeRow(bytes: Buffer, start: number, end: number): number {
    const { carry } = this
    const at = Math.min(end, start + this.wanted - carry.length)
    carry.append(bytes, start, at, MAX_ROW_BYTES)
    if (this.pass(carry.bytes, 0, carry.length)) {
      const row = carry.take()
      try {
        this.deliver(row, 0)
      } finally {
        carry.release(row)
      }
    }
    return at
  }

  /** How many bytes of the row must have arrived to continue. */
  private get wanted(): number {
    if (this.columnsLeft === undefined) return COUNT_BYTES
    return this.columnsLeft > 0 ? this.passed + LENGTH_BYTES : this.passed
  }

  /** Continues through the row as far as `bytes[start, end)` goes; returns true if the row is complete. */
  private pass(bytes: Buffer, start: number, end: number): boolean {
    const there = end - start
    if (this.columnsLeft === undefined) {
      if (there < COUNT_BYTES) return false
      const count = bytes.readInt16BE(start)
      if (count < END_OF_ROWS) throw new ProtocolViolation(`COPY data with a row of ${count} columns`)
      if (count === END_OF_ROWS) this.state = "end"
      this.columnsLeft = Math.max(count, 0)
      this.passed = COUNT_BYTES
    }
    let { columnsLeft, passed } = this
    for (; columnsLeft > 0 && there - passed >= LENGTH_BYTES; columnsLeft--) {
      const length = bytes.readInt32BE(start + passed)
      if (length < NULL_LENGTH) throw new ProtocolViolation(`COPY data with a value of length ${length}`)
      passed += LENGTH_BYTES + Math.max(length, 0)
      if (passed > MAX_ROW_BYTES)
        throw new ProtocolViolation(`COPY data with a row of more than ${MAX_ROW_BYTES} bytes`)
    }
    this.columnsLeft = columnsLeft
    this.passed = passed
    return columnsLeft === 0 && passed <= there
  }

  /** Hands over the complete row that begins at `start`; returns where it ends. */
  private deliver(bytes: Buffer, start: number): number {
    const end = start + this.passed
    this.columnsLeft = undefined
    if (this.state === "rows") this.take(bytes, start, end)
    return end
  }
}

/** The length of the extension that follows the header in `bytes[0, length)`; undefined if the header is incomplete. */
const extensionOf = (bytes: Buffer, length: number): number | undefined => {
  const signed = Math.min(length, SIGNATURE.length)
  for (let index = 0; index < signed; index++) {
    if (bytes[index] !== SIGNATURE[index]) throw new ProtocolViolation("COPY data that is not in the binary format")
  }
  if (length < HEADER_BYTES) return undefined
  if ((bytes.readInt32BE(FLAGS_AT) & CRITICAL_FLAGS) !== 0) {
    throw new ProtocolViolation("binary COPY data with unknown flags")
  }
  const extension = bytes.readInt32BE(EXTENSION_LENGTH_AT)
  if (extension < 0) throw new ProtocolViolation("binary COPY data with a header of negative length")
  return extension
}
