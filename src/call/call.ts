/** The options and results of calls, which connections, pools, clients and transactions share. */
import type * as Duration from "effect/Duration"
import type * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type * as PgError from "../PgError.ts"
import type * as PgSql from "../PgSql.ts"
import type { Parameterless, Parameters, ParametersOf, Row } from "./typedText.ts"

export type { Parameters, Row, Tuple } from "./typedText.ts"

/**
 * What a command did: its tag (`INSERT`, `CREATE TABLE`...) and how many rows it changed or returned. `rowCount` is 0
 * for a command that does not count rows.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommandResult {
  readonly command: string
  readonly rowCount: number
}

/**
 * What a read may rely on if a standby answers it, which can be a little behind the primary.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReadOnlyOptions {
  /**
   * A position in the primary's log, which `currentLsn` of a client returns. The read sees whatever was committed before
   * that: it runs on a standby that has replayed the log up to there.
   */
  readonly after?: string | undefined
  /**
   * How long to wait until a standby has replayed the log up to `after`. If none has by then, the primary runs the read.
   *
   * @default "200 millis"
   */
  readonly wait?: Duration.Input | undefined
}

/**
 * The options of a call.
 *
 * @category models
 * @since 0.1.0
 */
export interface CallOptions {
  /**
   * How long the call may take, including the wait for a connection. After that it is interrupted, as by
   * `Effect.timeout`, and fails with `QueryTimeoutError`.
   *
   * @default no limit
   */
  readonly timeout?: Duration.Input | undefined
  /**
   * Whether the call may run on a standby, in a client with the setting `reads`. `true` says that it only reads, and
   * takes the options of `readOnly` along if it is inside of that. `{ after }` says so too, and waits for a standby to be
   * up to date. `false` sends the call to the primary. A call inside of a transaction stays there. Elsewhere this changes
   * nothing.
   *
   * @default inside of `readOnly`, whether the SQL begins as a query does; elsewhere `false`
   */
  readonly readOnly?: boolean | ReadOnlyOptions | undefined
}

/**
 * The options of a call that decodes its rows with a schema. The schema receives each row as the call would return it
 * without a schema, and the call returns what the schema makes of it. The call requires the services that the schema
 * requires. A row that does not fit is a `DecodeError`, which names the column but does not show the value.
 *
 * @category models
 * @since 0.1.0
 */
export interface RowOptions<A, R = never> extends CallOptions {
  /** Decodes each row. */
  readonly row: Schema.ConstraintDecoder<A, R>
}

/**
 * The options of a call that fetches a single value.
 *
 * @category models
 * @since 0.1.0
 */
export interface ValueOptions<Column extends string | number = string | number> extends CallOptions {
  /**
   * The name of the column that has the value, as rows have it, or its position from 0.
   *
   * @default 0
   */
  readonly column?: Column | undefined
}

/**
 * The options of a call that fetches a single value of a statement. If it is known which columns the statement has, the
 * column must be one of them.
 *
 * @category models
 * @since 0.1.0
 */
export type ColumnOptions<Text extends string, Column extends string | number> = ValueOptions<Column> &
  (Text extends keyof PgSql.TypedStatements ? ValueOptions<KnownColumn<Text>> : unknown)

type KnownColumn<Text extends keyof PgSql.TypedStatements> = Extract<keyof PgSql.RowOf<Text>, string> | number

/**
 * The options of a call that fetches a single value and decodes it with a schema.
 *
 * @category models
 * @since 0.1.0
 */
export interface DecodedValueOptions<A, R = never> extends ValueOptions {
  /** Decodes the value. It receives `null` for NULL. */
  readonly value: Schema.ConstraintDecoder<A, R>
}

/**
 * The arguments of a call: SQL with the values of its parameters, or a `PgSql` template, which has both. The options
 * come last, right behind the SQL if it has no parameters.
 *
 * @category models
 * @since 0.1.0
 */
export type Call<Options, Text extends string = string> = [keyof PgSql.TypedStatements] extends [never]
  ? AnyCall<Options>
  : TextCall<Options, Text>

/** As long as no text is known, the compiler compares all calls with one and the same type. */
type AnyCall<Options> =
  | readonly [sql: string, params?: Parameters | undefined, options?: Options | undefined]
  | readonly [statement: string | PgSql.Statement, options?: Options | undefined]

type TextCall<Options, Text extends string> =
  | readonly [sql: Text, params: ParametersOf<Text>, options?: Options | undefined]
  | readonly [statement: Parameterless<Text> | PgSql.Statement, options?: Options | undefined]

/**
 * The arguments of a call whose options cannot be left out.
 *
 * @category models
 * @since 0.1.0
 */
export type CallWith<Options, Text extends string = string> = [keyof PgSql.TypedStatements] extends [never]
  ? AnyCallWith<Options>
  : TextCallWith<Options, Text>

type AnyCallWith<Options> =
  | readonly [sql: string, params: Parameters | undefined, options: Options]
  | readonly [statement: string | PgSql.Statement, options: Options]

type TextCallWith<Options, Text extends string> =
  | readonly [sql: Text, params: ParametersOf<Text>, options: Options]
  | readonly [statement: Parameterless<Text> | PgSql.Statement, options: Options]

/**
 * The arguments of a call whose result has a type that the caller names. Without such a type there are none, so that no
 * other call can be taken for this one.
 *
 * @category models
 * @since 0.1.0
 */
export type NamedCall<Result, Options> = [Result] extends [never] ? never : Call<Options>

/**
 * The arguments of a call whose result has a type that the caller names, and whose options cannot be left out.
 *
 * @category models
 * @since 0.1.0
 */
export type NamedCallWith<Result, Options> = [Result] extends [never] ? never : CallWith<Options>

/**
 * Rows of parameter values. The statement runs once for each row, in order.
 *
 * @category models
 * @since 0.1.0
 */
export type RowSource<E = never, R = never, Values = Parameters> = Iterable<Values> | Stream.Stream<Values, E, R>

/**
 * How many rows all runs of a statement changed or returned together.
 *
 * @category models
 * @since 0.1.0
 */
export interface ManyResult {
  readonly rowCount: number
}

/**
 * One statement of a batch. A `PgSql` template can be used as one too.
 *
 * @category models
 * @since 0.1.0
 */
export interface BatchStatement {
  readonly sql: string
  /**
   * The values of `$1`, `$2`...
   * @default []
   */
  readonly params?: Parameters | undefined
}

/**
 * What one statement of a batch did, and the rows that it returned.
 *
 * @category models
 * @since 0.1.0
 */
export interface BatchResult extends CommandResult {
  readonly rows: ReadonlyArray<Row>
}

/**
 * What one statement of a batch did, or its error. A batch with `errorBarriers` returns one for each statement.
 *
 * @category models
 * @since 0.1.0
 */
export type BarrierResult = Result.Result<BatchResult, PgError.PgError>

/**
 * The options of a stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamOptions {
  /**
   * How long the reader may wait for each page, from when it comes for it. For the first page this includes the wait for
   * a connection. The time that the reader takes does not count. After that the stream fails with `QueryTimeoutError`.
   *
   * @default no limit
   */
  readonly timeout?: Duration.Input | undefined
  /**
   * How many rows the stream asks for at a time. It keeps one such page in memory. Outside a transaction it also asks for
   * pages ahead, and then keeps half a mebibyte of rows, or two pages if they take more. By default the first page has
   * few rows, and the later ones as many as make about half a mebibyte together. If a row can be much larger than those
   * before it, name a number.
   *
   * @default at most 10_000 rows, 1_000 with a schema
   */
  readonly fetchSize?: number | undefined
  /**
   * Whether the stream may read from a standby, as in `CallOptions`.
   *
   * @default inside of `readOnly`, whether the SQL begins as a query does; elsewhere `false`
   */
  readonly readOnly?: boolean | ReadOnlyOptions | undefined
}

/**
 * The options of a stream that decodes its rows with a schema.
 *
 * @category models
 * @since 0.1.0
 */
export interface RowStreamOptions<A, R = never> extends StreamOptions {
  /** Decodes each row. */
  readonly row: Schema.ConstraintDecoder<A, R>
}
