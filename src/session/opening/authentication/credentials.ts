/** What every method of authentication needs: the server's next request, the password or token, and how it is encoded. */
import type { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as PgError from "../../../PgError.ts"
import { type AuthenticationRequest, Backend } from "../../../wire/backendMessage.ts"
import { decodeAuthentication } from "../../../wire/coldMessages.ts"
import type { Inbox } from "../startupInbox.ts"

/** Who the client is, and how it proves that. Password and token are asked for only once they are needed. */
export interface Credentials {
  readonly user: string
  readonly password: Effect.Effect<Redacted.Redacted | undefined, PgError.PgError>
  readonly oauthToken: Effect.Effect<Redacted.Redacted | undefined, PgError.PgError>
  readonly maxScramIterations: number
}

export const nextRequest = Effect.fnUntraced(function* (
  inbox: Inbox
): Effect.fn.Return<AuthenticationRequest, PgError.PgError> {
  const frame = yield* inbox.next
  if (frame.type !== Backend.Authentication) return yield* inbox.refuse(frame, "Authentication")
  return yield* inbox.read(() => decodeAuthentication(frame.body, 0, frame.body.length))
})

export const passwordOf = Effect.fnUntraced(function* (
  options: Credentials
): Effect.fn.Return<Redacted.Redacted, PgError.PgError> {
  const password = yield* options.password
  if (password !== undefined) return password
  return yield* new PgError.AuthenticationError({
    method: undefined,
    reason: "the server asks for a password, but none is set; set password or PGPASSWORD, or write it into the URL"
  })
})

export const tokenOf = Effect.fnUntraced(function* (
  options: Credentials
): Effect.fn.Return<Redacted.Redacted, PgError.PgError> {
  const token = yield* options.oauthToken
  if (token !== undefined) return token
  return yield* new PgError.AuthenticationError({
    method: "oauth",
    reason:
      "the server asks for an OAuth token, but none is set; set oauthToken to the token or an Effect that yields it"
  })
})

/** Encodes a value of the user, and fails with `refused` if it cannot be sent. */
export const encoded = <E>(encode: () => Buffer, refused: (reason: string) => E): Effect.Effect<Buffer, E> =>
  Effect.try({ try: encode, catch: (failure) => refused(failure instanceof Error ? failure.message : String(failure)) })
