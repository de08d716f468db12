/** Reads the setting that says which authentication methods the user allows. */
import * as Effect from "effect/Effect"
import type * as PgError from "../PgError.ts"
import { type Given, invalid, readChoice } from "./given.ts"

/**
 * An authentication method, named as in libpq's `require_auth`. `none` means that the server requires no
 * authentication.
 *
 * @category models
 * @since 0.1.0
 */
export type RequireAuth = "none" | "password" | "md5" | "scram-sha-256"

export const AUTH_METHODS: ReadonlyArray<RequireAuth> = ["none", "password", "md5", "scram-sha-256"]

export const readRequireAuth = (
  given: Given
): Effect.Effect<ReadonlyArray<RequireAuth>, PgError.InvalidConfigError> => {
  const { isText, name, value } = given
  const methods: unknown = isText && typeof value === "string" ? value.split(",").map((method) => method.trim()) : value
  if (!Array.isArray(methods)) return invalid(name, `must be a list of: ${AUTH_METHODS.join(", ")}`)
  return Effect.forEach(methods, (method: unknown) => readChoice(AUTH_METHODS)({ ...given, value: method }))
}
