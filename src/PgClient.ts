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
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { onFirstUse } from "./call/firstUse.ts"
import type { OrConfigs } from "./config/configSettings.ts"
import type * as PgError from "./PgError.ts"
import type * as PgPool from "./PgPool.ts"

/**
 * The settings of the pool for reads. What is left out is as in the client, but for the defaults named here. A `url`
 * takes the place of the client's `url`, `service`, `host`, `hostaddr` and `port`; a `host` that of its `hostaddr`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReadsSettings extends PgPool.Settings {
  /** It is the same for the whole client, and set there. */
  readonly names?: undefined
  /** They are the same for the whole client, and set there. */
  readonly types?: undefined
  /**
   * Which servers the pool for reads connects to. With `prefer-standby` it connects to the primary if there is no
   * standby. If no server can be reached, or if all are of the other kind, the client's own pool runs the reads.
   *
   * @default "prefer-standby"
   */
  readonly targetSessionAttrs?: PgPool.Settings["targetSessionAttrs"]
  /**
   * Whether the connections for reads are spread over the hosts.
   *
   * @default "random"
   */
  readonly loadBalanceHosts?: PgPool.Settings["loadBalanceHosts"]
}

/**
 * The settings of a client.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings extends PgPool.Settings {
  /**
   * Opens a second pool, for reads on standbys. A call goes there if it says `readOnly`, or if it is inside of
   * `readOnly` and its SQL begins as a query does; `{}` is enough if the client's hosts are primary and standbys. All
   * other calls go to the primary: of several hosts, the client's own pool then takes one that is `read-write`, unless
   * `targetSessionAttrs` says otherwise. Each of the two pools has its own connections, up to its `maxConnections`.
   *
   * @default undefined, which runs all calls on one pool
   */
  readonly reads?: ReadsSettings | undefined
}

/**
 * What the pools of a client are doing at a moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats extends PgPool.Stats {
  /** The pool for reads, if there is one. */
  readonly reads?: PgPool.Stats | undefined
}

/**
 * The client through which an application uses its database. It has all the methods of a pool.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgClient extends PgPool.PgPool {
  /** Replaces every connection of both pools: idle ones now, the others when they are returned. */
  readonly expire: Effect.Effect<void>
  /**
   * Tells what the pools are doing at this moment.
   *
   * @since 0.1.0
   */
  readonly stats: Effect.Effect<Stats>
}

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
export interface ConfigSettings extends OrConfigs<Settings> {}

/**
 * Creates a client that lives as long as the scope. Fails as `PgPool.make` does. If it has a pool for reads and no server
 * for that can be reached, it does not fail: the primary then reads, too.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (settings: Settings): Effect.Effect<PgClient, PgError.PgError, Scope.Scope> =>
  withClients(({ makeClient }) => makeClient(settings))

const withClients = onFirstUse("clients", () => import("./reads/client.ts"))

/**
 * Provides a client for as long as the layer lives. Settings that you leave out come from libpq's environment variables
 * (`PGHOST`, `PGPORT`, ...). Fails as `PgPool.make` does.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (settings: Settings): Layer.Layer<PgClient, PgError.PgError> =>
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
  settings: ConfigSettings | Config.Config<Settings>
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
  readonly layer: (settings: Settings) => Layer.Layer<Self, PgError.PgError>
  /**
   * Provides this client with settings from Effect's `ConfigProvider`, as `PgClient.layerConfig` does for `PgClient`.
   */
  readonly layerConfig: (
    settings: ConfigSettings | Config.Config<Settings>
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
      layer: (settings: Settings) => Layer.effect(tag, make(settings)),
      layerConfig: (settings: ConfigSettings | Config.Config<Settings>) => Layer.effect(tag, makeConfig(settings)),
      layerEnv: Layer.effect(tag, make({}))
    })
  }

// -------------------------------------------------------------------------------------------- implementation

const makeConfig = (
  settings: ConfigSettings | Config.Config<Settings>
): Effect.Effect<PgClient, PgError.PgError | Config.ConfigError, Scope.Scope> =>
  withClients(({ makeClientFrom }) => makeClientFrom(settings))
