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
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type OrConfigs, readSettings } from "./config/configSettings.ts"
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
export interface ConfigSettings extends OrConfigs<PgPool.Settings> {}

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
  Effect.flatMap(readSettings<PgPool.Settings>(settings), make)
