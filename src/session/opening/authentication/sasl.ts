/** Authenticates by SASL: SCRAM-SHA-256, with or without channel binding, or an OAuth token (RFC 7628). */
import { randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as PgError from "../../../PgError.ts"
import type { AuthenticationRequest } from "../../../wire/backendMessage.ts"
import { encodeSaslInitialResponse, encodeSaslResponse } from "../../../wire/coldMessages.ts"
import { serverEndPoint } from "../../encryption/channelBinding.ts"
import type { Transport } from "../../engine/transport.ts"
import { type AllowedMethods, chosenMechanism, OAUTHBEARER } from "./allowedMethods.ts"
import { type Credentials, nextRequest, passwordOf, tokenOf } from "./credentials.ts"
import { tokenHint } from "./oauthRefusal.ts"
import * as Scram from "./scram.ts"
import { ScramKeys } from "./scramKeys.ts"
import type { Inbox } from "../startupInbox.ts"

/** Answers AuthenticationSASL, which `allowedMethods.ts` has allowed, up to AuthenticationOk. */
export const sasl = Effect.fnUntraced(function* (
  transport: Transport,
  inbox: Inbox,
  mechanisms: ReadonlyArray<string>,
  options: AllowedMethods & Credentials
): Effect.fn.Return<void, PgError.PgError> {
  const mechanism = chosenMechanism(mechanisms, transport, options)
  if (mechanism === OAUTHBEARER) return yield* oauth(transport, inbox, options)
  const binding = yield* bindingOf(mechanism === Scram.SCRAM_SHA_256_PLUS, transport, options)
  yield* scram(transport, inbox, binding, options)
  const answer = yield* nextRequest(inbox)
  if (answer._tag !== "Ok") return yield* unexpected(answer)
})

const unexpected = ({ _tag }: AuthenticationRequest): PgError.ProtocolError =>
  new PgError.ProtocolError({ received: `Authentication${_tag}`, expected: "AuthenticationOk" })

const bindingOf = Effect.fnUntraced(function* (
  isOffered: boolean,
  { tls }: Transport,
  { channelBinding }: AllowedMethods
): Effect.fn.Return<Scram.ChannelBinding, PgError.AuthenticationError> {
  if (!isOffered) return { flag: tls === undefined || channelBinding === "disable" ? "n" : "y" }
  const hash = tls?.serverCertificate === undefined ? undefined : serverEndPoint(tls.serverCertificate)
  if (hash !== undefined) return { flag: "p", serverEndPoint: hash }
  return yield* new PgError.AuthenticationError({
    method: "scram-sha-256",
    reason:
      "the server wants channel binding, but the signature of its certificate has no digest to bind to (as with " +
      'Ed25519); use another certificate, or set channelBinding to "disable"'
  })
})

const scram = Effect.fnUntraced(function* (
  transport: Transport,
  inbox: Inbox,
  binding: Scram.ChannelBinding,
  options: Credentials
): Effect.fn.Return<void, PgError.PgError> {
  const password = Redacted.value(yield* passwordOf(options))
  const first = Scram.clientFirst(randomBytes(18).toString("base64"), binding)
  const mechanism = binding.flag === "p" ? Scram.SCRAM_SHA_256_PLUS : Scram.SCRAM_SHA_256
  transport.write(encodeSaslInitialResponse(mechanism, first.message))

  const challengeMessage = yield* nextRequest(inbox)
  if (challengeMessage._tag !== "SASLContinue") return yield* unproven(challengeMessage._tag)
  const challenge = yield* inbox.read(() =>
    Scram.readServerFirst(challengeMessage.data, first, options.maxScramIterations)
  )
  yield* Effect.onError(proven(transport, inbox, { password, first, challenge }), () =>
    Effect.sync(() => scramKeys.forget(password, challenge))
  )
})

/** The keys of all connections of this process, each of which may belong to a pool of its own. */
const scramKeys = new ScramKeys()

interface Conversation {
  readonly password: string
  readonly first: Scram.ClientFirst
  readonly challenge: Scram.ServerFirst
}

/** Both sides prove that they know the password. */
const proven = Effect.fnUntraced(function* (
  transport: Transport,
  inbox: Inbox,
  { challenge, first, password }: Conversation
): Effect.fn.Return<void, PgError.PgError> {
  const keys = yield* Effect.tryPromise({
    try: () => scramKeys.of(password, challenge),
    catch: (error) =>
      new PgError.AuthenticationError({
        method: "scram-sha-256",
        reason: error instanceof Error ? error.message : String(error)
      })
  })
  const final = Scram.clientFinal(first, challenge, keys)
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

const SEPARATOR = "\u0001"

/** The syntax of bearer tokens (RFC 6750). Anything else could smuggle further fields into the message. */
const BEARER_TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

/**
 * One message with the token, which the server accepts with AuthenticationOk. If it refuses the token, it says why in a
 * SASLContinue, and sends its error once the client has answered that with a separator.
 */
const oauth = Effect.fnUntraced(function* (
  transport: Transport,
  inbox: Inbox,
  options: Credentials
): Effect.fn.Return<void, PgError.PgError> {
  const token = Redacted.value(yield* tokenOf(options))
  if (!BEARER_TOKEN.test(token)) {
    return yield* new PgError.AuthenticationError({
      method: "oauth",
      reason: "oauthToken is not a bearer token, which consists of letters, digits and -._~+/ only"
    })
  }
  const fields = ["n,,", `auth=Bearer ${token}`, "", ""]
  transport.write(encodeSaslInitialResponse(OAUTHBEARER, fields.join(SEPARATOR)))
  const answer = yield* nextRequest(inbox)
  if (answer._tag === "Ok") return
  if (answer._tag !== "SASLContinue") return yield* unexpected(answer)
  inbox.hintFor = () => tokenHint(answer.data)
  transport.write(encodeSaslResponse(SEPARATOR))
  return yield* unexpected(yield* nextRequest(inbox))
})
