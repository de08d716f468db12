/**
 * The database client of an application: a pool of connections as one service. A call inside a transaction runs on the
 * transaction's connection; any other call runs on a free connection.
 *
 * @example
 * ```ts
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Redacted } from "effect"
 * import { PgClient } from "effectpg"
 *
 * const program = Effect.gen(function* () {
 *   const pg = yield* PgClient.PgClient
 *   return yield* pg.fetch("SELECT id, name FROM users WHERE active = $1", [true])
 * })
 *
 * program.pipe(
 *   Effect.provide(PgClient.layer({ url: Redacted.make("postgres://app@localhost/app") })),
 *   NodeRuntime.runMain
 * )
 * ```
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { invalid, readSafely } from "./config/given.ts"
import type * as PgError from "./PgError.ts"
import * as PgPool from "./PgPool.ts"

/**
 * The client through which an application uses its database. It has all the methods of a pool.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgClient extends PgPool.PgPool {}

/**
 * The service tag of the client.
 *
 * @category tags
 * @since 0.1.0
 */
export const PgClient: Context.Service<PgClient, PgClient> = Context.Service<PgClient>("effectpg/PgClient")

/**
 * The settings of a client, each given as a pool takes it, or as a `Config` that reads it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConfigSettings extends Omit<OrConfigs<PgPool.Settings>, "settings"> {
  /** Run-time parameters of the session, such as `search_path`; see `PgConfig.Settings`. */
  readonly settings?: OrConfig<Readonly<Record<string, OrConfig<string>>> | undefined>
}

type OrConfig<A> = A | Config.Config<A>
type OrConfigs<A> = { readonly [Name in keyof A]: OrConfig<A[Name]> }

/**
 * Creates a client that lives as long as the scope. Fails as `PgPool.make` does.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (settings: PgPool.Settings): Effect.Effect<PgClient, PgError.PgError, Scope.Scope> =>
  PgPool.make(settings)

/**
 * Provides a client for as long as the layer lives. Settings that you leave out come from libpq's environment variables
 * (`PGHOST`, `PGPORT`, ...). Fails as `PgPool.make` does.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (settings: PgPool.Settings): Layer.Layer<PgClient, PgError.PgError> =>
  Layer.effect(PgClient, make(settings))

/**
 * Provides a client whose settings are read from Effect's `ConfigProvider`, for as long as the layer lives. Takes what
 * `layer` takes, with a `Config` in place of any value: give hooks, codecs and fixed values as they are. Fails with
 * `ConfigError` if a `Config` cannot be read, and otherwise as `layer` does.
 *
 * @example
 * ```ts
 * import { Config, Effect } from "effect"
 * import { PgClient } from "effectpg"
 *
 * export const Database = PgClient.layerConfig({
 *   url: Config.Redacted("DATABASE_URL"),
 *   maxConnections: Config.Int("POOL_SIZE").pipe(Config.withDefault(10)),
 *   applicationName: "billing",
 *   init: (connection) => connection.execute("SET ROLE billing"),
 *   onQuery: ({ operation, durationMillis }) => Effect.logDebug(`${operation}: ${durationMillis} ms`)
 * })
 * ```
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  settings: ConfigSettings | Config.Config<PgPool.Settings>
): Layer.Layer<PgClient, PgError.PgError | Config.ConfigError> => Layer.effect(PgClient, makeConfig(settings))

/**
 * Provides a client with nothing but the environment's settings: `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`,
 * `PGDATABASE`...
 *
 * @category layers
 * @since 0.1.0
 */
export const layerEnv: Layer.Layer<PgClient, PgError.PgError> = layer({})

// ------------------------------------------------------------------------------------------- further clients

/**
 * The tag of a further client, which `Service` makes, with the layers that provide this client.
 *
 * @category tags
 * @since 0.1.0
 */
export interface ServiceClass<Self, Id extends string> extends Context.ServiceClass<Self, Id, PgClient> {
  /** Provides this client for as long as the layer lives, as `PgClient.layer` does for `PgClient`. */
  readonly layer: (settings: PgPool.Settings) => Layer.Layer<Self, PgError.PgError>
  /**
   * Provides this client with settings from Effect's `ConfigProvider`, as `PgClient.layerConfig` does for `PgClient`.
   */
  readonly layerConfig: (
    settings: ConfigSettings | Config.Config<PgPool.Settings>
  ) => Layer.Layer<Self, PgError.PgError | Config.ConfigError>
  /** Provides this client with nothing but the settings of libpq's environment variables. */
  readonly layerEnv: Layer.Layer<Self, PgError.PgError>
}

/**
 * Declares a further client with a tag of its own, for a program that uses several databases, or several pools for one
 * database. Each client has its own pool and its own transactions: a call on one client does not belong to the
 * transaction of another.
 *
 * @example
 * ```ts
 * import { Config, Effect, Layer } from "effect"
 * import { PgClient } from "effectpg"
 *
 * class Reporting extends PgClient.Service<Reporting>()("app/Reporting") {}
 *
 * const report = Effect.gen(function* () {
 *   const pg = yield* PgClient.PgClient
 *   const reporting = yield* Reporting
 *   const { orders } = yield* reporting.fetchOne("SELECT count(*) AS orders FROM orders")
 *   yield* pg.execute("INSERT INTO reports (orders) VALUES ($1)", [orders])
 * })
 *
 * // A part of the application that asks for `PgClient` can run on another client.
 * const size = Effect.flatMap(PgClient.PgClient, (pg) => pg.fetchValue("SELECT pg_database_size(current_database())"))
 * const sizeOfReporting = Effect.provideServiceEffect(size, PgClient.PgClient, Reporting)
 *
 * export const program = Effect.andThen(report, sizeOfReporting).pipe(
 *   Effect.provide(
 *     Layer.mergeAll(
 *       PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") }),
 *       Reporting.layerConfig({ url: Config.Redacted("REPORTING_URL"), maxConnections: 2 })
 *     )
 *   )
 * )
 * ```
 * @category tags
 * @since 0.1.0
 */
export const Service =
  <Self>() =>
  <const Id extends string>(id: Id): ServiceClass<Self, Id> => {
    const tag = Context.Service<Self, PgClient>()(id)
    return Object.assign(tag, {
      layer: (settings: PgPool.Settings) => Layer.effect(tag, make(settings)),
      layerConfig: (settings: ConfigSettings | Config.Config<PgPool.Settings>) =>
        Layer.effect(tag, makeConfig(settings)),
      layerEnv: Layer.effect(tag, make({}))
    })
  }

// -------------------------------------------------------------------------------------------- implementation

const makeConfig = (
  settings: ConfigSettings | Config.Config<PgPool.Settings>
): Effect.Effect<PgClient, PgError.PgError | Config.ConfigError, Scope.Scope> =>
  readSafely({ name: "settings", isText: false, value: settings }, ({ value }) => Effect.succeed(configOf(value))).pipe(
    Effect.flatten,
    Effect.flatMap((read) =>
      isSettings(read) ? make(read) : Effect.fail(invalid("settings", "must be an object, or a Config of one"))
    )
  )

/** The settings have two levels of objects, because the run-time parameters are one of them. */
const MAX_LEVELS = 2

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

/** Says only that it is an object: `make` checks each setting. */
const isSettings = (value: unknown): value is PgPool.Settings => typeof value === "object" && value !== null
