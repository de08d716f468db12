/**
 * The calls that read rows. Most have an overload with a schema and one without. An editor shows the docstring of the
 * property before a call is written, and that of the chosen overload afterwards, so that each of them needs one.
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

/** The calls of a `Queryable` that read rows. */
export interface Fetching {
  /**
   * Fetches all rows of a statement at once.
   *
   * @since 0.1.0
   */
  readonly fetch: {
    /**
     * Fetches all rows of a statement, each decoded by the schema in `row`. The schema receives the row as an object by
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
     * Fetches all rows of a statement as objects by column name. If several columns have the same name, only the last
     * one is kept. All rows are held in memory; `stream` holds only a page of them. Fails with `DecodeError` if a value
     * cannot be read, and as every call of `Queryable` does.
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
     * Fetches all rows of a statement, each decoded by the schema in `row`. The schema receives the row as a list of
     * values in column order. Fails with `DecodeError` if a row does not fit, and as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { Schema } from "effect"
     * import { PgClient } from "effectpg"
     *
     * const Pair = Schema.Tuple([Schema.String, Schema.Int])
     *
     * export const ages = PgClient.PgClient.use((pg) => pg.fetchTuples("SELECT name, age FROM users", { row: Pair }))
     * ```
     * @since 0.1.0
     */
    <A, R>(...call: CallWith<RowOptions<A, R>>): Effect.Effect<ReadonlyArray<A>, PgError.PgError, R>
    /**
     * Fetches all rows of a statement as lists of values in column order. All columns are kept, even those with the
     * same name. Fails with `DecodeError` if a value cannot be read, and as every call of `Queryable` does.
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
     * Fetches the first row of a statement, if there is one, decoded by the schema in `row`. A SELECT stops after its
     * first row; a statement that writes still runs to its end. Fails with `DecodeError` if the row does not fit, and
     * as every call of `Queryable` does.
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
     * Fetches the first row of a statement as an object by column name, if there is one. A SELECT stops after its first
     * row; a statement that writes, such as `INSERT ... RETURNING`, still runs to its end. Fails with `DecodeError` if
     * a value cannot be read, and as every call of `Queryable` does.
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
     * does. A statement that writes has then run to its end already, and outside of a transaction the failure does not
     * undo it.
     *
     * @example
     * ```ts
     * import { Schema } from "effect"
     * import { PgClient } from "effectpg"
     *
     * const Order = Schema.Struct({ id: Schema.Int, placed: Schema.Date })
     * const insert = "INSERT INTO orders DEFAULT VALUES RETURNING id, placed"
     *
     * export const place = PgClient.PgClient.use((pg) => pg.fetchOne(insert, { row: Order }))
     * ```
     * @since 0.1.0
     */
    <A, R>(...call: CallWith<RowOptions<A, R>>): Effect.Effect<A, PgError.PgError, R>
    /**
     * Fetches the only row of a statement as an object by column name. Fails with `UnexpectedRowCountError` if there is
     * none or more than one, with `DecodeError` if a value cannot be read, and as every call of `Queryable` does. A
     * SELECT stops after its second row. A statement that writes has then run to its end already, and outside of a
     * transaction the failure does not undo it.
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
     * Fetches one value of the first row, if there is a row, decoded by the schema in `value`. The option `column`
     * names the column or gives its position from 0, and is the first column by default. The schema receives `null` for
     * NULL. A SELECT stops after its first row; a statement that writes still runs to its end. Fails with `DecodeError`
     * if the value does not fit or the result has no such column, and as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { Schema } from "effect"
     * import { PgClient } from "effectpg"
     *
     * const sql = "SELECT count(*)::int FROM users"
     *
     * export const users = PgClient.PgClient.use((pg) => pg.fetchValue(sql, { value: Schema.Int }))
     * ```
     * @since 0.1.0
     */
    <A, R>(...call: CallWith<DecodedValueOptions<A, R>>): Effect.Effect<Option.Option<A>, PgError.PgError, R>
    /**
     * Fetches one value of the first row of a statement, if there is a row. The option `column` names the column or
     * gives its position from 0, and is the first column by default. NULL is `Option.some(null)`. A SELECT stops after
     * its first row; a statement that writes still runs to its end. Fails with `DecodeError` if the value cannot be
     * read or the result has no such column, and as every call of `Queryable` does.
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
   * Runs a statement once for each row of parameter values, and fetches the rows that each run returns.
   *
   * @since 0.1.0
   */
  readonly fetchMany: {
    /**
     * Runs a statement once for each row of parameter values, and fetches the rows that each run returns, decoded by
     * the schema in `row`. The result has a list of rows for each run. If one run fails, none of them has an effect, as
     * with `executeMany`. Fails with `DecodeError` if a row does not fit, as the source of the values does, and as
     * every call of `Queryable` does. The `row` of a server's error is the number of the row of values, from 1.
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
     * Runs a statement once for each row of parameter values, and fetches the rows that each run returns as objects by
     * column name. The result has a list of rows for each run. If one run fails, none of them has an effect, as with
     * `executeMany`. Fails with `DecodeError` if a value cannot be read, as the source of the values does, and as every
     * call of `Queryable` does. The `row` of a server's error is the number of the row of values, from 1.
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
   * Streams the rows of a statement a page at a time, so that a result of any size fits in memory.
   *
   * @since 0.1.0
   */
  readonly stream: {
    /**
     * Streams the rows of a statement, each decoded by the schema in `row`. The stream asks for the next page of
     * `fetchSize` rows (1,000 by default) when the reader has used up the one before. It runs in the fiber's
     * transaction; outside of one it has a transaction of its own, which it commits at its end. Fails with
     * `DecodeError` if a row does not fit, and as every call of `Queryable` does.
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
    <A, R>(...call: CallWith<RowStreamOptions<A, R>>): Stream.Stream<A, PgError.PgError, R>
    /**
     * Streams the rows of a statement as objects by column name. The stream asks for the next page of `fetchSize` rows
     * (1,000 by default) when the reader has used up the one before. It runs in the fiber's transaction, in which other
     * statements can run in between. Outside of a transaction it has a connection and a transaction of its own, which
     * it commits at its end. On a `PgConnection` it uses that connection, which refuses everything else until then.
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
    (...call: Call<StreamOptions>): Stream.Stream<Row, PgError.PgError>
  }
  /**
   * Opens a cursor over the rows of a statement, for the scope.
   *
   * @since 0.1.0
   */
  readonly cursor: {
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
    (
      ...call: CallWith<PgCursor.CursorOptions & { readonly scroll: true }>
    ): Effect.Effect<PgCursor.ScrollCursor, PgError.PgError, Scope.Scope>
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
    (...call: Call<PgCursor.CursorOptions>): Effect.Effect<PgCursor.PgCursor, PgError.PgError, Scope.Scope>
  }
}
