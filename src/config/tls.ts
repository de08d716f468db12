/** Reads the settings for TLS: whether a connection is encrypted, and which certificates it trusts. */
import * as Effect from "effect/Effect"
import type * as PgError from "../PgError.ts"
import { defaultPemFile, type Environment } from "./source/files.ts"
import type { HostAddress } from "./hosts.ts"
import { type Given, invalid, readChoice, readFlag, readOr, readSecretText } from "./given.ts"
import { insteadOfSslMode } from "./source/otherClients.ts"
import { belongTogether, readKey, readPem, readRevocationDirectory, readRevocationLists } from "./source/pem.ts"
import type { Source } from "./source/sources.ts"

/**
 * Whether a connection is encrypted, and what the server has to prove; libpq's `sslmode`.
 * - `verify-full`: encrypted, with a certificate of a trusted authority for the name of the host. Only this protects
 *   against a false server.
 * - `verify-ca`: encrypted, with a certificate of a trusted authority for any name.
 * - `require`: encrypted; if there is a root certificate, as `verify-ca`.
 * - `prefer`: encrypted if the server supports it, and, if there is a root certificate, has a certificate of it. It
 *   protects against nobody who can change what is sent.
 * - `allow`: encrypted only if the server refuses a connection that is not.
 * - `disable`: never encrypted. A Unix socket is never encrypted either.
 *
 * @category models
 * @since 0.1.0
 */
export type SslMode = "disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full"

/**
 * How TLS begins: after the server was asked for it (`postgres`), or at once (`direct`).
 *
 * @category models
 * @since 0.1.0
 */
export type SslNegotiation = "postgres" | "direct"

/**
 * Whether the client's certificate is sent: never, if the server asks for it, or with a failure if it does not ask.
 *
 * @category models
 * @since 0.1.0
 */
export type SslCertMode = "disable" | "allow" | "require"

/**
 * A version of TLS, named as in OpenSSL.
 *
 * @category models
 * @since 0.1.0
 */
export type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3"

const MODES: ReadonlyArray<SslMode> = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
const WEAK_MODES: ReadonlyArray<SslMode> = ["disable", "allow", "prefer"]
const NEGOTIATIONS: ReadonlyArray<SslNegotiation> = ["postgres", "direct"]
const CERTIFICATE_MODES: ReadonlyArray<SslCertMode> = ["disable", "allow", "require"]
/** From the oldest to the newest. */
const VERSIONS: ReadonlyArray<TlsVersion> = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]

/** The value of `sslRootCert` that stands for the authorities that Node trusts. */
const SYSTEM = "system"

export interface Tls extends Certificates, Versions {
  readonly sslMode: SslMode
  readonly sslNegotiation: SslNegotiation
  readonly sslCertMode: SslCertMode
  readonly sslSni: boolean
}

interface Certificates {
  /** Each of these is PEM text. Without a root certificate, the authorities that Node trusts are used. */
  readonly sslRootCert: string | undefined
  readonly sslCert: string | undefined
  readonly sslKey: string | undefined
  readonly sslCrl: ReadonlyArray<string>
}

interface Versions {
  readonly sslMinProtocolVersion: TlsVersion
  readonly sslMaxProtocolVersion: TlsVersion | undefined
}

const NO_CERTIFICATES: Certificates = { sslRootCert: undefined, sslCert: undefined, sslKey: undefined, sslCrl: [] }

type Read<A> = Effect.fn.Return<A, PgError.InvalidConfigError>

/** Over Unix sockets, which are never encrypted, no certificate is used, and so none is read. */
export const resolveTls = Effect.fnUntraced(function* (
  source: Source,
  environment: Environment,
  hosts: ReadonlyArray<HostAddress>
): Read<Tls> {
  const isUsed = hosts.some(({ _tag }) => _tag === "Tcp")
  const root = source("sslRootCert")
  const rootText = yield* readOr(root, readSecretText, undefined)
  const mode = source("sslMode")
  const sslMode = yield* readOr(mode, readMode, defaultMode(source("requiressl"), rootText))
  if (rootText === SYSTEM && sslMode !== "verify-full") {
    return yield* invalid(
      mode?.name,
      'must be verify-full if sslRootCert is "system", because anybody can get a certificate for some host'
    )
  }
  const negotiation = source("sslNegotiation")
  const sslNegotiation = yield* readOr(negotiation, readChoice(NEGOTIATIONS), "postgres")
  if (sslNegotiation === "direct" && WEAK_MODES.includes(sslMode)) {
    return yield* invalid(negotiation?.name, "is direct, which needs an sslMode of require, verify-ca or verify-full")
  }
  const sslCertMode = yield* readOr(source("sslCertMode"), readChoice(CERTIFICATE_MODES), "allow")
  const sslSni = yield* readOr(source("sslSni"), readFlag, true)
  const versions = yield* resolveVersions(source)
  const certificates: Certificates =
    sslMode === "disable" || !isUsed
      ? NO_CERTIFICATES
      : {
          ...(sslCertMode === "disable" ? NO_CERTIFICATES : yield* resolveClientCertificate(source, environment)),
          ...(yield* resolveTrust({ root, rootText, mode, sslMode }, source, environment))
        }
  return { sslMode, sslNegotiation, sslCertMode, sslSni, ...versions, ...certificates }
})

const readMode = (given: Given): Effect.Effect<SslMode, PgError.InvalidConfigError> => {
  const instead = insteadOfSslMode.get(given.value)
  return instead === undefined
    ? readChoice(MODES)(given)
    : invalid(given.name, `must be one of: ${MODES.join(", ")}; write ${instead}`)
}

/** `PGREQUIRESSL=1` is the old form of `PGSSLMODE=require`. */
const defaultMode = (requiressl: Given | undefined, rootText: string | undefined): SslMode => {
  if (rootText === SYSTEM) return "verify-full"
  return typeof requiressl?.value === "string" && requiressl.value.startsWith("1") ? "require" : "prefer"
}

const resolveVersions = Effect.fnUntraced(function* (source: Source): Read<Versions> {
  const min = source("sslMinProtocolVersion")
  const sslMinProtocolVersion = yield* readOr(min, readVersion, "TLSv1.2")
  const max = source("sslMaxProtocolVersion")
  const sslMaxProtocolVersion = yield* readOr(max, readVersion, undefined)
  if (
    sslMaxProtocolVersion !== undefined &&
    VERSIONS.indexOf(sslMinProtocolVersion) > VERSIONS.indexOf(sslMaxProtocolVersion)
  ) {
    return yield* invalid(
      max?.name,
      "is older than sslMinProtocolVersion, which is TLSv1.2 by default, so that no version remains"
    )
  }
  return { sslMinProtocolVersion, sslMaxProtocolVersion }
})

/** In text, libpq does not mind the case. */
const readVersion = (given: Given): Effect.Effect<TlsVersion, PgError.InvalidConfigError> => {
  const { isText, value } = given
  const meant =
    isText && typeof value === "string"
      ? VERSIONS.find((version) => version.toLowerCase() === value.toLowerCase())
      : undefined
  return readChoice(VERSIONS)({ ...given, value: meant ?? value })
}

const resolveClientCertificate = Effect.fnUntraced(function* (
  source: Source,
  environment: Environment
): Read<Pick<Certificates, "sslCert" | "sslKey">> {
  const certificate = source("sslCert")
  const key = source("sslKey")
  const password = yield* readOr(source("sslPassword"), readSecretText, undefined)
  const sslCert = yield* readPem(certificate, defaultPemFile(environment, "postgresql.crt"), "CERTIFICATE")
  const sslKey =
    sslCert === undefined && key === undefined
      ? undefined
      : yield* readKey(key, defaultPemFile(environment, "postgresql.key"), password)
  if ((sslCert === undefined) !== (sslKey === undefined)) {
    return yield* invalid(
      sslCert === undefined ? "sslCert" : "sslKey",
      "is missing: sslCert and sslKey must be set together"
    )
  }
  if (sslCert !== undefined && sslKey !== undefined && !belongTogether(sslCert, sslKey)) {
    return yield* invalid(
      key?.name ?? "sslKey",
      "is not the key of sslCert; the server would get no certificate at all"
    )
  }
  return { sslCert, sslKey }
})

interface Trust {
  readonly root: Given | undefined
  readonly rootText: string | undefined
  readonly mode: Given | undefined
  readonly sslMode: SslMode
}

const resolveTrust = Effect.fnUntraced(function* (
  { mode, root, rootText, sslMode }: Trust,
  source: Source,
  environment: Environment
): Read<Pick<Certificates, "sslRootCert" | "sslCrl">> {
  const sslRootCert =
    rootText === SYSTEM ? undefined : yield* readPem(root, defaultPemFile(environment, "root.crt"), "CERTIFICATE")
  if (sslRootCert === undefined && sslMode === "verify-ca") {
    return yield* invalid(
      mode?.name,
      "is verify-ca, which needs a root certificate: set sslRootCert, or write verify-full to trust what Node trusts"
    )
  }
  const list = source("sslCrl")
  const directory = source("sslCrlDir")
  // The default list is about the authorities of root.crt. Beside those that Node trusts it would refuse every server.
  const hasDefault = directory === undefined && sslRootCert !== undefined
  const defaultList = hasDefault ? defaultPemFile(environment, "root.crl") : undefined
  const sslCrl = [...(yield* readRevocationLists(list, defaultList)), ...(yield* readRevocationDirectory(directory))]
  return { sslRootCert, sslCrl }
})
