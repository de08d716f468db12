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
  Parameters,
  Row,
  RowOptions,
  RowSource,
  RowStreamOptions,
  StreamOptions,
  Tuple,
  ValueOptions
} from "./connection/vocabulary.ts"
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
  /** The name on the server, for SQL's `EXECUTE`. By default the client chooses a name. */
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
   * Whether to run the statement, in a transaction that is rolled back, and report the actual times.
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
export interface PgStatement {
  readonly sql: string
  /** The name on the server; empty if statements are not cached (`statementCacheSize: 0`). */
  readonly name: string
  /** The types of `$1`, `$2`... when the statement was prepared. */
  readonly parameters: ReadonlyArray<Type>
  /** The columns of its rows when it was prepared; empty if it returns no rows. */
  readonly columns: ReadonlyArray<Column>
  readonly fetch: {
    <A, R>(
      params: Parameters | undefined,
      options: RowOptions<A, R>
    ): Effect.Effect<ReadonlyArray<A>, PgError.PgError, R>
    (params?: Parameters, options?: CallOptions): Effect.Effect<ReadonlyArray<Row>, PgError.PgError>
  }
  readonly fetchTuples: {
    <A, R>(
      params: Parameters | undefined,
      options: RowOptions<A, R>
    ): Effect.Effect<ReadonlyArray<A>, PgError.PgError, R>
    (params?: Parameters, options?: CallOptions): Effect.Effect<ReadonlyArray<Tuple>, PgError.PgError>
  }
  readonly fetchRow: {
    <A, R>(
      params: Parameters | undefined,
      options: RowOptions<A, R>
    ): Effect.Effect<Option.Option<A>, PgError.PgError, R>
    (params?: Parameters, options?: CallOptions): Effect.Effect<Option.Option<Row>, PgError.PgError>
  }
  readonly fetchOne: {
    <A, R>(params: Parameters | undefined, options: RowOptions<A, R>): Effect.Effect<A, PgError.PgError, R>
    (params?: Parameters, options?: CallOptions): Effect.Effect<Row, PgError.PgError>
  }
  readonly fetchValue: {
    <A, R>(
      params: Parameters | undefined,
      options: DecodedValueOptions<A, R>
    ): Effect.Effect<Option.Option<A>, PgError.PgError, R>
    (params?: Parameters, options?: ValueOptions): Effect.Effect<Option.Option<unknown>, PgError.PgError>
  }
  readonly execute: (params?: Parameters, options?: CallOptions) => Effect.Effect<CommandResult, PgError.PgError>
  readonly executeMany: <E = never, R = never>(
    rows: RowSource<E, R>,
    options?: CallOptions
  ) => Effect.Effect<ManyResult, E | PgError.PgError, R>
  readonly fetchMany: {
    <A, E = never, R = never, R2 = never>(
      rows: RowSource<E, R>,
      options: RowOptions<A, R2>
    ): Effect.Effect<ReadonlyArray<ReadonlyArray<A>>, E | PgError.PgError, R | R2>
    <E = never, R = never>(
      rows: RowSource<E, R>,
      options?: CallOptions
    ): Effect.Effect<ReadonlyArray<ReadonlyArray<Row>>, E | PgError.PgError, R>
  }
  readonly stream: {
    <A, R>(params: Parameters | undefined, options: RowStreamOptions<A, R>): Stream.Stream<A, PgError.PgError, R>
    (params?: Parameters, options?: StreamOptions): Stream.Stream<Row, PgError.PgError>
  }
  /** A cursor that goes forward. A `timeout` is as in `PgCursor.CursorOptions`. */
  readonly cursor: (
    params?: Parameters,
    options?: CallOptions
  ) => Effect.Effect<PgCursor.PgCursor, PgError.PgError, Scope.Scope>
  /** The plan, as `EXPLAIN (FORMAT JSON, VERBOSE)` tells it. */
  readonly explain: (
    params?: Parameters,
    options?: ExplainOptions
  ) => Effect.Effect<Readonly<Record<string, unknown>>, PgError.PgError>
}
