/** What a program may say of a client of effect/sql, beyond the settings of its pool. */

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
