/**
 * Checks the keys and variables that libpq has and this client does not. None is passed over in silence, because
 * security may depend on it: it is accepted only with a value that changes nothing, and an unknown key never.
 */
import * as Effect from "effect/Effect"
import type * as PgError from "../../PgError.ts"
import type { Environment } from "./files.ts"
import { invalid } from "../given.ts"
import { didYouMean } from "./likeness.ts"
import { keys } from "./names.ts"
import { insteadOf } from "./otherClients.ts"

interface Unsupported {
  readonly variable?: string
  /** The values that change nothing. */
  readonly harmless: RegExp
  /** What to do about any other value. */
  readonly instead: string
}

const EVERY_VALUE = /^/
const NO_VALUE = /^$/

/** Without GSSAPI, how it would be used does not matter. A server that asks for it is refused. */
const gss = (variable: string): Unsupported => ({ variable, harmless: EVERY_VALUE, instead: "leave it out" })

const OAUTH: Unsupported = { harmless: NO_VALUE, instead: "get a token by other means and set oauthToken" }
const SCRAM_KEY: Unsupported = { harmless: NO_VALUE, instead: "set password" }

export const unsupportedKeys: ReadonlyMap<string, Unsupported> = new Map<string, Unsupported>([
  ["client_encoding", { harmless: /^(utf-?8|unicode|auto|)$/i, instead: "leave it out: the encoding is always UTF8" }],
  [
    "gssencmode",
    { variable: "PGGSSENCMODE", harmless: /^(disable|prefer)$/, instead: "set it to disable, and sslMode to require" }
  ],
  ["gssdelegation", gss("PGGSSDELEGATION")],
  ["gsslib", gss("PGGSSLIB")],
  ["krbsrvname", gss("PGKRBSRVNAME")],
  ["oauth_client_id", OAUTH],
  ["oauth_client_secret", OAUTH],
  ["oauth_issuer", OAUTH],
  ["oauth_scope", OAUTH],
  ["replication", { harmless: /^(false|off|no|0|)$/i, instead: "leave it out" }],
  [
    "requirepeer",
    { variable: "PGREQUIREPEER", harmless: NO_VALUE, instead: "leave it out, and protect the directory of the socket" }
  ],
  ["scram_client_key", SCRAM_KEY],
  ["scram_server_key", SCRAM_KEY],
  // libpq no longer compresses either, whatever the value.
  ["sslcompression", { variable: "PGSSLCOMPRESSION", harmless: EVERY_VALUE, instead: "leave it out" }],
  ["sslkeylogfile", { harmless: NO_VALUE, instead: "start Node with --tls-keylog" }],
  ["tcp_user_timeout", { harmless: /^\s*(-\d+|0+)\s*$/, instead: "set keepAlive, and give each call a timeout" }]
])

/**
 * Variables of libpq that change nothing here and are not read: the encoding of a terminal, where translations of
 * messages are, and what libpq's own OAuth prints.
 */
export const harmlessVariables: ReadonlyArray<string> = ["PGCLIENTENCODING", "PGLOCALEDIR", "PGOAUTHDEBUG"]

export const unsupportedVariables: ReadonlyArray<string> = [...unsupportedKeys.values()].flatMap(
  ({ variable }) => variable ?? []
)

/**
 * Checks one key. `where` is for the message: "has", "in line 3 has". An unknown key may be half a password, so the
 * message does not repeat it.
 */
export const checkKey = (
  setting: string,
  where: string,
  key: string,
  value: string
): Effect.Effect<void, PgError.InvalidConfigError> => {
  if (keys.includes(key)) return Effect.void
  const unsupported = unsupportedKeys.get(key)
  if (unsupported !== undefined) {
    return unsupported.harmless.test(value)
      ? Effect.void
      : invalid(setting, `${where} ${key}, which this client does not support; ${unsupported.instead}`)
  }
  const instead = insteadOf(key)
  if (instead !== undefined) return invalid(setting, `${where} ${key}, a key of other clients; ${instead}`)
  const meant = didYouMean(key, [...keys, ...unsupportedKeys.keys()])
  return invalid(setting, `${where} an unknown key${meant}; the known keys are: ${keys.join(", ")}`)
}

/** Checks the variables, except those that a URL or a service file overrides with one of its keys. */
export const checkEnvironment = (
  environment: Environment,
  overriding: ReadonlyArray<string>
): Effect.Effect<void, PgError.InvalidConfigError> => {
  for (const [key, { harmless, instead, variable }] of unsupportedKeys) {
    const value = variable === undefined || overriding.includes(key) ? undefined : environment[variable]
    if (value !== undefined && value !== "" && !harmless.test(value)) {
      return invalid(variable, `is a variable that this client does not support; ${instead}`)
    }
  }
  return Effect.void
}
