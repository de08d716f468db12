/**
 * The calls that read rows. Each has a form with a schema and one without, and an editor shows the words of the form
 * that was called: so they stand on every form, and what stands on the name is for those who have not called it yet.
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as PgCursor from "../../PgCursor.ts"
import type * as PgError from "../../PgError.ts"
import type {
  Call,
  CallOptions,
  CallWith,
  DecodedValueOptions,
  Row,
  RowOptions,
  RowSource,
  RowStreamOptions,
  StreamOptions,
  Tuple,
  ValueOptions
} from "../../call/call.ts"

/** What a `Queryable` reads rows by. */
export interface Fetching {
  /**
   * Fetches all rows of a statement at once.
   *
   * @since 0.1.0
   */
  readonly fetch: {
    /**
     * Fetches all rows of a statement, each decoded by the schema in `row`. The schema is given the row as an object by
     * column name. Fails with `DecodeError` if a row does not fit, and as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { Effect, Schema } from "effect"
     * import { PgClient } from "effectpg"
     * import { sql } from "effectpg/PgSql"
     *
     * class User extends Schema.Class<User>("User")({ id: Schema.Int, name: Schema.NonEmptyString }) {}
     *
     * export const names = Effect.gen(function* () {
     *   const pg = yield* PgClient.PgClient
     *   const users = yield* pg.fetch(sql`SELECT id, name FROM users WHERE active = ${true}`, { row: User })
     *   return users.map((user) => user.name)
     * })
     * ```
     * @since 0.1.0
     */
    <A, R>(...call: CallWith<RowOptions<A, R>>): Effect.Effect<ReadonlyArray<A>, PgError.PgError, R>
    /**
     * Fetches all rows of a statement as objects by column name. Of columns with the same name the last one counts. All
     * rows are held in memory; `stream` holds a page of them. Fails with `DecodeError` if a value cannot be read, and
     * as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     *
     * export const users = PgClient.PgClient.use((pg) => pg.fetch("SELECT id, name FROM users WHERE active = $1", [true]))
     * ```
     * @since 0.1.0
     */
    (...call: Call<CallOptions>): Effect.Effect<ReadonlyArray<Row>, PgError.PgError>
  }
  /**
   * Fetches all rows of a statement at once, each as a list of values in column order.
   *
   * @since 0.1.0
   */
  readonly fetchTuples: {
    /**
     * Fetches all rows of a statement, each a list of values that the schema in `row` decodes. The values stand in
     * column order. Fails with `DecodeError` if a row does not fit, and as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { Schema } from "effect"
     * import { PgClient } from "effectpg"
     *
     * const Pair = Schema.Tuple([Schema.String, Schema.Int])
     *
     * export const ages = PgClient.PgClient.use((pg) => pg.fetchTuples("SELECT name, age FROM users", [], { row: Pair }))
     * ```
     * @since 0.1.0
     */
    <A, R>(...call: CallWith<RowOptions<A, R>>): Effect.Effect<ReadonlyArray<A>, PgError.PgError, R>
    /**
     * Fetches all rows of a statement as lists of values in column order. Columns with the same name are all kept.
     * Fails with `DecodeError` if a value cannot be read, and as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     *
     * const sql = "SELECT boss.name, worker.name FROM staff AS boss JOIN staff AS worker ON worker.boss = boss.id"
     *
     * export const pairs = PgClient.PgClient.use((pg) => pg.fetchTuples(sql))
     * ```
     * @since 0.1.0
     */
    (...call: Call<CallOptions>): Effect.Effect<ReadonlyArray<Tuple>, PgError.PgError>
  }
  /**
   * Fetches the first row of a statement, if there is one.
   *
   * @since 0.1.0
   */
  readonly fetchRow: {
    /**
     * Fetches the first row of a statement, if there is one, decoded by the schema in `row`. The server is asked for no
     * second row, and a SELECT goes no further; a statement that writes is done whole. Fails with `DecodeError` if the
     * row does not fit, and as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { Schema } from "effect"
     * import { PgClient } from "effectpg"
     *
     * const User = Schema.Struct({ id: Schema.Int, name: Schema.String })
     *
     * export const find = (email: string) =>
     *   PgClient.PgClient.use((pg) => pg.fetchRow("SELECT id, name FROM users WHERE email = $1", [email], { row: User }))
     * ```
     * @since 0.1.0
     */
    <A, R>(...call: CallWith<RowOptions<A, R>>): Effect.Effect<Option.Option<A>, PgError.PgError, R>
    /**
     * Fetches the first row of a statement as an object by column name, if there is one. The server is asked for no
     * second row, and a SELECT goes no further; a statement that writes (`INSERT ... RETURNING`) is done whole,
     * whatever is read of its rows. Fails with `DecodeError` if a value cannot be read, and as every call of
     * `Queryable` does.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     *
     * export const latest = PgClient.PgClient.use((pg) => pg.fetchRow("SELECT * FROM orders ORDER BY id DESC"))
     * ```
     * @since 0.1.0
     */
    (...call: Call<CallOptions>): Effect.Effect<Option.Option<Row>, PgError.PgError>
  }
  /**
   * Fetches the only row of a statement, and fails if there is none or more than one.
   *
   * @since 0.1.0
   */
  readonly fetchOne: {
    /**
     * Fetches the only row of a statement, decoded by the schema in `row`. Fails with `UnexpectedRowCountError` if
     * there is none or more than one, with `DecodeError` if the row does not fit, and as every call of `Queryable`
     * does. By then a statement that writes has been done whole, and outside of a transaction the failure undoes
     * nothing.
     *
     * @example
     * ```ts
     * import { Schema } from "effect"
     * import { PgClient } from "effectpg"
     *
     * const Order = Schema.Struct({ id: Schema.Int, placed: Schema.Date })
     * const insert = "INSERT INTO orders DEFAULT VALUES RETURNING id, placed"
     *
     * export const place = PgClient.PgClient.use((pg) => pg.fetchOne(insert, [], { row: Order }))
     * ```
     * @since 0.1.0
     */
    <A, R>(...call: CallWith<RowOptions<A, R>>): Effect.Effect<A, PgError.PgError, R>
    /**
     * Fetches the only row of a statement as an object by column name. Fails with `UnexpectedRowCountError` if there is
     * none or more than one, with `DecodeError` if a value cannot be read, and as every call of `Queryable` does. A
     * SELECT goes no further than its second row; a statement that writes has been done whole by then, and outside of a
     * transaction the failure undoes nothing.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     *
     * export const user = PgClient.PgClient.use((pg) => pg.fetchOne("SELECT id, name FROM users WHERE id = $1", [7]))
     * ```
     * @since 0.1.0
     */
    (...call: Call<CallOptions>): Effect.Effect<Row, PgError.PgError>
  }
  /**
   * Fetches one value of the first row of a statement, if there is a row.
   *
   * @since 0.1.0
   */
  readonly fetchValue: {
    /**
     * Fetches one value of the first row, if there is a row, decoded by the schema in `value`. It is the value of the
     * first column, or of the one with the name or position (from 0) in `column`. The schema is given null for NULL. A
     * SELECT goes no further than its first row; a statement that writes is done whole. Fails with `DecodeError` if the
     * value does not fit or the result has no such column, and as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { Schema } from "effect"
     * import { PgClient } from "effectpg"
     *
     * const sql = "SELECT count(*)::int FROM users"
     *
     * export const users = PgClient.PgClient.use((pg) => pg.fetchValue(sql, [], { value: Schema.Int }))
     * ```
     * @since 0.1.0
     */
    <A, R>(...call: CallWith<DecodedValueOptions<A, R>>): Effect.Effect<Option.Option<A>, PgError.PgError, R>
    /**
     * Fetches one value of the first row of a statement, if there is a row. It is the value of the first column, or of
     * the one with the name or position (from 0) in `column`; NULL is `Option.some(null)`. A SELECT goes no further
     * than its first row; a statement that writes is done whole. Fails with `DecodeError` if the value cannot be read
     * or the result has no such column, and as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     *
     * export const now = PgClient.PgClient.use((pg) => pg.fetchValue("SELECT current_timestamp"))
     * ```
     * @since 0.1.0
     */
    (...call: Call<ValueOptions>): Effect.Effect<Option.Option<unknown>, PgError.PgError>
  }
  /**
   * Runs a statement once for each row of values, and fetches the rows that each run returns.
   *
   * @since 0.1.0
   */
  readonly fetchMany: {
    /**
     * Runs a statement once for each row of values, and fetches what each run returns, decoded by the schema in `row`.
     * The result has a list of rows for each row of values. It is all or nothing, as `executeMany` is. Fails with
     * `DecodeError` if a row does not fit, as the source of the values does, and as every call of `Queryable` does; the
     * server's error has the number of the row of values as `row`.
     *
     * @example
     * ```ts
     * import { Schema } from "effect"
     * import { PgClient } from "effectpg"
     *
     * const Id = Schema.Struct({ id: Schema.Int })
     * const insert = "INSERT INTO users (name) VALUES ($1) RETURNING id"
     *
     * export const ids = PgClient.PgClient.use((pg) => pg.fetchMany(insert, [["Ada"], ["Grace"]], { row: Id }))
     * ```
     * @since 0.1.0
     */
    <A, E = never, R = never, R2 = never>(
      sql: string,
      rows: RowSource<E, R>,
      options: RowOptions<A, R2>
    ): Effect.Effect<ReadonlyArray<ReadonlyArray<A>>, E | PgError.PgError, R | R2>
    /**
     * Runs a statement once for each row of values, and fetches the rows that each run returns as objects. The result
     * has a list of rows for each row of values. It is all or nothing, as `executeMany` is. Fails with `DecodeError` if
     * a value cannot be read, as the source of the values does, and as every call of `Queryable` does; the server's
     * error has the number of the row of values as `row`.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     *
     * const insert = "INSERT INTO users (name) VALUES ($1) RETURNING id"
     *
     * export const ids = PgClient.PgClient.use((pg) => pg.fetchMany(insert, [["Ada"], ["Grace"]]))
     * ```
     * @since 0.1.0
     */
    <E = never, R = never>(
      sql: string,
      rows: RowSource<E, R>,
      options?: CallOptions
    ): Effect.Effect<ReadonlyArray<ReadonlyArray<Row>>, E | PgError.PgError, R>
  }
  /**
   * Streams the rows of a statement, a page at a time, whatever their number.
   *
   * @since 0.1.0
   */
  readonly stream: {
    /**
     * Streams the rows of a statement, each decoded by the schema in `row`. Pages of `fetchSize` rows (1,000 by
     * default) come as they are read, in the fiber's transaction, or else in one of the stream's own, which is
     * committed at its end. Fails with `DecodeError` if a row does not fit, and as every call of `Queryable` does.
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
     *   const files = pg.stream("SELECT path FROM files", [], { row: File })
     *   yield* Stream.runForEach(files, ({ path }) => Effect.log(path))
     * })
     * ```
     * @since 0.1.0
     */
    <A, R>(...call: CallWith<RowStreamOptions<A, R>>): Stream.Stream<A, PgError.PgError, R>
    /**
     * Streams the rows of a statement as objects by column name, whatever their number. The next page of `fetchSize`
     * rows (1,000 by default) is asked for when the one before has been used up. The stream runs in the fiber's
     * transaction, where other statements may run meanwhile. Outside of one it has a connection and a transaction of
     * its own, which is committed at its end; a `PgConnection` then refuses everything else until the stream ends.
     *
     * Ending it early cancels nothing, and commits too. If that COMMIT fails, as for a deferred constraint, the error
     * is logged, because the end of a scope cannot fail; for a statement that writes it is also reported to `onQuery`.
     * Inside of `withTransaction` it is a failure like any other. Fails with `DecodeError` if a value cannot be read, and as every call of `Queryable`
     * does.
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
     * @since 0.1.0
     */
    (...call: Call<StreamOptions>): Stream.Stream<Row, PgError.PgError>
  }
  /**
   * Opens a cursor over the rows of a statement, for the scope.
   *
   * @since 0.1.0
   */
  readonly cursor: {
    /**
     * Opens a cursor that goes forward, back, and to any row of a query, for the scope. It lives in the fiber's
     * transaction, or else in one of its own, as a stream does; with `hold` it outlives its transaction. Fails with the
     * server's `PostgresSyntaxError` if the statement is no query, and as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { Effect } from "effect"
     * import { PgClient } from "effectpg"
     *
     * const lastOf = Effect.gen(function* () {
     *   const pg = yield* PgClient.PgClient
     *   const cursor = yield* pg.cursor("SELECT id, title FROM books ORDER BY id", [], { scroll: true })
     *   return yield* cursor.last
     * })
     *
     * export const program = Effect.scoped(lastOf)
     * ```
     * @since 0.1.0
     */
    (
      ...call: CallWith<PgCursor.CursorOptions & { readonly scroll: true }>
    ): Effect.Effect<PgCursor.ScrollCursor, PgError.PgError, Scope.Scope>
    /**
     * Opens a cursor that goes forward over the rows of a statement, for the scope. It lives in the fiber's
     * transaction, or else in one of its own, as a stream does; with `hold` it outlives its transaction. Fails as every
     * call of `Queryable` does.
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
    (...call: Call<PgCursor.CursorOptions>): Effect.Effect<PgCursor.PgCursor, PgError.PgError, Scope.Scope>
  }
}
