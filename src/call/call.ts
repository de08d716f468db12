/** What is asked and what comes back, in words that everything which reaches a database shares. */
import type * as Duration from "effect/Duration"
import type * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type * as PgError from "../PgError.ts"
import type * as PgSql from "../PgSql.ts"

/**
 * A row by column name. Of columns with the same name the last one counts; `fetchTuples` keeps them all.
 *
 * @category models
 * @since 0.1.0
 */
export type Row = Readonly<Record<string, unknown>>

/**
 * A row in column order.
 *
 * @category models
 * @since 0.1.0
 */
export type Tuple = ReadonlyArray<unknown>

/**
 * The values of `$1`, `$2`... A string is taken for every type; `null` and `undefined` are NULL.
 *
 * @category models
 * @since 0.1.0
 */
export type Parameters = ReadonlyArray<unknown>

/**
 * What a command did: its tag (`INSERT`, `CREATE TABLE`...), and to how many rows; 0 where it does not count.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommandResult {
  readonly command: string
  readonly rowCount: number
}

/**
 * How a call is to be made.
 *
 * @category models
 * @since 0.1.0
 */
export interface CallOptions {
  /**
   * How long the call may take, the wait for a connection included. After that it is interrupted, as by
   * `Effect.timeout`, and fails with `QueryTimeoutError`. No limit by default.
   */
  readonly timeout?: Duration.Input | undefined
}

/**
 * How a call is to be made whose rows a schema decodes. The schema is given each row as it would be without one, and
 * gives it its type. If it asks for services, so does the call. A row that does not fit is a `DecodeError`, which names
 * the column and not the value.
 *
 * @category models
 * @since 0.1.0
 */
export interface RowOptions<A, R = never> extends CallOptions {
  /** Decodes each row. */
  readonly row: Schema.ConstraintDecoder<A, R>
}

/**
 * How a single value is fetched: from the first column, or from the one with a name or a position.
 *
 * @category models
 * @since 0.1.0
 */
export interface ValueOptions extends CallOptions {
  /**
   * The name of the column, or its position from 0.
   *
   * @default 0
   */
  readonly column?: string | number | undefined
}

/**
 * How a single value is fetched that a schema decodes.
 *
 * @category models
 * @since 0.1.0
 */
export interface DecodedValueOptions<A, R = never> extends ValueOptions {
  /** Decodes the value, which is null for NULL. */
  readonly value: Schema.ConstraintDecoder<A, R>
}

/**
 * What is to be run, and how: SQL with the values of its parameters, or a `PgSql` template, which has both.
 *
 * @category models
 * @since 0.1.0
 */
export type Call<Options> =
  | readonly [sql: string, params?: Parameters | undefined, options?: Options | undefined]
  | readonly [statement: PgSql.Statement, options?: Options | undefined]

/**
 * What is to be run, with options that cannot be left out.
 *
 * @category models
 * @since 0.1.0
 */
export type CallWith<Options> =
  | readonly [sql: string, params: Parameters | undefined, options: Options]
  | readonly [statement: PgSql.Statement, options: Options]

/**
 * Rows of values: each is run once with the statement, in order.
 *
 * @category models
 * @since 0.1.0
 */
export type RowSource<E = never, R = never> = Iterable<Parameters> | Stream.Stream<Parameters, E, R>

/**
 * To how many rows a statement was applied in all its runs together.
 *
 * @category models
 * @since 0.1.0
 */
export interface ManyResult {
  readonly rowCount: number
}

/**
 * One statement of a batch. A `PgSql` template is one, too.
 *
 * @category models
 * @since 0.1.0
 */
export interface BatchStatement {
  readonly sql: string
  readonly params?: Parameters | undefined
}

/**
 * What one statement of a batch has done, and the rows that it returned.
 *
 * @category models
 * @since 0.1.0
 */
export interface BatchResult extends CommandResult {
  readonly rows: ReadonlyArray<Row>
}

/**
 * What one statement of a batch has done, or its error, if each statement stands for itself (`errorBarriers`).
 *
 * @category models
 * @since 0.1.0
 */
export type BarrierResult = Result.Result<BatchResult, PgError.PgError>

/**
 * How a stream is read.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamOptions {
  /**
   * How long each page may be waited for, and before the first one for a connection. Time that the reader takes does not
   * count. After that the stream fails with `QueryTimeoutError`. No limit by default.
   */
  readonly timeout?: Duration.Input | undefined
  /**
   * How many rows are asked for at a time, and so the most that are kept in memory.
   *
   * @default 1_000
   */
  readonly fetchSize?: number | undefined
}

/**
 * How a stream is read whose rows a schema decodes.
 *
 * @category models
 * @since 0.1.0
 */
export interface RowStreamOptions<A, R = never> extends StreamOptions {
  /** Decodes each row. */
  readonly row: Schema.ConstraintDecoder<A, R>
}
