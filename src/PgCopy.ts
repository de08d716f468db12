/**
 * COPY: rows in bulk, as bytes in one of PostgreSQL's formats or as values. The calls are those of `Queryable`:
 * `copyIn`, `copyInRows`, `copyOut`, `copyOutRows`.
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
 * A table, or some of its columns. The names are taken as they are: `Users` is not `users`. Without a schema the
 * `search_path` decides.
 *
 * @category models
 * @since 0.1.0
 */
export interface Table {
  readonly table: string
  readonly schema?: string | undefined
  /** All by default, but those that are generated. */
  readonly columns?: ReadonlyArray<string> | undefined
}

/**
 * The rows of a query: `SELECT`, `VALUES`, or a command with `RETURNING`; as SQL with the values of its parameters, or as
 * a `PgSql` template. COPY itself takes no parameters; where there are some, the server writes them as literals, which
 * takes three more round trips.
 *
 * @category models
 * @since 0.1.0
 */
export type Query =
  | { readonly query: string; readonly params?: ReadonlyArray<unknown> | undefined }
  | { readonly query: PgSql.Statement; readonly params?: undefined }

/**
 * What can be copied out.
 *
 * @category models
 * @since 0.1.0
 */
export type Source = Table | Query

/**
 * How far a COPY has come.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  /** Bytes of data that have been handed to the server, or have come from it. */
  readonly bytes: number
  /** Undefined where only the server counts: in `copyIn` until its end, and in `copyOut`. */
  readonly rows: number | undefined
}

/**
 * What a COPY has done.
 *
 * @category models
 * @since 0.1.0
 */
export interface Result {
  readonly rowCount: number
}

/**
 * What all forms of COPY take.
 *
 * @category models
 * @since 0.1.0
 */
export interface Observed {
  /**
   * How long the call may take, the wait for a connection included; for `copyOut` and `copyOutRows`, how long each of
   * their parts may be waited for. Then the COPY is cancelled, nothing is copied in, and it fails with `TimeoutError`. No
   * limit by default.
   */
  readonly timeout?: Duration.Input | undefined
  /**
   * Watches the COPY: it is run as that goes on, with some 64 KiB between, and at its end. The COPY waits for it; a
   * progress bar, or a `SubscriptionRef` that others read as a stream, is quick enough.
   */
  readonly onProgress?: ((progress: Progress) => Effect.Effect<void>) | undefined
}

interface Text extends Observed {
  /** What stands between columns: one byte. A tab by default, in CSV a comma. */
  readonly delimiter?: string | undefined
  /** What stands for NULL: `\N` by default, in CSV nothing without quotes. */
  readonly null?: string | undefined
  /** The encoding of the bytes; by default UTF-8. */
  readonly encoding?: string | undefined
}

interface Csv extends Text {
  readonly format: "csv"
  /** What values are quoted with: one byte, `"` by default. */
  readonly quote?: string | undefined
  /** What stands before a quote in a value: one byte, by default the quote itself. */
  readonly escape?: string | undefined
}

/** Some columns of those that are copied, or all of them. */
type Columns = "*" | ReadonlyArray<string>

/**
 * How `copyOut` writes: PostgreSQL's text format by default, CSV or its binary format.
 *
 * @category models
 * @since 0.1.0
 */
export type OutOptions =
  | (Text & {
      readonly format?: "text" | undefined
      /** Whether the first line has the names of the columns. PostgreSQL 15 and later. */
      readonly header?: boolean | undefined
    })
  | (Csv & {
      /** Whether the first line has the names of the columns. */
      readonly header?: boolean | undefined
      /** Columns whose values are quoted even where they need not be; NULL never is. */
      readonly forceQuote?: Columns | undefined
    })
  | (Observed & { readonly format: "binary" })

interface In {
  /** Freezes the rows at once, in a table that was made or truncated in the same transaction. */
  readonly freeze?: boolean | undefined
  /** An SQL condition: rows of which it is not true are left out. It is SQL text, so never let a user write it. */
  readonly where?: string | undefined
}

interface TextIn extends In {
  /** What stands for the default of the column. PostgreSQL 16 and later. */
  readonly default?: string | undefined
  /** Whether to pass over the first line; with `"match"` it must have the names of the columns (PostgreSQL 15). */
  readonly header?: boolean | "match" | undefined
  /** Whether rows with a value that its column does not take fail the COPY or are left out. PostgreSQL 17 and later. */
  readonly onError?: "stop" | "ignore" | undefined
}

/**
 * How `copyIn` reads: PostgreSQL's text format by default, CSV or its binary format.
 *
 * @category models
 * @since 0.1.0
 */
export type InOptions =
  | (Text & TextIn & { readonly format?: "text" | undefined })
  | (Csv &
      TextIn & {
        /** Columns in which an empty value is an empty string, and not NULL. */
        readonly forceNotNull?: Columns | undefined
        /** Columns in which the text for NULL is NULL in quotes too. */
        readonly forceNull?: Columns | undefined
      })
  | (Observed & In & { readonly format: "binary" })

/**
 * How `copyInRows` copies.
 *
 * @category models
 * @since 0.1.0
 */
export interface RowsInOptions extends Observed, In {
  /**
   * By default binary, and CSV where a type has no binary form or the first row has a string that only the server can
   * read as the type of its column. With `"csv"` every row may have such strings.
   */
  readonly format?: "binary" | "csv" | undefined
}

/**
 * A row to be copied in: its values in the order of the columns, or an object by column name.
 *
 * @category models
 * @since 0.1.0
 */
export type InputRow = ReadonlyArray<unknown> | object
