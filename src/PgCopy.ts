/**
 * The types for COPY, which transfers rows in bulk, as values or as bytes in one of PostgreSQL's formats. The methods
 * are those of `Queryable`: `copyIn`, `copyInRows`, `copyOut`, `copyOutRows`.
 *
 * @example
 * ```ts
 * import { Effect, FileSystem, Stream } from "effect"
 * import { PgClient } from "effectpg"
 *
 * // A table into a file, and the file into another table.
 * export const move = Effect.gen(function* () {
 *   const pg = yield* PgClient.PgClient
 *   const files = yield* FileSystem.FileSystem
 *   yield* Stream.run(pg.copyOut({ table: "readings" }, { format: "csv" }), files.sink("readings.csv"))
 *   return yield* pg.copyIn({ table: "archive" }, files.stream("readings.csv"), { format: "csv" })
 * })
 * ```
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as PgSql from "./PgSql.ts"

/**
 * A table, or some of its columns. Names are case-sensitive: `Users` is not `users`. Without a schema the `search_path`
 * decides.
 *
 * @category models
 * @since 0.1.0
 */
export interface Table {
  readonly table: string
  readonly schema?: string | undefined
  /**
   * The columns to copy, by their names in the database.
   *
   * @default all columns that are not generated
   */
  readonly columns?: ReadonlyArray<string> | undefined
}

/**
 * The rows of a query: `SELECT`, `VALUES`, or a command with `RETURNING`. Give it as SQL with the values of its
 * parameters, or as a `PgSql` template. COPY itself accepts no parameters, so the server first formats them as
 * literals, which takes three more round trips.
 *
 * @category models
 * @since 0.1.0
 */
export type Query =
  | { readonly query: string; readonly params?: ReadonlyArray<unknown> | undefined }
  | { readonly query: PgSql.Statement; readonly params?: undefined }

/**
 * What can be copied out: a table or a query.
 *
 * @category models
 * @since 0.1.0
 */
export type Source = Table | Query

/**
 * How far a COPY has progressed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  /** How many bytes of data have been sent to or received from the server. */
  readonly bytes: number
  /** Undefined if only the server counts the rows: in `copyIn` until its end, and in `copyOut`. */
  readonly rows: number | undefined
}

/**
 * The result of a COPY.
 *
 * @category models
 * @since 0.1.0
 */
export interface Result {
  readonly rowCount: number
}

/**
 * The options that all forms of COPY share.
 *
 * @category models
 * @since 0.1.0
 */
export interface Observed {
  /**
   * The time limit for the call, including the wait for a connection; in `copyOut` and `copyOutRows`, the limit for
   * each part of the stream. After that the COPY is canceled, nothing is copied in, and the call fails with
   * `QueryTimeoutError`.
   *
   * @default no limit
   */
  readonly timeout?: Duration.Input | undefined
  /**
   * Reports the progress of the COPY. The effect runs after about each 64 KiB and at the end, and the COPY waits for
   * it. So it should be quick: update a progress bar, or a `SubscriptionRef` that others read as a stream.
   */
  readonly onProgress?: ((progress: Progress) => Effect.Effect<void>) | undefined
}

interface Text extends Observed {
  /**
   * The separator between columns: one byte.
   * @default a tab, in CSV a comma
   */
  readonly delimiter?: string | undefined
  /**
   * The text for NULL.
   * @default `\N`, in CSV an empty value without quotes
   */
  readonly null?: string | undefined
  /**
   * The encoding of the bytes.
   * @default UTF-8
   */
  readonly encoding?: string | undefined
}

interface Csv extends Text {
  readonly format: "csv"
  /**
   * The quote around values: one byte.
   * @default `"`
   */
  readonly quote?: string | undefined
  /**
   * The character before a quote within a value: one byte.
   * @default the quote itself
   */
  readonly escape?: string | undefined
}

/** Some of the copied columns, or all of them. */
type Columns = "*" | ReadonlyArray<string>

/**
 * How `copyOut` writes: in PostgreSQL's text format by default, as CSV, or in the binary format.
 *
 * @category models
 * @since 0.1.0
 */
export type OutOptions =
  | (Text & {
      /** @default "text" */
      readonly format?: "text" | undefined
      /**
       * Whether the first line contains the column names. Requires PostgreSQL 15.
       * @default false
       */
      readonly header?: boolean | undefined
    })
  | (Csv & {
      /**
       * Whether the first line contains the column names.
       * @default false
       */
      readonly header?: boolean | undefined
      /** Columns whose values are always quoted, except NULL. */
      readonly forceQuote?: Columns | undefined
    })
  | (Observed & { readonly format: "binary" })

interface In {
  /**
   * Whether to freeze the rows immediately. The table must have been created or truncated in the same transaction.
   * @default false
   */
  readonly freeze?: boolean | undefined
  /** An SQL condition: rows that do not satisfy it are skipped. It is SQL text, so never build it from user input. */
  readonly where?: string | undefined
}

interface TextIn extends In {
  /** The text that stands for the column's default. Requires PostgreSQL 16. */
  readonly default?: string | undefined
  /**
   * Whether to skip the first line. With `"match"` it must contain the column names (PostgreSQL 15).
   * @default false
   */
  readonly header?: boolean | "match" | undefined
  /**
   * Whether a row with a value that its column does not accept fails the COPY or is skipped. Requires PostgreSQL 17.
   * @default "stop"
   */
  readonly onError?: "stop" | "ignore" | undefined
}

/**
 * How `copyIn` reads: PostgreSQL's text format by default, CSV, or the binary format.
 *
 * @category models
 * @since 0.1.0
 */
export type InOptions =
  | (Text &
      TextIn & {
        /** @default "text" */
        readonly format?: "text" | undefined
      })
  | (Csv &
      TextIn & {
        /** Columns in which an empty value is an empty string instead of NULL. */
        readonly forceNotNull?: Columns | undefined
        /** Columns in which the text for NULL means NULL even in quotes. */
        readonly forceNull?: Columns | undefined
      })
  | (Observed & In & { readonly format: "binary" })

/**
 * The options of `copyInRows`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RowsInOptions extends Observed, In {
  /**
   * The format in which the rows are sent. With `"csv"` every row may contain strings that only the server can convert
   * to the type of the column.
   *
   * @default "binary", or "csv" if a type has no binary form or the first row contains such a string
   */
  readonly format?: "binary" | "csv" | undefined
}

/**
 * A row to copy in: an array of values in column order, or an object keyed by column name. `null` is NULL; `undefined`
 * is an `EncodeError`. With the setting `names: "camelCase"` the property `userId` is written to the column `user_id`.
 *
 * @category models
 * @since 0.1.0
 */
export type InputRow = ReadonlyArray<unknown> | object
