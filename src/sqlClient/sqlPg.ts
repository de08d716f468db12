/**
 * A client in the form of the one of `@effect/sql-pg`, for libraries that ask for that one by the key of its service.
 * Nothing is imported from that package: its types are repeated here as far as they go.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"

/**
 * Where a client is connected to, in the words of `@effect/sql-pg`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SqlPgConfig {
  readonly host?: string | undefined
  readonly port?: number | undefined
  /** The Unix-domain socket, in place of `host`. */
  readonly path?: string | undefined
  readonly database?: string | undefined
  readonly username?: string | undefined
}

/**
 * A notification, in the form of `@effect/sql-pg`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SqlPgNotification {
  /** The ID of the server process that sent it. */
  readonly processId: number
  readonly channel: string
  readonly payload: string
}

/**
 * A `SqlClient` in the form of the `PgClient` of `@effect/sql-pg`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SqlPgClient extends SqlClient.SqlClient {
  readonly "~@effect/sql-pg/PgClient": "~@effect/sql-pg/PgClient"
  /** What the settings of the client, its URL and the environment have come to. The password is left out. */
  readonly config: SqlPgConfig
  /** A value as a parameter of the type `jsonb`. */
  readonly json: (value: unknown) => Statement.Fragment
  /**
   * Listens to a channel for the scope. When the effect completes, the server has confirmed the LISTEN. The queue fails
   * with `SqlError` if notifications may have been lost, because the connection was replaced or the reader is too slow.
   */
  readonly listen: (channel: string) => Effect.Effect<Queue.Dequeue<SqlPgNotification, SqlError>, SqlError, Scope.Scope>
  /** Sends a notification, once the transaction of the fiber is committed if it is in one. */
  readonly notify: (channel: string, payload: string) => Effect.Effect<void, SqlError>
}

/**
 * The key by which libraries ask for the client of `@effect/sql-pg`.
 *
 * @category tags
 * @since 0.1.0
 */
export const SqlPgClient: Context.Service<SqlPgClient, SqlPgClient> =
  Context.Service<SqlPgClient>("@effect/sql-pg/PgClient")
