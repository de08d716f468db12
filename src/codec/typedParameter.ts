/**
 * Parameters whose type the caller names. If all of a statement's parameters are typed, the client need not ask the
 * server for their types before the first run.
 */
import { refuseWithinDocument } from "./document.ts"
import { INSPECT } from "./inspect.ts"
import { type BuiltinType, pgType } from "./oid.generated.ts"

type ElementName = keyof typeof pgType

/**
 * The name in `pg_type` of a built-in type, or of an array of it: `"int4"`, `"timestamptz"`, `"text[]"`.
 *
 * @category models
 * @since 0.1.0
 */
export type BuiltinTypeName = ElementName | `${ElementName}[]`

/**
 * A parameter with its type; made by `typed`, `int4` and similar functions. If it is printed or serialized, it shows
 * its type but not its value.
 *
 * @category models
 * @since 0.1.0
 */
export class TypedParameter {
  readonly oid: number
  /** The value: whatever the type's codec accepts, a string, or null. */
  readonly value: unknown

  constructor(oid: number, value: unknown) {
    this.oid = oid
    this.value = value
  }

  /** Keeps the value out of logs and printed output. */
  toJSON(): unknown {
    refuseWithinDocument("a typed parameter")
    return { oid: this.oid }
  }

  toString(): string {
    return `TypedParameter(${this.oid})`
  }

  [INSPECT](): unknown {
    return this.toJSON()
  }
}

const builtinTypes: Readonly<Record<string, BuiltinType>> = pgType

const oidOf = (name: unknown): number | undefined =>
  typeof name !== "string"
    ? undefined
    : name.endsWith("[]")
      ? builtinTypes[name.slice(0, -2)]?.arrayOid
      : builtinTypes[name]?.oid

/** JavaScript callers may pass a wrong name; the server then names the type in its error. */
const UNSPECIFIED = 0

/**
 * Makes a parameter of a type that you name, as a cast in the SQL would. Its value is one that the type accepts, by
 * your own codec if there is one. Usually the first run of a statement takes two round trips, because the client asks
 * the server for the types first. If all parameters of an `execute` are typed, its first run takes only one. A call
 * that reads rows still takes two, because the client has to know the types of the columns too.
 *
 * `executeMany`, `fetchMany` and prepared statements ignore the type that you name and use those of the server.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgClient, PgTypes } from "effectpg"
 *
 * export const since = Effect.fn(function* (first: number, tags: ReadonlyArray<string>) {
 *   const pg = yield* PgClient.PgClient
 *   return yield* pg.fetch("SELECT $1 AS first, $2 AS tags", [PgTypes.int4(first), PgTypes.typed("text[]", tags)])
 * })
 * ```
 * @category typed parameters
 * @since 0.1.0
 */
export const typed = (type: BuiltinTypeName, value: unknown): TypedParameter =>
  new TypedParameter(oidOf(type) ?? UNSPECIFIED, value)

const typedAs =
  <A>(type: ElementName) =>
  (value: A | string | null): TypedParameter =>
    typed(type, value)

/**
 * Makes a parameter of the type `bool`.
 *
 * @category typed parameters
 * @since 0.1.0
 */
export const bool: (value: boolean | string | null) => TypedParameter = typedAs("bool")

/**
 * Makes a parameter of the type `int2`.
 *
 * @category typed parameters
 * @since 0.1.0
 */
export const int2: (value: number | bigint | string | null) => TypedParameter = typedAs("int2")

/**
 * Makes a parameter of the type `int4`.
 *
 * @category typed parameters
 * @since 0.1.0
 */
export const int4: (value: number | bigint | string | null) => TypedParameter = typedAs("int4")

/**
 * Makes a parameter of the type `int8`.
 *
 * @category typed parameters
 * @since 0.1.0
 */
export const int8: (value: number | bigint | string | null) => TypedParameter = typedAs("int8")

/**
 * Makes a parameter of the type `float4`.
 *
 * @category typed parameters
 * @since 0.1.0
 */
export const float4: (value: number | bigint | string | null) => TypedParameter = typedAs("float4")

/**
 * Makes a parameter of the type `float8`.
 *
 * @category typed parameters
 * @since 0.1.0
 */
export const float8: (value: number | bigint | string | null) => TypedParameter = typedAs("float8")

/**
 * Makes a parameter of the type `numeric`.
 *
 * @category typed parameters
 * @since 0.1.0
 */
export const numeric: (value: number | bigint | string | null) => TypedParameter = typedAs("numeric")

/**
 * Makes a parameter of the type `text`.
 *
 * @category typed parameters
 * @since 0.1.0
 */
export const text: (value: string | null) => TypedParameter = typedAs("text")

/**
 * Makes a parameter of the type `uuid`.
 *
 * @category typed parameters
 * @since 0.1.0
 */
export const uuid: (value: string | null) => TypedParameter = typedAs("uuid")

/**
 * Makes a parameter of the type `bytea`.
 *
 * @category typed parameters
 * @since 0.1.0
 */
export const bytea: (value: ArrayBufferView | ArrayBuffer | string | null) => TypedParameter = typedAs("bytea")

/**
 * Makes a parameter of the type `date`.
 *
 * @category typed parameters
 * @since 0.1.0
 */
export const date: (value: Date | string | null) => TypedParameter = typedAs("date")

/**
 * Makes a parameter of the type `timestamp`.
 *
 * @category typed parameters
 * @since 0.1.0
 */
export const timestamp: (value: Date | string | null) => TypedParameter = typedAs("timestamp")

/**
 * Makes a parameter of the type `timestamptz`.
 *
 * @category typed parameters
 * @since 0.1.0
 */
export const timestamptz: (value: Date | string | null) => TypedParameter = typedAs("timestamptz")

/**
 * Makes a parameter of the type `jsonb` from any value that `JSON.stringify` accepts. A string becomes a JSON string;
 * for text that is JSON already, use `literal`. `jsonNull` is JSON's null, and null is NULL.
 *
 * @category typed parameters
 * @since 0.1.0
 */
export const jsonb = (value: unknown): TypedParameter => typed("jsonb", value)

const isTyped = (value: unknown): value is TypedParameter => {
  if (typeof value !== "object" || value === null) return false
  try {
    return value instanceof TypedParameter
  } catch {
    // A Proxy that throws here is no typed parameter; it fails when it is encoded.
    return false
  }
}

/** The OID of each value's type, 0 if the server decides; empty if the server decides all of them. */
export const namedTypes = (values: ReadonlyArray<unknown>): ReadonlyArray<number> =>
  values.some(isTyped) ? values.map((value) => (isTyped(value) ? value.oid : UNSPECIFIED)) : NONE

const NONE: ReadonlyArray<number> = []

/** The values without their types. */
export const bareValues = (values: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  values.some(isTyped) ? values.map((value) => (isTyped(value) ? value.value : value)) : values
