/**
 * A prepared statement as a value. Every call prepares its statement anyway, so you need this only to learn the types
 * of a statement, to see its plan, or to give it a name for SQL's `EXECUTE`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgClient } from "effectpg"
 *
 * const program = Effect.gen(function* () {
 *   const pg = yield* PgClient.PgClient
 *   const statement = yield* pg.prepare("SELECT title FROM books WHERE author = $1")
 *   yield* Effect.log(statement.parameters, statement.columns)
 *   return yield* statement.fetch(["Ada"])
 * })
 *
 * export const titles = Effect.scoped(program)
 * ```
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type {
  CallOptions,
  CommandResult,
  DecodedValueOptions,
  ManyResult,
  RowOptions,
  RowSource,
  RowStreamOptions,
  StreamOptions,
  Tuple,
  ColumnOptions,
  ValueOptions
} from "./call/call.ts"
import type { NamedRun, ParametersOf, RowOf, Run, RunOf, TupleOf, ValueOf } from "./call/typedText.ts"
import type * as PgCursor from "./PgCursor.ts"
import type * as PgError from "./PgError.ts"

/**
 * A type of the database.
 *
 * @category models
 * @since 0.1.0
 */
export interface Type {
  readonly oid: number
  /** The name, such as `int4` or `text[]`; with the schema unless it is `pg_catalog` or `public`. */
  readonly name: string
  readonly schema: string
}

/**
 * A column of the rows that a statement returns.
 *
 * @category models
 * @since 0.1.0
 */
export interface Column {
  /** The name that the server has for it, even if the setting `names` makes another one of it in rows. */
  readonly name: string
  readonly type: Type
  /** The type modifier, as the server encodes it (`varchar(10)` is 14); -1 if there is none. */
  readonly typeModifier: number
  /**
   * The table that the column belongs to, by its OID (cast it to `regclass` for the name), and the column's number in
   * it.
   */
  readonly table: { readonly oid: number; readonly column: number } | undefined
}

/**
 * The options of `prepare`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PrepareOptions extends CallOptions {
  /**
   * The name on the server, for SQL's `EXECUTE`.
   *
   * @default a name that the client chooses
   */
  readonly name?: string | undefined
}

/**
 * The options of `explain`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExplainOptions extends CallOptions {
  /**
   * Whether to run the statement too, in a transaction that is rolled back, so that the plan shows how long it took.
   *
   * @default false
   */
  readonly analyze?: boolean | undefined
}

/**
 * A statement prepared on one connection, for as long as its scope. If the server forgets it, or a schema change makes
 * its plan stale, the client prepares it again; inside a transaction, the transaction must then be run again. Calls
 * fail as those of `Queryable` do, and with `ConnectionLostError` if the connection is gone or was returned.
 *
 * @category models
 * @since 0.1.0
 */
export interface PgStatement<Text extends string = string> {
  readonly sql: string
  /** The name on the server; empty if statements are not cached (`statementCacheSize: 0`). */
  readonly name: string
  /** The types of `$1`, `$2`... when the statement was prepared. */
  readonly parameters: ReadonlyArray<Type>
  /** The columns of its rows when it was prepared; empty if it returns no rows. */
  readonly columns: ReadonlyArray<Column>
  /**
   * Fetches all rows of the statement at once.
   *
   * @since 0.1.0
   */
  readonly fetch: {
    /**
     * Fetches all rows of the statement, each decoded by the schema in `row`. The schema receives the row as an object
     * by column name. Fails with `DecodeError` if a row does not fit, and as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    <A, R>(params: ParametersOf<Text>, options: RowOptions<A, R>): Effect.Effect<ReadonlyArray<A>, PgError.PgError, R>
    /**
     * Fetches all rows of the statement as objects of a type that you name. Nothing checks that type, which is only a
     * claim about the columns and their values. Fails as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    <A extends object = never>(
      ...run: NamedRun<A, CallOptions>
    ): Effect.Effect<ReadonlyArray<NoInfer<A>>, PgError.PgError>
    /**
     * Fetches all rows of the statement as objects by column name. Fails with `DecodeError` if a value cannot be read,
     * and as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    (...run: Run<Text, CallOptions>): Effect.Effect<ReadonlyArray<RowOf<Text>>, PgError.PgError>
  }
  /**
   * Fetches all rows of the statement at once, each as a list of values in column order.
   *
   * @since 0.1.0
   */
  readonly fetchTuples: {
    /**
     * Fetches all rows of the statement, each decoded by the schema in `row`. The schema receives the row as a list of
     * values in column order. Fails with `DecodeError` if a row does not fit, and as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    <A, R>(params: ParametersOf<Text>, options: RowOptions<A, R>): Effect.Effect<ReadonlyArray<A>, PgError.PgError, R>
    /**
     * Fetches all rows of the statement as lists of a type that you name. Nothing checks that type, which is only a claim
     * about the columns and their values. Fails as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    <A extends Tuple = never>(
      ...run: NamedRun<A, CallOptions>
    ): Effect.Effect<ReadonlyArray<NoInfer<A>>, PgError.PgError>
    /**
     * Fetches all rows of the statement as lists of values in column order. All columns are kept, even those with the
     * same name. Fails with `DecodeError` if a value cannot be read, and as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    (...run: Run<Text, CallOptions>): Effect.Effect<ReadonlyArray<TupleOf<Text>>, PgError.PgError>
  }
  /**
   * Fetches the first row of the statement, if there is one.
   *
   * @since 0.1.0
   */
  readonly fetchRow: {
    /**
     * Fetches the first row of the statement, if there is one, decoded by the schema in `row`. A SELECT stops after its
     * first row; a statement that writes still runs to its end. Fails with `DecodeError` if the row does not fit, and
     * as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    <A, R>(params: ParametersOf<Text>, options: RowOptions<A, R>): Effect.Effect<Option.Option<A>, PgError.PgError, R>
    /**
     * Fetches the first row of the statement as an object of a type that you name, if there is a row. Nothing checks that
     * type, which is only a claim about the columns and their values. Fails as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    <A extends object = never>(
      ...run: NamedRun<A, CallOptions>
    ): Effect.Effect<Option.Option<NoInfer<A>>, PgError.PgError>
    /**
     * Fetches the first row of the statement as an object by column name, if there is one. A SELECT stops after its
     * first row; a statement that writes still runs to its end. Fails with `DecodeError` if a value cannot be read, and
     * as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    (...run: Run<Text, CallOptions>): Effect.Effect<Option.Option<RowOf<Text>>, PgError.PgError>
  }
  /**
   * Fetches the only row of the statement, and fails if there is none or more than one.
   *
   * @since 0.1.0
   */
  readonly fetchOne: {
    /**
     * Fetches the only row of the statement, decoded by the schema in `row`. Fails with `UnexpectedRowCountError` if
     * there is none or more than one, with `DecodeError` if the row does not fit, and as every call of `PgStatement`
     * does.
     *
     * @since 0.1.0
     */
    <A, R>(params: ParametersOf<Text>, options: RowOptions<A, R>): Effect.Effect<A, PgError.PgError, R>
    /**
     * Fetches the only row of the statement as an object of a type that you name. Nothing checks that type, which is only
     * a claim about the columns and their values. Fails with `UnexpectedRowCountError` if there is no row or more than
     * one, and as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    <A extends object = never>(...run: NamedRun<A, CallOptions>): Effect.Effect<NoInfer<A>, PgError.PgError>
    /**
     * Fetches the only row of the statement as an object by column name. Fails with `UnexpectedRowCountError` if there
     * is none or more than one, with `DecodeError` if a value cannot be read, and as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    (...run: Run<Text, CallOptions>): Effect.Effect<RowOf<Text>, PgError.PgError>
  }
  /**
   * Fetches one value of the first row of the statement, if there is a row.
   *
   * @since 0.1.0
   */
  readonly fetchValue: {
    /**
     * Fetches one value of the first row, if there is a row, decoded by the schema in `value`. The option `column`
     * names the column or gives its position from 0, and is the first column by default. Fails with `DecodeError` if
     * the value does not fit or there is no such column, and as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    <A, R>(
      params: ParametersOf<Text>,
      options: DecodedValueOptions<A, R>
    ): Effect.Effect<Option.Option<A>, PgError.PgError, R>
    /**
     * Fetches one value of the first row as a value of a type that you name, if there is a row. Nothing checks that type,
     * which is only a claim about the column. Fails as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    <A = never>(...run: NamedRun<A, ValueOptions>): Effect.Effect<Option.Option<NoInfer<A>>, PgError.PgError>
    /**
     * Fetches one value of the first row of the statement, if there is a row. The option `column` names the column or
     * gives its position from 0, and is the first column by default. NULL is `Option.some(null)`. Fails with
     * `DecodeError` if the value cannot be read or there is no such column, and as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    <const Column extends string | number = 0>(
      ...run: Run<Text, ColumnOptions<Text, Column>>
    ): Effect.Effect<Option.Option<ValueOf<Text, Column>>, PgError.PgError>
  }
  /**
   * Runs the statement and drops its rows, if it returns any. Returns the command's tag and how many rows it changed or
   * returned.
   *
   * @since 0.1.0
   */
  readonly execute: (...run: Run<Text, CallOptions>) => Effect.Effect<CommandResult, PgError.PgError>
  /**
   * Runs the statement once for each row of parameter values, and returns how many rows all runs changed together. If
   * one run fails, none of them has an effect. Also fails as the source of the values does. The `row` of the error is
   * the number of the row that failed, from 1.
   *
   * @since 0.1.0
   */
  readonly executeMany: <E = never, R = never>(
    rows: RowSource<E, R, RunOf<Text>>,
    options?: CallOptions
  ) => Effect.Effect<ManyResult, E | PgError.PgError, R>
  /**
   * Runs the statement once for each row of parameter values, and fetches the rows that each run returns.
   *
   * @since 0.1.0
   */
  readonly fetchMany: {
    /**
     * Runs the statement once for each row of parameter values, and fetches the rows that each run returns, decoded by
     * the schema in `row`. The result has a list of rows for each run. If one run fails, none of them has an effect.
     * Fails with `DecodeError` if a row does not fit, as the source of the values does, and as every call of
     * `PgStatement` does.
     *
     * @since 0.1.0
     */
    <A, E = never, R = never, R2 = never>(
      rows: RowSource<E, R, RunOf<Text>>,
      options: RowOptions<A, R2>
    ): Effect.Effect<ReadonlyArray<ReadonlyArray<A>>, E | PgError.PgError, R | R2>
    /**
     * Runs the statement once for each row of parameter values, and fetches the rows that each run returns as objects
     * by column name. The result has a list of rows for each run. If one run fails, none of them has an effect. Fails
     * with `DecodeError` if a value cannot be read, as the source of the values does, and as every call of
     * `PgStatement` does.
     *
     * @since 0.1.0
     */
    <E = never, R = never>(
      rows: RowSource<E, R, RunOf<Text>>,
      options?: CallOptions
    ): Effect.Effect<ReadonlyArray<ReadonlyArray<RowOf<Text>>>, E | PgError.PgError, R>
  }
  /**
   * Streams the rows of the statement a page at a time, so that a result of any size fits in memory.
   *
   * @since 0.1.0
   */
  readonly stream: {
    /**
     * Streams the rows of the statement, each decoded by the schema in `row`. The stream asks for the next page, of
     * `fetchSize` rows, when the reader has used up the one before. Fails with `DecodeError` if a row
     * does not fit, and as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    <A, R>(params: ParametersOf<Text>, options: RowStreamOptions<A, R>): Stream.Stream<A, PgError.PgError, R>
    /**
     * Streams the rows of the statement as objects of a type that you name. Nothing checks that type, which is only a
     * claim about the columns and their values. Fails as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    <A extends object = never>(...run: NamedRun<A, StreamOptions>): Stream.Stream<NoInfer<A>, PgError.PgError>
    /**
     * Streams the rows of the statement as objects by column name. The stream asks for the next page, of
     * `fetchSize` rows, when the reader has used up the one before. Fails with `DecodeError` if a value cannot be
     * read, and as every call of `PgStatement` does.
     *
     * @since 0.1.0
     */
    (...run: Run<Text, StreamOptions>): Stream.Stream<RowOf<Text>, PgError.PgError>
  }
  /**
   * Opens a cursor that moves forward over the statement's rows, for the scope. The `timeout` limits the opening of the
   * cursor, and then each call on it.
   *
   * @since 0.1.0
   */
  readonly cursor: (
    ...run: Run<Text, CallOptions>
  ) => Effect.Effect<PgCursor.PgCursor<RowOf<Text>>, PgError.PgError, Scope.Scope>
  /**
   * Returns the plan of the statement, as `EXPLAIN (FORMAT JSON, VERBOSE)` shows it. With `analyze` the statement is
   * also run, and rolled back.
   *
   * @since 0.1.0
   */
  readonly explain: (
    ...run: Run<Text, ExplainOptions>
  ) => Effect.Effect<Readonly<Record<string, unknown>>, PgError.PgError>
}
