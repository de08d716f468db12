/**
 * Tries one address with and without encryption, in the order of `sslMode`, as libpq does: `prefer` goes on without TLS,
 * and `allow` with it, if the server has no place for the first. The transport itself does so if TLS fails.
 */
import * as Effect from "effect/Effect"
import type { SslMode } from "../../PgConfig.ts"
import * as PgError from "../../PgError.ts"

/** What an attempt has come to when it failed. */
export interface Reached {
  readonly encrypted: boolean
  /** Whether a password or token was asked for. Nothing is tried again after that. */
  readonly passwordAsked: boolean
}

/** Makes an attempt with each mode in turn that `sslMode` stands for, until one succeeds or the next cannot do better. */
export const inOrderOfEncryption = <A>(
  sslMode: SslMode,
  attempt: (sslMode: SslMode) => Effect.Effect<A, PgError.PgError>,
  reached: () => Reached
): Effect.Effect<A, PgError.PgError> => {
  switch (sslMode) {
    case "prefer":
      return Effect.catchIf(
        attempt("prefer"),
        (error) => mayDoWithoutTls(error, reached()),
        () => attempt("disable")
      )
    case "allow":
      return Effect.catchIf(
        attempt("disable"),
        (error) => mayDoWithTls(error, reached()),
        (refusal) => Effect.mapError(attempt("require"), (error) => (isTlsFailure(error) ? refusal : error))
      )
    default:
      return attempt(sslMode)
  }
}

/** Only if pg_hba.conf has no entry for an encrypted connection. */
const mayDoWithoutTls = (error: PgError.PgError, { encrypted, passwordAsked }: Reached): boolean =>
  error._tag === "InvalidAuthorizationSpecificationError" && encrypted && !passwordAsked

/** Whatever the refusal: poolers and proxies refuse an unencrypted connection with codes of their own. */
const mayDoWithTls = (error: PgError.PgError, { passwordAsked }: Reached): boolean =>
  PgError.isPostgresError(error) && !passwordAsked && !SERVES_NOBODY.has(error._tag)

/** These refusals do not depend on encryption. */
const SERVES_NOBODY: ReadonlySet<string> = new Set(["CannotConnectNowError", "TooManyConnectionsError"])

const isTlsFailure = (error: PgError.PgError): boolean => error._tag === "ConnectError" && error.stage === "tls"
