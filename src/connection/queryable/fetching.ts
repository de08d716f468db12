/**
 * The calls that read rows. Most have an overload with a schema and one without. An editor shows the docstring of the
 * property before a call is written, and that of the chosen overload afterwards, so that each of them needs one. The
 * plain form comes last, because TypeScript explains only why the last one does not fit.
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as PgError from "../../PgError.ts"
import type {
  Call,
  CallOptions,
  CallWith,
  DecodedValueOptions,
  NamedCall,
  RowOptions,
  RowSource,
  Tuple,
  ColumnOptions,
  ValueOptions
} from "../../call/call.ts"
import type { RowOf, RunOf, TupleOf, ValueOf } from "../../call/typedText.ts"

/** The calls of a `Queryable` that read rows at once. */
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
    <A, R, const Text extends string>(
      ...call: CallWith<RowOptions<A, R>, Text>
    ): Effect.Effect<ReadonlyArray<A>, PgError.PgError, R>
    /**
     * Fetches all rows of a statement as objects of a type that you name. Nothing checks that type, which is only a claim
     * about the columns and their values; a schema in `row` checks it. Fails as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     *
     * interface User {
     *   readonly id: number
     *   readonly name: string
     * }
     *
     * export const users = PgClient.PgClient.use((pg) => pg.fetch<User>("SELECT id, name FROM users"))
     * ```
     * @since 0.1.0
     */
    <A extends object = never>(
      ...call: NamedCall<A, CallOptions>
    ): Effect.Effect<ReadonlyArray<NoInfer<A>>, PgError.PgError>
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
    <const Text extends string>(
      ...call: Call<CallOptions, Text>
    ): Effect.Effect<ReadonlyArray<RowOf<Text>>, PgError.PgError>
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
    <A, R, const Text extends string>(
      ...call: CallWith<RowOptions<A, R>, Text>
    ): Effect.Effect<ReadonlyArray<A>, PgError.PgError, R>
    /**
     * Fetches all rows of a statement as lists of a type that you name. Nothing checks that type, which is only a claim
     * about the columns and their values; a schema in `row` checks it. Fails as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     *
     * const sql = "SELECT name, age FROM users"
     *
     * export const ages = PgClient.PgClient.use((pg) => pg.fetchTuples<readonly [string, number]>(sql))
     * ```
     * @since 0.1.0
     */
    <A extends Tuple = never>(
      ...call: NamedCall<A, CallOptions>
    ): Effect.Effect<ReadonlyArray<NoInfer<A>>, PgError.PgError>
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
    <const Text extends string>(
      ...call: Call<CallOptions, Text>
    ): Effect.Effect<ReadonlyArray<TupleOf<Text>>, PgError.PgError>
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
    <A, R, const Text extends string>(
      ...call: CallWith<RowOptions<A, R>, Text>
    ): Effect.Effect<Option.Option<A>, PgError.PgError, R>
    /**
     * Fetches the first row of a statement as an object of a type that you name, if there is a row. Nothing checks that
     * type, which is only a claim about the columns and their values; a schema in `row` checks it. Fails as every call of
     * `Queryable` does.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     *
     * const sql = "SELECT * FROM orders ORDER BY id DESC"
     *
     * export const latest = PgClient.PgClient.use((pg) => pg.fetchRow<{ readonly id: number }>(sql))
     * ```
     * @since 0.1.0
     */
    <A extends object = never>(
      ...call: NamedCall<A, CallOptions>
    ): Effect.Effect<Option.Option<NoInfer<A>>, PgError.PgError>
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
    <const Text extends string>(
      ...call: Call<CallOptions, Text>
    ): Effect.Effect<Option.Option<RowOf<Text>>, PgError.PgError>
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
    <A, R, const Text extends string>(...call: CallWith<RowOptions<A, R>, Text>): Effect.Effect<A, PgError.PgError, R>
    /**
     * Fetches the only row of a statement as an object of a type that you name. Nothing checks that type, which is only a
     * claim about the columns and their values; a schema in `row` checks it. Fails with `UnexpectedRowCountError` if there
     * is no row or more than one, and as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     *
     * const sql = "SELECT min(age) AS min, max(age) AS max FROM users"
     *
     * export const ages = PgClient.PgClient.use((pg) => pg.fetchOne<Record<"min" | "max", number | null>>(sql))
     * ```
     * @since 0.1.0
     */
    <A extends object = never>(...call: NamedCall<A, CallOptions>): Effect.Effect<NoInfer<A>, PgError.PgError>
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
    <const Text extends string>(...call: Call<CallOptions, Text>): Effect.Effect<RowOf<Text>, PgError.PgError>
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
    <A, R, const Text extends string>(
      ...call: CallWith<DecodedValueOptions<A, R>, Text>
    ): Effect.Effect<Option.Option<A>, PgError.PgError, R>
    /**
     * Fetches one value of the first row of a statement as a value of a type that you name, if there is a row. Nothing
     * checks that type, which is only a claim about the column; a schema in `value` checks it. Fails with `DecodeError` if
     * the result has no such column, and as every call of `Queryable` does.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     *
     * export const count = PgClient.PgClient.use((pg) => pg.fetchValue<bigint>("SELECT count(*) FROM users"))
     * ```
     * @since 0.1.0
     */
    <A = never>(...call: NamedCall<A, ValueOptions>): Effect.Effect<Option.Option<NoInfer<A>>, PgError.PgError>
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
    <const Text extends string, const Column extends string | number = 0>(
      ...call: Call<ColumnOptions<Text, Column>, Text>
    ): Effect.Effect<Option.Option<ValueOf<Text, Column>>, PgError.PgError>
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
    <A, const Text extends string, E = never, R = never, R2 = never>(
      sql: Text,
      rows: RowSource<E, R, RunOf<Text>>,
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
    <const Text extends string, E = never, R = never>(
      sql: Text,
      rows: RowSource<E, R, RunOf<Text>>,
      options?: CallOptions
    ): Effect.Effect<ReadonlyArray<ReadonlyArray<RowOf<Text>>>, E | PgError.PgError, R>
  }
}
