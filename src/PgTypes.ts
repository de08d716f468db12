/**
 * The PostgreSQL types that JavaScript lacks, as classes with schemas for rows and JSON, and codecs that change how a
 * type is read and written.
 *
 * @since 0.1.0
 */
import * as BigDecimal from "effect/BigDecimal"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { PgArray } from "./codec/array.ts"
import { PgInterval } from "./codec/interval.ts"
import { PgRange } from "./codec/range.ts"
import type { Codec } from "./codec/codec.ts"
import { sound } from "./codec/givenType.ts"
import { mapped } from "./codec/mapped.ts"
import { numeric as numericCodec } from "./codec/numeric.ts"
import { PgTimestamp, timestamp as timestampCodec, timestamptz as timestamptzCodec } from "./codec/timestamp.ts"
import { builtinTypeCodec, type TypeCodec } from "./codec/typeCodec.ts"
import { Undecodable } from "./wire/failure.ts"

export { PgArray } from "./codec/array.ts"
export type { PgBox, PgCircle, PgLine, PgLineSegment, PgPath, PgPoint, PgPolygon } from "./codec/geometry.ts"
export { jsonNull } from "./codec/json.ts"
export { PgInterval } from "./codec/interval.ts"
export { PgRange } from "./codec/range.ts"
export type { PgSnapshot } from "./codec/snapshot.ts"
export { PgTimestamp } from "./codec/timestamp.ts"

// ------------------------------------------------------------------------------------------------------ codecs

export type { TypeCodec as Codec } from "./codec/typeCodec.ts"
export {
  type BinaryEncoding,
  codec,
  composite,
  type CompositeEncoding,
  losslessArrayOf,
  type TextEncoding,
  type TypeName
} from "./codec/userCodec.ts"

export { citext } from "./codec/optional/citext.ts"
export { cube, type PgCube } from "./codec/optional/cube.ts"
export { hstore } from "./codec/optional/hstore.ts"
export { int8AsNumber } from "./codec/optional/int8AsNumber.ts"
export { jsonAsText, jsonbAsText } from "./codec/optional/jsonAsText.ts"
export { lquery, ltree, ltxtquery } from "./codec/optional/ltree.ts"
export { halfvec, type PgSparseVector, sparsevec, vector } from "./codec/optional/pgvector.ts"

export type { PgGeometry, PgGeometryLayout, PgPosition } from "./codec/optional/geoJson.ts"
export { geography, geometry } from "./codec/optional/postgis.ts"
export {
  timestampAsMicroseconds,
  timestampAsTemporal,
  timestampAsText,
  timestamptzAsMicroseconds,
  timestamptzAsTemporal,
  timestamptzAsText
} from "./codec/optional/timestamps.ts"

/**
 * Reads `numeric` as Effect's `BigDecimal`, keeping its scale: `1.50` is not `1.5`. NaN and infinity fail with a
 * `DecodeError`. Strings, bigints and numbers are accepted as parameters too.
 *
 * @category codecs
 * @since 0.1.0
 */
export const numericAsBigDecimal: TypeCodec = builtinTypeCodec(
  // A BigDecimal is encoded in binary here, so that the server does not have to parse its text.
  mapped(
    { ...numericCodec, writesStrings: true },
    {
      decode: (value) => {
        const [, whole, fraction = ""] = DECIMAL.exec(String(value)) ?? []
        if (whole === undefined)
          throw new Undecodable("the numeric is NaN or infinite, which BigDecimal cannot represent")
        return BigDecimal.make(BigInt(whole + fraction), fraction.length)
      },
      encode: (value) => (BigDecimal.isBigDecimal(value) ? `${value.value}e${-value.scale}` : value),
      encodesStrings: false
    }
  )
)

const DECIMAL = /^(-?\d+)(?:\.(\d+))?$/

const dateTimes = (base: Codec): TypeCodec =>
  builtinTypeCodec(
    mapped(base, {
      decode: (value) => {
        if (value instanceof Date) return DateTime.fromDateUnsafe(value)
        throw new Undecodable(`the ${base.name} is infinite or after the year 275760, which DateTime cannot represent`)
      },
      encode: (value) => (DateTime.isDateTime(value) ? DateTime.toDateUtc(value) : value),
      encodesStrings: false
    })
  )

/**
 * Reads `timestamptz` as Effect's `DateTime.Utc`. Digits below the millisecond are cut off, and infinity fails with a
 * `DecodeError`. A parameter may be a zoned date-time or anything that the type accepts without this codec.
 *
 * @category codecs
 * @since 0.1.0
 */
export const timestamptzAsDateTime: TypeCodec = dateTimes(timestamptzCodec)

/**
 * Reads `timestamp` as Effect's `DateTime.Utc`, as if it were in UTC. Digits below the millisecond are cut off, and
 * infinity fails with a `DecodeError`. A parameter may be a zoned date-time or anything that the type accepts without
 * this codec.
 *
 * @category codecs
 * @since 0.1.0
 */
export const timestampAsDateTime: TypeCodec = dateTimes(timestampCodec)

// ------------------------------------------------------------------------------------------ literals, typed parameters

export { literal, type PgLiteral } from "./codec/pgLiteral.ts"
export {
  bool,
  type BuiltinTypeName,
  bytea,
  date,
  float4,
  float8,
  int2,
  int4,
  int8,
  jsonb,
  numeric,
  text,
  timestamp,
  timestamptz,
  typed,
  type TypedParameter,
  uuid
} from "./codec/typedParameter.ts"

// ----------------------------------------------------------------------------------------------------- schemas

const ISO_INSTANT = /^(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(\d{3})?Z$/

const instantOf = (text: string): Date => {
  const date = new Date(text)
  const microsecond = Number(ISO_INSTANT.exec(text)?.[1] ?? 0)
  return microsecond === 0 ? date : new PgTimestamp(date.getTime(), microsecond)
}

/** A schema for the Dates of rows. In JSON they keep the microseconds of a `PgTimestamp`. */
const Instant = Schema.declare((value): value is Date => value instanceof Date && !Number.isNaN(value.getTime()), {
  expected: "a valid Date",
  toCodecJson: () =>
    Schema.link<Date>()(
      Schema.String.check(Schema.isPattern(ISO_INSTANT)),
      SchemaTransformation.transform({ decode: instantOf, encode: (date) => date.toISOString() })
    )
})

/**
 * A schema for `timestamp` or `timestamptz` with all digits: every Date of a row becomes a `PgTimestamp`. In JSON it is
 * a string with six digits of a second. A value in a row that is not a Date, such as infinity, is rejected.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Timestamp: Schema.Codec<PgTimestamp, Date> = Instant.pipe(
  Schema.decodeTo(
    Schema.instanceOf(PgTimestamp),
    SchemaTransformation.transform<PgTimestamp, Date>({
      decode: (date) => (date instanceof PgTimestamp ? date : new PgTimestamp(date.getTime(), 0)),
      encode: (timestamp) => timestamp
    })
  )
)

const ISO_INTERVAL =
  /^P(?!$)(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?(?:T(?!$)(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?)(\d+)(?:\.(\d{1,6}))?S)?)?$/

const MICROSECONDS_PER_SECOND = 1_000_000n
const MICROSECONDS_PER_MINUTE = 60n * MICROSECONDS_PER_SECOND
const MICROSECONDS_PER_HOUR = 60n * MICROSECONDS_PER_MINUTE

const intervalOf = (text: string): PgInterval => {
  const [, years = "0", months = "0", days = "0", hours = "0", minutes = "0", sign = "", seconds = "0", fraction = ""] =
    ISO_INTERVAL.exec(text) ?? []
  return new PgInterval({
    months: Number(years) * 12 + Number(months),
    days: Number(days),
    microseconds:
      BigInt(hours) * MICROSECONDS_PER_HOUR +
      BigInt(minutes) * MICROSECONDS_PER_MINUTE +
      BigInt(`${sign}${seconds}${fraction.padEnd(6, "0")}`)
  })
}

/**
 * A schema of `interval` values. In JSON it is the string of `PgInterval`, ISO 8601 with signs: `P1Y2M-3DT4H`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Interval: Schema.Codec<PgInterval> = Schema.instanceOf(PgInterval, {
  expected: "a PgInterval",
  toCodecJson: () =>
    Schema.link<PgInterval>()(
      Schema.String.check(Schema.isPattern(ISO_INTERVAL)),
      SchemaTransformation.transform({ decode: intervalOf, encode: String })
    )
})

/**
 * Makes the schema of a range whose bounds have a schema of their own. In JSON it is an object with the fields of
 * `PgRange`. A multirange is `Schema.Array` of it.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { PgTypes } from "effectpg"
 *
 * export class Booking extends Schema.Class<Booking>("Booking")({
 *   room: Schema.Int,
 *   during: PgTypes.Range(PgTypes.Timestamp),
 *   reminder: Schema.NullOr(PgTypes.Interval)
 * }) {}
 *
 * export const booking = Schema.decodeUnknownSync(Booking)({
 *   room: 7,
 *   during: new PgTypes.PgRange({ lower: new Date(), upper: null }),
 *   reminder: null
 * })
 * ```
 * @category schemas
 * @since 0.1.0
 */
export const Range = <Bound extends Schema.Constraint>(
  bound: Bound
): Schema.Codec<
  PgRange<Bound["Type"]>,
  PgRange<Bound["Encoded"]>,
  Bound["DecodingServices"],
  Bound["EncodingServices"]
> =>
  Schema.declareConstructor<PgRange<Bound["Type"]>, PgRange<Bound["Encoded"]>>()(
    [sound("Range", "a Schema", bound, Schema.isSchema)],
    ([bound]) => {
      const decode = SchemaParser.decodeUnknownEffect(Schema.NullOr(bound))
      return (range, ast, options) => {
        if (!(range instanceof PgRange)) return Effect.fail(new SchemaIssue.InvalidType(ast, range, options))
        const at = (key: "lower" | "upper") =>
          Effect.mapErrorEager(
            decode(range[key], options),
            (issue) => new SchemaIssue.Composite(ast, [new SchemaIssue.Pointer([key], issue)], range, options)
          )
        return Effect.flatMapEager(at("lower"), (lower) =>
          Effect.mapEager(at("upper"), (upper) => new PgRange({ ...range, lower, upper }))
        )
      }
    },
    {
      expected: "a PgRange",
      toCodecJson: ([bound]) =>
        Schema.link<PgRange<Bound["Encoded"]>>()(
          Schema.Struct({
            lower: Schema.NullOr(bound),
            upper: Schema.NullOr(bound),
            lowerInclusive: Schema.Boolean,
            upperInclusive: Schema.Boolean,
            isEmpty: Schema.Boolean
          }),
          SchemaTransformation.transform({
            decode: (parts) => new PgRange<Bound["Encoded"]>(parts),
            encode: ({ isEmpty, lower, lowerInclusive, upper, upperInclusive }) => ({
              isEmpty,
              lower,
              lowerInclusive,
              upper,
              upperInclusive
            })
          })
        )
    }
  )

/**
 * Makes the schema of a `PgArray`, as `losslessArrayOf` reads it, from the schema of its elements. For two dimensions,
 * pass the schema of one row: `PgTypes.ArrayOf(Schema.Array(Schema.Int))`. In JSON it is an object with the fields of
 * `PgArray`. Throws a TypeError if the argument is not a schema.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ArrayOf = <Element extends Schema.Constraint>(
  element: Element
): Schema.Codec<
  PgArray<Element["Type"]>,
  PgArray<Element["Encoded"]>,
  Element["DecodingServices"],
  Element["EncodingServices"]
> =>
  Schema.declareConstructor<PgArray<Element["Type"]>, PgArray<Element["Encoded"]>>()(
    [sound("ArrayOf", "a Schema", element, Schema.isSchema)],
    ([element]) => {
      const decode = SchemaParser.decodeUnknownEffect(Schema.Array(element))
      return (array, ast, options) => {
        if (!(array instanceof PgArray)) return Effect.fail(new SchemaIssue.InvalidType(ast, array, options))
        return Effect.mapBothEager(decode(array.values, options), {
          onSuccess: (values) => new PgArray(values, array.lowerBounds),
          onFailure: (issue) =>
            new SchemaIssue.Composite(ast, [new SchemaIssue.Pointer(["values"], issue)], array, options)
        })
      }
    },
    {
      expected: "a PgArray",
      toCodecJson: ([element]) =>
        Schema.link<PgArray<Element["Encoded"]>>()(
          Schema.Struct({ values: Schema.Array(element), lowerBounds: Schema.Array(Schema.Int) }),
          SchemaTransformation.transform({
            decode: ({ lowerBounds, values }) => new PgArray<Element["Encoded"]>(values, lowerBounds),
            encode: ({ lowerBounds, values }) => ({ lowerBounds, values })
          })
        )
    }
  )
