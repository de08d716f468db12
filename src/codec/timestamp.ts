/**
 * timestamp and timestamptz: Int64 microseconds since 2000-01-01 00:00, read as a `Date`. A timestamp has no time zone
 * and is taken to be in UTC. A value that a Date cannot hold is read as
 * - a `PgTimestamp`, a Date with microseconds, if it has digits below the millisecond,
 * - `Infinity` or `-Infinity`,
 * - the server's text, "294276-12-31 23:59:59.999999", if it lies beyond the year 275760, where Date ends.
 */
import { Buffer } from "node:buffer"
import { Undecodable, Unencodable } from "../wire/failure.ts"
import type { ByteWriter } from "../wire/byteWriter.ts"
import { int32At, int64At, writeSafeInt64 } from "./bigEndian.ts"
import { type Codec, expectWidth, refusedKind } from "./codec.ts"
import { formatDay, formatEra, MIN_DAYS, parseDay } from "./date.ts"
import { formatTime, MICROSECONDS_PER_DAY, parseOffset, parseTime } from "./time.ts"

/**
 * A point in time to the microsecond: a `Date` that also carries the digits below its millisecond. Use it anywhere a
 * Date is accepted. It prints and serializes with all six digits: `2024-02-29T12:00:00.123456Z`.
 *
 * @category models
 * @since 0.1.0
 */
export class PgTimestamp extends Date {
  /** The microseconds since the millisecond that `getTime` gives: a whole number from 0 to 999. */
  readonly microsecond: number

  /** @param milliseconds since 1970-01-01 UTC, rounded down, as in `Date` */
  constructor(milliseconds: number, microsecond: number) {
    super(milliseconds)
    this.microsecond = microsecond
  }

  override toISOString(): string {
    return `${super.toISOString().slice(0, -1)}${String(this.microsecond).padStart(3, "0")}Z`
  }
}

export const MILLISECONDS_FROM_1970_TO_2000 = 946_684_800_000
export const MICROSECONDS_FROM_1970_TO_2000 = 946_684_800_000_000n
const MAX_DATE_MILLISECONDS = 8_640_000_000_000_000
const MILLISECONDS_PER_DAY = 86_400_000
const MICROSECONDS_PER_MILLISECOND = 1_000
const MICROSECONDS_PER_SECOND = 1_000_000n
const MIN_MILLISECONDS = MIN_DAYS * MILLISECONDS_PER_DAY
/** This and all other microseconds below are counted from 2000. */
export const MIN_MICROSECONDS = BigInt(MIN_DAYS) * MICROSECONDS_PER_DAY
/** 294277-01-01, the first moment that PostgreSQL cannot store. */
export const END_MICROSECONDS = 9_223_371_331_200_000_000n

const INFINITY = 2n ** 63n - 1n
const NEGATIVE_INFINITY = -(2n ** 63n)
const MAX_INT32 = 0x7fffffff
const MIN_INT32 = -0x80000000
const MAX_UINT32 = 0xffffffff

// 2^32 microseconds are 4,294,967 milliseconds and 296 microseconds.
const MILLISECONDS_PER_HIGH_WORD = 4_294_967
const MICROSECONDS_LEFT_PER_HIGH_WORD = 296

const formatInstant = (microseconds: bigint, offset: string): string => {
  const time = ((microseconds % MICROSECONDS_PER_DAY) + MICROSECONDS_PER_DAY) % MICROSECONDS_PER_DAY
  const days = Number((microseconds - time) / MICROSECONDS_PER_DAY)
  return `${formatDay(days)} ${formatTime(Number(time))}${offset}${formatEra(days)}`
}

const FORM = /^(\d+-\d\d-\d\d) ([\d:.]+)([+-][\d:]+)?( BC)?$/

/** The microseconds since 2000 of a text as the server prints it; undefined if it is not one. */
const parseInstant = (text: string, hasOffset: boolean): bigint | undefined => {
  const [, day = "", clock = "", offset, era = ""] = FORM.exec(text) ?? []
  const days = parseDay(day, era)
  const time = parseTime(clock)
  const west = hasOffset ? parseOffset(offset ?? "") : offset === undefined ? 0 : undefined
  if (days === undefined || time === undefined || west === undefined) return undefined
  return BigInt(days) * MICROSECONDS_PER_DAY + BigInt(time) + BigInt(west) * MICROSECONDS_PER_SECOND
}

const millisecondsOf = (name: string, value: Date): number => {
  const milliseconds = value.getTime() - MILLISECONDS_FROM_1970_TO_2000
  if (Number.isNaN(milliseconds)) throw new Unencodable(`${name} does not take an invalid Date`)
  if (milliseconds < MIN_MILLISECONDS) throw outOfRange(name)
  return milliseconds
}

const microsecondOf = (name: string, value: Date): number => {
  if (!(value instanceof PgTimestamp)) return 0
  const { microsecond } = value
  if (Number.isInteger(microsecond) && microsecond >= 0 && microsecond < MICROSECONDS_PER_MILLISECOND)
    return microsecond
  throw new Unencodable(`${name} takes a PgTimestamp whose microsecond is a whole number from 0 to 999`)
}

const WANTED = "a Date, a PgTimestamp, Infinity or -Infinity"

export const outOfRange = (name: string): Unencodable =>
  new Unencodable(`the value is out of range for ${name}, which goes from 4714-11-24 BC to 294276-12-31`)

const exactMicroseconds = (name: string, value: Date): bigint =>
  BigInt(millisecondsOf(name, value)) * BigInt(MICROSECONDS_PER_MILLISECOND) + BigInt(microsecondOf(name, value))

const writeDate = (name: string, writer: ByteWriter, value: Date): void => {
  const milliseconds = millisecondsOf(name, value)
  const microsecond = microsecondOf(name, value)
  const microseconds = milliseconds * MICROSECONDS_PER_MILLISECOND + microsecond
  if (Number.isSafeInteger(microseconds)) writeSafeInt64(writer, microseconds)
  else writer.int64(exactMicroseconds(name, value))
}

const microsecondsOf = (name: string, hasOffset: boolean, value: unknown): bigint => {
  if (value === Infinity || value === "infinity") return INFINITY
  if (value === -Infinity || value === "-infinity") return NEGATIVE_INFINITY
  if (typeof value !== "string") throw refusedKind(name, WANTED, value)
  const microseconds = parseInstant(value, hasOffset)
  if (microseconds === undefined) {
    throw new Unencodable(`${name} takes strings such as "2024-02-29 12:00:00.5${hasOffset ? "+00" : ""}"`)
  }
  if (microseconds < MIN_MICROSECONDS || microseconds >= END_MICROSECONDS) throw outOfRange(name)
  return microseconds
}

const instant = (name: string, offset: "" | "+00"): Codec<Date | number | string> => {
  const read: Codec<Date | number | string>["read"] = (bytes, start, end) => {
    expectWidth(name, 8, start, end)
    const high = int32At(bytes, start)
    const low = int32At(bytes, start + 4) >>> 0
    const rest = high * MICROSECONDS_LEFT_PER_HIGH_WORD + low
    const carry = Math.floor(rest / MICROSECONDS_PER_MILLISECOND)
    // Exact within the range of Date. Beyond it the sum may be rounded, but stays beyond it.
    const milliseconds = high * MILLISECONDS_PER_HIGH_WORD + carry
    if (milliseconds > MAX_DATE_MILLISECONDS - MILLISECONDS_FROM_1970_TO_2000) {
      if (high === MAX_INT32 && low === MAX_UINT32) return Infinity
      const microseconds = int64At(bytes, start)
      if (microseconds >= END_MICROSECONDS) throw new Undecodable(`the ${name} is beyond the range of PostgreSQL`)
      return formatInstant(microseconds, offset)
    }
    if (milliseconds < MIN_MILLISECONDS) {
      if (high === MIN_INT32 && low === 0) return -Infinity
      throw new Undecodable(`the ${name} is beyond the range of PostgreSQL`)
    }
    const microsecond = rest - carry * MICROSECONDS_PER_MILLISECOND
    const time = milliseconds + MILLISECONDS_FROM_1970_TO_2000
    return microsecond === 0 ? new Date(time) : new PgTimestamp(time, microsecond)
  }
  return {
    name,
    read,
    write: (writer, value) => {
      if (value instanceof Date) writeDate(name, writer, value)
      else writer.int64(microsecondsOf(name, offset !== "", value))
    },
    writesStrings: false,
    textOf: (value) => {
      if (value === Infinity || value === -Infinity) return String(value)
      if (!(value instanceof Date)) throw refusedKind(name, WANTED, value)
      return formatInstant(exactMicroseconds(name, value), offset)
    },
    ofText: (text) => {
      const microseconds = Buffer.alloc(8)
      microseconds.writeBigInt64BE(microsecondsOf(name, offset !== "", text))
      return read(microseconds, 0, microseconds.length)
    }
  }
}

/** @internal */
export const timestamp: Codec<Date | number | string> = instant("timestamp", "")
/** @internal */
export const timestamptz: Codec<Date | number | string> = instant("timestamptz", "+00")
