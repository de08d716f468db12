/**
 * bytea: the bytes unchanged. Any view of any buffer may be written.
 */
import { Buffer } from "node:buffer"
import type { ByteWriter } from "../wire/byteWriter.ts"
import { Undecodable } from "../wire/failure.ts"
import { type Codec, refusedKind } from "./codec.ts"
import { copyOf, ownCopyOf } from "./valueMemory.ts"

const bytesOf = (value: unknown): Uint8Array => {
  if (value instanceof Uint8Array) return value
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return new Uint8Array(value)
  throw refusedKind("bytea", "a Uint8Array, another view or an ArrayBuffer", value)
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
    return ownCopyOf(bytes, 0, bytes.length)
  }
}
