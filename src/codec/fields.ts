/**
 * Reads and writes the fields of a row value, which have the same form in composites and anonymous records:
 * ```
 * Int32  number of fields
 * for each field: Int32 OID of its type, Int32 length (-1 for NULL) and its bytes
 * ```
 */
import type { Buffer } from "node:buffer"
import { Undecodable } from "../wire/failure.ts"
import { int32At } from "./bigEndian.ts"

const COUNT_BYTES = 4
const FIELD_HEADER_BYTES = 8

export const NULL_LENGTH = -1

/** The number of fields. Throws if the remaining bytes cannot hold that many. */
export const fieldCount = (what: string, bytes: Buffer, start: number, end: number): number => {
  if (end - start < COUNT_BYTES) throw new Undecodable(`the ${what} ends within its header`)
  const count = int32At(bytes, start)
  if (count < 0 || count * FIELD_HEADER_BYTES > end - start - COUNT_BYTES) {
    throw new Undecodable(
      `the ${what} declares ${count} fields, but only ${end - start - COUNT_BYTES} bytes are left for them`
    )
  }
  return count
}

/**
 * Calls back for each field with the bounds of its bytes. NULL has a negative length, so that `to` is before `from`.
 */
export const eachField = (
  what: string,
  bytes: Buffer,
  start: number,
  end: number,
  visit: (index: number, oid: number, from: number, to: number) => void
): void => {
  const count = fieldCount(what, bytes, start, end)
  let at = start + COUNT_BYTES
  for (let index = 0; index < count; index++) {
    if (end - at < FIELD_HEADER_BYTES) throw new Undecodable(`the ${what} ends before its last field`)
    const oid = int32At(bytes, at) >>> 0
    const length = int32At(bytes, at + 4)
    at += FIELD_HEADER_BYTES
    if (length < NULL_LENGTH || length > end - at) {
      throw new Undecodable(`the ${what} has a field of ${length} bytes, but only ${end - at} bytes are left`)
    }
    visit(index, oid, at, at + length)
    if (length > 0) at += length
  }
  if (at !== end) throw new Undecodable(`the ${what} has ${end - at} bytes too many`)
}
