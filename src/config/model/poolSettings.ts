/** The settings of a pool, as a program gives them. */
import type * as Duration from "effect/Duration"
import type { Settings } from "./settings.ts"

/**
 * The settings of a pool, and of the connections in it.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolSettings extends Settings {
  /**
   * The minimum number of open connections. The pool opens this many before it becomes available.
   * @default 1
   */
  readonly minConnections?: number | undefined
  /**
   * The maximum number of open connections.
   * @default 10
   */
  readonly maxConnections?: number | undefined
  /**
   * How long a call waits for a connection; 0 or `Infinity` means no limit.
   * @default "30 seconds"
   */
  readonly acquireTimeout?: Duration.Input | undefined
  /**
   * How many calls may wait for a connection at once; further calls fail with `TooManyWaitersError`.
   * @default Infinity
   */
  readonly maxWaiters?: number | undefined
  /**
   * An unused connection is closed after this time, down to `minConnections`; 0 or `Infinity` means never.
   * @default "5 minutes"
   */
  readonly idleTimeout?: Duration.Input | undefined
  /**
   * How long a connection is used before the pool replaces it; 0 or `Infinity` means no limit. The actual time is up to
   * a tenth shorter, so that connections do not all end at once.
   * @default 0
   */
  readonly maxLifetime?: Duration.Input | undefined
  /**
   * How often a connection is used before the pool replaces it; 0 means no limit.
   * @default 0
   */
  readonly maxUses?: number | undefined
  /**
   * Whether fibers may share connections for short statements while none is idle. A statement is shared once it has
   * proved to be short, and then pipelined with others. Transactions, borrowed connections and statements that may
   * change the session always have a connection of their own.
   * @default true
   */
  readonly multiplex?: boolean | undefined
  /**
   * When the scope ends, how long the pool waits for connections in use. It then cancels their queries and logs a
   * warning. One second later it closes every connection, whatever the server does.
   * @default "5 seconds"
   */
  readonly closeTimeout?: Duration.Input | undefined
}
