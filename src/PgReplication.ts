/**
 * Change data capture: the committed transactions of a database as a stream, read from a replication slot. The slot
 * belongs to the server, which keeps the changes until they are acknowledged, also while no program reads.
 *
 * The server needs `wal_level = logical`, a publication that says of which tables the changes are sent, and a slot:
 *
 * ```sql
 * CREATE PUBLICATION search FOR TABLE users;
 * SELECT pg_create_logical_replication_slot('search', 'pgoutput');
 * ```
 *
 * A slot that nobody reads makes the server keep its log until the disk is full. Drop a slot that you do not need any
 * more, set `max_slot_wal_keep_size`, and watch `PgReplication.slots`.
 *
 * @example
 * ```ts
 * import { Effect, Schema, Stream } from "effect"
 * import * as PgReplication from "effectpg/PgReplication"
 *
 * const User = Schema.Struct({ id: Schema.Int, name: Schema.String })
 *
 * declare const index: (user: typeof User.Type) => Effect.Effect<void>
 * declare const remove: (key: unknown) => Effect.Effect<void>
 *
 * export const program = PgReplication.run(
 *   {
 *     connection: { host: "localhost", user: "app" },
 *     slot: "search",
 *     publications: ["search"],
 *     tables: { "public.users": User }
 *   },
 *   (transaction) =>
 *     Stream.runForEach(transaction.changes, (change) => {
 *       switch (change._tag) {
 *         case "Insert":
 *         case "Update":
 *           return index(change.row)
 *         case "Delete":
 *           return remove(change.key)
 *         default:
 *           return Effect.void
 *       }
 *     })
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { formatLsn, lsnOf } from "./call/lsn.ts"
import * as Shape from "./call/shape.ts"
import type { Queryable } from "./connection/queryable/queryable.ts"
import type * as PgConfig from "./PgConfig.ts"
import * as PgError from "./PgError.ts"
import type { AnyTable, Tables, Transaction } from "./replication/change.ts"
import { Consumer } from "./replication/consumer.ts"
import * as ExactlyOnce from "./replication/exactlyOnce.ts"
import { lsn, settingsOf, type StreamOptions } from "./replication/options.ts"
import * as Slots from "./replication/slots.ts"
import * as Snapshot from "./replication/snapshotThenStream.ts"
import { transactionsOf } from "./replication/transaction.ts"

export type {
  AnyTable,
  Change,
  Delete,
  Insert,
  Message,
  Relation,
  RelationColumn,
  Tables,
  Transaction,
  Truncate,
  Update
} from "./replication/change.ts"
export type { PositionOptions } from "./replication/exactlyOnce.ts"
export type { StreamOptions } from "./replication/options.ts"
export type { CreatedSlot, CreateSlotOptions, Slot } from "./replication/slots.ts"
export type {
  SnapshotBegun,
  SnapshotEnded,
  SnapshotEvent,
  SnapshotOptions,
  SnapshotRows
} from "./replication/snapshotThenStream.ts"

/**
 * How far a stream has come. Positions are texts such as `16/B374D848`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  /** Everything before it is acknowledged. */
  readonly acknowledgedLsn: string
  /** How many transactions were handed over and are not acknowledged, or stand behind one that is not. */
  readonly unacknowledged: number
}

/**
 * A replication slot that is being read. It lives as long as its scope.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgReplication<T extends Tables = AnyTable> {
  /**
   * The transactions, in the order of their commits. Read it by one fiber only. If the connection is lost, it goes on with
   * another one, from the last acknowledged position, and leaves out what was already handed over.
   */
  readonly transactions: Stream.Stream<Transaction<T>, PgError.PgError>
  /**
   * Acknowledges all transactions up to a position: the `commitLsn` or the `endLsn` of a transaction. Fails with
   * `InvalidConfigError` if it is no position, or one that is beyond all that the stream has brought.
   */
  readonly acknowledge: (lsn: string) => Effect.Effect<void, PgError.PgError>
  /** Tells up to where everything is acknowledged, and how many transactions are not. */
  readonly progress: Effect.Effect<Progress>
}

/**
 * Begins to read a replication slot, until the scope closes. The server then has the last acknowledged position, and the
 * slot is free.
 *
 * Fails with `ReplicationSetupError` if the server, the publications or the slot are not set up; its `hint` has the
 * statements that do that. Fails with `ReplicationSlotLostError` if the slot no longer has all changes, with
 * `ObjectInUseError` if another process reads from it, and as `PgConnection.make` does.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import * as PgReplication from "effectpg/PgReplication"
 *
 * export const program = Effect.gen(function* () {
 *   const replication = yield* PgReplication.make({
 *     connection: { host: "localhost", user: "app" },
 *     slot: "audit",
 *     publications: ["audit"]
 *   })
 *   yield* Stream.runForEach(replication.transactions, (transaction) =>
 *     Effect.gen(function* () {
 *       yield* Effect.log(yield* transaction.allChanges)
 *       yield* replication.acknowledge(transaction.commitLsn)
 *     })
 *   )
 * }).pipe(Effect.scoped)
 * ```
 * @category constructors
 * @since 0.1.0
 */
export const make = <T extends Tables = AnyTable>(
  options: StreamOptions<T>
): Effect.Effect<PgReplication<T>, PgError.PgError, Scope.Scope> =>
  Effect.gen(function* () {
    const settings = yield* settingsOf(options)
    const consumer = yield* Consumer.make(settings)
    const { acknowledgements } = consumer
    return {
      transactions: transactionsOf(consumer, options.tables),
      acknowledge: (position) =>
        Shape.unless(Shape.faultOf("lsn", position, lsn), () =>
          Effect.suspend(() => {
            const { received } = acknowledgements
            const upTo = lsnOf(position) ?? 0n
            if (upTo <= received) return Effect.sync(() => acknowledgements.upTo(upTo))
            const reason = `must not be beyond what the stream has brought, which ends at ${formatLsn(received)}`
            return Effect.fail(new PgError.InvalidConfigError({ setting: "lsn", reason }))
          })
        ),
      progress: Effect.sync(() => ({
        acknowledgedLsn: formatLsn(acknowledgements.flushed),
        unacknowledged: acknowledgements.unacknowledged
      }))
    }
  })

/**
 * Streams the committed transactions of a replication slot. Acknowledge each one when its work is done: what is not
 * acknowledged comes again in the next run. `run` does that by itself.
 *
 * Fails as `make` does, and with `DecodeError` if a row cannot be read.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import * as PgReplication from "effectpg/PgReplication"
 *
 * const options = { connection: { host: "localhost" }, slot: "audit", publications: ["audit"] }
 *
 * export const program = PgReplication.stream(options).pipe(
 *   Stream.tap((transaction) => Stream.runForEach(transaction.changes, (change) => Effect.log(change))),
 *   Stream.runForEach((transaction) => transaction.acknowledge)
 * )
 * ```
 * @category streaming
 * @since 0.1.0
 */
export const stream = <T extends Tables = AnyTable>(
  options: StreamOptions<T>
): Stream.Stream<Transaction<T>, PgError.PgError> =>
  Stream.unwrap(Effect.map(make(options), ({ transactions }) => transactions))

/**
 * Runs a handler for one transaction after the other, and acknowledges each one when the handler has succeeded. If the
 * handler fails, so does the call, and the transaction comes again in the next run. However long a handler takes, the
 * connection stays alive.
 *
 * A transaction may come twice, in two runs, if the program ends between the two. See `exactlyOnce` for work in a
 * database.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as PgReplication from "effectpg/PgReplication"
 *
 * const options = { connection: { host: "localhost" }, slot: "audit", publications: ["audit"] }
 *
 * export const program = PgReplication.run(options, (transaction) =>
 *   Effect.flatMap(transaction.allChanges, (changes) => Effect.log(`${transaction.xid}: ${changes.length} changes`))
 * )
 * ```
 * @category streaming
 * @since 0.1.0
 */
export const run = <E, R, T extends Tables = AnyTable>(
  options: StreamOptions<T>,
  handler: (transaction: Transaction<T>) => Effect.Effect<unknown, E, R>
): Effect.Effect<void, E | PgError.PgError, R> =>
  Shape.unless(Shape.faultOf("handler", handler, Shape.callback), () =>
    Stream.runForEach(stream(options), (transaction) =>
      Effect.andThen(Shape.answerOf("handler", handler(transaction)), transaction.acknowledge)
    )
  )

/**
 * Makes a handler for `run` that does its work in a PostgreSQL database exactly once for each transaction, whatever is
 * lost in between. The handler runs in a transaction of `target`, in which the position of the reader is stored, too. A
 * transaction of the stream that is not above the stored position is left out.
 *
 * The work has to be done by calls of `target`. The positions of different servers cannot be compared, so a reader of
 * another server needs another name.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { PgClient } from "effectpg"
 * import * as PgReplication from "effectpg/PgReplication"
 *
 * const options = { connection: { host: "primary" }, slot: "orders", publications: ["orders"] }
 *
 * export const program = Effect.gen(function* () {
 *   const pg = yield* PgClient.PgClient
 *   const count = PgReplication.exactlyOnce(pg, { reader: "orders" }, (transaction) =>
 *     Stream.runForEach(transaction.changes, (change) =>
 *       pg.execute("UPDATE statistics SET changes = changes + 1 WHERE kind = $1", [change._tag])
 *     )
 *   )
 *   yield* PgReplication.run(options, count)
 * })
 * ```
 * @category streaming
 * @since 0.1.0
 */
export const exactlyOnce = <E, R, T extends Tables = AnyTable>(
  target: Queryable,
  options: ExactlyOnce.PositionOptions,
  handler: (transaction: Transaction<T>) => Effect.Effect<unknown, E, R>
): ((transaction: Transaction<T>) => Effect.Effect<void, E | PgError.PgError, R>) =>
  ExactlyOnce.exactlyOnce(target, options, handler)

/**
 * Returns the position up to which a reader has done its work, as `exactlyOnce` has stored it: the option `after` of a
 * stream takes it. Fails as every call of `Queryable` does.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgClient } from "effectpg"
 * import * as PgReplication from "effectpg/PgReplication"
 *
 * export const position = Effect.flatMap(PgClient.PgClient, (pg) =>
 *   PgReplication.storedPosition(pg, { reader: "orders" })
 * )
 * ```
 * @category getters
 * @since 0.1.0
 */
export const storedPosition = (
  target: Queryable,
  options: ExactlyOnce.PositionOptions
): Effect.Effect<Option.Option<string>, PgError.PgError> => ExactlyOnce.storedPosition(target, options)

/**
 * Streams the rows of the published tables as they are now, and then every transaction since. No row is missed, and none
 * comes twice. The slot is made when the last row was taken; if it is there already, only transactions come. If the program
 * ends before that, the next run begins anew with `SnapshotBegun`, upon which the reader drops what it has.
 *
 * Acknowledge the transactions, as with `stream`. Fails as `make` does, and with `DecodeError` if a row cannot be read.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import * as PgReplication from "effectpg/PgReplication"
 *
 * const options = { connection: { host: "localhost" }, slot: "cache", publications: ["cache"] }
 *
 * const cache = new Map<unknown, unknown>()
 *
 * export const program = PgReplication.snapshotThenStream(options).pipe(
 *   Stream.runForEach((event) => {
 *     switch (event._tag) {
 *       case "SnapshotBegun":
 *         return Effect.sync(() => cache.clear())
 *       case "SnapshotRows":
 *         return Effect.sync(() => event.rows.forEach((row) => cache.set(row["id"], row)))
 *       case "SnapshotEnded":
 *         return Effect.logInfo(`all rows are there, as of ${event.lsn}`)
 *       case "Transaction":
 *         return event.acknowledge
 *     }
 *   })
 * )
 * ```
 * @category streaming
 * @since 0.1.0
 */
export const snapshotThenStream = <T extends Tables = AnyTable>(
  options: Snapshot.SnapshotOptions<T>
): Stream.Stream<Snapshot.SnapshotEvent<T>, PgError.PgError, T[keyof T]["DecodingServices"]> =>
  Snapshot.snapshotThenStream(options)

/**
 * Makes a replication slot for this module. From then on the server keeps all changes, until they are acknowledged or the
 * slot is dropped. Its snapshot can be imported until the scope closes.
 *
 * Fails with `DuplicateObjectError` if there is such a slot, with `ReplicationSetupError`, and as `PgConnection.make`
 * does.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgConnection } from "effectpg"
 * import * as PgReplication from "effectpg/PgReplication"
 *
 * const settings = { host: "localhost", user: "app" }
 *
 * export const copied = Effect.gen(function* () {
 *   const { snapshot } = yield* PgReplication.createSlot(settings, { slot: "search" })
 *   const pg = yield* PgConnection.make(settings)
 *   return yield* PgReplication.withSnapshot(pg, snapshot, pg.fetch("SELECT * FROM users"))
 * }).pipe(Effect.scoped)
 * ```
 * @category slots
 * @since 0.1.0
 */
export const createSlot = (
  connection: PgConfig.Settings,
  options: Slots.CreateSlotOptions
): Effect.Effect<Slots.CreatedSlot, PgError.PgError, Scope.Scope> => Slots.createSlot(connection, options)

/**
 * Drops a replication slot, so that the server no longer keeps changes for it. If a program reads from it, this waits
 * until that has ended. Fails with `UndefinedObjectError` if there is no such slot, and as `PgConnection.make` does.
 *
 * @example
 * ```ts
 * import * as PgReplication from "effectpg/PgReplication"
 *
 * export const program = PgReplication.dropSlot({ host: "localhost", user: "app" }, "search")
 * ```
 * @category slots
 * @since 0.1.0
 */
export const dropSlot = (connection: PgConfig.Settings, slot: string): Effect.Effect<void, PgError.PgError> =>
  Slots.dropSlot(connection, slot)

/**
 * Lists the replication slots of the server, with how far each lags behind. Fails as every call of `Queryable` does.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgClient } from "effectpg"
 * import * as PgReplication from "effectpg/PgReplication"
 *
 * export const abandoned = Effect.gen(function* () {
 *   const slots = yield* PgReplication.slots(yield* PgClient.PgClient)
 *   return slots.filter(({ active, retainedBytes = 0n }) => !active && retainedBytes > 1_000_000_000n)
 * })
 * ```
 * @category slots
 * @since 0.1.0
 */
export const slots = (queryable: Queryable): Effect.Effect<ReadonlyArray<Slots.Slot>, PgError.PgError> =>
  Slots.slots(queryable)

/**
 * Runs an effect in a transaction that sees the database as it was when a slot was made: `snapshot` is that of
 * `createSlot`. Fails as the effect does, and as every call of `Queryable` does.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgClient } from "effectpg"
 * import * as PgReplication from "effectpg/PgReplication"
 *
 * export const countedIn = (snapshot: string) =>
 *   Effect.gen(function* () {
 *     const pg = yield* PgClient.PgClient
 *     return yield* PgReplication.withSnapshot(pg, snapshot, pg.fetchValue("SELECT count(*) FROM users"))
 *   })
 * ```
 * @category slots
 * @since 0.1.0
 */
export const withSnapshot = <A, E, R>(
  queryable: Queryable,
  snapshot: string,
  use: Effect.Effect<A, E, R>
): Effect.Effect<A, E | PgError.PgError, R> => Slots.withSnapshot(queryable, snapshot, use)
