/** Reads settings of which each may be a value or a `Config` of one. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as PgError from "../PgError.ts"
import { invalid, readSafely } from "./given.ts"

/** A value, or a `Config` that reads it. */
export type OrConfig<A> = A | Config.Config<A>

/** The settings of the pool for reads are settings, too. */
type Each<Settings> = {
  readonly [Name in keyof Settings]: OrConfig<
    Name extends "reads" ? OrConfigs<NonNullable<Settings[Name]>> | undefined : Settings[Name]
  >
}

/** Settings that may each be read by a `Config`. The run-time parameters, a record, may have a `Config` for each. */
export type OrConfigs<Settings> = Omit<Each<Settings>, "settings"> & {
  /** Run-time parameters of the session, such as `search_path`; see `PgConfig.Settings`. */
  readonly settings?: OrConfig<Readonly<Record<string, OrConfig<string>>> | undefined>
}

/** Reads the settings. Says only that they are an object: who uses them checks each. */
export const readSettings = <Settings extends object>(
  settings: OrConfigs<Settings> | Config.Config<Settings>
): Effect.Effect<Settings, PgError.InvalidConfigError | Config.ConfigError> =>
  readSafely({ name: "settings", isText: false, value: settings }, ({ value }) => Effect.succeed(configOf(value))).pipe(
    Effect.flatten,
    Effect.flatMap((read) =>
      isSettings<Settings>(read)
        ? Effect.succeed(read)
        : Effect.fail(invalid("settings", "must be an object, or a Config of one"))
    )
  )

/** The settings have three levels of objects: among those of the pool for reads are run-time parameters. */
const MAX_LEVELS = 3

/** Makes one Config of a value and of the Configs in it. */
const configOf = (value: unknown, levels = MAX_LEVELS): Config.Config<unknown> => {
  if (Config.isConfig(value)) return value
  if (levels === 0 || !isPlainObject(value)) return Config.succeed(value)
  return Config.all(
    Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, configOf(inner, levels - 1)]))
  )
}

const isPlainObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value))

const isSettings = <Settings extends object>(value: unknown): value is Settings =>
  typeof value === "object" && value !== null
