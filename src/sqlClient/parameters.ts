/**
 * Gives the parameters of effect/sql their types. Its modules were written for clients that take the type of a parameter
 * from its JavaScript value, while effectpg takes it from the server:
 *
 * | value                                     | type                                              |
 * | ----------------------------------------- | ------------------------------------------------- |
 * | number                                    | `int4`, `int8` or `float8`, the first that fits   |
 * | bigint                                    | `int8`; larger ones are text, as a string is      |
 * | boolean                                   | `bool`                                            |
 * | bytes                                     | `bytea`                                           |
 * | string, null, undefined                   | the server decides, as for a literal in quotes    |
 * | Date                                      | `timestamptz`, if the session is in UTC           |
 * | array of one of these                     | an array of that type; of strings: `text[]`       |
 * | other arrays, other objects               | the server decides, and describes the statement   |
 *
 * In another time zone the server decides the type of a Date too, because a `timestamptz` is shifted on its way into a
 * `timestamp` column there. If the server cannot decide, or its choice does not take the value, the other way is tried:
 * a Date is a `timestamptz`, and the server decides the type of an array of strings.
 */
import { pgType } from "../codec/oid.generated.ts"
import { literal } from "../codec/pgLiteral.ts"
import { TypedParameter } from "../codec/typedParameter.ts"

const MAX_INT4 = 0x7fffffff
const MIN_INT4 = -0x80000000
const MAX_INT8 = 2n ** 63n - 1n
const MIN_INT8 = -(2n ** 63n)

/** For the server, a parameter of the type `unknown` is one whose type was not named. */
const LITERAL = pgType.unknown.oid
const NULL = new TypedParameter(LITERAL, null)
const TRUE = new TypedParameter(pgType.bool.oid, true)
const FALSE = new TypedParameter(pgType.bool.oid, false)

/** How the types of values are named that suit one statement and not the other. */
export interface Typing {
  readonly dates: "timestamptz" | "undecided" | "time of day"
  readonly texts: "text[]" | "undecided"
}

/** The typing to begin with. `TimeZone` is the parameter of the session; undefined if that is not known yet. */
export const firstTyping = (timeZone: string | undefined): Typing =>
  timeZone !== undefined && UTC.test(timeZone) ? IN_UTC : ELSEWHERE

/**
 * The typing for another attempt, if there are values that the first one may not suit; undefined otherwise. `refused` is
 * the type that did not take a value, or `unknown` if the server could not tell one. Both are about a Date, because the
 * type of an array of strings was named.
 */
export const otherTyping = (params: ReadonlyArray<unknown>, refused?: string): Typing | undefined => {
  if (!params.some(hasOtherTyping)) return undefined
  if (refused === undefined) return OTHERWISE
  return refused === "time" || refused === "timetz" ? AS_TIME : IN_UTC
}

/** Whether the first typing may not suit a value. */
export const hasOtherTyping = (value: unknown): boolean =>
  typeof value === "object" && value !== null && (isDated(value) || isTextArray(value))

/** Whether the first typing suits whatever the server makes of the parameters. */
export const isDecided = (params: ReadonlyArray<unknown>, { dates }: Typing): boolean =>
  (dates !== "undecided" || !params.some(isDated)) && !params.some(isTextArray)

/** The time zone of a session. */
export const timeZoneOf = ({ parameters }: { readonly parameters: ReadonlyMap<string, string> }): string | undefined =>
  parameters.get("TimeZone")

/** Whether a value is a Date, or an array of Dates. */
const isDated = (value: unknown): boolean =>
  value instanceof Date || (Array.isArray(value) && kindOfElements(value) === "date")

const UTC = /^(Etc\/)?(UTC|UCT|GMT|Universal|Zulu|Greenwich)$/i
const IN_UTC: Typing = { dates: "timestamptz", texts: "text[]" }
/** The first typing outside UTC. */
export const ELSEWHERE: Typing = { dates: "undecided", texts: "text[]" }
const OTHERWISE: Typing = { dates: "timestamptz", texts: "undecided" }
/** For times of day. */
const AS_TIME: Typing = { dates: "time of day", texts: "text[]" }
/** Where the time of day begins in the text of a Date. */
const ISO_TIME = "2000-01-01T".length

/** The parameters as effectpg takes them. Never changes the given array, which effect/sql uses again. */
export const typedParameters = (params: ReadonlyArray<unknown>, typing: Typing): ReadonlyArray<unknown> =>
  params.length === 0 ? params : params.map((value) => typedParameter(value, typing))

const typedParameter = (value: unknown, typing: Typing): unknown => {
  switch (typeof value) {
    case "string":
      return new TypedParameter(LITERAL, literal(value))
    case "number":
      return new TypedParameter(numberOid(value), value)
    case "bigint":
      return isInt8(value)
        ? new TypedParameter(pgType.int8.oid, value)
        : new TypedParameter(LITERAL, literal(value.toString()))
    case "boolean":
      return value ? TRUE : FALSE
    case "undefined":
      return NULL
    default:
      return value === null ? NULL : typedObject(value, typing)
  }
}

const typedObject = (value: unknown, typing: Typing): unknown => {
  if (value instanceof Date) {
    switch (typing.dates) {
      case "timestamptz":
        return new TypedParameter(pgType.timestamptz.oid, value)
      case "time of day":
        return new TypedParameter(LITERAL, literal(value.toISOString().slice(ISO_TIME)))
      case "undecided":
        return value
    }
  }
  if (isBytes(value)) return new TypedParameter(pgType.bytea.oid, value)
  if (!Array.isArray(value)) return value
  const oid = arrayOid(value, typing)
  return oid === undefined ? value : new TypedParameter(oid, value)
}

const isBytes = (value: unknown): boolean => ArrayBuffer.isView(value) || value instanceof ArrayBuffer

const numberOid = (value: number): number => {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) return pgType.float8.oid
  return value >= MIN_INT4 && value <= MAX_INT4 ? pgType.int4.oid : pgType.int8.oid
}

const isInt8 = (value: bigint): boolean => value >= MIN_INT8 && value <= MAX_INT8

/** What all elements of an array are that are not null; undefined if they differ, or if there are none. */
const kindOfElements = (values: ReadonlyArray<unknown>): string | undefined => {
  const kinds = new Set(values.filter((value) => value !== null && value !== undefined).map(kindOfElement))
  return kinds.size === 1 ? kinds.values().next().value : undefined
}

const kindOfElement = (value: unknown): string =>
  value instanceof Date ? "date" : isBytes(value) ? "bytes" : typeof value

const isTextArray = (value: unknown): boolean => Array.isArray(value) && kindOfElements(value) === "string"

/** The type of an array whose elements have one type; undefined for any other array. */
const arrayOid = (values: ReadonlyArray<unknown>, { dates, texts }: Typing): number | undefined => {
  switch (kindOfElements(values)) {
    case "boolean":
      return pgType.bool.arrayOid
    case "bigint":
      return values.every((value) => typeof value !== "bigint" || isInt8(value)) ? pgType.int8.arrayOid : undefined
    case "bytes":
      return pgType.bytea.arrayOid
    case "date":
      return dates === "timestamptz" ? pgType.timestamptz.arrayOid : undefined
    case "number":
      return arrayOidOfNumbers(values)
    case "string":
      return texts === "undecided" ? undefined : pgType.text.arrayOid
    default:
      return undefined
  }
}

const arrayOidOfNumbers = (values: ReadonlyArray<unknown>): number => {
  const oids = new Set(values.map((value) => (typeof value === "number" ? numberOid(value) : pgType.int4.oid)))
  if (oids.has(pgType.float8.oid)) return pgType.float8.arrayOid
  return oids.has(pgType.int8.oid) ? pgType.int8.arrayOid : pgType.int4.arrayOid
}
