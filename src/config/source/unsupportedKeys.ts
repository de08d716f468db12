/**
 * Checks the keys of URLs and service files against libpq's. A key that libpq supports and this client does not is
 * never ignored, because security may depend on it; it is accepted only with a value that changes nothing.
 */
import * as Effect from "effect/Effect"
import type * as PgError from "../../PgError.ts"
import type { Environment } from "./files.ts"
import { invalid } from "../given.ts"
import { resembled } from "./likeness.ts"
import { keys } from "./names.ts"

interface Unsupported {
  readonly variable?: string
  readonly harmless: ReadonlyArray<string>
}

const unsupported: ReadonlyMap<string, Unsupported> = new Map<string, Unsupported>([
  ["client_encoding", { harmless: ["UTF8", "utf8", "auto"] }],
  ["gssencmode", { variable: "PGGSSENCMODE", harmless: ["disable", "prefer"] }],
  ["requirepeer", { variable: "PGREQUIREPEER", harmless: [] }],
  ["sslcompression", { variable: "PGSSLCOMPRESSION", harmless: ["0"] }]
])

export const unsupportedVariables: ReadonlyArray<string> = [...unsupported.values()].flatMap(
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
  const { harmless } = unsupported.get(key) ?? {}
  if (harmless === undefined) {
    const meant = resembled(key, [...keys, ...unsupported.keys()])
    const likeness = meant === undefined ? "" : ` that resembles ${meant}`
    return invalid(setting, `${where} an unknown key${likeness}; the known keys are: ${keys.join(", ")}`)
  }
  return value === "" || harmless.includes(value)
    ? Effect.void
    : invalid(setting, `${where} ${key}, which this client does not support; ${instead(harmless)}`)
}

export const checkEnvironment = (environment: Environment): Effect.Effect<void, PgError.InvalidConfigError> => {
  for (const { harmless, variable } of unsupported.values()) {
    const value = variable === undefined ? undefined : environment[variable]
    if (variable !== undefined && value && !harmless.includes(value)) {
      return invalid(variable, `is a variable that this client does not support; ${instead(harmless)}`)
    }
  }
  return Effect.void
}

const instead = (harmless: ReadonlyArray<string>): string =>
  harmless.length === 0 ? "leave it out" : `leave it out, or set it to ${harmless.join(" or ")}`
