/**
 * pg_lsn, a position in the write-ahead log, and tid, a row's position in its table. Both are read as the server prints
 * them; a pg_lsn is also accepted as a bigint.
 *
 * ```
 * pg_lsn   UInt64                        "16/B374D848", two halves in hexadecimal
 * tid      UInt32 block, UInt16 offset   "(0,1)"
 * ```
 */
import { Unencodable } from "../wire/failure.ts"
import { int32At, uint16At } from "./bigEndian.ts"
import { type Codec, expectWidth, refusedKind } from "./codec.ts"

const LSN = /^([\da-f]{1,8})\/([\da-f]{1,8})$/i
const MAX_LSN = 2n ** 64n - 1n
const LOW_BITS = 32n
const LOW_MASK = 2n ** LOW_BITS - 1n

const formatLsn = (high: number, low: number): string => `${high.toString(16)}/${low.toString(16)}`.toUpperCase()

const checkedLsn = (value: unknown): bigint => {
  if (typeof value !== "bigint") throw refusedKind("pg_lsn", "a string or a bigint", value)
  if (value < 0n || value > MAX_LSN)
    throw new Unencodable("the value is out of range for pg_lsn, which takes 0 to 2^64 - 1")
  return value
}

export const pgLsn: Codec<string> = {
  name: "pg_lsn",
  read: (bytes, start, end) => {
    expectWidth("pg_lsn", 8, start, end)
    return formatLsn(int32At(bytes, start) >>> 0, int32At(bytes, start + 4) >>> 0)
  },
  write: (writer, value) => {
    if (typeof value !== "string") return writer.int64(checkedLsn(value))
    const [, high, low] = LSN.exec(value) ?? []
    if (high === undefined || low === undefined) throw new Unencodable('pg_lsn takes strings such as "16/B374D848"')
    writer.int32(Number.parseInt(high, 16))
    writer.int32(Number.parseInt(low, 16))
  },
  writesStrings: false,
  textOf: (value) => {
    const lsn = checkedLsn(value)
    return formatLsn(Number(lsn >> LOW_BITS), Number(lsn & LOW_MASK))
  }
}

const TID = /^\((\d{1,10}),(\d{1,5})\)$/
const MAX_BLOCK = 0xffffffff
const MAX_OFFSET = 0xffff

export const tid: Codec<string> = {
  name: "tid",
  read: (bytes, start, end) => {
    expectWidth("tid", 6, start, end)
    return `(${int32At(bytes, start) >>> 0},${uint16At(bytes, start + 4)})`
  },
  write: (writer, value) => {
    if (typeof value !== "string") throw refusedKind("tid", "a string", value)
    const [block = Number.NaN, offset = Number.NaN] = (TID.exec(value) ?? []).slice(1).map(Number)
    if (!(block <= MAX_BLOCK && offset <= MAX_OFFSET)) {
      throw new Unencodable(
        'tid takes strings such as "(0,1)", with a block number of 32 bits and an offset of 16 bits'
      )
    }
    writer.int32(block)
    writer.int16(offset)
  },
  writesStrings: false
}
