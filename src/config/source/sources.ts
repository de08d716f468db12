/**
 * Looks up a setting in its sources, in this order: the options, the query of the URL, its other parts, the service
 * file, the environment. An empty option or variable counts as missing. In a URL or service file, an empty value stops
 * the lookup and stands for the default. A value that no lookup reaches is not checked.
 */
import * as Effect from "effect/Effect"
import type * as PgError from "../../PgError.ts"
import { type Environment, fileVariables } from "./files.ts"
import { type Given, invalid, readSafely, readSecretText, readText } from "../given.ts"
import { didYouMean } from "./likeness.ts"
import { checkEnvironment, unsupportedVariables } from "./unsupportedKeys.ts"
import { keysOf, mayBeEmpty, optionNames, type SettingName, settingVariables, variableOf } from "./names.ts"
import { insteadOf } from "./otherClients.ts"
import { readService } from "./serviceFile.ts"
import { type ConnectionUrl, parseUrl } from "./url.ts"

export type Source = (setting: SettingName) => Given | undefined

type Read<A> = Effect.fn.Return<A, PgError.InvalidConfigError>

/** Copies what is read of the environment that a user passes, so that nothing of it is read later. */
export const environmentOf = Effect.fnUntraced(function* (given: Environment): Read<Environment> {
  return yield* readSafely({ name: "environment", isText: false, value: given }, () =>
    Effect.sync(() => Object.fromEntries(variables.map((name) => [name, given[name]])))
  )
})

/** All others are left alone, because each variable of `process.env` that is read is a call into the system. */
const variables = [...settingVariables, ...unsupportedVariables, ...fileVariables]

export const sourcesOf = Effect.fnUntraced(function* (settings: object, environment: Environment): Read<Source> {
  const options = yield* readSafely({ name: "settings", isText: false, value: settings }, ({ value }) =>
    fromOptions(value)
  )
  const url = yield* fromUrl(options("url"))
  const variables = fromEnvironment(environment)
  const withoutService = firstOf([options, ...url.sources, variables])
  if (hasUndefinedUrl(settings) && withoutService("host") === undefined && withoutService("service") === undefined) {
    return yield* invalid(
      "url",
      "is undefined, and no other setting names a host; check whether the environment variable is set"
    )
  }
  const service = withoutService("service")
  const fromService = service === undefined ? NOTHING : yield* fromServiceFile(service, environment)
  yield* checkEnvironment(environment, [...url.keys, ...fromService.keys])
  return firstOf([options, ...url.sources, ...fromService.sources, variables])
})

/** A text with settings, the first source first, and the keys that it has. */
interface Written {
  readonly sources: ReadonlyArray<Source>
  readonly keys: Iterable<string>
}

const NOTHING: Written = { sources: [], keys: [] }

/** Whether a program has given a URL that it does not have, such as `process.env.DATABASE_URL`. */
const hasUndefinedUrl = (settings: object): boolean => "url" in settings && settings.url === undefined

const firstOf =
  (sources: ReadonlyArray<Source>): Source =>
  (setting) => {
    for (const source of sources) {
      const given = source(setting)
      if (given === undefined) continue
      if (given.value !== "") return given
      if (given.isFinal === true) return mayBeEmpty(setting) ? undefined : given
    }
    return undefined
  }

const fromOptions = Effect.fnUntraced(function* (settings: unknown): Read<Source> {
  if (typeof settings !== "object" || settings === null) {
    return yield* invalid(undefined, 'the settings must be an object, such as { url: "postgres://localhost/app" }')
  }
  const options = new Map<string, unknown>(Object.entries(settings))
  for (const name of options.keys()) {
    if (!optionNames.includes(name)) {
      const instead = insteadOf(name)
      const habit = instead === undefined ? didYouMean(name, optionNames) : ` (${instead})`
      return yield* invalid(name, `is not a setting${habit}; the settings are: ${optionNames.join(", ")}`)
    }
  }
  return (setting) => {
    const value = options.get(setting)
    return value === undefined ? undefined : { name: setting, isText: false, value }
  }
})

const fromUrl = Effect.fnUntraced(function* (given: Given | undefined): Read<Written> {
  if (given === undefined) return NOTHING
  const url = yield* parseUrl(yield* readSafely(given, readSecretText))
  const parts = partsOf(url)
  const sources: ReadonlyArray<Source> = [
    fromPairs(url.query, url.isKeyValueString ? "the connection string" : "the URL"),
    (setting) => {
      const value = parts.get(setting)
      return value === undefined ? undefined : { name: `${setting} of the URL`, isText: true, value }
    }
  ]
  return { sources, keys: url.query.keys() }
})

const partsOf = (url: ConnectionUrl): ReadonlyMap<SettingName, unknown> =>
  new Map<SettingName, unknown>([
    ["host", url.hosts.length > 1 || url.hosts[0] ? url.hosts : undefined],
    ["port", url.ports.some((port) => port !== "") ? url.ports : undefined],
    ["user", url.user || undefined],
    ["password", url.password],
    ["database", url.database || undefined]
  ])

const fromServiceFile = Effect.fnUntraced(function* (service: Given, environment: Environment): Read<Written> {
  const name = yield* readText(service)
  const pairs = yield* readService({ ...service, value: name }, environment)
  return { sources: [fromPairs(pairs, `the service ${name}`)], keys: pairs.keys() }
})

const fromPairs =
  (pairs: ReadonlyMap<string, string>, whose: string): Source =>
  (setting) => {
    const key = keysOf(setting).find((key) => pairs.has(key))
    return key === undefined
      ? undefined
      : { name: `${key} of ${whose}`, isText: true, isFinal: true, value: pairs.get(key) }
  }

const fromEnvironment =
  (environment: Environment): Source =>
  (setting) => {
    const name = variableOf(setting)
    const value = name === undefined ? undefined : environment[name]
    return name === undefined || value === undefined ? undefined : { name, isText: true, value }
  }
