/**
 * Reads and checks one value that was given for a setting. No error repeats a value, because a wrong port, for example,
 * may be half a password.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as PgError from "../PgError.ts"
import { didYouMean } from "./source/likeness.ts"

export interface Given {
  /** The name by which the user knows the setting: `port`, `PGPORT`, `port of the URL`. */
  readonly name: string
  /** Whether the value is text in libpq's spelling, rather than an option of the right type. */
  readonly isText: boolean
  /** Whether no other source is asked even if the value is empty. */
  readonly isFinal?: boolean
  readonly value: unknown
}

type Read<A> = Effect.Effect<A, PgError.InvalidConfigError>

export const invalid = (setting: string | undefined, reason: string): PgError.InvalidConfigError =>
  new PgError.InvalidConfigError({ setting, reason })

/** Reads the given value, or uses the fallback if there is none. */
export const readOr = <A, const B>(
  given: Given | undefined,
  read: (given: Given) => Read<A>,
  fallback: B
): Read<A | B> => (given === undefined ? Effect.succeed(fallback) : readSafely(given, read))

/** Inspecting a value may throw, if it is a Proxy or has a getter; the value is then invalid. */
export const readSafely = <A>(given: Given, read: (given: Given) => Read<A>): Read<A> =>
  Effect.catchDefect(
    Effect.suspend(() => read(given)),
    () => invalid(given.name, "cannot be read: reading it throws an error")
  )

export const readText = ({ name, value }: Given): Read<string> => {
  if (value === undefined)
    return invalid(name, "must be a string, but is undefined; check whether the environment variable is set")
  if (typeof value !== "string") return invalid(name, "must be a string")
  return canBeSent(value) ? Effect.succeed(value) : invalid(name, "contains a NUL character or a lone surrogate")
}

/** A protocol string ends at its first NUL, and UTF-8 cannot hold half a surrogate pair. */
export const canBeSent = (text: string): boolean => !text.includes("\0") && text.isWellFormed()

/** Reads a text that may also be `Redacted`. */
export const readSecretText = (given: Given): Read<string> =>
  readText({ ...given, value: Redacted.isRedacted(given.value) ? Redacted.value(given.value) : given.value })

export const readChoice =
  <A extends string>(choices: ReadonlyArray<A>) =>
  ({ name, value }: Given): Read<A> => {
    const found = choices.find((choice) => choice === value)
    if (found !== undefined) return Effect.succeed(found)
    const meant = typeof value === "string" ? didYouMean(value, choices) : ""
    return invalid(name, `must be one of: ${choices.join(", ")}${meant}`)
  }

export const readBoolean = ({ name, value }: Given): Read<boolean> =>
  typeof value === "boolean" ? Effect.succeed(value) : invalid(name, "must be true or false")

/** Reads true or false, which text writes as 1 or 0. */
export const readFlag = (given: Given): Read<boolean> => {
  if (!given.isText) return readBoolean(given)
  if (given.value === "1" || given.value === "0") return Effect.succeed(given.value === "1")
  return invalid(given.name, "must be 1 or 0")
}

export const readInteger =
  (min: number, max: number) =>
  ({ isText, name, value }: Given): Read<number> => {
    const number = isText && typeof value === "string" && /^\s*\+?\d+\s*$/.test(value) ? Number(value) : value
    return typeof number === "number" && Number.isInteger(number) && number >= min && number <= max
      ? Effect.succeed(number)
      : invalid(
          name,
          max === Infinity ? `must be an integer of at least ${min}` : `must be an integer from ${min} to ${max}`
        )
  }

/** The longest time that a Node timer can wait. */
const MAX_TIMER_MILLIS = 2_147_483_647

/**
 * Reads a duration in milliseconds, between 0 and what a timer can wait; `Infinity` becomes 0 if that means "no limit".
 */
export const readMillis =
  ({ infinity }: { readonly infinity: "zero" | "refused" }) =>
  (given: Given): Read<number> => {
    const millis = given.isText ? secondsOf(given.value) : durationOf(given.value)
    if (millis === Infinity && infinity === "zero") return Effect.succeed(0)
    if (millis !== undefined && millis >= 0 && millis <= MAX_TIMER_MILLIS) return Effect.succeed(Math.ceil(millis))
    return invalid(
      given.name,
      given.isText
        ? "must be a whole number of seconds, at most 24 days; 0 means no limit"
        : `must be a duration from 0 to 24 days, such as "10 seconds"`
    )
  }

/** As in libpq, a negative value means no limit. */
const secondsOf = (value: unknown): number | undefined =>
  typeof value === "string" && /^\s*[+-]?\d+\s*$/.test(value) ? Math.max(0, Number(value) * 1000) : undefined

const durationOf = (value: unknown): number | undefined =>
  isDurationInput(value) && !Number.isNaN(value)
    ? Option.getOrUndefined(Option.map(Duration.fromInput(value), Duration.toMillis))
    : undefined

/** Whether `Duration.fromInput` may be called with the value; it returns undefined for an invalid one. */
const isDurationInput = (value: unknown): value is Duration.Input =>
  ["number", "bigint", "string"].includes(typeof value) || (typeof value === "object" && value !== null)

export const readMillisOrNoLimit = readMillis({ infinity: "zero" })
export const readCount = readInteger(0, Infinity)
