/**
 * The integer types. What fits a JavaScript number without loss is read as one: int2, int4, and the unsigned oid, xid
 * and cid. int8 and xid8 are read as bigints. Numbers and bigints are accepted for each type within its range; a
 * fraction is never cut off.
 */
import type { ByteWriter } from "../wire/byteWriter.ts"
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { int16At, int32At, int64At, writeSafeInt64 } from "./bigEndian.ts"
import { type Codec, expectWidth, refusedKind } from "./codec.ts"

const outOfRange = (name: string, min: number | bigint, max: number | bigint): Unencodable =>
  new Unencodable(`the value is out of range for ${name}, which takes whole numbers from ${min} to ${max}`)

const WANTED = "a number or a bigint"

const checkedInteger = (name: string, min: number, max: number, value: unknown): number => {
  const number = typeof value === "bigint" ? Number(value) : value
  if (typeof number !== "number") throw refusedKind(name, WANTED, value)
  if (!Number.isInteger(number) || number < min || number > max) throw outOfRange(name, min, max)
  return number
}

const digits = (name: string, text: string): string => {
  if (!/^-?\d{1,20}$/.test(text)) throw new Undecodable(`the text of ${name} is not a whole number`)
  return text
}

export const int2: Codec<number> = {
  name: "int2",
  read: (bytes, start, end) => {
    expectWidth("int2", 2, start, end)
    return int16At(bytes, start)
  },
  write: (writer, value) => writer.int16(checkedInteger("int2", -0x8000, 0x7fff, value)),
  writesStrings: false,
  ofText: (text) => Number(digits("int2", text))
}

export const int4: Codec<number> = {
  name: "int4",
  read: (bytes, start, end) => {
    expectWidth("int4", 4, start, end)
    return int32At(bytes, start)
  },
  write: (writer, value) => writer.int32(checkedInteger("int4", -0x80000000, 0x7fffffff, value)),
  writesStrings: false,
  ofText: (text) => Number(digits("int4", text))
}

const INT8_MIN = -(2n ** 63n)
const INT8_MAX = 2n ** 63n - 1n

/** Accepts a number only if it is exact: beyond 2^53 only a bigint is unambiguous. */
const write64 = (writer: ByteWriter, name: string, min: bigint, max: bigint, value: unknown): void => {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) {
      throw new Unencodable(`${name} takes a number only if it is whole and at most 2^53 - 1; use a bigint beyond that`)
    }
    if (value < min) throw outOfRange(name, min, max)
    writeSafeInt64(writer, value)
    return
  }
  if (typeof value !== "bigint") throw refusedKind(name, WANTED, value)
  if (value < min || value > max) throw outOfRange(name, min, max)
  writer.int64(value)
}

export const int8: Codec<bigint> = {
  name: "int8",
  read: (bytes, start, end) => {
    expectWidth("int8", 8, start, end)
    return int64At(bytes, start)
  },
  write: (writer, value) => write64(writer, "int8", INT8_MIN, INT8_MAX, value),
  writesStrings: false,
  ofText: (text) => BigInt(digits("int8", text))
}

const XID8_MAX = 2n ** 64n - 1n

/** A transaction ID that, unlike xid, never wraps around. */
export const xid8: Codec<bigint> = {
  name: "xid8",
  read: (bytes, start, end) => {
    expectWidth("xid8", 8, start, end)
    return BigInt.asUintN(64, int64At(bytes, start))
  },
  write: (writer, value) => write64(writer, "xid8", 0n, XID8_MAX, value),
  writesStrings: false,
  ofText: (text) => BigInt(digits("xid8", text))
}

/** The codec of a type whose values are whole numbers from 0 to 2^32 - 1. */
export const unsigned = (name: string): Codec<number> => ({
  name,
  read: (bytes, start, end) => {
    expectWidth(name, 4, start, end)
    return int32At(bytes, start) >>> 0
  },
  write: (writer, value) => writer.int32(checkedInteger(name, 0, 0xffffffff, value)),
  writesStrings: false,
  ofText: (text) => Number(digits(name, text))
})

export const oid: Codec<number> = unsigned("oid")
export const xid: Codec<number> = unsigned("xid")
export const cid: Codec<number> = unsigned("cid")
