/**
 * numeric, as a string of decimal digits that keeps the scale: "1.50" is not "1.5". Also "NaN", "Infinity" and
 * "-Infinity". Strings with an exponent, bigints and numbers are accepted too; a number stands for the shortest decimal
 * that denotes it: 1.1, not 1.100000000000000088817...
 *
 * ```
 * Int16   number of groups, unsigned     each group is four decimal digits: 0 to 9999
 * Int16   weight                         the first group counts 10000^weight
 * Int16   sign                           0x0000, 0x4000 for minus, 0xC000 NaN, 0xD000 Infinity, 0xF000 -Infinity
 * Int16   scale                          number of digits after the point
 * Int16[] the groups
 * ```
 */
import { Buffer } from "node:buffer"
import type { ByteWriter } from "../wire/byteWriter.ts"
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { int16At, uint16At } from "./bigEndian.ts"
import { type Codec, refusedKind } from "./codec.ts"
import { readText } from "./text.ts"

const POSITIVE = 0x0000
const NEGATIVE = 0x4000
const NAN = 0xc000
const INFINITY = 0xd000
const NEGATIVE_INFINITY = 0xf000

const HEADER_BYTES = 8
const DIGITS_PER_GROUP = 4
const MAX_GROUP = 9_999
/** The limits of numeric: 131,072 digits before the point and 16,383 after it. */
const MAX_WEIGHT = 0x7fff
const MAX_SCALE = 0x3fff

const ZERO = 0x30
const NINE = 0x39
const MINUS = 0x2d
const PLUS = 0x2b
const POINT = 0x2e

/** Buffer for formatting short numerics, the usual case. */
const shortDigits = Buffer.alloc(64)

const readNumeric = (bytes: Buffer, start: number, end: number): string => {
  if (end - start < HEADER_BYTES) throw new Undecodable("the numeric ends within its header")
  const groups = uint16At(bytes, start)
  const weight = int16At(bytes, start + 2)
  const sign = uint16At(bytes, start + 4)
  const scale = uint16At(bytes, start + 6)
  if (end - start !== HEADER_BYTES + groups * 2)
    throw new Undecodable(`the length of the numeric does not match the number of its digits`)
  if (sign !== POSITIVE && sign !== NEGATIVE) {
    if (sign === NAN) return "NaN"
    if (sign === INFINITY) return "Infinity"
    if (sign === NEGATIVE_INFINITY) return "-Infinity"
    throw new Undecodable("the numeric has an unknown sign")
  }
  if (scale > MAX_SCALE) throw new Undecodable(`the numeric has a scale above ${MAX_SCALE}`)

  // Room for a sign, a zero or the groups before the point, the point, and the fraction up to the end of its last
  // group.
  const room = 3 + (Math.max(weight, 0) + 1) * DIGITS_PER_GROUP + scale + DIGITS_PER_GROUP
  const digits = room <= shortDigits.length ? shortDigits : Buffer.allocUnsafe(room)
  const first = start + HEADER_BYTES
  let at = 1
  if (weight < 0) digits[at++] = ZERO
  for (let group = 0; group <= weight; group++) {
    at = putGroup(digits, at, group < groups ? uint16At(bytes, first + group * 2) : 0)
  }
  let from = 1
  while (from < at - 1 && digits[from] === ZERO) from++
  if (sign === NEGATIVE) digits[--from] = MINUS
  if (scale === 0) return readText(digits, from, at)
  digits[at++] = POINT
  const limit = at + scale
  for (let group = weight + 1; at < limit; group++) {
    at = putGroup(digits, at, group >= 0 && group < groups ? uint16At(bytes, first + group * 2) : 0)
  }
  return readText(digits, from, limit)
}

const putGroup = (digits: Buffer, at: number, group: number): number => {
  if (group > MAX_GROUP) throw new Undecodable("the numeric has a group of digits above 9999")
  const high = (group / 100) | 0
  const low = group - high * 100
  const thousands = (high / 10) | 0
  const tens = (low / 10) | 0
  digits[at] = ZERO + thousands
  digits[at + 1] = ZERO + high - thousands * 10
  digits[at + 2] = ZERO + tens
  digits[at + 3] = ZERO + low - tens * 10
  return at + DIGITS_PER_GROUP
}

const writeHeader = (writer: ByteWriter, groups: number, weight: number, sign: number, scale: number): void => {
  writer.int16(groups)
  writer.int16(weight)
  writer.int16(sign)
  writer.int16(scale)
}

const isDigit = (code: number): boolean => code >= ZERO && code <= NINE

const skipDigits = (text: string, from: number): number => {
  let at = from
  while (isDigit(text.charCodeAt(at))) at++
  return at
}

const isSign = (code: number): boolean => code === MINUS || code === PLUS

const writeNumeric = (writer: ByteWriter, text: string): void => {
  const isNegative = text.charCodeAt(0) === MINUS
  const first = isSign(text.charCodeAt(0)) ? 1 : 0
  const point = skipDigits(text, first)
  const hasPoint = text.charCodeAt(point) === POINT
  const digitsEnd = hasPoint ? skipDigits(text, point + 1) : point
  const fraction = hasPoint ? digitsEnd - point - 1 : 0
  const count = point - first + fraction
  if (count === 0) return writeSpecial(writer, text)
  const exponent = digitsEnd === text.length ? 0 : parseExponent(text, digitsEnd)
  const scale = Math.max(0, fraction - exponent)
  if (scale > MAX_SCALE) throw outOfRange()

  const digitAt = (index: number): number => text.charCodeAt(first + index + (first + index < point ? 0 : 1)) - ZERO
  let leading = 0
  while (leading < count && digitAt(leading) === 0) leading++
  if (leading === count) return writeHeader(writer, 0, 0, POSITIVE, scale)
  let last = count
  while (digitAt(last - 1) === 0) last--

  // The digits from `leading` to `last` are significant; this many of them stand before the point, or a negative
  // number.
  const beforePoint = point - first + exponent - leading
  const weight = Math.ceil(beforePoint / DIGITS_PER_GROUP) - 1
  if (weight > MAX_WEIGHT) throw outOfRange()
  const padding = (weight + 1) * DIGITS_PER_GROUP - beforePoint
  const groups = Math.ceil((padding + last - leading) / DIGITS_PER_GROUP)
  writeHeader(writer, groups, weight, isNegative ? NEGATIVE : POSITIVE, scale)
  for (let group = 0; group < groups; group++) {
    const begin = leading - padding + group * DIGITS_PER_GROUP
    let value = 0
    for (let index = begin; index < begin + DIGITS_PER_GROUP; index++) {
      value = value * 10 + (index >= leading && index < last ? digitAt(index) : 0)
    }
    writer.int16(value)
  }
}

const EXPONENT = /^[eE][+-]?\d+$/

const parseExponent = (text: string, from: number): number => {
  const exponent = text.slice(from)
  if (!EXPONENT.test(exponent)) throw malformed()
  return Number(exponent.slice(1))
}

const writeSpecial = (writer: ByteWriter, text: string): void => {
  switch (text) {
    case "NaN":
      return writeHeader(writer, 0, 0, NAN, 0)
    case "Infinity":
      return writeHeader(writer, 0, 0, INFINITY, 0)
    case "-Infinity":
      return writeHeader(writer, 0, 0, NEGATIVE_INFINITY, 0)
    default:
      throw malformed()
  }
}

const malformed = (): Unencodable =>
  new Unencodable('numeric takes decimals such as "-12.50" or "1e-5", NaN, Infinity and -Infinity')

const outOfRange = (): Unencodable =>
  new Unencodable(
    "the value is out of range for numeric, which takes 131072 digits before the point and 16383 behind it"
  )

export const numeric: Codec<string> = {
  name: "numeric",
  read: readNumeric,
  write: (writer, value) => {
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint") {
      throw refusedKind("numeric", "a string, a bigint or a number", value)
    }
    writeNumeric(writer, String(value))
  },
  writesStrings: false
}
