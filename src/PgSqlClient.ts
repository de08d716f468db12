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
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import type * as Queue from "effect/Queue"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { type OrConfigs, readSettings } from "./config/configSettings.ts"
import { routerOf } from "./connection/baseQueryable.ts"
import type { WithTransactionOptions } from "./connection/queryable/queryable.ts"
import { levelSource, Router } from "./connection/router.ts"
import * as PgClient from "./PgClient.ts"
import * as Shape from "./call/shape.ts"
import { invalid } from "./config/given.ts"
import type * as PgError from "./PgError.ts"
import type * as PgNotification from "./PgNotification.ts"
import type { Target } from "./session/observing/target.ts"
import { json, makeCompiler } from "./sqlClient/compiler.ts"
import { connectionOf } from "./sqlClient/connection.ts"
import { makeReactiveQueue } from "./sqlClient/reactiveQueue.ts"
import { sqlErrorOf } from "./sqlClient/sqlErrors.ts"
import { SqlPgClient, sqlPgClientOf } from "./sqlClient/sqlPg.ts"
import * as Transactions from "./sqlClient/transactions.ts"

export type { RawAnswer, RawField } from "./sqlClient/answers.ts"
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
   * notifications may have been lost.
   */
  readonly listen: (
    channel: string
  ) => Effect.Effect<Queue.Dequeue<PgNotification.Event, SqlError | Cause.Done>, SqlError, Scope.Scope>
  /** Sends a notification, once the transaction of the fiber is committed if it is in one. */
  readonly notify: (channel: string, payload: string) => Effect.Effect<void, SqlError>
}

/**
 * How names are changed between program and database, what spans say, and how reactive queries hear of changes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Changes the names of columns in rows, such as `String.snakeToCamel`. */
  readonly transformResultNames?: ((name: string) => string) | undefined
  /** Changes identifiers in statements, such as `String.camelToSnake`. */
  readonly transformQueryNames?: ((name: string) => string) | undefined
  /**
   * Whether the keys of JSON values are changed too.
   *
   * @default true
   */
  readonly transformJson?: boolean | undefined
  /** Attributes for the span of every statement, in addition to those of the database. */
  readonly spanAttributes?: Readonly<Record<string, unknown>> | undefined
  /**
   * The channel on which the database tells what has changed. `reactive` and `reactiveMailbox` then run a query again
   * also if another process changes a table. Without it, only invalidations in this process run a query again.
   *
   * The payload of a notification is one key, as text: `users` invalidates the key `"users"`, and `users:42` the key that
   * `{ users: [42] }` stands for. A payload that is nobody's key does nothing. `installReactiveTriggers` makes tables
   * send their keys. An invalidation in this process is not sent to other processes.
   *
   * All reactive queries of a client share one LISTEN, on the pool's connection for notifications. The server confirms
   * it before the first run of a query, so that no change is missed, and it ends with the last query. If that connection
   * is lost and replaced, all reactive queries of the client run again. If the client cannot listen, it logs a warning
   * and tries again; queries run nevertheless, and run again once it listens.
   *
   * As long as the client listens, whatever else is registered with the same `Reactivity` is invalidated, too.
   *
   * @example
   * ```ts
   * import { Config, Effect, Stream } from "effect"
   * import { SqlClient } from "effect/sql"
   * import { PgSqlClient } from "effectpg"
   *
   * export const Database = PgSqlClient.layerConfig({
   *   url: Config.Redacted("DATABASE_URL"),
   *   reactiveChannel: "app_changes"
   * })
   *
   * export const program = Effect.gen(function* () {
   *   const sql = yield* SqlClient.SqlClient
   *   yield* PgSqlClient.installReactiveTriggers("app_changes", ["users"])
   *   const counts = sql.reactive(["users"], sql`SELECT count(*) AS n FROM users`)
   *   yield* Stream.runForEach(counts, (rows) => Effect.log(rows))
   * })
   * ```
   */
  readonly reactiveChannel?: string | undefined
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
export const fromClient = Effect.fnUntraced(function* (
  pg: PgClient.PgClient,
  given?: Options
): Effect.fn.Return<PgSqlClient, SqlError, Reactivity.Reactivity> {
  const options = yield* Effect.mapError(
    Shape.withOptions(given, OPTIONS, (known = {}) => Effect.succeed(known)),
    connecting
  )
  const pool = Shape.isSafely(Predicate.isObject, pg) ? routerOf(pg) : undefined
  if (pool === undefined) return yield* connecting(invalid("pg", "must be a PgClient that effectpg made"))
  const observer = pool.observer.withoutSpans
  const { target } = observer
  const router = pool.adapted(observer)
  const connection = connectionOf(router)
  const spanAttributes: ReadonlyArray<readonly [string, unknown]> = [
    ...Object.entries(Shape.copyOf(options.spanAttributes ?? {}) ?? {}),
    ["db.system.name", "postgresql"],
    ["db.namespace", target.database],
    // All statements have the same attributes, so that they cannot name one of several servers.
    ...(observer.isSpread ? [] : addressOf(target))
  ]
  const transactions = Transactions.make(router, spanAttributes)
  const reserve = Effect.mapBoth(router.scopedRoot, {
    onSuccess: (root) => connectionOf(new Router(levelSource(root), router.key, observer)),
    onFailure: (error) => sqlErrorOf(error, "reserve")
  })
  const { reactiveChannel } = options
  const reactiveQueue =
    reactiveChannel === undefined
      ? undefined
      : yield* Effect.mapError(makeReactiveQueue(pg, reactiveChannel), connecting)
  const client = yield* SqlClient.make({
    acquirer: Effect.succeed(connection),
    borrower: (use) => use(connection),
    transactionAcquirer: reserve,
    compiler: makeCompiler(options),
    driver: "effectpg",
    spanAttributes,
    transactionService: transactions.service,
    transformRows: transformationOf(options),
    ...(reactiveQueue && { reactiveQueue })
  })
  const { afterCommit, withTransaction, withTransactionOptions } = transactions
  return Object.assign(client, {
    pg,
    json,
    afterCommit,
    withTransaction,
    withTransactionOptions,
    listen: listening(pg),
    notify: (channel: string, payload: string) =>
      Effect.mapError(pg.notify(channel, payload), (error) => sqlErrorOf(error, "notify"))
  })
})

/**
 * Opens a pool that lives as long as the scope, and makes a client on it. By default it opens no connection before it
 * needs one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  settings: Settings
): Effect.fn.Return<PgSqlClient, SqlError, Scope.Scope | Reactivity.Reactivity> {
  const { options, pool } = yield* divided(settings)
  const pg = yield* Effect.mapError(PgClient.make(pool), connecting)
  return yield* fromClient(pg, options)
})

const OPTIONS: Shape.Kinds = {
  reactiveChannel: Shape.text,
  spanAttributes: {
    is: (value) => Predicate.isObject(value) && Shape.copyOf(value) !== undefined,
    takes: "an object of attributes"
  },
  transformJson: Shape.flag,
  transformQueryNames: Shape.callback,
  transformResultNames: Shape.callback
}

const connecting = (error: PgError.PgError): SqlError => sqlErrorOf(error, "connect")

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
        Effect.fail(connecting(error))
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
  Effect.map(PgSqlClient, sqlPgClientOf)
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

const addressOf = ({ address, port }: Target): ReadonlyArray<readonly [string, unknown]> => [
  ["server.address", address],
  ...(port === undefined ? [] : ([["server.port", port]] as const))
]

/** Divides the settings into options of effect/sql, which `fromClient` checks, and those of the pool. */
const divided = (settings: Settings): Effect.Effect<{ readonly options: Options; readonly pool: PgClient.Settings }> =>
  Effect.sync(() => {
    const known = Shape.copyOf(settings)
    // A value that is not an object has no options; reading the other settings reports it.
    if (known === undefined) return { options: {}, pool: settings }
    const { reactiveChannel, spanAttributes, transformJson, transformQueryNames, transformResultNames, ...pool } = known
    return {
      options: { reactiveChannel, spanAttributes, transformJson, transformQueryNames, transformResultNames },
      pool: { minConnections: 0, ...pool }
    }
  })

/** `withoutTransforms` needs a transformation of rows to take away, even if only statements are changed. */
const transformationOf = ({ transformJson, transformQueryNames, transformResultNames }: Options) => {
  if (transformResultNames !== undefined) return Statement.defaultTransforms(transformResultNames, transformJson).array
  return transformQueryNames === undefined ? undefined : identity
}

const listening =
  (pg: PgClient.PgClient): PgSqlClient["listen"] =>
  (channel) =>
    Effect.flatMap(
      Effect.mapError(pg.listen(channel), (error) => sqlErrorOf(error, "listen")),
      (events) =>
        Stream.toQueue(
          Stream.mapError(events, (error) => sqlErrorOf(error, "listen")),
          { capacity: "unbounded" }
        )
    )
