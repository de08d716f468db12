/**
 * date: Int32 days since 2000-01-01, read as the string that the server prints: "2024-02-29", "0044-03-15 BC",
 * "5874897-12-31", "infinity", "-infinity". A parameter may also be +-Infinity, or a `Date`, of which the day in UTC is
 * used.
 */
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { int32At } from "./bigEndian.ts"
import { type Codec, expectWidth, refusedKind } from "./codec.ts"

const INFINITY = 0x7fffffff
const NEGATIVE_INFINITY = -0x80000000

/** 4714-11-24 BC, the first Julian day. */
export const MIN_DAYS = -2_451_545
/** 5874897-12-31. */
const MAX_DAYS = 2_145_031_948
/** 0001-01-01. */
const FIRST_DAY_AD = -730_119

const MILLISECONDS_PER_DAY = 86_400_000
const DAYS_FROM_1970_TO_2000 = 10_957

// The calendar is computed from 0000-03-01, so that the leap day is the last day of a year; it repeats every 400 years.
const DAYS_FROM_ORIGIN_TO_2000 = 730_425
const DAYS_PER_400_YEARS = 146_097

const ZERO = 0x30
const HYPHEN = 0x2d

/** Formats a day, counted from 2000-01-01, as "YYYY-MM-DD" without the era. */
export const formatDay = (days: number): string => {
  const sinceOrigin = days + DAYS_FROM_ORIGIN_TO_2000
  const era = Math.floor(sinceOrigin / DAYS_PER_400_YEARS)
  const dayOfEra = sinceOrigin - era * DAYS_PER_400_YEARS
  const leapDays = ((dayOfEra / 1_460) | 0) - ((dayOfEra / 36_524) | 0) + ((dayOfEra / 146_096) | 0)
  const yearOfEra = ((dayOfEra - leapDays) / 365) | 0
  const dayOfYear = dayOfEra - (365 * yearOfEra + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0))
  const monthFromMarch = ((5 * dayOfYear + 2) / 153) | 0
  const day = dayOfYear - (((153 * monthFromMarch + 2) / 5) | 0) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  const yearOfItsEra = year > 0 ? year : 1 - year
  if (yearOfItsEra > 9_999) return `${yearOfItsEra}-${twoDigits(month)}-${twoDigits(day)}`
  const century = (yearOfItsEra / 100) | 0
  const yearOfCentury = yearOfItsEra - century * 100
  return String.fromCharCode(
    ZERO + ((century / 10) | 0),
    ZERO + (century % 10),
    ZERO + ((yearOfCentury / 10) | 0),
    ZERO + (yearOfCentury % 10),
    HYPHEN,
    ZERO + ((month / 10) | 0),
    ZERO + (month % 10),
    HYPHEN,
    ZERO + ((day / 10) | 0),
    ZERO + (day % 10)
  )
}

const twoDigits = (value: number): string => (value < 10 ? `0${value}` : `${value}`)

export const formatEra = (days: number): string => (days < FIRST_DAY_AD ? " BC" : "")

const FORM = /^(\d{4,7})-(\d\d)-(\d\d)$/

/** Parses exactly what `formatDay` prints, in the era "" or " BC"; undefined if there is no such day. */
export const parseDay = (day: string, era: string): number | undefined => {
  const [, years = "", months = "", days = ""] = FORM.exec(day) ?? []
  const month = Number(months)
  const year = (era === "" ? Number(years) : 1 - Number(years)) - (month <= 2 ? 1 : 0)
  const monthFromMarch = (month + 9) % 12
  const leapDays = Math.floor(year / 4) - Math.floor(year / 100) + Math.floor(year / 400)
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + Number(days) - 1
  const result = year * 365 + leapDays + dayOfYear - DAYS_FROM_ORIGIN_TO_2000
  return formatDay(result) === day ? result : undefined
}

const isOutOfRange = (days: number): boolean =>
  (days < MIN_DAYS || days > MAX_DAYS) && days !== INFINITY && days !== NEGATIVE_INFINITY

const formatDate = (days: number): string => {
  if (days === INFINITY) return "infinity"
  if (days === NEGATIVE_INFINITY) return "-infinity"
  return formatDay(days) + formatEra(days)
}

const daysOf = (value: unknown): number => {
  const days = parse(value)
  if (!isOutOfRange(days)) return days
  throw new Unencodable("the value is out of range for date, which takes days from 4714-11-24 BC to 5874897-12-31")
}

const parse = (value: unknown): number => {
  if (value === Infinity || value === "infinity") return INFINITY
  if (value === -Infinity || value === "-infinity") return NEGATIVE_INFINITY
  if (value instanceof Date) {
    const time = value.getTime()
    if (Number.isNaN(time)) throw new Unencodable("date does not take an invalid Date")
    return Math.floor(time / MILLISECONDS_PER_DAY) - DAYS_FROM_1970_TO_2000
  }
  if (typeof value !== "string") throw refusedKind("date", 'a string such as "2024-02-29" or a Date', value)
  const bc = value.endsWith(" BC")
  const days = bc ? parseDay(value.slice(0, -3), " BC") : parseDay(value, "")
  if (days === undefined)
    throw new Unencodable('date takes days of the calendar, such as "2024-02-29" or "0044-03-15 BC"')
  return days
}

/**
 * The texts of so many days are kept, because the dates of a table repeat: to find one takes a fifth of the time that
 * formatting it takes, and a text that is kept needs no memory of its own in each row.
 */
const RECENT_DAYS = 1_024
const recentDays = new Int32Array(RECENT_DAYS)
/** The text of day 0, which `recentDays` begins with. To format it for each element would make each start slower. */
const DAY_ZERO = "2000-01-01"
const recentTexts = Array.from({ length: RECENT_DAYS }, () => DAY_ZERO)

export const date: Codec<string> = {
  name: "date",
  read: (bytes, start, end) => {
    expectWidth("date", 4, start, end)
    const days = int32At(bytes, start)
    const slot = days & (RECENT_DAYS - 1)
    if (recentDays[slot] === days) return recentTexts[slot]!
    if (isOutOfRange(days)) throw new Undecodable("the date is beyond the range of PostgreSQL")
    recentDays[slot] = days
    return (recentTexts[slot] = formatDate(days))
  },
  write: (writer, value) => writer.int32(daysOf(value)),
  writesStrings: false,
  textOf: (value) => formatDate(daysOf(value))
}
