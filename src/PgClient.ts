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
import * as Shape from "./call/shape.ts"
import type * as PgConfig from "./PgConfig.ts"
import * as PgError from "./PgError.ts"
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
 * Provides a client whose settings are read from Effect's `ConfigProvider`, for as long as the layer lives. Takes a
 * `Config` for each setting. Fails with `ConfigError` if one of them cannot be read, and otherwise as `layer` does.
 *
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { PgClient } from "effectpg"
 *
 * export const Database = PgClient.layerConfig({
 *   url: Config.Redacted("DATABASE_URL"),
 *   maxConnections: Config.Int("POOL_SIZE")
 * })
 * ```
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  settings: Config.Wrap<PgConfig.PoolSettings>
): Layer.Layer<PgClient, PgError.PgError | Config.ConfigError> =>
  Layer.effect(PgClient, Effect.flatMap(wrapped(settings), make))

type Wrapped = Effect.Effect<PgConfig.PoolSettings, PgError.PgError | Config.ConfigError>

/** `Config.unwrap` searches any value that is not a Config for nested ones, and would never finish with a string. */
const wrapped = (settings: Config.Wrap<PgConfig.PoolSettings>): Wrapped =>
  Effect.suspend((): Wrapped => {
    if (Shape.isSafely((given) => isWrapped(given), settings)) return Config.unwrap(settings)
    const reason = "layerConfig takes a Config for each setting, such as Config.String: give plain values to layer"
    return Effect.fail(new PgError.InvalidConfigError({ setting: undefined, reason }))
  })

/** Whether a value is a Config or a plain object of them, as the settings are, or one of the settings is. */
const isWrapped = (value: unknown, depth = 0): boolean =>
  Config.isConfig(value) ||
  (depth < MAX_DEPTH &&
    typeof value === "object" &&
    value !== null &&
    !(Symbol.iterator in value) &&
    Object.values(value).every((inner) => isWrapped(inner, depth + 1)))

const MAX_DEPTH = 3

/**
 * Provides a client with nothing but the environment's settings: `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`,
 * `PGDATABASE`...
 *
 * @category layers
 * @since 0.1.0
 */
export const layerEnv: Layer.Layer<PgClient, PgError.PgError> = layer({})
