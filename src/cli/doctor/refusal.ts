/** Says of a connection that could not be opened which part of the opening is to blame, and how to mend it. */
import { withoutPlace } from "../../error/connectPlace.ts"
import type { ResolvedConfig } from "../../PgConfig.ts"
import type * as PgError from "../../PgError.ts"
import type { ShownCertificate } from "./encryption.ts"
import { type Finding, wrong } from "./finding.ts"

export const judgeRefusal = (
  error: PgError.PgError,
  config: ResolvedConfig,
  chain: ReadonlyArray<ShownCertificate>
): ReadonlyArray<Finding> => {
  const message = withoutPlace(error)
  switch (error._tag) {
    case "ConnectError":
      return error.attempts.map(({ reason, stage }) =>
        stage === "tls" ? wrong("verification", reason, hintForTls(config, chain)) : wrong(stage, reason)
      )
    case "AuthenticationError":
      return [wrong("authentication", message, "Give a password or another credential that the server asks for.")]
    case "InvalidPasswordError":
      return [
        wrong("authentication", message, "Check the user and the password; ALTER ROLE ... PASSWORD sets a new one.")
      ]
    case "InvalidAuthorizationSpecificationError":
      return [
        wrong(
          "authentication",
          message,
          "Check the user, and the lines of pg_hba.conf for this address, user and database."
        )
      ]
    case "InvalidCatalogNameError":
      return [wrong("database", message, `Check the name of the database, or create it: CREATE DATABASE ...`)]
    case "TooManyConnectionsError":
      return [wrong("connections", message, "Close connections, use a pool, or raise max_connections.")]
    case "CannotConnectNowError":
      return [wrong("server", message, "The server is starting, stopping or recovering. Try again in a moment.")]
    default:
      return [wrong("startup", message)]
  }
}

const hintForTls = ({ sslMode, sslRootCert }: ResolvedConfig, chain: ReadonlyArray<ShownCertificate>): string => {
  const authority = chain.at(-1)?.issuer
  const whose = authority === undefined ? "the server's authority" : authority
  return sslRootCert === undefined
    ? `sslMode is ${sslMode}: give the certificate of ${whose} as sslRootCert (sslrootcert in a URL, PGSSLROOTCERT).`
    : `Check that the file of sslRootCert has the certificate of ${whose}, and that the server's certificate is for this host.`
}
