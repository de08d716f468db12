/** The interface that connections, pools, clients and transactions share. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as PgError from "../../PgError.ts"
import type { Fetching } from "./fetching.ts"
import type { Paging } from "./paging.ts"
import type { Running } from "./running.ts"

/**
 * The isolation level of a transaction: how much it sees of what other transactions do meanwhile.
 *
 * @category models
 * @since 0.1.0
 */
export type Isolation = "read uncommitted" | "read committed" | "repeatable read" | "serializable"

/**
 * Whether a transaction may write.
 *
 * @category models
 * @since 0.1.0
 */
export type Access = "read write" | "read only"

/**
 * The options of an outermost transaction. For a mode that is left out, the server uses the settings of the session,
 * such as `default_transaction_isolation`.
 *
 * @category models
 * @since 0.1.0
 */
export interface TransactionOptions {
  readonly isolation?: Isolation | undefined
  readonly access?: Access | undefined
  /**
   * With `serializable` and `read only`, the transaction may wait at its beginning and then cannot fail with a
   * serialization error.
   */
  readonly deferrable?: boolean | undefined
  /**
   * Asks the server for the transaction's id before COMMIT, which costs a round trip. A `CommitOutcomeUnknownError`
   * then has the id, with which `PgTransaction.outcome` can find out whether the transaction was committed.
   *
   * @default false
   */
  readonly trackOutcome?: boolean | undefined
  /**
   * How long the whole transaction may take: the wait for a connection, the effect with all its retries, and COMMIT.
   * After that the effect is interrupted and rolled back, and the call fails with `QueryTimeoutError`. If the time ends
   * during COMMIT, it is not known whether the transaction was committed. For `begin` the limit is only for the
   * beginning. A savepoint accepts this option too.
   *
   * @default no limit
   */
  readonly timeout?: Duration.Input | undefined
}

/**
 * The options of `withTransaction`.
 *
 * @category models
 * @since 0.1.0
 */
export interface WithTransactionOptions extends TransactionOptions {
  /**
   * Runs the whole effect again in a new transaction if it, or its COMMIT, fails with a serialization error or a
   * deadlock. The schedule sets the pauses and the number of retries.
   *
   * @default no retries
   */
  readonly retry?: Schedule.Schedule<unknown> | undefined
}

/**
 * The key of an advisory lock: one number of 64 bits, or two of 32 bits. A lock with one number is never the same as a
 * lock with two.
 *
 * @category models
 * @since 0.1.0
 */
export type AdvisoryLockKey = bigint | number | readonly [number, number]

/**
 * The options of an advisory lock.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdvisoryLockOptions {
  /**
   * Whether other sessions may hold the lock at the same time, if they share it too.
   *
   * @default false
   */
  readonly shared?: boolean | undefined
  /**
   * How long to wait for the lock before failing with `QueryTimeoutError`.
   *
   * @default no limit
   */
  readonly timeout?: Duration.Input | undefined
}

/**
 * The calls that connections, pools, clients and transactions have in common.
 *
 * Statements are prepared once for each connection, and values are sent in the binary format. Parameters are encoded
 * for the types that the server describes. A call that is interrupted cancels its query. Every failure is a `PgError`.
 * Any call may fail with the server's errors, `ConnectionLostError`, `EncodeError`, `ParameterCountError`,
 * `EmptyQueryError`, `QueryTimeoutError` if it has a timeout, and `UnsupportedError` if its SQL is a COPY. A wrong argument
 * or option is an `InvalidConfigError` that names it, and SQL of the wrong type is an `EncodeError`; in both cases
 * nothing is sent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Queryable extends Fetching, Paging, Running {
  /**
   * Runs an effect in a transaction, commits when it succeeds, and rolls back when it fails or is interrupted. All
   * calls that the effect makes on the same connection, pool or client belong to the transaction, in child fibers too.
   * Inside of another transaction it is a savepoint, which accepts no option but `timeout`. Statements of the outer
   * transaction wait until the savepoint has ended.
   *
   * BEGIN is sent together with the first statement of the transaction, so it costs no round trip, and the time and the
   * snapshot of the transaction are those of that statement. A transaction without statements sends nothing. If BEGIN
   * fails, the statement does not run. It fails with that error, and so does the transaction, even if the effect catches
   * the error.
   *
   * The transaction is in the context of the fiber. To run a promise inside of it, pass that context on with
   * `Effect.runPromiseWith(yield* Effect.context())`. A plain `Effect.runPromise` runs outside of the transaction, and
   * a rollback does not undo its work.
   *
   * Fails as the effect does, with `TransactionRolledBackError` if the effect has caught the error of a statement that
   * failed, with `CommitOutcomeUnknownError` if the connection is lost during COMMIT, with `TransactionClosedError` if
   * the effect ends the transaction by SQL, with `UnsupportedError` inside of one that was begun by SQL, with
   * `InvalidConfigError` for unknown options, and as every call of `Queryable` does.
   *
   * @example
   * ```ts
   * import { Effect, Schedule } from "effect"
   * import { PgClient } from "effectpg"
   *
   * export const transfer = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   const move = Effect.gen(function* () {
   *     yield* pg.execute("UPDATE accounts SET balance = balance - $1 WHERE id = $2", [10, 1])
   *     yield* pg.execute("UPDATE accounts SET balance = balance + $1 WHERE id = $2", [10, 2])
   *   })
   *   yield* pg.withTransaction(move, { isolation: "serializable", retry: Schedule.recurs(5) })
   * })
   * ```
   * @since 0.1.0
   */
  readonly withTransaction: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: WithTransactionOptions
  ) => Effect.Effect<A, E | PgError.PgError, R>
  /**
   * Begins a transaction that you end by hand with `commit` or `rollback`. If it has not ended when the scope closes,
   * it is rolled back. BEGIN is sent together with its first statement, as by `withTransaction`. Only calls on the returned handle belong to it. Inside of `withTransaction` it is a savepoint.
   * Until it ends, calls on the connection or transaction that it was begun on fail with `UnsupportedError`; a pool and
   * a client have other connections for them. Fails as every call of `Queryable` does.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgClient } from "effectpg"
   *
   * const work = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   const transaction = yield* pg.begin({ isolation: "repeatable read" })
   *   yield* transaction.execute("DELETE FROM carts WHERE id = $1", [7])
   *   yield* transaction.commit
   * })
   *
   * export const program = Effect.scoped(work)
   * ```
   * @since 0.1.0
   */
  readonly begin: (options?: TransactionOptions) => Effect.Effect<Transaction, PgError.PgError, Scope.Scope>
  /**
   * Waits for an advisory lock of the database, runs an effect while the lock is held, and releases it. Any other
   * session that asks for a lock with the same key waits. Calls that the effect makes on the same connection, pool or
   * client run on the connection that has the lock. If that connection is lost, and the lock with it, they fail.
   *
   * The lock belongs to the session, and the server grants a session a lock that it already has. Fibers that share a
   * `PgConnection` therefore do not keep each other out, nor do nested calls. To keep fibers apart, use a pool or a
   * client.
   *
   * Inside of `withTransaction` the lock belongs to the transaction and is held until it ends. Behind a pooler that
   * assigns connections by transaction, use it only there.
   *
   * Fails as the effect does, with `QueryTimeoutError` if the wait for the lock takes longer than `timeout` (no limit by
   * default), and as every call of `Queryable` does.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgClient } from "effectpg"
   *
   * export const book = Effect.fn(function* (room: number) {
   *   const pg = yield* PgClient.PgClient
   *   // Another booking of the same room waits; other rooms have other locks.
   *   yield* pg.withAdvisoryLock([1, room], pg.execute("INSERT INTO bookings (room) VALUES ($1)", [room]))
   * })
   * ```
   * @since 0.1.0
   */
  readonly withAdvisoryLock: <A, E, R>(
    key: AdvisoryLockKey,
    effect: Effect.Effect<A, E, R>,
    options?: AdvisoryLockOptions
  ) => Effect.Effect<A, E | PgError.PgError, R>
  /**
   * Runs an effect while an advisory lock is held, but does not wait for the lock. If another session has it, the
   * effect is not run and the result is `Option.none()`. The lock works as that of `withAdvisoryLock` does. Fails as
   * the effect does, and as every call of `Queryable` does.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgClient } from "effectpg"
   *
   * const NIGHTLY_REPORT = 7301
   *
   * export const report = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   const write = pg.execute("INSERT INTO reports SELECT current_date, count(*) FROM orders")
   *   // If several copies of this program run at the same time, only one of them writes the report.
   *   yield* pg.withAdvisoryLockIfAvailable(NIGHTLY_REPORT, write)
   * })
   * ```
   * @since 0.1.0
   */
  readonly withAdvisoryLockIfAvailable: <A, E, R>(
    key: AdvisoryLockKey,
    effect: Effect.Effect<A, E, R>,
    options?: Omit<AdvisoryLockOptions, "timeout">
  ) => Effect.Effect<Option.Option<A>, E | PgError.PgError, R>
  /**
   * Runs an effect after the COMMIT of the fiber's transaction, or at once outside of a transaction. Several effects
   * run in the order in which they were given. The effects of a savepoint that is rolled back are dropped.
   *
   * The effects run after the connection has gone back to its pool and before `withTransaction` returns. An
   * interruption ends the one that is running. The fiber waits at most 200 ms for those that have not run by then, and
   * they continue in the background. An effect that dies is logged, and the transaction stays committed. If it is not known
   * whether the transaction was committed, neither these effects run nor those of `afterRollback`. Fails with
   * `InvalidConfigError` if the argument is not an effect.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgClient } from "effectpg"
   *
   * export const order = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   const place = Effect.gen(function* () {
   *     yield* pg.execute("INSERT INTO orders (item) VALUES ($1)", ["book"])
   *     yield* pg.afterCommit(Effect.log("the order is placed"))
   *   })
   *   yield* pg.withTransaction(place)
   * })
   * ```
   * @since 0.1.0
   */
  readonly afterCommit: (effect: Effect.Effect<unknown>) => Effect.Effect<void, PgError.PgError>
  /**
   * Runs an effect after the fiber's transaction or savepoint was rolled back. Outside of a transaction the effect
   * never runs. It runs in the way that `afterCommit` describes. Fails with `InvalidConfigError` if the argument is not
   * an effect.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgClient } from "effectpg"
   *
   * export const upload = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   const store = Effect.gen(function* () {
   *     yield* pg.afterRollback(Effect.log("the file can be removed"))
   *     yield* pg.execute("INSERT INTO files (path) VALUES ($1)", ["a.txt"])
   *   })
   *   yield* pg.withTransaction(store)
   * })
   * ```
   * @since 0.1.0
   */
  readonly afterRollback: (effect: Effect.Effect<unknown>) => Effect.Effect<void, PgError.PgError>
}

/**
 * A transaction that you end by hand, as `begin` returns it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Transaction extends Queryable {
  /**
   * Commits the transaction. Later calls on it fail with `TransactionClosedError`. Fails with
   * `TransactionRolledBackError` if one of its statements has failed, with `CommitOutcomeUnknownError` if the
   * connection is lost during COMMIT, and with the server's error, for example because of a deferred constraint.
   *
   * @since 0.1.0
   */
  readonly commit: Effect.Effect<void, PgError.PgError>
  /**
   * Rolls the transaction back. Later calls on it fail with `TransactionClosedError`.
   *
   * @since 0.1.0
   */
  readonly rollback: Effect.Effect<void, PgError.PgError>
}
