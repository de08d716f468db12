/** The calls that read rows a page at a time: streams and cursors. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as PgCursor from "../../PgCursor.ts"
import type * as PgError from "../../PgError.ts"
import type { Call, CallWith, NamedCall, NamedCallWith, RowStreamOptions, StreamOptions } from "../../call/call.ts"
import type { RowOf } from "../../call/typedText.ts"

/** The calls of a `Queryable` that read rows a page at a time. */
export interface Paging {
  /**
   * Streams the rows of a statement a page at a time, so that a result of any size fits in memory.
   *
   * @since 0.1.0
   */
  readonly stream: {
    /**
     * Streams the rows of a statement, each decoded by the schema in `row`. The stream asks for the next page, of
     * `fetchSize` rows, when the reader has used up the one before. It runs in the fiber's transaction; outside of one
     * it has a transaction of its own, which it commits at its end. Fails with `DecodeError` if a row does not fit, and
     * as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { Effect, Schema, Stream } from "effect"
     * import { PgClient } from "effectpg"
     *
     * const File = Schema.Struct({ path: Schema.String })
     *
     * export const program = Effect.gen(function* () {
     *   const pg = yield* PgClient.PgClient
     *   const files = pg.stream("SELECT path FROM files", { row: File })
     *   yield* Stream.runForEach(files, ({ path }) => Effect.log(path))
     * })
     * ```
     * @since 0.1.0
     */
    <A, R, const Text extends string>(
      ...call: CallWith<RowStreamOptions<A, R>, Text>
    ): Stream.Stream<A, PgError.PgError, R>
    /**
     * Streams the rows of a statement as objects of a type that you name. Nothing checks that type, which is only a claim
     * about the columns and their values; a schema in `row` checks it. Fails as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { Effect, Stream } from "effect"
     * import { PgClient } from "effectpg"
     *
     * export const program = Effect.gen(function* () {
     *   const pg = yield* PgClient.PgClient
     *   const files = pg.stream<{ readonly path: string }>("SELECT path FROM files")
     *   yield* Stream.runForEach(files, ({ path }) => Effect.log(path))
     * })
     * ```
     * @since 0.1.0
     */
    <A extends object = never>(...call: NamedCall<A, StreamOptions>): Stream.Stream<NoInfer<A>, PgError.PgError>
    /**
     * Streams the rows of a statement as objects by column name. The stream asks for the next page, of `fetchSize` rows,
     * when the reader has used up the one before. It runs in the fiber's transaction, in which other statements can run
     * in between. Outside of a transaction it has a connection and a transaction of its own, which it commits at its
     * end. On a `PgConnection` it uses that connection, which refuses everything else until then.
     *
     * If the reader ends the stream early, no query is canceled, and the stream's own transaction is committed too. If
     * that COMMIT fails, for example because of a deferred constraint, the error is only logged, because the end of a
     * scope cannot fail; for a statement that writes it is also reported to `onQuery`. To have that failure as an
     * error, stream inside of `withTransaction`. Fails with `DecodeError` if a value cannot be read, and as every call
     * of `Queryable` does.
     *
     * @example
     * ```ts
     * import { Effect, Stream } from "effect"
     * import { PgClient } from "effectpg"
     *
     * export const program = Effect.gen(function* () {
     *   const pg = yield* PgClient.PgClient
     *   const sizes = pg.stream("SELECT size FROM files", { fetchSize: 5_000 })
     *   return yield* Stream.runFold(sizes, () => 0, (total, { size }) => total + Number(size))
     * })
     * ```
     * @since 0.1.0
     */
    <const Text extends string>(...call: Call<StreamOptions, Text>): Stream.Stream<RowOf<Text>, PgError.PgError>
  }
  /**
   * Opens a cursor over the rows of a statement, for the scope.
   *
   * @since 0.1.0
   */
  readonly cursor: {
    /**
     * Opens a cursor over rows of a type that you name, which can move forward, backward and to any row, for the scope.
     * Nothing checks that type, which is only a claim about the columns and their values. Fails as every call of
     * `Queryable` does.
     * @example
     * ```ts
     * import { Effect } from "effect"
     * import { PgClient } from "effectpg"
     *
     * const lastOf = Effect.gen(function* () {
     *   const pg = yield* PgClient.PgClient
     *   const sql = "SELECT title FROM books ORDER BY id"
     *   const cursor = yield* pg.cursor<{ readonly title: string }>(sql, [], { scroll: true })
     *   return yield* cursor.last
     * })
     *
     * export const program = Effect.scoped(lastOf)
     * ```
     * @since 0.1.0
     */
    <A extends object = never>(
      ...call: NamedCallWith<A, PgCursor.CursorOptions & { readonly scroll: true }>
    ): Effect.Effect<PgCursor.ScrollCursor<NoInfer<A>>, PgError.PgError, Scope.Scope>
    /**
     * Opens a cursor over rows of a type that you name, which moves forward, for the scope. Nothing checks that type,
     * which is only a claim about the columns and their values. Fails as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { Effect } from "effect"
     * import { PgClient } from "effectpg"
     *
     * const firstPage = Effect.gen(function* () {
     *   const pg = yield* PgClient.PgClient
     *   const cursor = yield* pg.cursor<{ readonly title: string }>("SELECT title FROM books ORDER BY id")
     *   return yield* cursor.fetch(20)
     * })
     *
     * export const program = Effect.scoped(firstPage)
     * ```
     * @since 0.1.0
     */
    <A extends object = never>(
      ...call: NamedCall<A, PgCursor.CursorOptions>
    ): Effect.Effect<PgCursor.PgCursor<NoInfer<A>>, PgError.PgError, Scope.Scope>
    /**
     * Opens a cursor that can move forward, backward and to any row of a query, for the scope. It uses the fiber's
     * transaction, or a transaction of its own outside of one. With `hold` it stays open after the transaction. Fails
     * with the server's `PostgresSyntaxError` if the statement is not a query, and as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { Effect } from "effect"
     * import { PgClient } from "effectpg"
     *
     * const lastOf = Effect.gen(function* () {
     *   const pg = yield* PgClient.PgClient
     *   const cursor = yield* pg.cursor("SELECT id, title FROM books ORDER BY id", { scroll: true })
     *   return yield* cursor.last
     * })
     *
     * export const program = Effect.scoped(lastOf)
     * ```
     * @since 0.1.0
     */
    <const Text extends string>(
      ...call: CallWith<PgCursor.CursorOptions & { readonly scroll: true }, Text>
    ): Effect.Effect<PgCursor.ScrollCursor<RowOf<Text>>, PgError.PgError, Scope.Scope>
    /**
     * Opens a cursor that moves forward over the rows of a statement, for the scope. It uses the fiber's transaction,
     * or a transaction of its own outside of one. With `hold` it stays open after the transaction. Fails as every call
     * of `Queryable` does.
     *
     * @example
     * ```ts
     * import { Effect } from "effect"
     * import { PgClient } from "effectpg"
     *
     * const firstPage = Effect.gen(function* () {
     *   const pg = yield* PgClient.PgClient
     *   const cursor = yield* pg.cursor("SELECT id, title FROM books ORDER BY id")
     *   return yield* cursor.fetch(20)
     * })
     *
     * export const program = Effect.scoped(firstPage)
     * ```
     * @since 0.1.0
     */
    <const Text extends string>(
      ...call: Call<PgCursor.CursorOptions, Text>
    ): Effect.Effect<PgCursor.PgCursor<RowOf<Text>>, PgError.PgError, Scope.Scope>
  }
}
