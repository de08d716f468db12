/** Copies bytes or rows into a table, from a source that may fail or be slow. All of it is copied, or nothing. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as PgCopy from "../../PgCopy.ts"
import * as PgError from "../../PgError.ts"
import { copyIn as copyInRequest } from "../../session/request/copyRequest.ts"
import { type CopyIn, FedSession, MESSAGE_BYTES } from "../../session/exchange/copyInExchange.ts"
import { serverVersionOf } from "../../wire/serverVersion.ts"
import type { Session } from "../../session/engine/session.ts"
import type { TransactionLevel } from "../../session/transaction/transactionLevel.ts"
import { open } from "./copyFeed.ts"
import { asItIs, CopyRows, copyPlan } from "./copyRows.ts"
import { copyInStatement, tableName } from "./copyStatement.ts"
import { answerOf, isBytes, words } from "../../call/shape.ts"
import { failingTyped } from "../../call/iterables.ts"
import type { Router } from "../router.ts"

type Copied<E, R> = Effect.Effect<PgCopy.Result, E | PgError.PgError, R>

export const copyBytesIn = <E, R>(
  router: Router,
  level: TransactionLevel,
  table: PgCopy.Table,
  source: Uint8Array | Iterable<Uint8Array> | Stream.Stream<Uint8Array, E, R>,
  options: PgCopy.InOptions
): Copied<E, R | Scope.Scope> =>
  failingTyped(
    Effect.gen(function* () {
      const sql = yield* copyInStatement(table, options, serverVersionOf(level.session.parameters))
      const feed = yield* open(source instanceof Uint8Array ? [source] : source, sql)
      return yield* transfer(router, level, "copyIn", sql, options, countBytes, (copy) =>
        Effect.gen(function* () {
          for (let chunks = yield* feed; chunks !== undefined; chunks = yield* feed) {
            for (const chunk of chunks) {
              if (!isBytes(chunk)) return yield* noBytes(chunk, sql)
              for (let at = 0; at < chunk.length; at += MESSAGE_BYTES) {
                copy.data.raw(chunk.subarray(at, at + MESSAGE_BYTES))
                if (copy.isFull) yield* sendOn(copy, options, countBytes)
              }
            }
          }
        })
      )
    })
  )

/** Without this check, a chunk that is not a Uint8Array would be skipped without an error. */
const noBytes = (chunk: unknown, sql: string): PgError.EncodeError =>
  new PgError.EncodeError({
    parameter: 0,
    type: "bytes",
    reason: `copyIn takes Uint8Arrays, not ${words(chunk)}; encode a string with TextEncoder`,
    sql
  })

const countBytes = (copy: CopyIn): PgCopy.Progress => ({ bytes: copy.bytesWritten, rows: undefined })

export const copyRowsIn = <E, R>(
  router: Router,
  level: TransactionLevel,
  table: PgCopy.Table,
  source: Iterable<PgCopy.InputRow> | Stream.Stream<PgCopy.InputRow, E, R>,
  options: PgCopy.RowsInOptions
): Copied<E, R | Scope.Scope> =>
  failingTyped(
    Effect.gen(function* () {
      const feed = yield* open(source, `COPY ${tableName(table)} FROM STDIN`)
      const portion = (yield* feed)?.[Symbol.iterator]()
      const first = portion?.next()
      const row = first?.done === false ? asItIs(first.value) : undefined
      const plan = yield* copyPlan(level, table, row, options.format)
      const sql = yield* copyInStatement(
        { ...table, columns: plan.names },
        { ...options, format: plan.format },
        serverVersionOf(level.session.parameters)
      )
      const writer = new CopyRows(plan, sql)
      const count = (copy: CopyIn) => ({ bytes: copy.bytesWritten, rows: writer.written })
      return yield* transfer(router, level, "copyInRows", sql, options, count, (copy) =>
        Effect.gen(function* () {
          writer.begin(copy.data)
          let held = first?.done === false ? { done: false, value: row } : first
          for (let rows = portion; rows !== undefined; rows = (yield* feed)?.[Symbol.iterator]()) {
            for (let next = held ?? rows.next(); next.done !== true; next = rows.next()) {
              const refusal = writer.write(copy.data, next.value)
              if (refusal !== undefined) return yield* refusal
              if (copy.isFull) yield* sendOn(copy, options, count)
            }
            held = undefined
          }
          writer.end(copy.data)
        })
      )
    })
  )

type Count = (copy: CopyIn) => PgCopy.Progress

/** Sends the collected data and waits until more can be sent. */
const sendOn = (copy: CopyIn, { onProgress }: PgCopy.Observed, count: Count): Effect.Effect<void, PgError.PgError> =>
  Effect.suspend(() => {
    copy.flush()
    return onProgress === undefined
      ? copy.writable
      : Effect.andThen(copy.writable, () => answerOf("onProgress", onProgress(count(copy))))
  })

/**
 * Runs a COPY whose data `feed` writes. If the source fails, the call fails with that, but only after the server has
 * undone the COPY. If the server fails, the source is interrupted at once. An interruption of the call waits for
 * neither.
 */
const transfer = <E, R>(
  router: Router,
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
    const feeding = Effect.provideService(failingTyped(feed(copy)), FedSession, level.session)
    const fed = yield* Effect.exit(Effect.raceFirst(feeding, copy.ended))
    if (Exit.isFailure(fed)) {
      copy.fail()
      yield* Effect.exit(copy.ended)
      return yield* Effect.failCause(fed.cause)
    }
    copy.done()
    const { rowCount } = yield* copy.ended
    if (onProgress !== undefined) yield* answerOf("onProgress", onProgress({ ...count(copy), rows: rowCount }))
    return { rowCount }
  })
  const careful = Effect.onExit(whole, () => Effect.sync(() => request.abandon()))
  return router.observed(operation, { sql, params: undefined }, careful, undefined, level)
}
