/**
 * time and timetz. A time is read as a bigint of microseconds since midnight; PostgreSQL distinguishes 24:00 from
 * 00:00, and it is 86400000000n. A timetz is the string that the server prints: "13:37:00.5+05:30", including the
 * seconds of the offset.
 */
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { int32At, int64At } from "./bigEndian.ts"
import { type Codec, expectWidth, refusedKind } from "./codec.ts"

export const MICROSECONDS_PER_DAY = 86_400_000_000n
const MICROSECONDS_PER_SECOND = 1_000_000

/** An offset from UTC is less than this many seconds, east or west. */
const OFFSET_LIMIT = 16 * 3_600

const pad = (value: number, digits: number): string => String(value).padStart(digits, "0")

/** Formats a time of day in microseconds as "hh:mm:ss" with only the necessary digits of the fraction. */
export const formatTime = (microseconds: number): string => {
  const fraction = microseconds % MICROSECONDS_PER_SECOND
  const clock = formatClock((microseconds - fraction) / MICROSECONDS_PER_SECOND)
  return fraction === 0 ? clock : `${clock}.${pad(fraction, 6).replace(/0+$/, "")}`
}

const formatClock = (seconds: number): string =>
  `${pad(Math.floor(seconds / 3_600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}`

const TIME = /^(\d\d):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,6}))?)?$/

/** The microseconds since midnight of a time such as "13:37" or "13:37:00.000001"; undefined if it is not one. */
export const parseTime = (text: string): number | undefined => {
  const match = TIME.exec(text)
  if (match === null) return undefined
  const [, hours, minutes, seconds = "0", fraction = ""] = match
  const whole = Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)
  const microseconds = whole * MICROSECONDS_PER_SECOND + Number(fraction.padEnd(6, "0"))
  return microseconds <= MICROSECONDS_PER_DAY ? microseconds : undefined
}

// The binary form counts the offset in seconds west of Greenwich; the text shows it east.

const formatOffset = (west: number): string => {
  const clock = formatClock(Math.abs(west))
  return `${west <= 0 ? "+" : "-"}${clock.replace(/(:00){1,2}$/, "")}`
}

const OFFSET = /^([+-])(\d\d(?::\d\d){0,2})$/

/** The seconds west of Greenwich of an offset such as "+05:30"; undefined if it is not one. */
export const parseOffset = (text: string): number | undefined => {
  const [, sign, clock = ""] = OFFSET.exec(text) ?? []
  const [hours = "", minutes = "0", seconds = "0"] = clock.split(":")
  const east = (sign === "-" ? -1 : 1) * (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds))
  return sign !== undefined && Math.abs(east) < OFFSET_LIMIT ? 0 - east : undefined
}

const malformed = (name: string, example: string): Unencodable =>
  new Unencodable(`${name} takes times from 00:00:00 to 24:00:00, such as "${example}"`)

const microsecondsOf = (value: unknown): bigint => {
  if (typeof value === "string") {
    const microseconds = parseTime(value)
    if (microseconds === undefined) throw malformed("time", "13:37:00.5")
    return BigInt(microseconds)
  }
  if (typeof value !== "bigint") throw refusedKind("time", "a bigint of microseconds since midnight", value)
  if (value >= 0n && value <= MICROSECONDS_PER_DAY) return value
  throw new Unencodable(
    `the value is out of range for time, which takes microseconds from 0 to ${MICROSECONDS_PER_DAY}`
  )
}

export const time: Codec<bigint> = {
  name: "time",
  read: (bytes, start, end) => {
    expectWidth("time", 8, start, end)
    const microseconds = int64At(bytes, start)
    if (microseconds < 0n || microseconds > MICROSECONDS_PER_DAY) throw new Undecodable("the time is beyond 24:00:00")
    return microseconds
  },
  write: (writer, value) => writer.int64(microsecondsOf(value)),
  writesStrings: false,
  textOf: (value) => formatTime(Number(microsecondsOf(value))),
  ofText: microsecondsOf
}

export const timetz: Codec<string> = {
  name: "timetz",
  read: (bytes, start, end) => {
    expectWidth("timetz", 12, start, end)
    const microseconds = int64At(bytes, start)
    const west = int32At(bytes, start + 8)
    if (microseconds < 0n || microseconds > MICROSECONDS_PER_DAY) throw new Undecodable("the timetz is beyond 24:00:00")
    if (Math.abs(west) >= OFFSET_LIMIT) throw new Undecodable("the timetz has an offset of 16 hours or more")
    return formatTime(Number(microseconds)) + formatOffset(west)
  },
  write: (writer, value) => {
    if (typeof value !== "string") throw refusedKind("timetz", 'a string such as "13:37:00+02"', value)
    const offsetAt = Math.max(value.indexOf("+"), value.indexOf("-"))
    const microseconds = parseTime(value.slice(0, offsetAt))
    const west = parseOffset(value.slice(offsetAt))
    if (offsetAt < 0 || microseconds === undefined || west === undefined) throw malformed("timetz", "13:37:00.5+05:30")
    writer.int64(BigInt(microseconds))
    writer.int32(west)
  },
  writesStrings: false
}
