/**
 * One connection to a PostgreSQL server, as a scoped resource. Most programs use a pool of them through `PgClient`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { onFirstUse } from "./call/firstUse.ts"
import type { TypeCodec } from "./codec/typeCodec.ts"
import type { TypeName } from "./codec/userCodec.ts"
import type { Queryable } from "./connection/queryable/queryable.ts"
import type * as PgConfig from "./PgConfig.ts"
import type * as PgError from "./PgError.ts"
import type * as PgNotification from "./PgNotification.ts"
import type { ErrorFields } from "./wire/errorFields.ts"
import type { ServerVersion } from "./wire/serverVersion.ts"

// ------------------------------------------------------------------------------------------------------ models

// All that `call.ts` exports is public here.
export type * from "./call/call.ts"
export type { AdvisoryLockKey, AdvisoryLockOptions, Queryable } from "./connection/queryable/queryable.ts"

/**
 * A message that the server sends besides its answer, such as a warning or the output of `RAISE NOTICE`. It has the
 * fields of an error.
 *
 * @category models
 * @since 0.1.0
 */
export type PgNotice = ErrorFields

/**
 * Whether a session is in a transaction. If that has `failed`, the server refuses everything but its end.
 *
 * @category models
 * @since 0.1.0
 */
export type TransactionStatus = "idle" | "inTransaction" | "failed"

/**
 * Whether a connection can be used. It is `closing` while its queries are being canceled and the server is told
 * goodbye.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = "open" | "closing" | "closed"

/**
 * How a connection ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface Closed {
  /** True if the client ended the connection: the scope closed, or `terminate` was called. */
  readonly isExpected: boolean
  readonly reason: PgError.PgError
}

export type { ServerVersion } from "./wire/serverVersion.ts"

/**
 * A connection to a server. It lives as long as its scope. When the scope closes, running queries are canceled and the
 * server is told goodbye; if the server does not answer, this takes no longer than `cancelTimeout` and a second.
 * Concurrent calls are pipelined in the order in which they were made.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgConnection extends Queryable {
  /** The ID of the server process for this connection (`pg_backend_pid()`). */
  readonly processId: number
  readonly serverVersion: ServerVersion
  /** Tells the run-time parameters that the server reports, as they are now: `TimeZone`, `server_version`... */
  readonly parameters: Effect.Effect<ReadonlyMap<string, string>>
  /** Tells whether the session is in a transaction, as of the server's last answer. */
  readonly transactionStatus: Effect.Effect<TransactionStatus>
  /** Tells whether the connection is open, is closing, or has ended. */
  readonly status: Effect.Effect<Status>
  /** Waits until the connection ends, and returns how. Interrupting the wait does not affect the connection. */
  readonly awaitClosed: Effect.Effect<Closed>
  /**
   * Listens to a channel on this connection. Inside a transaction, notifications arrive only after the transaction
   * ends. The stream fails with `ConnectionLostError` when the connection is lost or returned to its pool; `listen` of
   * `PgClient` survives the loss of a connection. A `reset` does not interrupt the stream. An `UNLISTEN` or `DISCARD
   * ALL` in SQL does: the stream then stays open but receives nothing more.
   */
  readonly listen: PgNotification.Listen
  /**
   * Changes how a type is read and written from now on, on this connection only; to change it everywhere, use the
   * setting `types`. The connection then looks up types separately from others. In a pool, a codec set by `init` stays
   * with the connection, and a codec set by a borrower lasts until the connection is returned.
   *
   * Fails with an `InvalidConfigError` for a domain, because the server does not distinguish a column of a domain from
   * one of its base type.
   */
  readonly setTypeCodec: (codec: TypeCodec) => Effect.Effect<void, PgError.PgError>
  /** Makes this connection read and write a type as if no codec had ever been given for it. */
  readonly resetTypeCodec: (type: TypeName) => Effect.Effect<void, PgError.PgError>
  /**
   * Restores the state that the session had after startup. Rolls back a transaction begun in SQL, and undoes settings,
   * role, cursors, LISTEN in SQL, advisory locks and temporary tables. Prepared statements and the streams of `listen`
   * continue.
   */
  readonly reset: Effect.Effect<void, PgError.PgError>
  /**
   * Ends the connection at once without notifying the server; pending calls fail with `ConnectionLostError`. Does
   * nothing to a connection that has been returned to its pool.
   */
  readonly terminate: Effect.Effect<void>
  /**
   * Streams the notices that arrive while the stream runs. It ends when the connection ends or is returned to its pool.
   * If the reader is slow, the latest 1,000 notices are kept for it.
   */
  readonly notices: Stream.Stream<PgNotice>
}

/**
 * The service tag of a single connection, for programs that want exactly one.
 *
 * @category tags
 * @since 0.1.0
 */
export const PgConnection: Context.Service<PgConnection, PgConnection> =
  Context.Service<PgConnection>("effectpg/PgConnection")

// ------------------------------------------------------------------------------------------------- constructors

/**
 * Opens a connection that lives as long as the scope. Fails with `InvalidConfigError`, with `ConnectError` if no host
 * can be reached in time (it lists every attempt), with `AuthenticationError`, with `ProtocolError`, or with the
 * server's own error, such as `InvalidPasswordError`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgConnection } from "effectpg"
 *
 * export const program = Effect.gen(function* () {
 *   const connection = yield* PgConnection.make({ host: "localhost", user: "app" })
 *   return yield* connection.fetch("SELECT 1 AS one")
 * }).pipe(Effect.scoped)
 * ```
 * @category constructors
 * @since 0.1.0
 */
export const make = (settings: PgConfig.Settings): Effect.Effect<PgConnection, PgError.PgError, Scope.Scope> =>
  withOpening(({ openConnection }) => openConnection(settings))

const withOpening = onFirstUse("connections", () => import("./connection/connection.ts"))

/**
 * Provides one connection as `PgConnection`, for as long as the layer lives. Fails as `make` does.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (settings: PgConfig.Settings): Layer.Layer<PgConnection, PgError.PgError> =>
  Layer.effect(PgConnection, make(settings))
