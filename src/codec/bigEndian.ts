/** Integers at a place in the receive buffer; the caller has checked that the bytes are there. And one way back. */
import type { Buffer } from "node:buffer"
import type { ByteWriter } from "../wire/byteWriter.ts"

// Eight bytes that are seen both as words and as a bigint: the fastest exact way from the one to the other.
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

/** A view of all the memory that `bytes` lies in. The last one is kept: a connection reads into the same again and again. */
export const viewOf = (bytes: Buffer): DataView =>
  bytes.buffer === view.buffer ? view : (view = new DataView(bytes.buffer))

/** Int64 from a number that is a safe integer, without a bigint on the way. */
export const writeSafeInt64 = (writer: ByteWriter, value: number): void => {
  writer.int32(Math.floor(value / 0x100000000))
  writer.int32(value | 0)
}
