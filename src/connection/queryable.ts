/** What can be asked of a database, and what comes back: the vocabulary that connections, pools and clients share. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as PgCopy from "../PgCopy.ts"
import type * as PgCursor from "../PgCursor.ts"
import type * as PgError from "../PgError.ts"
import type * as PgStatement from "../PgStatement.ts"
import type {
  BarrierResult,
  BatchResult,
  BatchStatement,
  Call,
  CallOptions,
  CallWith,
  CommandResult,
  DecodedValueOptions,
  ManyResult,
  Row,
  RowOptions,
  RowSource,
  RowStreamOptions,
  StreamOptions,
  Tuple,
  ValueOptions
} from "./vocabulary.ts"

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
} from "./vocabulary.ts"

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
 * (`default_transaction_isolation` and its kin).
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
   */
  readonly trackOutcome?: boolean | undefined
  /**
   * How long all of it may take: the wait for a connection, the effect, each time that it is run, and COMMIT. After that
   * it is interrupted and rolled back, and fails with `TimeoutError`; whether a COMMIT under way was done is not known
   * then. For `begin`, how long it may take to begin. A savepoint takes it too. No limit by default.
   */
  readonly timeout?: Duration.Input | undefined
}

/**
 * The same for `withTransaction`, which can run its effect again.
 *
 * @category models
 * @since 0.1.0
 */
export interface WithTransactionOptions extends TransactionOptions {
  /**
   * Runs the whole effect again, in a new transaction, where it failed because of others: with a serialization failure
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
  /** A shared lock lets others have it too, as long as they share it. False by default. */
  readonly shared?: boolean | undefined
  /** How long to wait for the lock before failing with `TimeoutError`. No limit by default. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * What can be asked of everything that reaches a database: a connection, a pool, a client, a transaction.
 *
 * Statements are prepared once for each connection and run in binary. Parameters are encoded for the types that the
 * server describes. A call that is interrupted cancels its query. Every failure is a `PgError`; those that any call
 * may meet are the server's errors, `ConnectionLostError`, `EncodeError`, `ParameterCountError`, `EmptyQueryError`,
 * `TimeoutError` where a timeout was set, and `UnsupportedError` for COPY. An argument or an option of the wrong kind is an
 * `InvalidConfigError` that names it, and SQL that is none an `EncodeError`; nothing is asked of the server then.
 *
 * @category models
 * @since 0.1.0
 */
export interface Queryable {
  /**
   * All rows of a statement. Also fails with `DecodeError`.
   *
   * @example
   * ```ts
   * import { Effect, Schema } from "effect"
   * import { PgClient } from "effectpg"
   * import { sql } from "effectpg/PgSql"
   *
   * class User extends Schema.Class<User>("User")({ id: Schema.Int, name: Schema.NonEmptyString }) {}
   *
   * export const users = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   const rows = yield* pg.fetch("SELECT id, name FROM users WHERE active = $1", [true])
   *   const users = yield* pg.fetch(sql`SELECT id, name FROM users WHERE active = ${true}`, { row: User })
   *   return { rows, names: users.map((user) => user.name) }
   * })
   * ```
   */
  readonly fetch: {
    <A, R>(...call: CallWith<RowOptions<A, R>>): Effect.Effect<ReadonlyArray<A>, PgError.PgError, R>
    (...call: Call<CallOptions>): Effect.Effect<ReadonlyArray<Row>, PgError.PgError>
  }
  /** All rows, in column order, duplicate names kept. Also fails with `DecodeError`. */
  readonly fetchTuples: {
    <A, R>(...call: CallWith<RowOptions<A, R>>): Effect.Effect<ReadonlyArray<A>, PgError.PgError, R>
    (...call: Call<CallOptions>): Effect.Effect<ReadonlyArray<Tuple>, PgError.PgError>
  }
  /**
   * The first row, if there is one; the server is asked for no second, and a SELECT goes no further. A statement that
   * writes (`INSERT ... RETURNING`) is done whole, whatever is read of its rows. Also fails with `DecodeError`.
   */
  readonly fetchRow: {
    <A, R>(...call: CallWith<RowOptions<A, R>>): Effect.Effect<Option.Option<A>, PgError.PgError, R>
    (...call: Call<CallOptions>): Effect.Effect<Option.Option<Row>, PgError.PgError>
  }
  /**
   * The only row. Fails with `UnexpectedRowCountError` where there is none or more than one, and with `DecodeError`. A
   * SELECT goes no further than its second row; a statement that writes has been done whole by then, and outside of a
   * transaction the failure undoes nothing.
   */
  readonly fetchOne: {
    <A, R>(...call: CallWith<RowOptions<A, R>>): Effect.Effect<A, PgError.PgError, R>
    (...call: Call<CallOptions>): Effect.Effect<Row, PgError.PgError>
  }
  /**
   * One value of the first row, if there is one: of the first column, or of the one with that name or position from 0.
   * NULL is `Option.some(null)`. As with `fetchRow`, a SELECT goes no further, and a statement that writes is done whole.
   * Also fails with `DecodeError`, for a column that the result does not have, too.
   */
  readonly fetchValue: {
    <A, R>(...call: CallWith<DecodedValueOptions<A, R>>): Effect.Effect<Option.Option<A>, PgError.PgError, R>
    (...call: Call<ValueOptions>): Effect.Effect<Option.Option<unknown>, PgError.PgError>
  }
  /** Runs a statement for what it does; its rows, if any, are dropped. */
  readonly execute: (...call: Call<CallOptions>) => Effect.Effect<CommandResult, PgError.PgError>
  /**
   * Runs several statements in one text, without parameters, and gives one result for each. They are one transaction
   * unless they contain transaction commands themselves.
   */
  readonly executeScript: (
    sql: string,
    options?: CallOptions
  ) => Effect.Effect<ReadonlyArray<CommandResult>, PgError.PgError>
  /**
   * Copies bytes into a table: PostgreSQL's text format by default, CSV or its binary format; from a stream, such as
   * that of a file, or an iterable. All of it is copied, or nothing: a failure of the source undoes it and is what the
   * call fails with, and a failure of the server ends the source at once. What the source asks of the connection that
   * copies is refused with `UnsupportedError`.
   */
  readonly copyIn: <E = never, R = never>(
    table: PgCopy.Table,
    bytes: Uint8Array | Iterable<Uint8Array> | Stream.Stream<Uint8Array, E, R>,
    options?: PgCopy.InOptions
  ) => Effect.Effect<PgCopy.Result, E | PgError.PgError, R>
  /**
   * Copies rows into a table, the fastest way to write many. Values are taken as they are for parameters. Without
   * `columns`, objects are written to the columns that the first one names, and arrays to all of the table. A value that
   * its column does not take, or a row of another shape, is an `EncodeError` with the row and the column; otherwise as
   * `copyIn`.
   *
   * @example
   * ```ts
   * import { Effect, Stream } from "effect"
   * import { PgClient } from "effectpg"
   *
   * export const load = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   const readings = Stream.map(Stream.range(1, 100_000), (n) => ({ sensor: n % 10, celsius: 20 + Math.random() }))
   *   return yield* pg.copyInRows({ table: "readings" }, readings)
   * })
   * ```
   */
  readonly copyInRows: <E = never, R = never>(
    table: PgCopy.Table,
    rows: Iterable<PgCopy.InputRow> | Stream.Stream<PgCopy.InputRow, E, R>,
    options?: PgCopy.RowsInOptions
  ) => Effect.Effect<PgCopy.Result, E | PgError.PgError, R>
  /**
   * Copies a table or the rows of a query out, as bytes in PostgreSQL's text format by default, in CSV or its binary
   * format. The server waits for a slow reader. A stream that ends early cancels the COPY, which a transaction around it
   * does not survive; `stream` has pages, and does. What the fiber that reads asks of the same connection meanwhile is
   * refused with `UnsupportedError`.
   */
  readonly copyOut: (source: PgCopy.Source, options?: PgCopy.OutOptions) => Stream.Stream<Uint8Array, PgError.PgError>
  /** The same as rows, with the values that `fetch` gives. Also fails with `DecodeError`. */
  readonly copyOutRows: (source: PgCopy.Source, options?: PgCopy.Observed) => Stream.Stream<Row, PgError.PgError>
  /**
   * Runs a statement once for each row of values, with as few round trips as can be, and tells to how many rows it was
   * applied in all. It is all or nothing: outside of a transaction it is one, inside of one it is a savepoint. Rows are
   * pulled as the connection takes them, and no more once one has failed; the error has its number as `row`.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgClient } from "effectpg"
   *
   * const readings = [
   *   [1, 21.5],
   *   [2, 22]
   * ]
   *
   * export const program = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   return yield* pg.executeMany("INSERT INTO readings (sensor, celsius) VALUES ($1, $2)", readings)
   * })
   * ```
   */
  readonly executeMany: <E = never, R = never>(
    sql: string,
    rows: RowSource<E, R>,
    options?: CallOptions
  ) => Effect.Effect<ManyResult, E | PgError.PgError, R>
  /** The same, with the rows that each run has returned, in a list for each row of values. */
  readonly fetchMany: {
    <A, E = never, R = never, R2 = never>(
      sql: string,
      rows: RowSource<E, R>,
      options: RowOptions<A, R2>
    ): Effect.Effect<ReadonlyArray<ReadonlyArray<A>>, E | PgError.PgError, R | R2>
    <E = never, R = never>(
      sql: string,
      rows: RowSource<E, R>,
      options?: CallOptions
    ): Effect.Effect<ReadonlyArray<ReadonlyArray<Row>>, E | PgError.PgError, R>
  }
  /**
   * Runs different statements in one round trip, and gives what each has done and returned. One more is taken by each that
   * can only be described once those before it have run: `FETCH`, `EXECUTE` and the like, and all behind a change of the
   * schema. Outside of a transaction they are one; the error of the one that fails has its number, from 1, as `row`. With `errorBarriers` each stands for
   * itself, in a `Result`; inside of a transaction, what comes after a failure fails with it.
   */
  readonly batch: {
    (
      statements: ReadonlyArray<BatchStatement>,
      options: CallOptions & { readonly errorBarriers: true }
    ): Effect.Effect<ReadonlyArray<BarrierResult>, PgError.PgError>
    (
      statements: ReadonlyArray<BatchStatement>,
      options?: CallOptions & { readonly errorBarriers?: false | undefined }
    ): Effect.Effect<ReadonlyArray<BatchResult>, PgError.PgError>
  }
  /**
   * The rows of a statement, a page of `fetchSize` at a time, whatever their number: the next page is asked for when the
   * one before has been used up. It runs in the fiber's transaction, where other statements may run meanwhile. Outside of
   * one it has a connection and a transaction of its own, which is committed at its end; a `PgConnection` then refuses
   * everything else until the stream ends. Ending it early cancels nothing, and commits too; where that COMMIT fails, as
   * for a deferred constraint, the fiber dies of the error, since the end of a scope has no other way to tell it. Inside
   * of `withTransaction` it is a failure like any other.
   *
   * @example
   * ```ts
   * import { Effect, Stream } from "effect"
   * import { PgClient } from "effectpg"
   *
   * export const program = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   const sizes = pg.stream("SELECT size FROM files", [], { fetchSize: 5_000 })
   *   return yield* Stream.runFold(sizes, () => 0, (total, { size }) => total + Number(size))
   * })
   * ```
   */
  readonly stream: {
    <A, R>(...call: CallWith<RowStreamOptions<A, R>>): Stream.Stream<A, PgError.PgError, R>
    (...call: Call<StreamOptions>): Stream.Stream<Row, PgError.PgError>
  }
  /**
   * A cursor over the rows of a statement, for the scope. It lives in the fiber's transaction, or else in one of its own,
   * as a stream does; with `hold` it outlives its transaction.
   */
  readonly cursor: {
    (
      ...call: CallWith<PgCursor.CursorOptions & { readonly scroll: true }>
    ): Effect.Effect<PgCursor.ScrollCursor, PgError.PgError, Scope.Scope>
    (...call: Call<PgCursor.CursorOptions>): Effect.Effect<PgCursor.PgCursor, PgError.PgError, Scope.Scope>
  }
  /** Prepares a statement for the scope, on the connection of the fiber's transaction or on one that is its own. */
  readonly prepare: (
    sql: string,
    options?: PgStatement.PrepareOptions
  ) => Effect.Effect<PgStatement.PgStatement, PgError.PgError, Scope.Scope>
  /** Sends a notification to all who listen to a channel; inside of a transaction, when that commits. */
  readonly notify: (channel: string, payload?: string, options?: CallOptions) => Effect.Effect<void, PgError.PgError>
  /**
   * Runs an effect in a transaction: committed when it succeeds, rolled back when it fails or is interrupted. What the
   * effect asks of the same connection, pool or client is a part of it, in child fibers too. Inside of another one it is
   * a savepoint, and takes no options. Statements of the fibers around a savepoint wait for its end.
   *
   * The transaction travels in the context of the fiber. Promises are a part of it with that context, by
   * `Effect.runPromiseWith(yield* Effect.context())`; what a plain `Effect.runPromise` runs stays after a rollback.
   *
   * Also fails with `TransactionRolledBackError` where a failed statement had been caught inside, with
   * `CommitOutcomeUnknownError` where the connection is lost during COMMIT, with `TransactionClosedError` where the
   * effect ends the transaction by SQL, with `UnsupportedError` inside of one that was begun by SQL, and with
   * `InvalidConfigError` for unknown options.
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
   */
  readonly withTransaction: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: WithTransactionOptions
  ) => Effect.Effect<A, E | PgError.PgError, R>
  /**
   * Begins a transaction that is ended by hand, and rolled back with the scope where it was not. It is not the fiber's:
   * only what is asked of the handle is a part of it. Inside of `withTransaction` it is a savepoint. Until it is ended,
   * what is asked of the connection or the transaction that it was begun on fails with `UnsupportedError`; a pool and a
   * client have other connections for that.
   */
  readonly begin: (options?: TransactionOptions) => Effect.Effect<Transaction, PgError.PgError, Scope.Scope>
  /**
   * Waits for an advisory lock of the database, runs an effect while it is held, and releases it: whoever else asks for
   * the lock with the same key, from whatever program, waits. What the effect asks of the same connection, pool or client
   * runs on the connection that has the lock, so that it fails where the lock is lost with its connection.
   *
   * The lock is the session's, and a session that has a lock is given it again: fibers of one `PgConnection` hold the same
   * key together, as do calls inside of each other. To keep fibers apart, ask a pool or a client.
   *
   * Inside of `withTransaction` the lock is the transaction's, and is held until that ends. Behind a pooler that lends
   * connections by the transaction, it is of use only there.
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
   */
  readonly withAdvisoryLock: <A, E, R>(
    key: AdvisoryLockKey,
    effect: Effect.Effect<A, E, R>,
    options?: AdvisoryLockOptions
  ) => Effect.Effect<A, E | PgError.PgError, R>
  /** The same without waiting: none where somebody else has the lock, and then the effect is not run. */
  readonly withAdvisoryLockIfAvailable: <A, E, R>(
    key: AdvisoryLockKey,
    effect: Effect.Effect<A, E, R>,
    options?: Omit<AdvisoryLockOptions, "timeout">
  ) => Effect.Effect<Option.Option<A>, E | PgError.PgError, R>
  /**
   * Runs an effect after the COMMIT of the fiber's transaction, in the order in which they were given; at once outside
   * of a transaction. What was given inside of a savepoint that is rolled back is forgotten.
   *
   * It runs when the connection has gone back, before `withTransaction` ends, and can be interrupted. A fiber that was
   * interrupted before, during COMMIT, waits for it no longer than 200 ms; it goes on all the same. One that dies is
   * logged, and undoes nothing. If nobody knows whether it was committed, this is not run, nor is `afterRollback`.
   */
  readonly afterCommit: (effect: Effect.Effect<unknown>) => Effect.Effect<void, PgError.PgError>
  /** Runs an effect after the fiber's transaction or savepoint was rolled back, as `afterCommit`; never outside. */
  readonly afterRollback: (effect: Effect.Effect<unknown>) => Effect.Effect<void, PgError.PgError>
  /**
   * Forgets what is known of the types that users have made, and all prepared statements, on every connection of a pool.
   * Both are learnt again when they are needed. Changes of a schema are noticed without it, as a rule by the server's own
   * word; it is for those who want to be sure after a migration.
   */
  readonly reloadSchemaState: Effect.Effect<void>
}

/**
 * A transaction that is ended by hand.
 *
 * @category models
 * @since 0.1.0
 */
export interface Transaction extends Queryable {
  /** Commits, and ends the handle; what is asked of it afterwards fails with `TransactionClosedError`. */
  readonly commit: Effect.Effect<void, PgError.PgError>
  /** Rolls back, and ends the handle. */
  readonly rollback: Effect.Effect<void, PgError.PgError>
}
