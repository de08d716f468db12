/** COPY into a table, of bytes or of rows, from a source that may fail or be slow; all of it is copied, or nothing. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as PgCopy from "../PgCopy.ts"
import type * as PgError from "../PgError.ts"
import { type CopyIn, copyIn as copyInRequest, FedSession, MESSAGE_BYTES } from "../session/copyIn.ts"
import { serverVersionOf } from "../session/serverVersion.ts"
import type { Session } from "../session/session.ts"
import type { TransactionLevel } from "../session/transaction.ts"
import { type Feed, open } from "./copyFeed.ts"
import { CopyRows, copyPlan } from "./copyRows.ts"
import { copyInStatement } from "./copyStatement.ts"

/** Of an iterable of rows so many are taken at once. */
const ROWS_AT_ONCE = 256

type Copied<E, R> = Effect.Effect<PgCopy.Result, E | PgError.PgError, R>

export const copyBytesIn = <E, R>(
  level: TransactionLevel,
  table: PgCopy.Table,
  source: Uint8Array | Iterable<Uint8Array> | Stream.Stream<Uint8Array, E, R>,
  options: PgCopy.InOptions
): Copied<E, R | Scope.Scope> =>
  Effect.gen(function* () {
    const sql = yield* copyInStatement(table, options, serverVersionOf(level.session.parameters))
    const feed = yield* open(source instanceof Uint8Array ? [source] : source, 1)
    return yield* transfer(level, "copyIn", sql, options, countBytes, (copy) =>
      Effect.gen(function* () {
        for (let chunks = yield* feed; chunks !== undefined; chunks = yield* feed) {
          for (const chunk of chunks) {
            for (let at = 0; at < chunk.length; at += MESSAGE_BYTES) {
              copy.data.raw(chunk.subarray(at, at + MESSAGE_BYTES))
              if (copy.isFull) yield* sendOn(copy, options, countBytes)
            }
          }
        }
      })
    )
  })

const countBytes = (copy: CopyIn): PgCopy.Progress => ({ bytes: copy.bytesWritten, rows: undefined })

export const copyRowsIn = <E, R>(
  level: TransactionLevel,
  table: PgCopy.Table,
  source: Iterable<PgCopy.InputRow> | Stream.Stream<PgCopy.InputRow, E, R>,
  options: PgCopy.RowsInOptions
): Copied<E, R | Scope.Scope> =>
  Effect.gen(function* () {
    const feed = yield* open(source, ROWS_AT_ONCE)
    const first = yield* feed
    const plan = yield* copyPlan(level, table, first?.[0], options.format)
    const sql = yield* copyInStatement(
      { ...table, columns: plan.names },
      { ...options, format: plan.format },
      serverVersionOf(level.session.parameters)
    )
    const rows = new CopyRows(plan, sql)
    const count = (copy: CopyIn) => ({ bytes: copy.bytesWritten, rows: rows.written })
    return yield* transfer(level, "copyInRows", sql, options, count, (copy) =>
      feedRows(copy, rows, first, feed, options, count)
    )
  })

const feedRows = <E, R>(
  copy: CopyIn,
  rows: CopyRows,
  first: ReadonlyArray<PgCopy.InputRow> | undefined,
  feed: Feed<PgCopy.InputRow, E, R>,
  options: PgCopy.Observed,
  count: Count
): Effect.Effect<void, E | PgError.PgError, R> =>
  Effect.gen(function* () {
    rows.begin(copy.data)
    for (let batch = first; batch !== undefined; batch = yield* feed) {
      for (const row of batch) {
        const refusal = rows.write(copy.data, row)
        if (refusal !== undefined) return yield* refusal
        if (copy.isFull) yield* sendOn(copy, options, count)
      }
    }
    rows.end(copy.data)
  })

type Count = (copy: CopyIn) => PgCopy.Progress

/** Sends what has been collected, and waits until more can be sent. */
const sendOn = (copy: CopyIn, { onProgress }: PgCopy.Observed, count: Count): Effect.Effect<void> =>
  Effect.suspend(() => {
    copy.flush()
    return onProgress === undefined ? copy.writable : Effect.andThen(copy.writable, () => onProgress(count(copy)))
  })

/**
 * Runs a COPY, which `feed` gives its data. A source that fails has the server undo all before its failure is told; a
 * server that fails has the source interrupted at once; an interruption waits for neither.
 */
const transfer = <E, R>(
  level: TransactionLevel,
  operation: string,
  sql: string,
  { onProgress }: PgCopy.Observed,
  count: Count,
  feed: (copy: CopyIn) => Effect.Effect<void, E, R>
): Copied<E, Exclude<R, Session>> => {
  const request = copyInRequest(sql)
  const whole = Effect.gen(function* () {
    const copy = yield* level.run(request)
    const feeding = Effect.provideService(feed(copy), FedSession, level.session)
    const fed = yield* Effect.exit(Effect.raceFirst(feeding, copy.ended))
    if (Exit.isFailure(fed)) {
      copy.fail()
      yield* Effect.exit(copy.ended)
      return yield* Effect.failCause(fed.cause)
    }
    copy.done()
    const { rowCount } = yield* copy.ended
    if (onProgress !== undefined) yield* onProgress({ ...count(copy), rows: rowCount })
    return { rowCount }
  })
  const careful = Effect.onExit(whole, () => Effect.sync(() => request.abandon()))
  return Effect.withFiber((fiber) => level.session.observer.observe(fiber, operation, sql, careful))
}
