/**
 * Checks the arguments and options of a call once, before anything is borrowed or sent. TypeScript checks most of them
 * too, but not in plain JavaScript, and not behind a cast. A wrong argument is a typed failure, which says what would
 * be right and never repeats the value. An argument that throws when it is read, such as a Proxy, is wrong too.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as PgError from "../PgError.ts"
import { didYouMean } from "../config/source/likeness.ts"
import { MAX_NAME_BYTES } from "../wire/limits.ts"
import { nameFault } from "./templateParts.ts"

export type Fault = PgError.EncodeError | PgError.InvalidConfigError

/** What an argument or an option may be, and the words for it in an error. */
export interface Kind {
  readonly is: (value: unknown) => boolean
  readonly takes: string
}

/** The options of a call by name. */
export type Kinds = Readonly<Record<string, Kind>>

/** Fails with the fault of an argument if there is one, and otherwise goes on with the call. */
export const unless = <A, E, R>(
  fault: Fault | undefined,
  use: () => Effect.Effect<A, E, R>
): Effect.Effect<A, E | PgError.PgError, R> => (fault === undefined ? use() : Effect.fail(fault))

/** Checks that a function of the user returned an Effect. Anything else would be a defect when it is run. */
export const answerOf = <A, E, R>(
  setting: string,
  answer: Effect.Effect<A, E, R>
): Effect.Effect<A, E | PgError.PgError, R> =>
  isSafely(Effect.isEffect, answer)
    ? answer
    : Effect.fail(
        new PgError.InvalidConfigError({ setting, reason: `must return an Effect, but returned ${words(answer)}` })
      )

/** Says why a value is not of its kind; undefined if it is. */
export const faultOf = (setting: string, value: unknown, { is, takes }: Kind): PgError.InvalidConfigError | undefined =>
  isSafely(is, value)
    ? undefined
    : new PgError.InvalidConfigError({ setting, reason: `must be ${takes}${besides(takes, words(value))}` })

/** "must be a whole number from 1, not a number" would read as if a number were wrong. */
const besides = (takes: string, given: string): string =>
  given === "a number" && takes.startsWith("a whole number") ? "" : `, not ${given}`

/** Says why a value is not SQL, for a call that takes no template. */
export const sqlFault = (call: string, sql: unknown): Fault | undefined =>
  typeof sql === "string" ? undefined : statementFault(`${call} takes its SQL as a string, not as ${words(sql)}`)

export const statementFault = (reason: string, row?: number): PgError.EncodeError =>
  new PgError.EncodeError({ parameter: 0, type: "SQL text", reason, sql: "", row })

export const isSafely = (is: (value: unknown) => boolean, value: unknown): boolean => {
  try {
    return is(value)
  } catch {
    return false
  }
}

/** `Array.isArray` throws for a Proxy that has been revoked. */
export const isArray = (value: unknown): value is ReadonlyArray<unknown> => {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}

/** `ArrayBuffer.isView` is false for a Proxy, so that `instanceof`, which a Proxy can make throw, never sees one. */
export const isBytes = (value: unknown): value is Uint8Array => ArrayBuffer.isView(value) && value instanceof Uint8Array

// ------------------------------------------------------------------------------------------------- options

/**
 * Checks the options of a call and goes on with a copy, so that later changes have no effect. `null` means no options.
 * An unknown option is refused, because the caller would not notice that it has no effect. `hint` ends that error.
 */
export const withOptions = <Options extends object, A, E, R>(
  given: Options | null | undefined,
  kinds: Kinds,
  use: (options: Options | undefined) => Effect.Effect<A, E, R>,
  hint?: string
): Effect.Effect<A, E | PgError.PgError, R> => {
  if (given === undefined || given === null) return use(undefined)
  const options = read(given, "options", kinds, hint)
  return options instanceof PgError.InvalidConfigError ? Effect.fail(options) : use(options)
}

/** Copies a plain object if its properties are of these kinds. Otherwise returns what is wrong. */
export const read = <Given extends object>(
  given: Given,
  name: string,
  kinds: Kinds,
  hint = ""
): Given | PgError.InvalidConfigError => {
  const copy = isPlain(given) ? copyOf(given) : undefined
  if (copy === undefined) {
    return new PgError.InvalidConfigError({ setting: name, reason: `must be a plain object, not ${words(given)}` })
  }
  const properties: ReadonlyArray<readonly [string, unknown]> = Object.entries(copy)
  for (const [key, value] of properties) {
    const kind = Object.hasOwn(kinds, key) ? kinds[key] : kinds[ANY_OTHER]
    if (kind === undefined) {
      const known = Object.keys(kinds)
      const reason = `is not a known option${didYouMean(key, known)}; the options are: ${known.join(", ")}${hint}`
      // If something else was passed as the options, a key may be anything, even a value of the user.
      return new PgError.InvalidConfigError({ setting: IDENTIFIER.test(key) ? key : name, reason })
    }
    const fault = value === undefined ? undefined : faultOf(key, value, kind)
    if (fault !== undefined) return fault
  }
  return copy
}

/** Matches what may be a misspelled option. */
const IDENTIFIER = /^[a-z]\w{0,39}$/i

/** The key under which `Kinds` has the kind of all other options. */
export const ANY_OTHER = ""

/** Copies an object. Undefined if the value is no object or cannot be read. */
export const copyOf = <A extends object>(value: A): A | undefined => {
  try {
    return typeof value === "object" && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** Whether a value is a plain object, and neither an array nor an instance of a class. */
export const isPlain = (value: unknown): boolean => {
  try {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false
    const prototype: unknown = Object.getPrototypeOf(value)
    // An object of another realm has another `Object.prototype`, which has no prototype either.
    return prototype === null || Object.getPrototypeOf(prototype) === null
  } catch {
    return false
  }
}

// ------------------------------------------------------------------------------------------------- kinds

const MAX_COUNT = 0x7fffffff

export const anything: Kind = { is: () => true, takes: "anything" }
export const text: Kind = { is: (value) => typeof value === "string", takes: "a string" }
export const flag: Kind = { is: (value) => typeof value === "boolean", takes: "true or false" }
export const callback: Kind = { is: (value) => typeof value === "function", takes: "a function" }
/** The server would cut a longer name short, and a NUL would end the name early. */
export const serverName: Kind = {
  is: (value) => nameFault(value) === undefined,
  takes: `a name of at most ${MAX_NAME_BYTES} bytes, without a NUL character or a lone surrogate`
}
export const queryable: Kind = {
  is: (value) =>
    typeof value === "object" &&
    value !== null &&
    ["fetchValue", "execute", "withTransaction"].every((name) => typeof Reflect.get(value, name) === "function"),
  takes: "a connection, a pool, a client or a transaction"
}
export const stream: Kind = { is: Stream.isStream, takes: "a Stream" }
export const effect: Kind = { is: Effect.isEffect, takes: "an Effect" }
export const schema: Kind = { is: Schema.isSchema, takes: "a Schema" }
export const schedule: Kind = { is: Schedule.isSchedule, takes: "a Schedule" }
/** Copying the array shows whether it can be read, because a Proxy or a getter may throw. */
export const values: Kind = {
  is: (value) => Array.isArray(value) && Array.from(value).length >= 0,
  takes: "an array of values"
}
export const count: Kind = {
  is: (value) => typeof value === "number" && Number.isInteger(value) && value > 0 && value <= MAX_COUNT,
  takes: `a whole number from 1 to ${MAX_COUNT}`
}
export const names: Kind = {
  is: (value) => Array.isArray(value) && Array.from(value).every((name) => typeof name === "string"),
  takes: "an array of strings"
}
export const rows: Kind = {
  is: (value) => Stream.isStream(value) || isIterable(value),
  takes: "an Iterable or a Stream"
}
export const bytes: Kind = {
  is: (value) =>
    value instanceof Uint8Array || Stream.isStream(value) || (isIterable(value) && !ArrayBuffer.isView(value)),
  takes: "a Uint8Array, or an Iterable or a Stream of Uint8Arrays"
}

/** An Effect is iterable, for `yield*`, but is not a source of rows. */
const isIterable = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  Symbol.iterator in value &&
  typeof value[Symbol.iterator] === "function" &&
  !Effect.isEffect(value)

const isDuration = (value: unknown): boolean => {
  // A caller may pass what remains of a deadline. If that is negative, the call times out at once.
  if (typeof value === "number") return !Number.isNaN(value)
  return isDurationInput(value) && Option.isSome(Duration.fromInput(value))
}

/** A first check for `Duration.fromInput`, which returns none for anything that only looks like a duration. */
const isDurationInput = (value: unknown): value is Duration.Input =>
  typeof value === "bigint" || typeof value === "string" || (typeof value === "object" && value !== null)

export const duration: Kind = { is: isDuration, takes: 'a duration, such as "5 seconds"' }

// ------------------------------------------------------------------------------------------------- words

/** Describes a value for an error without showing anything of it. */
export const words = (value: unknown): string => {
  try {
    if (value === null) return "null"
    if (Array.isArray(value)) return "an array"
    if (typeof value !== "object") return value === undefined ? "undefined" : `a ${typeof value}`
    if (Effect.isEffect(value)) return "an Effect"
    if (Stream.isStream(value)) return "a Stream"
    if (Option.isOption(value)) return "an Option"
    if (value instanceof Promise) return "a Promise"
    return "an object of another kind"
  } catch {
    return "an object that cannot be read"
  }
}
