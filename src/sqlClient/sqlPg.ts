/**
 * A client in the form of the one of `@effect/sql-pg`, for libraries that ask for that one by the key of its service.
 * Nothing is imported from that package: its types are repeated here as far as they go.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { routerOf } from "../connection/baseQueryable.ts"
import type * as PgClient from "../PgClient.ts"
import type * as PgNotification from "../PgNotification.ts"
import { sqlErrorOf } from "./sqlErrors.ts"

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

interface Client extends SqlClient.SqlClient, Pick<SqlPgClient, "json" | "notify"> {
  readonly pg: PgClient.PgClient
}

/** A client of its own, so that `client` itself keeps its `listen`. It runs its calls where those of `client` run. */
export const sqlPgClientOf = (client: Client): SqlPgClient => {
  const made = Object.assign(client.bind(undefined), client, {
    "~@effect/sql-pg/PgClient": "~@effect/sql-pg/PgClient",
    config: configOf(client.pg),
    listen: listening(client.pg)
  } as const)
  return Object.assign(made, { safe: made })
}

const configOf = (pg: PgClient.PgClient): SqlPgConfig => {
  const target = routerOf(pg)?.observer.target
  if (target === undefined) return {}
  const { address, database, port, user } = target
  return { ...(port === undefined ? { path: address } : { host: address, port }), database, username: user }
}

/** Notifications wait in the client, which counts them, and not in the queue. */
const QUEUE_SIZE = 16

const listening = (pg: PgClient.PgClient): SqlPgClient["listen"] =>
  Effect.fnUntraced(function* (channel) {
    const events = yield* Effect.mapError(pg.listen(channel), (error) => sqlErrorOf(error, "listen"))
    const queue = yield* Queue.bounded<SqlPgNotification, SqlError>(QUEUE_SIZE)
    yield* Effect.addFinalizer(() => Queue.shutdown(queue))
    const received = Stream.runForEach(
      Stream.mapError(events, (error) => sqlErrorOf(error, "listen")),
      (event) => (event._tag === "Gap" ? Effect.fail(lost(event)) : Queue.offer(queue, plain(event)))
    )
    yield* Effect.forkScoped(Effect.onError(received, (cause) => Queue.failCause(queue, cause)))
    return queue
  })

const plain = ({ channel, payload, processId }: PgNotification.Notification): SqlPgNotification => ({
  processId,
  channel,
  payload
})

const lost = (cause: PgNotification.Gap): SqlError => {
  const why = cause.reason === "overflow" ? "the reader is too slow" : "the connection was replaced"
  const message = `notifications of channel "${cause.channel}" may have been lost: ${why}`
  return new SqlError({ reason: new ConnectionError({ cause, message, operation: "listen" }) })
}
