/** The hooks with which a user of a pool prepares and resets its connections. */
import * as Effect from "effect/Effect"
import { answerOf } from "../call/shape.ts"
import type * as PgConfig from "../PgConfig.ts"
import { fromRoot } from "../connection/connection.ts"
import type * as PgConnection from "../PgConnection.ts"
import type * as PgError from "../PgError.ts"
import type { Session } from "../session/engine/session.ts"
import { TransactionLevel } from "../session/transaction/transactionLevel.ts"
import { lostWith } from "../session/engine/lostErrors.ts"

type Hook = (connection: PgConnection.PgConnection) => Effect.Effect<unknown, PgError.PgError>

/**
 * What a pool runs when it opens, lends and resets a connection. If a hook fails, the pool closes the connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hooks {
  /** Runs before each new connection is made. The settings that it returns override the pool's for that connection. */
  readonly onConnect?: Effect.Effect<PgConfig.Settings, PgError.PgError> | undefined
  /**
   * Prepares each new connection, and prepares it again after each reset by the pool, so that every borrower finds the
   * settings, role, temporary tables or locks that it makes. Use `onConnect` for something that is done only once.
   */
  readonly init?: Hook | undefined
  /** Prepares a connection each time it is lent. With this hook, single statements borrow a connection too. */
  readonly setup?: Hook | undefined
  /**
   * Resets a connection each time it comes back changed. It replaces the reset that the pool does by itself, and the
   * run of `init` after that.
   */
  readonly reset?: Hook | undefined
}

/**
 * Runs a hook on a session. The `PgConnection` passed to the hook is unusable afterwards.
 *
 * @internal
 */
export const runHook = (session: Session, name: keyof Hooks, hook: Hook): Effect.Effect<void, PgError.PgError> =>
  Effect.suspend(() => {
    const root = TransactionLevel.root(session)
    return answerOf(name, hook(fromRoot(root))).pipe(
      Effect.onExit(() => Effect.sync(() => root.end(givenBack))),
      Effect.asVoid
    )
  })

/** @internal */
export const givenBack = (): PgError.ConnectionLostError =>
  lostWith("it was given back to its pool; borrow a connection again", { safeToRetry: true })
