/**
 * Reads integers at a position in the receive buffer, and writes a 64-bit one. The caller has checked that the bytes
 * are there.
 */
import type { Buffer } from "node:buffer"
import type { ByteWriter } from "../wire/byteWriter.ts"

// Eight bytes seen both as words and as a bigint: the fastest exact conversion between the two.
const bigints = new BigInt64Array(1)
const words = new Int32Array(bigints.buffer)
bigints[0] = 1n
const LOW = words[0] === 1 ? 0 : 1
const HIGH = 1 - LOW

export const int16At = (bytes: Buffer, at: number): number => (uint16At(bytes, at) << 16) >> 16

export const uint16At = (bytes: Buffer, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!

export const int32At = (bytes: Buffer, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

export const int64At = (bytes: Buffer, at: number): bigint => {
  words[HIGH] = int32At(bytes, at)
  words[LOW] = int32At(bytes, at + 4)
  return bigints[0]!
}

let view: DataView = new DataView(new ArrayBuffer(0))

/**
 * A view of all the memory that `bytes` lies in. The last view is cached, because a connection reads into the same
 * memory again and again.
 */
export const viewOf = (bytes: Buffer): DataView =>
  bytes.buffer === view.buffer ? view : (view = new DataView(bytes.buffer))

/** Writes a safe integer as an Int64 without creating a bigint. */
export const writeSafeInt64 = (writer: ByteWriter, value: number): void => {
  writer.int32(Math.floor(value / 0x100000000))
  writer.int32(value | 0)
}
