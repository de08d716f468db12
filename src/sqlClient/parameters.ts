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
 * | array of numbers, bigints or booleans     | an array of the type above                        |
 * | Date, other arrays, other objects         | the server decides, and describes the statement   |
 *
 * The type of a Date is not named, because a `timestamptz` is shifted on its way into a `timestamp` column, unless the
 * session is in UTC. If the server takes a Date for a text, or cannot tell, it is a `timestamptz` after all; and so an
 * array of strings is a `text[]`.
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

/** The parameters as effectpg takes them. Never changes the given array, which effect/sql uses again. */
export const typedParameters = (params: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  params.length === 0 ? params : params.map(typedParameter)

const typedParameter = (value: unknown): unknown => {
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
      return value === null ? NULL : typedObject(value)
  }
}

const typedObject = (value: unknown): unknown => {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return new TypedParameter(pgType.bytea.oid, value)
  if (!Array.isArray(value)) return value
  const oid = arrayOid(value)
  return oid === undefined ? value : new TypedParameter(oid, value)
}

const numberOid = (value: number): number => {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) return pgType.float8.oid
  return value >= MIN_INT4 && value <= MAX_INT4 ? pgType.int4.oid : pgType.int8.oid
}

const isInt8 = (value: bigint): boolean => value >= MIN_INT8 && value <= MAX_INT8

/** The type of an array of numbers, bigints or booleans; undefined for any other array. */
const arrayOid = (values: ReadonlyArray<unknown>): number | undefined => {
  const kinds = new Set(values.filter((value) => value !== null && value !== undefined).map((value) => typeof value))
  const [kind] = kinds
  if (kinds.size !== 1) return undefined
  switch (kind) {
    case "boolean":
      return pgType.bool.arrayOid
    case "bigint":
      return values.every((value) => typeof value !== "bigint" || isInt8(value)) ? pgType.int8.arrayOid : undefined
    case "number":
      return arrayOidOfNumbers(values)
    default:
      return undefined
  }
}

const arrayOidOfNumbers = (values: ReadonlyArray<unknown>): number => {
  const oids = new Set(values.map((value) => (typeof value === "number" ? numberOid(value) : pgType.int4.oid)))
  if (oids.has(pgType.float8.oid)) return pgType.float8.arrayOid
  return oids.has(pgType.int8.oid) ? pgType.int8.arrayOid : pgType.int4.arrayOid
}

/** Names the types of Dates and of arrays of strings, too. Undefined if there are none. */
export const fullyTyped = (params: ReadonlyArray<unknown>): ReadonlyArray<unknown> | undefined => {
  const typed = params.map((value) => {
    if (value instanceof Date) return new TypedParameter(pgType.timestamptz.oid, value)
    return isTextArray(value) ? new TypedParameter(pgType.text.arrayOid, value) : value
  })
  return typed.every((value, index) => value === params[index]) ? undefined : typed
}

const isTextArray = (value: unknown): boolean =>
  Array.isArray(value) && value.every((element) => element === null || typeof element === "string")
