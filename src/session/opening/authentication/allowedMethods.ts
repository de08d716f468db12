/**
 * Decides whether the server's way of authenticating is one that the user allows. All of this is decided before the client
 * sends anything secret, or even asks for it.
 */
import * as Effect from "effect/Effect"
import type { AuthMethod, ChannelBinding } from "../../../config/requireAuth.ts"
import type { SslCertMode } from "../../../config/tls.ts"
import * as PgError from "../../../PgError.ts"
import type { AuthenticationRequest } from "../../../wire/backendMessage.ts"
import type { Transport } from "../../engine/transport.ts"
import * as Scram from "./scram.ts"

/** What the user allows; see the settings of the same names. */
export interface AllowedMethods {
  /** Undefined allows all methods. */
  readonly requireAuth: ReadonlyArray<AuthMethod> | undefined
  /** Whether the password may be sent in clear over an open network. */
  readonly allowCleartextPassword: boolean
  readonly channelBinding: ChannelBinding
  readonly sslCertMode: SslCertMode
}

export const OAUTHBEARER = "OAUTHBEARER"

/** Fails if the client must not answer the server's first request. */
export const allowed = (
  request: AuthenticationRequest,
  transport: Transport,
  options: AllowedMethods
): Effect.Effect<void, PgError.AuthenticationError> => {
  const refusal = refusalOf(request, transport, options)
  return refusal === undefined ? Effect.void : Effect.fail(new PgError.AuthenticationError(refusal))
}

/**
 * The mechanism that the client takes of those that the server offers: the strongest one that is allowed. Undefined if
 * there is none.
 */
export const chosenMechanism = (
  mechanisms: ReadonlyArray<string>,
  { tls }: Pick<Transport, "tls">,
  { channelBinding, requireAuth }: AllowedMethods
): Mechanism | undefined =>
  MECHANISMS.find(
    (mechanism) =>
      mechanisms.includes(mechanism) &&
      requireAuth?.includes(METHODS[mechanism]) !== false &&
      (mechanism === Scram.SCRAM_SHA_256_PLUS
        ? tls !== undefined && channelBinding !== "disable"
        : channelBinding !== "require")
  )

type Mechanism = typeof Scram.SCRAM_SHA_256_PLUS | typeof Scram.SCRAM_SHA_256 | typeof OAUTHBEARER

const MECHANISMS: ReadonlyArray<Mechanism> = [Scram.SCRAM_SHA_256_PLUS, Scram.SCRAM_SHA_256, OAUTHBEARER]

const METHODS: Readonly<Record<Mechanism, AuthMethod>> = {
  [Scram.SCRAM_SHA_256_PLUS]: "scram-sha-256",
  [Scram.SCRAM_SHA_256]: "scram-sha-256",
  [OAUTHBEARER]: "oauth"
}

/** The methods that a request stands for, besides SASL, which offers several. */
const REQUESTS: Readonly<Partial<Record<AuthenticationRequest["_tag"], AuthMethod>>> = {
  Ok: "none",
  CleartextPassword: "password",
  MD5Password: "md5"
}

interface Refusal {
  readonly method: string | undefined
  readonly reason: string
}

const refusalOf = (
  request: AuthenticationRequest,
  transport: Transport,
  options: AllowedMethods
): Refusal | undefined => {
  if (request._tag === "Unsupported") {
    return {
      method: request.name,
      reason: `the server asks for ${request.name}, which this client does not support; use scram-sha-256 in pg_hba.conf`
    }
  }
  if (request._tag === "SASL") {
    return withoutCertificate(transport, options) ?? refusalOfSasl(request.mechanisms, transport, options)
  }
  const method = REQUESTS[request._tag]
  if (method === undefined) return undefined
  return (
    withoutCertificate(transport, options) ??
    withoutBinding(method, transport, options) ??
    notRequired([method], options) ??
    (method === "password" ? passwordInClear(transport, options) : undefined)
  )
}

const refusalOfSasl = (
  mechanisms: ReadonlyArray<string>,
  transport: Transport,
  options: AllowedMethods
): Refusal | undefined => {
  const offersBinding = mechanisms.includes(Scram.SCRAM_SHA_256_PLUS)
  if (transport.tls === undefined && options.channelBinding === "require") {
    return withoutBinding("scram-sha-256", transport, options)
  }
  if (offersBinding && transport.tls === undefined) {
    // A server offers it only over TLS, so somebody has stripped the TLS off.
    return {
      method: "scram-sha-256",
      reason: `the server offers ${Scram.SCRAM_SHA_256_PLUS}, although the connection is not encrypted`
    }
  }
  const chosen = chosenMechanism(mechanisms, transport, options)
  if (chosen === OAUTHBEARER) return tokenInClear(transport)
  if (chosen !== undefined) return undefined
  const known = MECHANISMS.filter((mechanism) => mechanisms.includes(mechanism)).map((mechanism) => METHODS[mechanism])
  return (
    (known.length > 0 ? notRequired(known, options) : undefined) ?? {
      method: known[0],
      reason:
        known.length > 0
          ? `the server offers only ${mechanisms.join(", ")}, but channelBinding is "${options.channelBinding}"`
          : `the server offers ${mechanisms.join(", ")}, but this client supports only ${MECHANISMS.join(", ")}`
    }
  )
}

/** `channelBinding: "require"` lets in nothing but SCRAM-SHA-256-PLUS. */
const withoutBinding = (
  method: AuthMethod,
  { tls }: Transport,
  { channelBinding }: AllowedMethods
): Refusal | undefined => {
  if (channelBinding !== "require") return undefined
  const why =
    tls === undefined
      ? "the connection is not encrypted"
      : method === "none"
        ? "the server lets the client in without authentication"
        : `the server asks for the method "${method}"`
  return { method: method === "none" ? undefined : method, reason: `channelBinding is "require", but ${why}` }
}

const notRequired = (methods: ReadonlyArray<AuthMethod>, { requireAuth }: AllowedMethods): Refusal | undefined => {
  if (requireAuth === undefined || methods.some((method) => requireAuth.includes(method))) return undefined
  const asked = Array.from(new Set(methods), (method) => `"${method}"`).join(" or ")
  return {
    method: methods[0],
    reason: `the server asks for the method ${asked}, but requireAuth allows only: ${requireAuth.join(", ")}`
  }
}

/** Nobody else on the network is to read the password, unless the user has said that it does not matter. */
const passwordInClear = (transport: Transport, { allowCleartextPassword }: AllowedMethods): Refusal | undefined =>
  transport.encrypted || transport.isLocal || allowCleartextPassword
    ? undefined
    : {
        method: "password",
        reason:
          "the server asks for the password in clear text over an unencrypted connection; set sslMode to require or " +
          'stricter, or allow it with requireAuth: ["password"]'
      }

/** RFC 6750 forbids to send a token unencrypted, because it gives access to more than this server. */
const tokenInClear = (transport: Transport): Refusal | undefined =>
  transport.encrypted || transport.isLocal
    ? undefined
    : {
        method: "oauth",
        reason:
          "the server asks for the OAuth token over an unencrypted connection; set sslMode to verify-full, or to require " +
          "or stricter at least"
      }

const WITHOUT_CERTIFICATE = {
  missing: "sslCert is not set",
  "not asked for": "the server does not ask for the client's certificate",
  unknown: "this runtime does not tell whether the server asks for the client's certificate"
}

/** `sslCertMode: "require"` does not let a server do without the client's certificate. */
const withoutCertificate = ({ tls }: Transport, { sslCertMode }: AllowedMethods): Refusal | undefined => {
  if (sslCertMode !== "require" || tls?.clientCertificate === "shown") return undefined
  const why = tls === undefined ? "the connection is not encrypted" : WITHOUT_CERTIFICATE[tls.clientCertificate]
  return { method: undefined, reason: `sslCertMode is "require", but ${why}` }
}
