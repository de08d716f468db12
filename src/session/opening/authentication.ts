/** Authenticates the client: checks that the server's method is allowed, and answers it. */
import type { Buffer } from "node:buffer"
import { createHash, pbkdf2, randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { AUTH_METHODS, type AuthMethod } from "../../config/requireAuth.ts"
import * as PgError from "../../PgError.ts"
import { type AuthenticationRequest, Backend } from "../../wire/backendMessage.ts"
import {
  decodeAuthentication,
  encodePassword,
  encodeSaslInitialResponse,
  encodeSaslResponse
} from "../../wire/coldMessages.ts"
import type { Transport } from "../engine/transport.ts"
import { saslPrep } from "./saslPrep.ts"
import * as Scram from "./scram.ts"
import type { Inbox } from "./startupInbox.ts"

export interface AuthenticationOptions {
  readonly user: string
  readonly password: Effect.Effect<Redacted.Redacted | undefined, PgError.PgError>
  /** The methods that the user allows. Undefined allows all. */
  readonly requireAuth: ReadonlyArray<AuthMethod> | undefined
  readonly allowCleartextPassword: boolean
  readonly maxScramIterations: number
}

const nextRequest = Effect.fnUntraced(function* (
  inbox: Inbox
): Effect.fn.Return<AuthenticationRequest, PgError.PgError> {
  const frame = yield* inbox.next
  if (frame.type !== Backend.Authentication) return yield* inbox.refuse(frame, "Authentication")
  return yield* inbox.read(() => decodeAuthentication(frame.body, 0, frame.body.length))
})

/** Answers the server's requests until AuthenticationOk. */
export const authenticate = Effect.fnUntraced(function* (
  transport: Transport,
  inbox: Inbox,
  options: AuthenticationOptions
): Effect.fn.Return<void, PgError.PgError> {
  const request = yield* nextRequest(inbox)
  yield* allowed(request, transport, options)
  switch (request._tag) {
    case "Ok":
      return
    case "CleartextPassword":
      transport.write(yield* passwordMessage("password", Redacted.value(yield* passwordOf(options))))
      break
    case "MD5Password": {
      const password = Redacted.value(yield* passwordOf(options))
      transport.write(yield* passwordMessage("md5", md5Password(options.user, password, request.salt)))
      break
    }
    case "SASL":
      yield* scram(transport, inbox, options)
      break
    default:
      return yield* new PgError.ProtocolError({ received: `Authentication${request._tag}`, expected: FIRST_REQUEST })
  }
  const answer = yield* nextRequest(inbox)
  if (answer._tag !== "Ok") {
    return yield* new PgError.ProtocolError({ received: `Authentication${answer._tag}`, expected: "AuthenticationOk" })
  }
})

const FIRST_REQUEST = "AuthenticationOk or a request for a password"

/** What the server sends to ask for each method. */
const REQUESTS: Readonly<Record<AuthMethod, AuthenticationRequest["_tag"]>> = {
  none: "Ok",
  password: "CleartextPassword",
  md5: "MD5Password",
  "scram-sha-256": "SASL",
  oauth: "SASL"
}

/** Refuses a method before the client has sent anything secret. */
const allowed = Effect.fnUntraced(function* (
  request: AuthenticationRequest,
  transport: Transport,
  { allowCleartextPassword, requireAuth }: AuthenticationOptions
): Effect.fn.Return<void, PgError.AuthenticationError> {
  if (request._tag === "Unsupported") {
    return yield* new PgError.AuthenticationError({
      method: request.name,
      reason: `the server asks for ${request.name}, which this client does not support; use scram-sha-256 in pg_hba.conf`
    })
  }
  const method = AUTH_METHODS.find((each) => REQUESTS[each] === request._tag)
  if (method === undefined) return
  if (requireAuth !== undefined && !requireAuth.includes(method)) {
    return yield* new PgError.AuthenticationError({
      method,
      reason: `the server asks for the method "${method}", but requireAuth allows only: ${requireAuth.join(", ")}`
    })
  }
  if (method === "password" && !allowCleartextPassword && !transport.encrypted && !transport.isLocal) {
    return yield* new PgError.AuthenticationError({
      method,
      reason:
        "the server asks for the password in clear text over an unencrypted connection; set sslMode to require or " +
        'stricter, or allow it with requireAuth: ["password"]'
    })
  }
  if (request._tag === "SASL" && !request.mechanisms.includes(Scram.SCRAM_SHA_256)) {
    return yield* new PgError.AuthenticationError({
      method,
      reason: `the server offers ${request.mechanisms.join(", ")}, but this client supports only ${Scram.SCRAM_SHA_256}`
    })
  }
})

const passwordOf = Effect.fnUntraced(function* (
  options: AuthenticationOptions
): Effect.fn.Return<Redacted.Redacted, PgError.PgError> {
  const password = yield* options.password
  if (password !== undefined) return password
  return yield* new PgError.AuthenticationError({
    method: undefined,
    reason: "the server asks for a password, but none is set; set password or PGPASSWORD, or write it into the URL"
  })
})

const passwordMessage = (method: AuthMethod, password: string): Effect.Effect<Buffer, PgError.AuthenticationError> =>
  encoded(
    () => encodePassword(password),
    (reason) => new PgError.AuthenticationError({ method, reason })
  )

/** "md5" and md5(md5(password + user) + salt). */
const md5Password = (user: string, password: string, salt: Buffer): string => {
  const inner = createHash("md5").update(password).update(user).digest("hex")
  return `md5${createHash("md5").update(inner).update(salt).digest("hex")}`
}

const scram = Effect.fnUntraced(function* (
  transport: Transport,
  inbox: Inbox,
  options: AuthenticationOptions
): Effect.fn.Return<void, PgError.PgError> {
  const password = yield* passwordOf(options)
  const first = Scram.clientFirst(randomBytes(18).toString("base64"))
  transport.write(encodeSaslInitialResponse(Scram.SCRAM_SHA_256, first.message))

  const challengeMessage = yield* nextRequest(inbox)
  if (challengeMessage._tag !== "SASLContinue") return yield* unproven(challengeMessage._tag)
  const challenge = yield* inbox.read(() =>
    Scram.readServerFirst(challengeMessage.data, first, options.maxScramIterations)
  )
  const final = Scram.clientFinal(first, challenge, yield* saltedPassword(password, challenge))
  transport.write(encodeSaslResponse(final.message))

  const proof = yield* nextRequest(inbox)
  if (proof._tag !== "SASLFinal" || !Scram.isServerProof(proof.data, final)) return yield* unproven(proof._tag)
})

/** The server did not prove that it knows the password, so it may not be the server that the user wants. */
const unproven = (received: AuthenticationRequest["_tag"]): PgError.AuthenticationError =>
  new PgError.AuthenticationError({
    method: "scram-sha-256",
    reason: `the server did not prove that it knows the password (it sent Authentication${received} instead)`
  })

/** Derives the key with PBKDF2, off the event loop. */
const saltedPassword = (password: Redacted.Redacted, challenge: Scram.ServerFirst) =>
  Effect.callback<Buffer, PgError.AuthenticationError>((resume) => {
    const prepared = saslPrep(Redacted.value(password))
    pbkdf2(prepared, challenge.salt, challenge.iterations, 32, "sha256", (error, key) =>
      resume(
        error === null
          ? Effect.succeed(key)
          : Effect.fail(new PgError.AuthenticationError({ method: "scram-sha-256", reason: error.message }))
      )
    )
  })

/** Encodes a value of the user, and fails with `refused` if it cannot be sent. */
export const encoded = <E>(encode: () => Buffer, refused: (reason: string) => E): Effect.Effect<Buffer, E> =>
  Effect.try({ try: encode, catch: (failure) => refused(failure instanceof Error ? failure.message : String(failure)) })
