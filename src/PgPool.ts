/**
 * A pool of connections, as a scoped resource. Programs usually use it through `PgClient`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { onFirstUse } from "./call/firstUse.ts"
import type { OfStandbys } from "./connection/queryable/standbys.ts"
import type * as PgConfig from "./PgConfig.ts"
import type * as PgConnection from "./PgConnection.ts"
import type * as PgError from "./PgError.ts"
import type * as PgNotification from "./PgNotification.ts"
import type { Hooks } from "./pool/hooks.ts"
import type { PoolCounts } from "./pool/observing/counts.ts"

// ------------------------------------------------------------------------------------------------------ models

export type { Hooks } from "./pool/hooks.ts"

/**
 * The settings of a pool and of its connections, and the hooks that the pool runs on its connections.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings extends PgConfig.PoolSettings, Hooks {}

/**
 * What a pool is doing at a moment. `size` connections are open; `idle` of them are not in use, although some may still
 * be resetting. `connecting` connections are being opened, and `waiting` calls wait for one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats extends PoolCounts {
  readonly inUse: number
  readonly maxConnections: number
}

/**
 * A pool of connections. Each call runs on any connection that is free. A transaction has a connection to itself, and
 * the calls of its effect on the pool run there. A single call of BEGIN, SET, LISTEN or another statement that would have
 * no effect, because the connection is returned and reset, fails with `UnsupportedError`, which names the right call; in
 * a transaction and on a borrowed connection such statements run. Every call may also fail with `AcquireTimeoutError`,
 * `TooManyWaitersError` or `PoolClosedError`, or because a new connection cannot be opened (see `PgConnection.make`).
 *
 * If no connection can be opened for a reason that may pass (the server is starting, full or unreachable), the pool
 * tries again at growing intervals. Meanwhile calls wait up to `acquireTimeout`, and then fail with that reason.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgPool extends PgConnection.Queryable, OfStandbys {
  /**
   * Borrows a connection for the scope. When the scope closes, running queries are canceled and an open transaction is
   * rolled back. If the connection was used at all, the session is then reset: settings, role, LISTEN, cursors,
   * advisory locks, temporary objects, and statements prepared in SQL. Then `init` runs again. If the reset fails, the
   * connection is closed and the next borrower gets another one.
   */
  readonly connection: Effect.Effect<PgConnection.PgConnection, PgError.PgError, Scope.Scope>
  /** Borrows a connection for as long as the effect runs, and returns it as `connection` does. */
  readonly withConnection: <A, E, R>(
    use: (connection: PgConnection.PgConnection) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | PgError.PgError, R>
  /**
   * Listens to a channel, on one connection that the pool opens for all channels in addition to `maxConnections`. If
   * this connection is lost, the pool opens another one, and a `Gap` says that notifications may have been lost
   * meanwhile. The stream ends with the scope, and fails with `PoolClosedError` if the pool ends before. If the server
   * does not answer LISTEN within `cancelTimeout`, the connection counts as lost. The end of the scope does not wait
   * for the server.
   */
  readonly listen: PgNotification.Listen
  /** Replaces every connection: idle ones now, the others when they are returned. */
  readonly expire: Effect.Effect<void>
  /**
   * Tells what the pool is doing at this moment: how many connections are open, idle and in use, and how many calls
   * wait.
   *
   * @since 0.1.0
   */
  readonly stats: Effect.Effect<Stats>
}

/**
 * The service tag of a pool. Applications usually use `PgClient` instead, which has the same methods.
 *
 * @category tags
 * @since 0.1.0
 */
export const PgPool: Context.Service<PgPool, PgPool> = Context.Service<PgPool>("effectpg/PgPool")

// ------------------------------------------------------------------------------------------------- constructors

/**
 * Opens a pool that lives as long as the scope, with its first `minConnections` connections. Fails with
 * `InvalidConfigError`, or as `PgConnection.make` does if one of these connections cannot be opened. At the end of the
 * scope, waiting calls fail with `PoolClosedError`, and connections in use have `closeTimeout` to be returned before
 * their queries are canceled; a warning in the log then says how many there were, and shows their last statements
 * without values. One second later every connection is closed, whatever the server does.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (settings: Settings): Effect.Effect<PgPool, PgError.PgError, Scope.Scope> =>
  withPools(({ makePool }) => makePool(settings))

const withPools = onFirstUse("pools", () => import("./pool/pool.ts"))

/**
 * Provides a pool as `PgPool`, for as long as the layer lives. Fails as `make` does.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (settings: Settings): Layer.Layer<PgPool, PgError.PgError> => Layer.effect(PgPool, make(settings))
