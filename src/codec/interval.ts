/**
 * interval: Int64 microseconds, Int32 days, Int32 months. The three parts are read and written unchanged, because not
 * all months have the same number of days, nor all days the same number of hours. PostgreSQL 17's infinite intervals
 * are +-Infinity.
 */
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { int32At, int64At } from "./bigEndian.ts"
import { type Codec, expectWidth, refusedKind } from "./codec.ts"

const MAX_INT32 = 0x7fffffff
const MIN_INT32 = -0x80000000
const MAX_INT64 = 2n ** 63n - 1n
const MIN_INT64 = -(2n ** 63n)

const MICROSECONDS_PER_SECOND = 1_000_000n
const MICROSECONDS_PER_MINUTE = 60n * MICROSECONDS_PER_SECOND
const MICROSECONDS_PER_HOUR = 60n * MICROSECONDS_PER_MINUTE

/**
 * A span of time as PostgreSQL stores it: months, days and microseconds, each with its own sign and none converted into
 * another. It prints as ISO 8601 with signs, as the server does under `intervalstyle = iso_8601`.
 *
 * @category models
 * @since 0.1.0
 */
export class PgInterval {
  /** @default 0 */
  readonly months: number
  /** @default 0 */
  readonly days: number
  /** @default 0n */
  readonly microseconds: bigint

  /** Parts that are left out are 0. */
  constructor(parts: {
    readonly months?: number | undefined
    readonly days?: number | undefined
    readonly microseconds?: bigint | undefined
  }) {
    this.months = parts.months ?? 0
    this.days = parts.days ?? 0
    this.microseconds = parts.microseconds ?? 0n
  }

  toString(): string {
    const { days, microseconds, months } = this
    const date = part(Math.trunc(months / 12), "Y") + part(months % 12, "M") + part(days, "D")
    const time =
      part(microseconds / MICROSECONDS_PER_HOUR, "H") +
      part((microseconds % MICROSECONDS_PER_HOUR) / MICROSECONDS_PER_MINUTE, "M") +
      seconds(microseconds % MICROSECONDS_PER_MINUTE)
    if (time !== "") return `P${date}T${time}`
    return date === "" ? "PT0S" : `P${date}`
  }

  toJSON(): string {
    return this.toString()
  }
}

const part = (count: number | bigint, unit: string): string => (Number(count) === 0 ? "" : `${count}${unit}`)

const seconds = (microseconds: bigint): string => {
  if (microseconds === 0n) return ""
  const sign = microseconds < 0n ? "-" : ""
  const digits = String(microseconds < 0n ? -microseconds : microseconds).padStart(7, "0")
  const fraction = digits.slice(-6).replace(/0+$/, "")
  return `${sign}${digits.slice(0, -6)}${fraction === "" ? "" : `.${fraction}`}S`
}

const WANTED = "a PgInterval, { months, days, microseconds }, Infinity or -Infinity"

const int32Of = (value: unknown, part: string): number => {
  if (typeof value !== "number") throw refusedKind("interval", WANTED, value)
  if (Number.isInteger(value) && value >= MIN_INT32 && value <= MAX_INT32) return value
  throw new Unencodable(`the ${part} of an interval must be a whole number of 32 bits`)
}

const int64Of = (value: unknown): bigint => {
  const bigint = typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value
  if (typeof bigint !== "bigint") throw refusedKind("interval", "its microseconds as a bigint or a safe integer", value)
  if (bigint >= MIN_INT64 && bigint <= MAX_INT64) return bigint
  throw new Unencodable("the microseconds of an interval must be a whole number of 64 bits")
}

const intervalOf = (value: unknown): PgInterval => {
  if (value === Infinity) return new PgInterval({ months: MAX_INT32, days: MAX_INT32, microseconds: MAX_INT64 })
  if (value === -Infinity) return new PgInterval({ months: MIN_INT32, days: MIN_INT32, microseconds: MIN_INT64 })
  const isInterval =
    typeof value === "object" && value !== null && "months" in value && "days" in value && "microseconds" in value
  if (!isInterval) throw refusedKind("interval", WANTED, value)
  return new PgInterval({
    months: int32Of(value.months, "months"),
    days: int32Of(value.days, "days"),
    microseconds: int64Of(value.microseconds)
  })
}

/**
 * Matches "1 year 2 mons 3 days -04:05:06.789", as the server prints under its default intervalstyle; each part may be
 * missing.
 */
const FORM =
  /^(?:([+-]?\d+) years?)? ?(?:([+-]?\d+) mons?)? ?(?:([+-]?\d+) days?)? ?(?:([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?$/

const parseInterval = (text: string): PgInterval => {
  const match = text === "" ? null : FORM.exec(text)
  if (match === null)
    throw new Undecodable("the client cannot read this text of an interval; set intervalstyle to postgres")
  const [, years = "0", months = "0", days = "0", sign, hours = "0", minutes = "0", seconds = "0", fraction = ""] =
    match
  const microseconds =
    BigInt(hours) * MICROSECONDS_PER_HOUR +
    BigInt(minutes) * MICROSECONDS_PER_MINUTE +
    BigInt(seconds) * MICROSECONDS_PER_SECOND +
    BigInt(fraction.padEnd(6, "0"))
  return new PgInterval({
    months: Number(years) * 12 + Number(months),
    days: Number(days),
    microseconds: sign === "-" ? -microseconds : microseconds
  })
}

/** @internal */
export const interval: Codec<PgInterval | number> = {
  name: "interval",
  read: (bytes, start, end) => {
    expectWidth("interval", 16, start, end)
    const microseconds = int64At(bytes, start)
    const days = int32At(bytes, start + 8)
    const months = int32At(bytes, start + 12)
    if (months === MAX_INT32 && days === MAX_INT32 && microseconds === MAX_INT64) return Infinity
    if (months === MIN_INT32 && days === MIN_INT32 && microseconds === MIN_INT64) return -Infinity
    return new PgInterval({ months, days, microseconds })
  },
  write: (writer, value) => {
    const { days, microseconds, months } = intervalOf(value)
    writer.int64(microseconds)
    writer.int32(days)
    writer.int32(months)
  },
  writesStrings: false,
  textOf: (value) => (value === Infinity || value === -Infinity ? String(value) : intervalOf(value).toString()),
  ofText: (text) => {
    if (text === "infinity") return Infinity
    return text === "-infinity" ? -Infinity : parseInterval(text)
  }
}
