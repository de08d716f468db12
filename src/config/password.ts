/** Provides the password and the token of OAuth, again for each connection. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as PgError from "../PgError.ts"
import { canBeSent, type Given, invalid } from "./given.ts"

export type Password = Effect.Effect<Redacted.Redacted | undefined, PgError.PgError>

export const readPassword = (given: Given): Effect.Effect<Password, PgError.InvalidConfigError> =>
  readSecret(given, "password")

/** Reads the setting `oauthToken`. */
export const readToken = (given: Given): Effect.Effect<Password, PgError.InvalidConfigError> =>
  readSecret(given, "oauthToken")

const readSecret = (
  { isText, name, value }: Given,
  setting: "password" | "oauthToken"
): Effect.Effect<Password, PgError.InvalidConfigError> => {
  if (isClosedEffect(value)) return Effect.succeed(asked(setting, value))
  const secret = isText && typeof value === "string" ? Redacted.make(value) : value
  if (!isRedactedText(secret)) {
    const what = setting === "password" ? setting : "token"
    return invalid(name, `must be Redacted.make(${what}), or an Effect that yields one for each connection`)
  }
  if (!canBeSent(Redacted.value(secret))) return invalid(name, "contains a NUL character or a lone surrogate")
  return Effect.succeed(Effect.succeed(secret))
}

const isRedactedText = (value: unknown): value is Redacted.Redacted =>
  Redacted.isRedacted(value) && typeof Redacted.value(value) === "string"

/** The type of `Settings` guarantees that the Effect needs no context. */
const isClosedEffect = (value: unknown): value is Effect.Effect<unknown, unknown> => Effect.isEffect(value)

/** Reports only the tag of a failure, because its message may contain the secret. */
const asked = Effect.fnUntraced(function* (
  setting: string,
  effect: Effect.Effect<unknown, unknown>
): Effect.fn.Return<Redacted.Redacted, PgError.AuthenticationError> {
  const secret = yield* Effect.mapError(effect, (error) =>
    unavailable(`the Effect in the setting ${setting} failed${tagOf(error)}`)
  )
  if (isRedactedText(secret) && canBeSent(Redacted.value(secret))) return secret
  return yield* unavailable(`the Effect in the setting ${setting} did not yield a Redacted string without NULs`)
})

const unavailable = (reason: string): PgError.AuthenticationError =>
  new PgError.AuthenticationError({ method: undefined, reason })

const tagOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
    ? ` with ${error._tag}`
    : ""
