/** Builds the parameters of the startup message: the user, the database, and the run-time parameters of the session. */
import * as Effect from "effect/Effect"
import type * as PgError from "../PgError.ts"
import { type Given, invalid, readOr, readText } from "./given.ts"
import type { Source } from "./source/sources.ts"

/** Run-time parameters of the environment. libpq does not send one whose value is `default`. */
const VARIABLES = ["DateStyle", "TimeZone", "geqo"] as const

/** What `settings` may not contain, and what to use instead. */
const RESERVED: ReadonlyMap<string, string> = new Map([
  ["user", "set user"],
  ["database", "set database"],
  ["replication", "this client does not support replication connections"],
  ["client_encoding", "it is always UTF8"]
])

export const startupParameters = Effect.fnUntraced(function* (
  source: Source,
  user: string,
  database: string
): Effect.fn.Return<ReadonlyMap<string, string>, PgError.InvalidConfigError> {
  const parameters = new Map([
    ["user", user],
    ["database", database]
  ])
  const options = yield* readOr(source("options"), readText, undefined)
  if (options !== undefined) parameters.set("options", options)
  const fallback = yield* readOr(source("fallback_application_name"), readText, undefined)
  const applicationName = yield* readOr(source("applicationName"), readText, fallback)
  if (applicationName !== undefined && applicationName !== "") parameters.set("application_name", applicationName)
  for (const parameter of VARIABLES) {
    const value = yield* readOr(source(parameter), readText, undefined)
    if (value !== undefined && value.toLowerCase() !== "default") parameters.set(parameter, value)
  }
  for (const [parameter, value] of yield* readOr(source("settings"), readSettings, [])) {
    // Names of run-time parameters are case-insensitive, so the setting replaces one that is spelled differently.
    for (const name of parameters.keys()) {
      if (name.toLowerCase() === parameter.toLowerCase()) parameters.delete(name)
    }
    parameters.set(parameter, value)
  }
  return parameters
})

const readSettings = Effect.fnUntraced(function* ({
  isText,
  name,
  value
}: Given): Effect.fn.Return<ReadonlyArray<readonly [string, string]>, PgError.InvalidConfigError> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return yield* invalid(name, 'must be an object of run-time parameters, such as { search_path: "app" }')
  }
  const settings: Array<readonly [string, string]> = []
  for (const [parameter, text] of Object.entries<unknown>({ ...value })) {
    const where = `${name}.${parameter}`
    const instead = RESERVED.get(parameter.toLowerCase())
    if (instead !== undefined) return yield* invalid(where, `cannot be set here: ${instead}`)
    yield* readText({ name, isText, value: parameter })
    if (parameter === "") return yield* invalid(name, "contains a parameter with an empty name")
    settings.push([parameter, yield* readText({ name: where, isText, value: text })])
  }
  return settings
})
