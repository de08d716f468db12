/** Reads how the client and the server may prove to each other who they are. */
import * as Effect from "effect/Effect"
import type * as PgError from "../PgError.ts"
import { type Given, invalid, readChoice, readOr } from "./given.ts"
import type { Source } from "./source/sources.ts"

/**
 * An authentication method, named as in libpq's `require_auth`. `none` means that the server requires no
 * authentication.
 *
 * @category models
 * @since 0.1.0
 */
export type AuthMethod = "none" | "password" | "md5" | "scram-sha-256" | "oauth"

/**
 * An authentication method that the server may use, or, with `!` before it, one that it may not use. A list has only the
 * ones or only the others.
 *
 * @category models
 * @since 0.1.0
 */
export type RequireAuth = AuthMethod | `!${AuthMethod}`

/**
 * Whether SCRAM authentication is bound to the server's certificate.
 *
 * @category models
 * @since 0.1.0
 */
export type ChannelBinding = "disable" | "prefer" | "require"

const AUTH_METHODS: ReadonlyArray<AuthMethod> = ["none", "password", "md5", "scram-sha-256", "oauth"]

/** Methods of libpq that this client does not have: to forbid them is easy, and among others they are no loss. */
const FOREIGN_METHODS = ["gss", "sspi"]

const BINDINGS: ReadonlyArray<ChannelBinding> = ["disable", "prefer", "require"]

export interface Authentication {
  readonly requireAuth: ReadonlyArray<AuthMethod> | undefined
  readonly allowCleartextPassword: boolean
  readonly channelBinding: ChannelBinding
}

export const resolveAuthentication = Effect.fnUntraced(function* (
  source: Source
): Effect.fn.Return<Authentication, PgError.InvalidConfigError> {
  return {
    ...(yield* readOr(source("requireAuth"), readRequireAuth, EVERY_METHOD)),
    channelBinding: yield* readOr(source("channelBinding"), readChoice(BINDINGS), "prefer")
  }
})

type Allowed = Pick<Authentication, "requireAuth" | "allowCleartextPassword">

const EVERY_METHOD: Allowed = { requireAuth: undefined, allowCleartextPassword: false }

const readRequireAuth = Effect.fnUntraced(function* (
  given: Given
): Effect.fn.Return<Allowed, PgError.InvalidConfigError> {
  const { isText, name, value } = given
  const words: unknown = isText && typeof value === "string" ? value.split(",").map((word) => word.trim()) : value
  if (!Array.isArray(words)) return yield* invalid(name, `must be a list of: ${AUTH_METHODS.join(", ")}`)
  if (words.length === 0) return { requireAuth: [], allowCleartextPassword: false }
  const negated = words.filter(isNegated)
  if (negated.length > 0 && negated.length < words.length) {
    return yield* invalid(name, "must have ! before each method or before none")
  }
  const methods = yield* readMethods(given, negated.length > 0 ? negated.map((word) => word.slice(1)) : words)
  const known = AUTH_METHODS.filter((method) => methods.includes(method))
  if (negated.length > 0) {
    return { requireAuth: AUTH_METHODS.filter((method) => !known.includes(method)), allowCleartextPassword: false }
  }
  if (known.length === 0) {
    return yield* invalid(name, "allows only gss or sspi, which this client does not support")
  }
  return { requireAuth: known, allowCleartextPassword: known.includes("password") }
})

const isNegated = (word: unknown): word is string => typeof word === "string" && word.startsWith("!")

const readMethods = Effect.fnUntraced(function* (
  given: Given,
  words: ReadonlyArray<unknown>
): Effect.fn.Return<ReadonlyArray<string>, PgError.InvalidConfigError> {
  const methods: Array<string> = []
  for (const word of words) {
    const method =
      FOREIGN_METHODS.find((foreign) => foreign === word) ??
      (yield* readChoice(AUTH_METHODS)({ ...given, value: word }))
    if (methods.includes(method)) return yield* invalid(given.name, `has ${method} twice`)
    methods.push(method)
  }
  return methods
})
