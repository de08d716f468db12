/**
 * The types of parameters and rows, for statements whose text `effectpg types` knows and for all others. Each of these
 * types takes the text of a statement; a text that is not known gives the type that every statement has.
 */
import type * as PgSql from "../PgSql.ts"

/**
 * A row as an object by column name. With the setting `names: "camelCase"` the column `user_id` is the property `userId`.
 * If several columns have the same name, only the last one is kept; `fetchTuples` keeps them all.
 *
 * @category models
 * @since 0.1.0
 */
export type Row = Readonly<Record<string, unknown>>

/**
 * A row as a list of values in column order.
 *
 * @category models
 * @since 0.1.0
 */
export type Tuple = ReadonlyArray<unknown>

/**
 * The values of `$1`, `$2`... A parameter of any type accepts a string, and `null` is NULL. `undefined` is an `EncodeError`.
 *
 * @category models
 * @since 0.1.0
 */
export type Parameters = ReadonlyArray<unknown>

type Known = keyof PgSql.TypedStatements

/** The values of the parameters. They can be left out by `undefined` unless it is known that there are some. */
export type ParametersOf<Text extends string> = Text extends Known
  ? PgSql.ParametersOf<Text> extends readonly []
    ? readonly [] | undefined
    : PgSql.ParametersOf<Text>
  : Parameters | undefined

/** The values of one run of a statement that runs many times. */
export type RunOf<Text extends string> = Text extends Known ? PgSql.ParametersOf<Text> : Parameters

/** The text, unless it is known to have parameters. */
export type Parameterless<Text extends string> = Text extends Known
  ? PgSql.ParametersOf<Text> extends readonly []
    ? Text
    : never
  : Text

/** The text if it is known; otherwise `string`, so that a type that is made of it stays short. */
export type KnownText<Text extends string> = Text extends Known ? Text : string

export type RowOf<Text extends string> = Text extends Known ? PgSql.RowOf<Text> : Row

export type TupleOf<Text extends string> = Text extends Known
  ? PgSql.TypedStatements[Text] extends { readonly tuple: infer Values extends Tuple }
    ? Values
    : Tuple
  : Tuple

export type ValueOf<Text extends string, Column> = Text extends Known
  ? Column extends keyof PgSql.RowOf<Text>
    ? PgSql.RowOf<Text>[Column]
    : Column extends number
      ? TupleOf<Text>[Column]
      : unknown
  : unknown

/** The arguments of a call on a prepared statement whose result has a type that the caller names. */
export type NamedRun<Result, Options> = [Result] extends [never]
  ? never
  : readonly [params?: Parameters | undefined, options?: Options | undefined]

/** The arguments of a call on a statement that is already prepared. */
export type Run<Text extends string, Options> =
  undefined extends ParametersOf<Text>
    ? readonly [params?: ParametersOf<Text>, options?: Options | undefined]
    : readonly [params: ParametersOf<Text>, options?: Options | undefined]
