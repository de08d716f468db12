/**
 * Reads and writes ranges and multiranges of any type.
 *
 * ```
 * range       Byte1 flags, then the lower and the upper bound, each only if it is finite: Int32 length and its bytes
 * multirange  Int32 number of ranges, then for each: Int32 length and its bytes
 * ```
 * The text form, used if a bound can only be sent as text: `empty`, `["1","5")`, `{["1","5"),["7",)}`.
 */
import type { Buffer } from "node:buffer"
import { Format } from "../wire/backendMessage.ts"
import type { ByteWriter } from "../wire/byteWriter.ts"
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { int32At } from "./bigEndian.ts"
import { type Codec, formatOf, isFlat, ofText, refusedKind, textOf } from "./codec.ts"
import { LiteralReader, quoted } from "./rowText.ts"

/**
 * A PostgreSQL range. A bound of null means that the range is infinite on that side.
 *
 * @example
 * ```ts
 * import { PgTypes } from "effectpg"
 *
 * export const ranges = [
 *   new PgTypes.PgRange({ lower: 1, upper: 5 }), // [1,5)
 *   new PgTypes.PgRange({ lower: 1, upper: 5, upperInclusive: true }), // [1,5]
 *   new PgTypes.PgRange({ lower: null, upper: new Date(), upperInclusive: true }), // (,now]
 *   PgTypes.PgRange.empty
 * ]
 * ```
 * @category models
 * @since 0.1.0
 */
export class PgRange<A = unknown> {
  /** The empty range, which contains no value. */
  static readonly empty: PgRange<never> = new PgRange<never>({ lower: null, upper: null, isEmpty: true })

  readonly lower: A | null
  readonly upper: A | null
  /**
   * Whether the lower bound belongs to the range; false if there is no lower bound.
   *
   * @default true
   */
  readonly lowerInclusive: boolean
  /**
   * Whether the upper bound belongs to the range.
   *
   * @default false
   */
  readonly upperInclusive: boolean
  /**
   * Whether the range contains no value.
   *
   * @default false
   */
  readonly isEmpty: boolean

  constructor(parts: {
    readonly lower: A | null
    readonly upper: A | null
    readonly lowerInclusive?: boolean | undefined
    readonly upperInclusive?: boolean | undefined
    readonly isEmpty?: boolean | undefined
  }) {
    this.isEmpty = parts.isEmpty ?? false
    this.lower = this.isEmpty ? null : parts.lower
    this.upper = this.isEmpty ? null : parts.upper
    this.lowerInclusive = this.lower !== null && (parts.lowerInclusive ?? true)
    this.upperInclusive = this.upper !== null && (parts.upperInclusive ?? false)
  }

  /** The range in PostgreSQL's text form. */
  toString(): string {
    return rangeText(this, (bound) => (bound instanceof Date ? bound.toISOString() : String(bound)))
  }

  toJSON(): string {
    return this.toString()
  }
}

const Flag = {
  empty: 0x01,
  lowerInclusive: 0x02,
  upperInclusive: 0x04,
  lowerInfinite: 0x08,
  upperInfinite: 0x10
} as const

const LENGTH_BYTES = 4

/** Quotes a bound if its text could be misread. */
const boundText = (text: string): string => (/^[^\s"\\(),[\]]+$/.test(text) ? text : quoted(text))

const rangeText = (range: PgRange, text: (bound: unknown) => string): string => {
  if (range.isEmpty) return "empty"
  const lower = range.lower === null ? "" : boundText(text(range.lower))
  const upper = range.upper === null ? "" : boundText(text(range.upper))
  return `${range.lowerInclusive ? "[" : "("}${lower},${upper}${range.upperInclusive ? "]" : ")"}`
}

const isOptionalBoolean = (value: unknown): value is boolean | undefined =>
  value === undefined || typeof value === "boolean"

const rangeValue = (name: string, value: unknown): PgRange => {
  const range = asRange(name, value)
  if (range.lower !== undefined && range.upper !== undefined) return range
  throw new Unencodable(`a bound of ${name} is undefined; use null if the range is infinite on that side`)
}

const asRange = (name: string, value: unknown): PgRange => {
  if (value instanceof PgRange) return value
  if (typeof value === "object" && value !== null && "lower" in value && "upper" in value) {
    const { isEmpty, lowerInclusive, upperInclusive }: Partial<Record<keyof PgRange, unknown>> = value
    if (isOptionalBoolean(isEmpty) && isOptionalBoolean(lowerInclusive) && isOptionalBoolean(upperInclusive)) {
      return new PgRange({
        lower: value.lower,
        upper: value.upper,
        lowerInclusive,
        upperInclusive,
        isEmpty
      })
    }
  }
  throw refusedKind(name, "a PgRange or { lower, upper, lowerInclusive, upperInclusive }", value)
}

/** The bounds of a value that follows its length; throws if the value passes the end. */
const lengthAt = (what: string, bytes: Buffer, at: number, end: number): number => {
  if (end - at < LENGTH_BYTES) throw new Undecodable(`the ${what} ends before the length of a part`)
  const length = int32At(bytes, at)
  if (length < 0 || length > end - at - LENGTH_BYTES) {
    throw new Undecodable(
      `the ${what} has a part of ${length} bytes, but only ${end - at - LENGTH_BYTES} bytes are left`
    )
  }
  return length
}

/**
 * The codec for the ranges of a type.
 *
 * @internal
 */
export const rangeOf = (name: string, bound: Codec): Codec<PgRange> => ({
  name,
  read: (bytes, start, end) => {
    if (start === end) throw new Undecodable(`the ${name} has no flags`)
    const flags = bytes[start]!
    let at = start + 1
    const next = (isInfinite: boolean): unknown => {
      if (isInfinite) return null
      const length = lengthAt(name, bytes, at, end)
      const from = at + LENGTH_BYTES
      at = from + length
      return bound.read(bytes, from, at)
    }
    const isEmpty = (flags & Flag.empty) !== 0
    const lower = next(isEmpty || (flags & Flag.lowerInfinite) !== 0)
    const upper = next(isEmpty || (flags & Flag.upperInfinite) !== 0)
    if (at !== end) throw new Undecodable(`the ${name} has ${end - at} bytes too many`)
    if (isEmpty) return PgRange.empty
    return new PgRange({
      lower,
      upper,
      lowerInclusive: (flags & Flag.lowerInclusive) !== 0,
      upperInclusive: (flags & Flag.upperInclusive) !== 0
    })
  },
  write: (writer, value) => {
    const range = rangeValue(name, value)
    writer.uint8(flagsOf(range))
    if (range.lower !== null) writePart(writer, bound, range.lower)
    if (range.upper !== null) writePart(writer, bound, range.upper)
  },
  writesStrings: false,
  formatOf: (value) => {
    // If a bound has no binary form, the range has none, not even a range without bounds.
    if (formatOf(bound, null) === Format.text) return Format.text
    if (typeof value !== "object" || value === null || !("lower" in value && "upper" in value)) return Format.binary
    const { lower, upper } = value
    return isTextBound(bound, lower) || isTextBound(bound, upper) ? Format.text : Format.binary
  },
  textOf: (value) => rangeText(rangeValue(name, value), (inner) => textOf(bound, inner)),
  resultFormat: formatOf(bound, null),
  ofText: (text) => {
    const reader = new LiteralReader(name, text)
    const range = readRangeText(reader, bound)
    reader.expectEnd()
    return range
  }
})

const flagsOf = ({ isEmpty, lower, lowerInclusive, upper, upperInclusive }: PgRange): number => {
  if (isEmpty) return Flag.empty
  return (
    (lower === null ? Flag.lowerInfinite : lowerInclusive ? Flag.lowerInclusive : 0) |
    (upper === null ? Flag.upperInfinite : upperInclusive ? Flag.upperInclusive : 0)
  )
}

const writePart = (writer: ByteWriter, codec: Codec, value: unknown): void => {
  const length = writer.reserveInt32()
  codec.write(writer, value)
  writer.backfillValueLength(length)
}

const isTextBound = (bound: Codec, value: unknown): boolean =>
  value !== null && value !== undefined && formatOf(bound, value) === Format.text

const readRangeText = (reader: LiteralReader, bound: Codec): PgRange => {
  if (reader.takes("empty")) return PgRange.empty
  const lowerInclusive = reader.take("[(") === "["
  const lower = reader.part(",")
  reader.take(",")
  const upper = reader.part(",)]")
  const upperInclusive = reader.take(")]") === "]"
  return new PgRange({
    lower: lower === undefined ? null : ofText(bound, lower),
    upper: upper === undefined ? null : ofText(bound, upper),
    lowerInclusive,
    upperInclusive
  })
}

/**
 * The codec for the multiranges of a type, given the codec of its ranges: arrays of ranges in order.
 *
 * @internal
 */
export const multirangeOf = (name: string, bound: Codec, range: Codec<PgRange>): Codec<ReadonlyArray<PgRange>> => {
  const rangesOf = (value: unknown): ReadonlyArray<unknown> => {
    if (!Array.isArray(value)) throw refusedKind(name, "an array of ranges", value)
    if (value.includes(null) || value.includes(undefined))
      throw new Unencodable(`${name} takes no null among its ranges`)
    return value
  }
  return {
    name,
    read: (bytes, start, end) => {
      if (end - start < LENGTH_BYTES) throw new Undecodable(`the ${name} ends within its header`)
      const count = int32At(bytes, start)
      let at = start + LENGTH_BYTES
      if (count < 0 || count * LENGTH_BYTES > end - at) {
        throw new Undecodable(`the ${name} declares ${count} ranges, but only ${end - at} bytes are left for them`)
      }
      const ranges: Array<PgRange> = []
      for (let index = 0; index < count; index++) {
        const length = lengthAt(name, bytes, at, end)
        const from = at + LENGTH_BYTES
        at = from + length
        ranges.push(range.read(bytes, from, at))
      }
      if (at !== end) throw new Undecodable(`the ${name} has ${end - at} bytes too many`)
      return ranges
    },
    write: (writer, value) => {
      const ranges = rangesOf(value)
      writer.int32(ranges.length)
      for (const inner of ranges) writePart(writer, range, inner)
    },
    writesStrings: false,
    isElement: isFlat,
    formatOf: (value) => {
      if (formatOf(range, null) === Format.text) return Format.text
      return Array.isArray(value) && value.some((inner) => formatOf(range, inner) === Format.text)
        ? Format.text
        : Format.binary
    },
    textOf: (value) =>
      `{${rangesOf(value)
        .map((inner) => textOf(range, inner))
        .join(",")}}`,
    resultFormat: formatOf(range, null),
    ofText: (text) => {
      const reader = new LiteralReader(name, text)
      const ranges: Array<PgRange> = []
      reader.take("{")
      while (!reader.takes("}")) {
        if (ranges.length > 0) reader.take(",")
        ranges.push(readRangeText(reader, bound))
      }
      reader.expectEnd()
      return ranges
    }
  }
}
