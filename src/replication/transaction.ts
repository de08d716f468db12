/** Makes the public value of a transaction that a consumer has handed over. */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { formatLsn } from "../call/lsn.ts"
import { MILLISECONDS_FROM_1970_TO_2000, PgTimestamp } from "../codec/timestamp.ts"
import { decodeRow } from "../connection/rowSchema.ts"
import * as PgError from "../PgError.ts"
import type { Received, ReceivedChange } from "./assembler.ts"
import type { Change, Services, Tables, Transaction } from "./change.ts"
import type { Consumer } from "./consumer.ts"
import type { TableReader } from "./tableReader.ts"

type Typed<T extends Tables> = Arr.NonEmptyReadonlyArray<Change<T>>

export const makeTransaction = <T extends Tables>(
  consumer: Consumer,
  received: Received,
  tables: T | undefined
): Transaction<T> => {
  const decode = (changes: Arr.NonEmptyReadonlyArray<ReceivedChange>) => decodeAll(changes, tables)
  const changes = received.isWhole ? wholeOf(received, decode) : piecesOf(consumer, received, decode)
  return {
    _tag: "Transaction",
    xid: received.xid,
    commitLsn: formatLsn(received.commitLsn),
    commitTime: timeOf(received.time),
    changes,
    allChanges: Stream.runCollect(changes),
    endLsn: consumer.endOf(received),
    acknowledge: Effect.sync(() => {
      if (received.entry !== undefined) consumer.acknowledgements.done(received.entry)
    })
  }
}

type Decode<T extends Tables> = (
  changes: Arr.NonEmptyReadonlyArray<ReceivedChange>
) => Effect.Effect<Typed<T>, PgError.PgError, Services<T>>

const wholeOf = <T extends Tables>(received: Received, decode: Decode<T>) => {
  const { pending } = received
  return Arr.isReadonlyArrayNonEmpty(pending) ? Stream.flattenArray(Stream.fromEffect(decode(pending))) : Stream.empty
}

const piecesOf = <T extends Tables>(consumer: Consumer, received: Received, decode: Decode<T>) => {
  let isStarted = false
  return Stream.fromPull(
    Effect.sync((): Pull.Pull<Typed<T>, PgError.PgError, void, Services<T>> => {
      if (isStarted) return Effect.fail(readAlready)
      isStarted = true
      return Effect.flatMap(consumer.changesOf(received), decode)
    })
  )
}

const readAlready = new PgError.UnsupportedError({
  feature: "reading the changes of a large transaction twice",
  instead: "read them once, or collect them with allChanges",
  sql: ""
})

// ------------------------------------------------------------------------------------------------- schemas

const decodeAll = <T extends Tables>(
  changes: Arr.NonEmptyReadonlyArray<ReceivedChange>,
  tables: T | undefined
): Effect.Effect<Typed<T>, PgError.PgError, Services<T>> =>
  tables === undefined
    ? Effect.succeed(Arr.map(changes, ({ change }) => typed<T>(change)))
    : Effect.forEach(changes, ({ change, reader }) => decodeOne(change, reader, tables))

const decodeOne = <T extends Tables>(
  change: Change,
  reader: TableReader | undefined,
  tables: T
): Effect.Effect<Change<T>, PgError.PgError, Services<T>> => {
  if (reader === undefined || !Object.hasOwn(tables, reader.table)) return Effect.succeed(typed<T>(change))
  const schema: Schema.ConstraintDecoder<unknown, Services<T>> | undefined = tables[reader.table]
  if (schema === undefined) return Effect.succeed(typed<T>(change))
  const decoded = (row: unknown) =>
    row === undefined
      ? Effect.succeed(undefined)
      : decodeRow(schema, {
          answer: row,
          columns: reader.described,
          types: reader.knownTypes,
          sql: `a change of ${reader.table}`
        })
  switch (change._tag) {
    case "Insert":
      return Effect.map(decoded(change.row), (row) => typed<T>({ ...change, row }))
    case "Update":
      return Effect.flatMap(decoded(change.row), (row) =>
        Effect.map(decoded(change.old), (old) => typed<T>({ ...change, row, old }))
      )
    case "Delete":
      return Effect.map(decoded(change.old), (old) => typed<T>({ ...change, old }))
    default:
      return Effect.succeed(typed<T>(change))
  }
}

/** What a change of a table is before its schema has a type for it. */
interface Untyped {
  readonly _tag: Change["_tag"]
  readonly row?: unknown
  readonly old?: unknown
}

/** The compiler cannot see that the schema of the change's table has made its rows. */
const typed = <T extends Tables>(change: Untyped): Change<T> => change as Change<T>

// ------------------------------------------------------------------------------------------------- time

const MICROS_PER_MILLI = 1_000n

const timeOf = (micros: bigint): Date => {
  const rest = ((micros % MICROS_PER_MILLI) + MICROS_PER_MILLI) % MICROS_PER_MILLI
  return new PgTimestamp(Number((micros - rest) / MICROS_PER_MILLI) + MILLISECONDS_FROM_1970_TO_2000, Number(rest))
}

/** The transactions of a consumer, one after the other. */
export const transactionsOf = <T extends Tables>(
  consumer: Consumer,
  tables: T | undefined
): Stream.Stream<Transaction<T>, PgError.PgError> =>
  Stream.fromPull(
    Effect.sync((): Pull.Pull<Arr.NonEmptyReadonlyArray<Transaction<T>>, PgError.PgError> =>
      Effect.map(consumer.next, (received) => [makeTransaction(consumer, received, tables)])
    )
  )
