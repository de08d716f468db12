/**
 * A value that was given for a setting, and how it is read. No error repeats a value: what stands where a port should
 * be may be half a password.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as PgError from "../PgError.ts"

export interface Given {
  /** What the user knows it as: `port`, `PGPORT`, `port of the URL`. */
  readonly name: string
  /** An option has a type; a text is spelled as libpq spells it. */
  readonly isText: boolean
  readonly value: unknown
}

type Read<A> = Effect.Effect<A, PgError.InvalidConfigError>

export const invalid = (setting: string | undefined, reason: string): PgError.InvalidConfigError =>
  new PgError.InvalidConfigError({ setting, reason })

/** Reads what was given, or falls back. */
export const readOr = <A, B>(given: Given | undefined, read: (given: Given) => Read<A>, fallback: B): Read<A | B> =>
  given === undefined ? Effect.succeed(fallback) : readSafely(given, read)

/** Looking at a value may throw, if it is a Proxy or has a getter: that is a fault of the value. */
export const readSafely = <A>(given: Given, read: (given: Given) => Read<A>): Read<A> =>
  Effect.catchDefect(
    Effect.suspend(() => read(given)),
    () => invalid(given.name, "cannot be read: looking at it throws")
  )

export const readText = ({ name, value }: Given): Read<string> => {
  if (typeof value !== "string") return invalid(name, "must be a string")
  return canBeSent(value) ? Effect.succeed(value) : invalid(name, "holds a NUL or half a surrogate pair")
}

/** A text of the protocol ends at its first NUL, and has no form for half a surrogate pair. */
export const canBeSent = (text: string): boolean => !text.includes("\0") && text.isWellFormed()

/** A text that may also come `Redacted`. */
export const readSecretText = (given: Given): Read<string> =>
  readText({ ...given, value: Redacted.isRedacted(given.value) ? Redacted.value(given.value) : given.value })

export const readChoice =
  <A extends string>(choices: ReadonlyArray<A>) =>
  ({ name, value }: Given): Read<A> => {
    const found = choices.find((choice) => choice === value)
    return found === undefined ? invalid(name, `must be one of: ${choices.join(", ")}`) : Effect.succeed(found)
  }

export const readBoolean = ({ name, value }: Given): Read<boolean> =>
  typeof value === "boolean" ? Effect.succeed(value) : invalid(name, "must be true or false")

export const readInteger =
  (min: number, max: number) =>
  ({ isText, name, value }: Given): Read<number> => {
    const number = isText && typeof value === "string" && /^ *\d+ *$/.test(value) ? Number(value) : value
    return typeof number === "number" && Number.isInteger(number) && number >= min && number <= max
      ? Effect.succeed(number)
      : invalid(
          name,
          max === Infinity ? `must be an integer from ${min} up` : `must be an integer from ${min} to ${max}`
        )
  }

/** The longest time that a timer of Node can wait. */
const MAX_TIMER_MILLIS = 2_147_483_647

/** A duration in milliseconds, between 0 and what a timer can wait; `Infinity` as 0 where that means "no limit". */
export const readMillis =
  ({ infinity }: { readonly infinity: "zero" | "refused" }) =>
  (given: Given): Read<number> => {
    const millis = given.isText ? secondsOf(given.value) : durationOf(given.value)
    if (millis === Infinity && infinity === "zero") return Effect.succeed(0)
    if (millis !== undefined && millis >= 0 && millis <= MAX_TIMER_MILLIS) return Effect.succeed(Math.ceil(millis))
    return invalid(
      given.name,
      given.isText
        ? "must be a whole number of seconds, at most 24 days; 0 is no limit"
        : `must be a duration from 0 to 24 days, such as "10 seconds"`
    )
  }

/** As in libpq, what is negative is no limit. */
const secondsOf = (value: unknown): number | undefined =>
  typeof value === "string" && /^ *-?\d+ *$/.test(value) ? Math.max(0, Number(value) * 1000) : undefined

const durationOf = (value: unknown): number | undefined =>
  isDurationInput(value) && !Number.isNaN(value)
    ? Option.getOrUndefined(Option.map(Duration.fromInput(value), Duration.toMillis))
    : undefined

/** `Duration.fromInput` takes it from there, and gives none for what only looks like one. */
const isDurationInput = (value: unknown): value is Duration.Input =>
  ["number", "bigint", "string"].includes(typeof value) || (typeof value === "object" && value !== null)
