/**
 * Reads connection service files, which hold sections of settings, each under a name.
 *
 * ```
 * # a comment
 * [name]
 * host=db.example.com
 * dbname=app
 * ```
 */
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as PgError from "../../PgError.ts"
import { defaultServiceFile, type Environment, readFile, readFileIfAny } from "./files.ts"
import { type Given, invalid } from "../given.ts"
import { checkKey } from "./unsupportedKeys.ts"

type Settings = ReadonlyMap<string, string>
type Read<A> = Effect.fn.Return<A, PgError.InvalidConfigError>

/** Reads a service from the user's file, or otherwise from the system's. */
export const readService = Effect.fnUntraced(function* (
  { name: setting, value: service }: Given & { readonly value: string },
  environment: Environment
): Read<Settings> {
  for (const text of yield* serviceFiles(environment)) {
    const settings = yield* parseService(text, service, setting)
    if (settings !== undefined) return settings
  }
  return yield* invalid(setting, "names a service that no service file defines (PGSERVICEFILE, ~/.pg_service.conf)")
})

const serviceFiles = Effect.fnUntraced(function* (environment: Environment): Read<ReadonlyArray<string>> {
  const named = environment["PGSERVICEFILE"]
  const user = named
    ? yield* Effect.mapError(readFile(named), (code) => invalid("PGSERVICEFILE", `cannot be read: ${code}`))
    : yield* readFileIfAny(defaultServiceFile(environment))
  const directory = environment["PGSYSCONFDIR"]
  const system = directory ? yield* readFileIfAny(path.join(directory, "pg_service.conf")) : undefined
  return [user, system].filter((text) => text !== undefined)
})

/**
 * Undefined if the text has no such section. Lines of other sections are not checked. Here, unlike in a URL, the first of
 * a repeated key wins.
 */
export const parseService = Effect.fnUntraced(function* (
  text: string,
  service: string,
  setting: string
): Read<Settings | undefined> {
  let settings: Map<string, string> | undefined
  for (const [at, each] of text.split(/\r?\n/).entries()) {
    const line = each.trim()
    if (line === "" || line.startsWith("#")) continue
    if (line.startsWith("[")) {
      if (settings !== undefined) break
      if (line.startsWith(`[${service}]`)) settings = new Map()
      continue
    }
    if (settings === undefined) continue
    const where = `names a service that, in line ${at + 1} of its file,`
    const equals = line.indexOf("=")
    if (equals === -1) return yield* invalid(setting, `${where} has no key=value`)
    const key = line.slice(0, equals)
    const value = line.slice(equals + 1)
    if (/\s$/.test(key)) return yield* invalid(setting, `${where} has blanks before its =`)
    if (key === "service") return yield* invalid(setting, `${where} names another service`)
    yield* checkKey(setting, `${where} has`, key, value)
    if (!settings.has(key)) settings.set(key, value)
  }
  return settings
})
