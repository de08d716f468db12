/**
 * Cursors: a cursor is a position in the result of a statement, from which you fetch as many rows at a time as you
 * want.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgClient } from "effectpg"
 *
 * const pages = Effect.gen(function* () {
 *   const pg = yield* PgClient.PgClient
 *   const cursor = yield* pg.cursor("SELECT id, title FROM books ORDER BY id")
 *   const first = yield* cursor.fetch(20)
 *   yield* cursor.forward(20)
 *   const third = yield* cursor.fetch(20)
 *   return { first, third }
 * })
 *
 * export const program = Effect.scoped(pages)
 * ```
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { ReadOnlyOptions, Row } from "./call/call.ts"
import type * as PgError from "./PgError.ts"

/**
 * A cursor that moves forward. It is closed with its scope. Every call may also fail with the server's errors, with
 * `DecodeError`, and with `ConnectionLostError`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgCursor<A extends object = Row> {
  /** Fetches the next rows, at most `count`. At the end there are fewer, and after it none. */
  readonly fetch: (count: number) => Effect.Effect<ReadonlyArray<A>, PgError.PgError>
  /** Fetches the next row, if there is one. */
  readonly fetchRow: Effect.Effect<Option.Option<A>, PgError.PgError>
  /** Skips up to `count` rows, and returns how many were skipped. */
  readonly forward: (count: number) => Effect.Effect<number, PgError.PgError>
}

/**
 * A cursor that also moves backward and to any position.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScrollCursor<A extends object = Row> extends PgCursor<A> {
  /** Moves back over up to `count` rows, and returns how many there were. */
  readonly backward: (count: number) => Effect.Effect<number, PgError.PgError>
  /**
   * Fetches the row with that number, if there is one; the cursor is then on it. The first row is 1, the last one -1.
   * The position 0 is before the first row, and there is no row on it.
   */
  readonly absolute: (position: number) => Effect.Effect<Option.Option<A>, PgError.PgError>
  /** Fetches the first row, if there is one; the cursor is then on it. */
  readonly first: Effect.Effect<Option.Option<A>, PgError.PgError>
  /** Fetches the last row, if there is one; the cursor is then on it. */
  readonly last: Effect.Effect<Option.Option<A>, PgError.PgError>
}

/**
 * The options of a cursor.
 *
 * @category models
 * @since 0.1.0
 */
export interface CursorOptions {
  /**
   * The time limit for opening the cursor, including the wait for a connection, and then for each call on it. A call
   * that takes longer fails with `QueryTimeoutError`.
   *
   * @default no limit
   */
  readonly timeout?: Duration.Input | undefined
  /**
   * Whether the cursor may read from a standby, as in `CallOptions`. It stays on the server on which it was opened.
   *
   * @default inside of `readOnly`, whether the SQL begins as a query does; elsewhere `false`
   */
  readonly readOnly?: boolean | ReadOnlyOptions | undefined
  /**
   * Whether the cursor can move backward. The statement has to be a query.
   *
   * @default false
   */
  readonly scroll?: boolean | undefined
  /**
   * Whether the cursor stays open after the transaction, until its scope ends. The server stores its rows at COMMIT.
   * The statement has to be a query.
   *
   * @default false
   */
  readonly hold?: boolean | undefined
}
