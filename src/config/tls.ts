/** Reads the settings for TLS: whether a connection is encrypted, and which certificates it trusts. */
import * as Effect from "effect/Effect"
import type * as PgError from "../PgError.ts"
import { defaultPemFile, type Environment, readFile, readFileIfAny } from "./source/files.ts"
import { type Given, invalid, readChoice, readOr, readSecretText } from "./given.ts"
import type { Source } from "./source/sources.ts"

/**
 * Whether a connection is encrypted, and what the server has to prove; libpq's `sslmode`.
 * - `verify-full`: encrypted, with a certificate of a trusted authority for the name of the host. Only this protects
 *   against a false server.
 * - `verify-ca`: encrypted, with a certificate of a trusted authority for any name.
 * - `require`: encrypted; if there is a root certificate, as `verify-ca`.
 * - `prefer`: encrypted if the server supports it.
 * - `disable`: never encrypted. A Unix socket is never encrypted either.
 *
 * @category models
 * @since 0.1.0
 */
export type SslMode = "disable" | "prefer" | "require" | "verify-ca" | "verify-full"

const MODES: ReadonlyArray<SslMode> = ["disable", "prefer", "require", "verify-ca", "verify-full"]

/** The value of `sslRootCert` that stands for the authorities that Node trusts. */
const SYSTEM = "system"

export interface Tls {
  readonly sslMode: SslMode
  /** Each of these is PEM text. Without a root certificate, the authorities that Node trusts are used. */
  readonly sslRootCert: string | undefined
  readonly sslCert: string | undefined
  readonly sslKey: string | undefined
}

const plain: Tls = { sslMode: "disable", sslRootCert: undefined, sslCert: undefined, sslKey: undefined }

type Read<A> = Effect.fn.Return<A, PgError.InvalidConfigError>

export const resolveTls = Effect.fnUntraced(function* (source: Source, environment: Environment): Read<Tls> {
  const mode = source("sslMode")
  const root = source("sslRootCert")
  const rootText = yield* readOr(root, readSecretText, undefined)
  const defaultMode: SslMode = rootText === SYSTEM ? "verify-full" : "prefer"
  const sslMode = yield* readOr(mode, readMode, defaultMode)
  if (sslMode === "disable") return plain
  const sslCert = yield* readPem(source("sslCert"), defaultPemFile(environment, "postgresql.crt"), "CERTIFICATE")
  const sslKey =
    sslCert === undefined && source("sslKey") === undefined
      ? undefined
      : yield* readPem(source("sslKey"), defaultPemFile(environment, "postgresql.key"), "PRIVATE KEY")
  if ((sslCert === undefined) !== (sslKey === undefined)) {
    return yield* invalid(
      sslCert === undefined ? "sslCert" : "sslKey",
      "is missing: sslCert and sslKey must be set together"
    )
  }
  return { sslMode, sslRootCert: yield* readRoot(root, rootText, mode, sslMode, environment), sslCert, sslKey }
})

const readMode = (given: Given): Effect.Effect<SslMode, PgError.InvalidConfigError> => {
  if (given.value === "allow") {
    return invalid(given.name, "cannot be allow: write prefer, which tries encryption first, or disable")
  }
  return readChoice(MODES)(given)
}

const readRoot = Effect.fnUntraced(function* (
  root: Given | undefined,
  rootText: string | undefined,
  mode: Given | undefined,
  sslMode: SslMode,
  environment: Environment
): Read<string | undefined> {
  if (rootText === SYSTEM) {
    if (sslMode === "verify-full") return undefined
    return yield* invalid(
      mode?.name,
      'must be verify-full if sslRootCert is "system", because anybody can get a certificate for some host'
    )
  }
  if (root === undefined && sslMode === "prefer") return undefined
  const found = yield* readPem(root, defaultPemFile(environment, "root.crt"), "CERTIFICATE")
  if (found === undefined && sslMode === "verify-ca") {
    return yield* invalid(
      mode?.name,
      "is verify-ca, which needs a root certificate: set sslRootCert, or write verify-full to trust what Node trusts"
    )
  }
  return found
})

/** PEM text given directly, or read from the file that is named, or from the default file if it exists. */
const readPem = Effect.fnUntraced(function* (
  given: Given | undefined,
  defaultFile: string | undefined,
  label: string
): Read<string | undefined> {
  if (given === undefined) return yield* readFileIfAny(defaultFile)
  const text = yield* readSecretText(given)
  const pem = text.includes("-----BEGIN")
    ? text
    : yield* Effect.mapError(readFile(text), (code) =>
        invalid(given.name, `is neither PEM text nor the path of a readable file (${code})`)
      )
  return pem.includes(`${label}-----`) ? pem : yield* invalid(given.name, `contains no PEM ${label}`)
})
