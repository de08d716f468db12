/**
 * Other ways to read timestamp and timestamptz. Each codec also accepts every parameter that the type accepts without
 * it.
 */
import type { Buffer } from "node:buffer"
import { ByteWriter } from "../../wire/byteWriter.ts"
import { Undecodable } from "../../wire/failure.ts"
import { int64At } from "../bigEndian.ts"
import { type Codec, expectWidth, ofText, textOf } from "../codec.ts"
import { mapped } from "../mapped.ts"
import {
  END_MICROSECONDS,
  MICROSECONDS_FROM_1970_TO_2000,
  MIN_MICROSECONDS,
  outOfRange,
  timestamp,
  timestamptz
} from "../timestamp.ts"
import { builtinTypeCodec, type TypeCodec } from "../typeCodec.ts"

const WIDTH = 8
const INFINITY = 2n ** 63n - 1n
const NEGATIVE_INFINITY = -(2n ** 63n)

const bytesOf = (codec: Codec, value: unknown): Buffer => {
  const writer = new ByteWriter()
  codec.write(writer, value)
  return writer.take()
}

/** Counts microseconds since 1970 UTC, or infinity, on top of a codec whose bytes count them from 2000. */
const microsecondsOf = (base: Codec): Codec<bigint | number> => {
  const read: Codec<bigint | number>["read"] = (bytes, start, end) => {
    expectWidth(base.name, WIDTH, start, end)
    const sinceY2000 = int64At(bytes, start)
    if (sinceY2000 === INFINITY) return Infinity
    if (sinceY2000 === NEGATIVE_INFINITY) return -Infinity
    return sinceY2000 + MICROSECONDS_FROM_1970_TO_2000
  }
  const write: Codec["write"] = (writer, value) => {
    if (typeof value !== "bigint") return base.write(writer, value)
    const sinceY2000 = value - MICROSECONDS_FROM_1970_TO_2000
    if (sinceY2000 < MIN_MICROSECONDS || sinceY2000 >= END_MICROSECONDS) throw outOfRange(base.name)
    writer.int64(sinceY2000)
  }
  return {
    name: base.name,
    read,
    write,
    writesStrings: false,
    textOf: (value) => {
      if (typeof value !== "bigint") return textOf(base, value)
      const bytes = bytesOf({ ...base, write }, value)
      return textsOf(base).read(bytes, 0, bytes.length)
    },
    ofText: (text) => {
      const bytes = bytesOf(base, ofText(base, text))
      return read(bytes, 0, bytes.length)
    }
  }
}

const textsOf = (base: Codec): Codec<string> =>
  mapped(base, {
    decode: (value) => (typeof value === "number" ? (value > 0 ? "infinity" : "-infinity") : textOf(base, value)),
    encode: (value) => value,
    encodesStrings: false
  })

/**
 * Reads `timestamp` as a bigint of microseconds since 1970-01-01, and infinity as `Infinity`.
 *
 * @category codecs
 * @since 0.1.0
 */
export const timestampAsMicroseconds: TypeCodec = builtinTypeCodec(microsecondsOf(timestamp))

/**
 * Reads `timestamptz` as a bigint of microseconds since 1970-01-01 UTC, and infinity as `Infinity`.
 *
 * @category codecs
 * @since 0.1.0
 */
export const timestamptzAsMicroseconds: TypeCodec = builtinTypeCodec(microsecondsOf(timestamptz))

/**
 * Reads `timestamp` as text, `2024-02-29 12:00:00.123456`, regardless of the session's DateStyle.
 *
 * @category codecs
 * @since 0.1.0
 */
export const timestampAsText: TypeCodec = builtinTypeCodec(textsOf(timestamp))

/**
 * Reads `timestamptz` as text in UTC, `2024-02-29 12:00:00.123456+00`, regardless of the session's TimeZone and
 * DateStyle.
 *
 * @category codecs
 * @since 0.1.0
 */
export const timestamptzAsText: TypeCodec = builtinTypeCodec(textsOf(timestamptz))

// ----------------------------------------------------------------------------------------------------- Temporal

const NANOSECONDS_PER_MICROSECOND = 1000n
const HALF_MICROSECOND = NANOSECONDS_PER_MICROSECOND / 2n

interface Zoned {
  readonly epochNanoseconds: bigint
  toPlainDateTime(): object
}

interface Instant {
  readonly epochNanoseconds: bigint
  toZonedDateTimeISO(zone: string): Zoned
}

/** The part of the runtime's Temporal that is used here. */
interface TemporalNamespace {
  readonly Instant: { fromEpochNanoseconds(nanoseconds: bigint): Instant }
}

const hasTemporal = (scope: object): scope is { readonly Temporal: TemporalNamespace } => "Temporal" in scope

const isInstant = (value: unknown): value is Pick<Instant, "epochNanoseconds"> =>
  typeof value === "object" && value !== null && "epochNanoseconds" in value

const isPlainDateTime = (value: unknown): value is { toZonedDateTime(zone: string): Zoned } =>
  typeof value === "object" &&
  value !== null &&
  "toZonedDateTime" in value &&
  Object.prototype.toString.call(value) === "[object Temporal.PlainDateTime]"

const instantOf = (name: string, microseconds: unknown): Instant => {
  const scope: object = globalThis
  if (!hasTemporal(scope)) throw new Undecodable("this runtime has no Temporal; use another codec")
  if (typeof microseconds !== "bigint")
    throw new Undecodable(`the ${name} is infinite, which Temporal cannot represent`)
  try {
    return scope.Temporal.Instant.fromEpochNanoseconds(microseconds * NANOSECONDS_PER_MICROSECOND)
  } catch {
    throw new Undecodable(`the ${name} is beyond what Temporal can represent`)
  }
}

/** Rounds to the microsecond, as the server does. */
const toMicroseconds = (nanoseconds: bigint): bigint =>
  (nanoseconds + (nanoseconds < 0n ? -HALF_MICROSECOND : HALF_MICROSECOND)) / NANOSECONDS_PER_MICROSECOND

/**
 * Reads `timestamptz` as `Temporal.Instant`. Requires a runtime with Temporal; without it, each value fails with a
 * `DecodeError`. So does infinity, which Temporal cannot represent. Instants and zoned date-times are accepted as
 * parameters, and rounded to the microsecond.
 *
 * @category codecs
 * @since 0.1.0
 */
export const timestamptzAsTemporal: TypeCodec = builtinTypeCodec(
  mapped(microsecondsOf(timestamptz), {
    decode: (microseconds) => instantOf(timestamptz.name, microseconds),
    encode: (value) => (isInstant(value) ? toMicroseconds(value.epochNanoseconds) : value),
    encodesStrings: false
  })
)

/**
 * Reads `timestamp` as `Temporal.PlainDateTime`. Requires a runtime with Temporal; without it, each value fails with a
 * `DecodeError`. So does infinity, which Temporal cannot represent. Plain date-times are accepted as parameters, and
 * rounded to the microsecond.
 *
 * @category codecs
 * @since 0.1.0
 */
export const timestampAsTemporal: TypeCodec = builtinTypeCodec(
  mapped(microsecondsOf(timestamp), {
    decode: (microseconds) => instantOf(timestamp.name, microseconds).toZonedDateTimeISO("UTC").toPlainDateTime(),
    encode: (value) => (isPlainDateTime(value) ? toMicroseconds(value.toZonedDateTime("UTC").epochNanoseconds) : value),
    encodesStrings: false
  })
)
