/** What can be asked of a database, and what comes back: the vocabulary that connections, pools and clients share. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as PgError from "../../PgError.ts"
import type { Fetching } from "./fetching.ts"
import type { Running } from "./running.ts"

export type {
  BarrierResult,
  BatchResult,
  BatchStatement,
  Call,
  CallOptions,
  CallWith,
  CommandResult,
  DecodedValueOptions,
  ManyResult,
  Parameters,
  Row,
  RowOptions,
  RowSource,
  RowStreamOptions,
  StreamOptions,
  Tuple,
  ValueOptions
} from "../../call/call.ts"

/**
 * How much of what other transactions do this one may see.
 *
 * @category models
 * @since 0.1.0
 */
export type Isolation = "read uncommitted" | "read committed" | "repeatable read" | "serializable"

/**
 * What a transaction may do to the database.
 *
 * @category models
 * @since 0.1.0
 */
export type Access = "read write" | "read only"

/**
 * How an outermost transaction is run. What is left out is as the session's settings say
 * (`default_transaction_isolation` and the similar ones).
 *
 * @category models
 * @since 0.1.0
 */
export interface TransactionOptions {
  readonly isolation?: Isolation | undefined
  readonly access?: Access | undefined
  /** With `serializable` and `read only`: waits at the beginning, and cannot fail by serialization afterwards. */
  readonly deferrable?: boolean | undefined
  /**
   * Asks the server for the transaction's id before COMMIT, which costs a round trip, so that a
   * `CommitOutcomeUnknownError` carries it and `PgTransaction.outcome` can find out what became of the transaction.
   *
   * @default false
   */
  readonly trackOutcome?: boolean | undefined
  /**
   * How long all of it may take: the wait for a connection, the effect, each time that it is run, and COMMIT. After that
   * it is interrupted and rolled back, and fails with `QueryTimeoutError`; whether a COMMIT under way was done is not known
   * then. For `begin`, how long it may take to begin. A savepoint takes it too. No limit by default.
   */
  readonly timeout?: Duration.Input | undefined
}

/**
 * How `withTransaction` runs its transaction, and whether it runs its effect again.
 *
 * @category models
 * @since 0.1.0
 */
export interface WithTransactionOptions extends TransactionOptions {
  /**
   * Runs the whole effect again, in a new transaction, if it failed because of others: with a serialization failure
   * or a deadlock, at COMMIT too. The schedule sets the pauses and the number. By default it is not run again.
   */
  readonly retry?: Schedule.Schedule<unknown> | undefined
}

/**
 * What an advisory lock is known by: a number of 64 bits, or two of 32. The two kinds have nothing in common.
 *
 * @category models
 * @since 0.1.0
 */
export type AdvisoryLockKey = bigint | number | readonly [number, number]

/**
 * How an advisory lock is taken.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdvisoryLockOptions {
  /**
   * Whether others may have the lock too, as long as they share it.
   *
   * @default false
   */
  readonly shared?: boolean | undefined
  /** How long to wait for the lock before failing with `QueryTimeoutError`. No limit by default. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * What can be asked of everything that reaches a database: a connection, a pool, a client, a transaction.
 *
 * Statements are prepared once for each connection and run in binary. Parameters are encoded for the types that the
 * server describes. A call that is interrupted cancels its query. Every failure is a `PgError`; those that any call
 * may meet are the server's errors, `ConnectionLostError`, `EncodeError`, `ParameterCountError`, `EmptyQueryError`,
 * `QueryTimeoutError` if a timeout was set, and `UnsupportedError` for COPY. An argument or an option of the wrong kind is an
 * `InvalidConfigError` that names it, and SQL of the wrong kind is an `EncodeError`. Then nothing is sent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Queryable extends Fetching, Running {
  /**
   * Runs an effect in a transaction, commits when it succeeds, and rolls back when it fails or is interrupted. What the
   * effect asks of the same connection, pool or client is a part of it, in child fibers too. Inside of another one it
   * is a savepoint, and takes no options. Statements of the fibers around a savepoint wait for its end.
   *
   * The transaction travels in the context of the fiber. Promises are a part of it with that context, by
   * `Effect.runPromiseWith(yield* Effect.context())`; what a plain `Effect.runPromise` runs stays after a rollback.
   *
   * Fails as the effect does, with `TransactionRolledBackError` if a failed statement had been caught inside, with
   * `CommitOutcomeUnknownError` if the connection is lost during COMMIT, with `TransactionClosedError` if the effect
   * ends the transaction by SQL, with `UnsupportedError` inside of one that was begun by SQL, with `InvalidConfigError`
   * for unknown options, and as every call of `Queryable` does.
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
   * Begins a transaction that is ended by hand, and is rolled back with the scope if it was not. It is not the fiber's:
   * only what is asked of the handle is a part of it. Inside of `withTransaction` it is a savepoint. Until it is ended,
   * what is asked of the connection or the transaction that it was begun on fails with `UnsupportedError`; a pool and a
   * client have other connections for that. Fails as every call of `Queryable` does.
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
   * Waits for an advisory lock of the database, runs an effect while it is held, and releases it. Any other program
   * or fiber that asks for the lock with the same key waits. What the effect asks of the same connection, pool or
   * client runs on the connection that has the lock, so that it fails if the lock is lost with its connection.
   *
   * The lock is the session's, and a session that has a lock is given it again: fibers of one `PgConnection` hold the same
   * key together, as do calls inside of each other. To keep fibers apart, ask a pool or a client.
   *
   * Inside of `withTransaction` the lock is the transaction's, and is held until that ends. Behind a pooler that lends
   * connections by the transaction, it is of use only there.
   *
   * Fails as the effect does, with `QueryTimeoutError` if the lock is not to be had within `timeout` (no limit by default),
   * and as every call of `Queryable` does.
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
   * Runs an effect while an advisory lock is held, unless somebody else has the lock: then it gives none, without
   * waiting, and does not run the effect. The lock is that of `withAdvisoryLock`. Fails as the effect does, and as
   * every call of `Queryable` does.
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
   *   // Wherever else this program runs too, one of them writes it.
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
   * Runs an effect after the COMMIT of the fiber's transaction, or at once outside of a transaction. Several run in the
   * order in which they were given. What was given inside of a savepoint that is rolled back is forgotten.
   *
   * It runs when the connection has gone back, before `withTransaction` ends, and can be interrupted. A fiber that was
   * interrupted before, during COMMIT, waits for it no longer than 200 ms; it goes on all the same. One that dies is
   * logged, and undoes nothing. If nobody knows whether it was committed, this is not run, nor is `afterRollback`.
   * Fails with `InvalidConfigError` if it is given no effect.
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
   * Runs an effect after the fiber's transaction or savepoint was rolled back, and never outside of one. It runs as
   * those of `afterCommit` do, and fails as that does.
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
 * A transaction that is ended by hand.
 *
 * @category models
 * @since 0.1.0
 */
export interface Transaction extends Queryable {
  /**
   * Commits the transaction, and ends the handle. What is asked of it afterwards fails with `TransactionClosedError`.
   * Fails with `TransactionRolledBackError` if a statement had failed, with `CommitOutcomeUnknownError` if the
   * connection is lost during COMMIT, and with the server's error, as for a deferred constraint.
   *
   * @since 0.1.0
   */
  readonly commit: Effect.Effect<void, PgError.PgError>
  /**
   * Rolls the transaction back, and ends the handle. What is asked of it afterwards fails with
   * `TransactionClosedError`.
   *
   * @since 0.1.0
   */
  readonly rollback: Effect.Effect<void, PgError.PgError>
}
