/**
 * PostgreSQL's binary COPY format, as far as it is not values:
 * ```
 * header   "PGCOPY\n\xff\r\n\0", Int32 flags, Int32 length of an extension, the extension
 * rows     Int16 number of columns, each: Int32 length (-1 for NULL), the value's bytes
 * trailer  Int16 -1
 * ```
 * A row is laid out as the body of a DataRow, and read by the same readers.
 */
import { Buffer } from "node:buffer"
import { ProtocolViolation } from "./failure.ts"

const SIGNATURE = Uint8Array.of(0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0x00)

/** The whole header: no flags, no extension. */
export const COPY_HEADER: Uint8Array = Uint8Array.of(...SIGNATURE, 0, 0, 0, 0, 0, 0, 0, 0)

export const COPY_TRAILER: Uint8Array = Uint8Array.of(0xff, 0xff)

const FLAGS_AT = SIGNATURE.length
const EXTENSION_LENGTH_AT = FLAGS_AT + 4
const HEADER_BYTES = EXTENSION_LENGTH_AT + 4

/** The upper half of the flags: what they stand for has to be known to read on. */
const CRITICAL_FLAGS = 0xffff0000

const COUNT_BYTES = 2
const LENGTH_BYTES = 4
const NULL_LENGTH = -1
const END_OF_ROWS = -1

/** Takes a row: the bytes in `bytes[start, end)`, which are reused afterwards. */
export type TakeRow = (bytes: Buffer, start: number, end: number) => void

/** Cuts what comes in the binary COPY format into rows, whatever the pieces it comes in. */
export class CopyRowDecoder {
  private readonly take: TakeRow
  private state: "header" | "rows" | "end" = "header"
  /** The beginning of what the last piece has cut. */
  private carry: Buffer | undefined

  constructor(take: TakeRow) {
    this.take = take
  }

  /** Takes the next piece. Throws `ProtocolViolation` where it is not the format, and whatever `take` throws. */
  push(bytes: Buffer, start: number, end: number): void {
    if (this.carry === undefined) {
      const left = this.read(bytes, start, end)
      if (left < end) this.carry = Buffer.from(bytes.subarray(left, end))
      return
    }
    const joined = Buffer.concat([this.carry, bytes.subarray(start, end)])
    const left = this.read(joined, 0, joined.length)
    this.carry = left < joined.length ? joined.subarray(left) : undefined
  }

  /** What has come must be whole. */
  expectEnd(): void {
    if (this.state !== "end" || this.carry !== undefined) throw new ProtocolViolation("COPY data that end within a row")
  }

  /** Reads what is whole, and returns where that ends. */
  private read(bytes: Buffer, start: number, end: number): number {
    let at = start
    if (this.state === "header") {
      const next = headerEnd(bytes, at, end)
      if (next === undefined) return at
      at = next
      this.state = "rows"
    }
    while (this.state === "rows" && end - at >= COUNT_BYTES) {
      const count = bytes.readInt16BE(at)
      if (count === END_OF_ROWS) {
        at += COUNT_BYTES
        this.state = "end"
        break
      }
      const next = rowEnd(bytes, at, end, count)
      if (next === undefined) return at
      this.take(bytes, at, next)
      at = next
    }
    if (this.state === "end" && at < end) throw new ProtocolViolation("COPY data after their end")
    return at
  }
}

/** Where the header that begins at `start` ends; undefined where it is not all there. */
const headerEnd = (bytes: Buffer, start: number, end: number): number | undefined => {
  const signed = Math.min(end - start, SIGNATURE.length)
  for (let index = 0; index < signed; index++) {
    if (bytes[start + index] !== SIGNATURE[index]) throw new ProtocolViolation("COPY data that are not binary")
  }
  if (end - start < HEADER_BYTES) return undefined
  if ((bytes.readInt32BE(start + FLAGS_AT) & CRITICAL_FLAGS) !== 0) {
    throw new ProtocolViolation("binary COPY data with flags that are not known")
  }
  const extension = bytes.readInt32BE(start + EXTENSION_LENGTH_AT)
  if (extension < 0) throw new ProtocolViolation("binary COPY data with a header of no length")
  const next = start + HEADER_BYTES + extension
  return next <= end ? next : undefined
}

/** Where the row that begins at `start` ends; undefined where it is not all there. */
const rowEnd = (bytes: Buffer, start: number, end: number, count: number): number | undefined => {
  if (count < 0) throw new ProtocolViolation(`a row of ${count} columns in COPY data`)
  let at = start + COUNT_BYTES
  for (let left = count; left > 0; left--) {
    if (end - at < LENGTH_BYTES) return undefined
    const length = bytes.readInt32BE(at)
    if (length < NULL_LENGTH) throw new ProtocolViolation(`a value of length ${length} in COPY data`)
    at += LENGTH_BYTES + Math.max(length, 0)
    if (at > end) return undefined
  }
  return at
}
