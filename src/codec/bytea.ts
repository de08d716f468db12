/**
 * bytea: the bytes unchanged. Each value that is read has its own ArrayBuffer. Any view of any buffer may be written.
 */
import { Buffer } from "node:buffer"
import type { ByteWriter } from "../wire/byteWriter.ts"
import { Undecodable } from "../wire/failure.ts"
import { type Codec, refusedKind } from "./codec.ts"

const bytesOf = (value: unknown): Uint8Array => {
  if (value instanceof Uint8Array) return value
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return new Uint8Array(value)
  throw refusedKind("bytea", "a Uint8Array, another view or an ArrayBuffer", value)
}

/** V8 keeps arrays up to this size in its own heap. */
const MAX_HEAP_BYTES = 64

/**
 * Each value has its own memory, because its reader may transfer it to a worker, which empties the whole ArrayBuffer.
 */
const copyOf = (bytes: Buffer, start: number, end: number): Uint8Array => {
  const value = bytes.subarray(start, end)
  // V8 copies an array that is too large for its heap without filling it with zeros first.
  if (value.length > MAX_HEAP_BYTES) return new Uint8Array(value)
  const copy = new Uint8Array(value.length)
  copy.set(value)
  return copy
}

export const bytea: Codec<Uint8Array> = {
  name: "bytea",
  read: copyOf,
  write: (writer: ByteWriter, value) => writer.raw(bytesOf(value)),
  writesStrings: false,
  textOf: (value) => {
    const bytes = bytesOf(value)
    return `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}`
  },
  ofText: (text) => {
    if (!text.startsWith("\\x")) throw new Undecodable("the text of bytea is not hexadecimal; set bytea_output to hex")
    const bytes = Buffer.from(text.slice(2), "hex")
    return copyOf(bytes, 0, bytes.length)
  }
}
