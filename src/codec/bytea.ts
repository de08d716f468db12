/**
 * bytea: the bytes as they are. What is read is a copy that nothing writes to again; copies of up to 2 KiB may lie side
 * by side in one ArrayBuffer, as small Buffers of Node do. Any view of any buffer may be written.
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

/** V8 keeps arrays up to this size in its own heap, which costs less than any memory outside of it. */
const MAX_HEAP_BYTES = 64
/** Larger values are given memory of their own; those between share a slab, since to ask for memory costs more than to copy. */
const MAX_SHARED_BYTES = 2_048
const SLAB_BYTES = 16_384

let slab = new ArrayBuffer(SLAB_BYTES)
let slabUsed = 0

const copyOf = (bytes: Buffer, start: number, end: number): Uint8Array => {
  const length = end - start
  const copy = length <= MAX_HEAP_BYTES || length > MAX_SHARED_BYTES ? new Uint8Array(length) : shared(length)
  copy.set(bytes.subarray(start, end))
  return copy
}

const shared = (length: number): Uint8Array => {
  if (slabUsed + length > SLAB_BYTES) {
    slab = new ArrayBuffer(SLAB_BYTES)
    slabUsed = 0
  }
  const part = new Uint8Array(slab, slabUsed, length)
  // Eight bytes apart, so that a view of wider elements can be laid over each.
  slabUsed = (slabUsed + length + 7) & ~7
  return part
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
    if (!text.startsWith("\\x")) throw new Undecodable("bytea whose text is not hexadecimal; set bytea_output to hex")
    return Uint8Array.from(Buffer.from(text.slice(2), "hex"))
  }
}
