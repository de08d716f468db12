/**
 * effectpg as the `SqlClient` of effect/sql, for programs and modules that are written against it: Effect's migrator,
 * models, resolvers, persistence, queues, event journals, cluster and workflows.
 *
 * A call of `PgClient` within `sql.withTransaction` is a part of that transaction, and a statement of `sql` within
 * `pg.withTransaction` is a part of that one.
 *
 * @example
 * ```ts
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Redacted } from "effect"
 * import { SqlClient } from "effect/sql"
 * import { PgSqlClient } from "effectpg"
 *
 * const program = Effect.gen(function* () {
 *   const sql = yield* SqlClient.SqlClient
 *   return yield* sql`SELECT id, name FROM users WHERE active = ${true}`
 * })
 *
 * program.pipe(
 *   Effect.provide(PgSqlClient.layer({ url: Redacted.make("postgres://app@localhost/app") })),
 *   NodeRuntime.runMain
 * )
 * ```
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Queue from "effect/Queue"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"
import { onFirstUse } from "./call/firstUse.ts"
import { type OrConfigs, readSettings } from "./config/configSettings.ts"
import type { WithTransactionOptions } from "./connection/queryable/queryable.ts"
import * as PgClient from "./PgClient.ts"
import type * as PgNotification from "./PgNotification.ts"
import type { Options } from "./sqlClient/options.ts"
import { sqlErrorOf } from "./sqlClient/sqlErrors.ts"
import { SqlPgClient } from "./sqlClient/sqlPg.ts"

export type { RawAnswer, RawField } from "./sqlClient/rawAnswer.ts"
export type { Options } from "./sqlClient/options.ts"
export { installReactiveTriggers, type ReactiveTable, removeReactiveTriggers } from "./sqlClient/reactiveTriggers.ts"
export { SqlPgClient, type SqlPgConfig, type SqlPgNotification } from "./sqlClient/sqlPg.ts"

// ------------------------------------------------------------------------------------------------------ models

/**
 * The `SqlClient` of effect/sql, with what PostgreSQL has beyond it.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgSqlClient extends SqlClient.SqlClient {
  /** The client of effectpg's own API, on the same pool. */
  readonly pg: PgClient.PgClient
  /**
   * A value as a parameter of the type `jsonb`. A string becomes a JSON string, and null is NULL.
   */
  readonly json: (value: unknown) => Statement.Fragment
  /**
   * Runs an effect in a transaction with the options of `PgClient.withTransaction`: isolation, access, retries and a
   * timeout. Within a transaction it is a savepoint, as `withTransaction` is.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgSqlClient } from "effectpg"
   *
   * export const total = Effect.gen(function* () {
   *   const sql = yield* PgSqlClient.PgSqlClient
   *   return yield* sql`SELECT sum(amount) AS total FROM entries`.pipe(
   *     sql.withTransactionOptions({ isolation: "serializable", access: "read only" })
   *   )
   * })
   * ```
   * @since 0.1.0
   */
  readonly withTransactionOptions: (options: WithTransactionOptions) => SqlClient.SqlClient["withTransaction"]
  /**
   * Listens to a channel for the scope. When the effect completes, the server has confirmed the LISTEN. All channels
   * share one connection of the pool, which is opened anew if it is lost; a `Gap` in the queue then says that
   * notifications may have been lost. A slow reader gets a `Gap`, too, if some 10,000 notifications wait for it already.
   */
  readonly listen: (
    channel: string
  ) => Effect.Effect<Queue.Dequeue<PgNotification.Event, SqlError | Cause.Done>, SqlError, Scope.Scope>
  /** Sends a notification, once the transaction of the fiber is committed if it is in one. */
  readonly notify: (channel: string, payload: string) => Effect.Effect<void, SqlError>
}

/**
 * The settings of a client and of its pool.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings extends PgClient.Settings, Options {
  /**
   * How many connections are opened at once, and how many are kept open. If it is 0, the first statement connects.
   *
   * @default 0
   */
  readonly minConnections?: number | undefined
}

/**
 * The settings of a client, each as `layer` takes it, or as a `Config` that reads it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConfigSettings extends OrConfigs<Settings> {}

/**
 * The service tag of the client. Programs usually ask for `SqlClient.SqlClient`, and for this one if they need more.
 *
 * @category tags
 * @since 0.1.0
 */
export const PgSqlClient: Context.Service<PgSqlClient, PgSqlClient> =
  Context.Service<PgSqlClient>("effectpg/PgSqlClient")

// ------------------------------------------------------------------------------------------------- constructors

/**
 * Makes a client on the pool of a `PgClient`, so that both APIs share connections and transactions.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromClient = (
  pg: PgClient.PgClient,
  given?: Options
): Effect.Effect<PgSqlClient, SqlError, Reactivity.Reactivity> =>
  withSqlClients(({ sqlClientOf }) => sqlClientOf(pg, given))

/**
 * Opens a pool that lives as long as the scope, and makes a client on it. By default it opens no connection before it
 * needs one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (settings: Settings): Effect.Effect<PgSqlClient, SqlError, Scope.Scope | Reactivity.Reactivity> =>
  withSqlClients(({ openSqlClient }) => openSqlClient(settings))

const withSqlClients = onFirstUse("clients of effect/sql", () => import("./sqlClient/client.ts"))

/**
 * Provides a client as `SqlClient.SqlClient`, as `PgSqlClient` and, for effectpg's own API, as `PgClient`, for as long as
 * the layer lives. Fails with `SqlError`, whose cause is the error of effectpg, if a setting is wrong.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  settings: Settings
): Layer.Layer<PgSqlClient | SqlClient.SqlClient | PgClient.PgClient, SqlError> => layerOf(make(settings))

/**
 * Provides a client as `layer` does, with settings that are read from Effect's `ConfigProvider`. Takes what `layer` takes,
 * with a `Config` in place of any value, or one `Config` of all. Fails with `ConfigError` if a `Config` cannot be read.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  settings: ConfigSettings | Config.Config<Settings>
): Layer.Layer<PgSqlClient | SqlClient.SqlClient | PgClient.PgClient, SqlError | Config.ConfigError> =>
  layerOf(
    Effect.flatMap(
      Effect.catchTag(readSettings<Settings>(settings), "InvalidConfigError", (error) =>
        Effect.fail(sqlErrorOf(error, "connect"))
      ),
      make
    )
  )

/**
 * Provides a client on the pool of the `PgClient` that the program has already.
 *
 * @example
 * ```ts
 * import { Layer, Redacted } from "effect"
 * import { PgClient, PgSqlClient } from "effectpg"
 *
 * export const database = PgSqlClient.layerFrom().pipe(
 *   Layer.provideMerge(PgClient.layer({ url: Redacted.make("postgres://app@localhost/app") }))
 * )
 * ```
 * @category layers
 * @since 0.1.0
 */
export const layerFrom = (
  options?: Options
): Layer.Layer<PgSqlClient | SqlClient.SqlClient, SqlError, PgClient.PgClient> =>
  layerOf(Effect.flatMap(PgClient.PgClient, (pg) => fromClient(pg, options)))

/**
 * Provides the client also under the key of the `PgClient` of `@effect/sql-pg`, for libraries that are written against
 * that one, such as the module `drizzle-orm/effect-postgres` of Drizzle 1.0. Such a library still needs the package
 * `@effect/sql-pg` to be installed, but no connection of it is opened.
 *
 * @example
 * ```ts
 * import { Config, Layer } from "effect"
 * import { PgSqlClient } from "effectpg"
 *
 * export const Database = PgSqlClient.layerSqlPg.pipe(
 *   Layer.provideMerge(PgSqlClient.layerConfig({ url: Config.Redacted("DATABASE_URL") }))
 * )
 * ```
 * @category layers
 * @since 0.1.0
 */
export const layerSqlPg: Layer.Layer<SqlPgClient, never, PgSqlClient> = Layer.effect(
  SqlPgClient,
  Effect.flatMap(PgSqlClient, (client) =>
    withSqlClients(({ sqlPgClientOf }) => Effect.sync(() => sqlPgClientOf(client)))
  )
)

// ----------------------------------------------------------------------------------------------- implementation

/** `Reactivity.layer` is memoized, so the client shares the application's. */
const layerOf = <E, R>(
  made: Effect.Effect<PgSqlClient, E, R>
): Layer.Layer<
  PgSqlClient | SqlClient.SqlClient | PgClient.PgClient,
  E,
  Exclude<Exclude<R, Scope.Scope>, Reactivity.Reactivity>
> =>
  Layer.effectContext(
    Effect.map(made, (client) =>
      Context.make(PgSqlClient, client).pipe(
        Context.add(SqlClient.SqlClient, client),
        Context.add(PgClient.PgClient, client.pg)
      )
    )
  ).pipe(Layer.provide(Reactivity.layer))
