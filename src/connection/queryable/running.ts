/** The calls that run statements for what they do, and those that copy. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as PgCopy from "../../PgCopy.ts"
import type * as PgError from "../../PgError.ts"
import type * as PgStatement from "../../PgStatement.ts"
import type {
  BarrierResult,
  BatchResult,
  BatchStatement,
  Call,
  CallOptions,
  CommandResult,
  ManyResult,
  Row,
  RowSource
} from "../../call/call.ts"

/** What a `Queryable` runs statements and copies by. */
export interface Running {
  /**
   * Runs a statement for what it does, and drops its rows, if any. Gives the command's tag and to how many rows it was
   * applied. Fails as every call of `Queryable` does.
   *
   * @example
   * ```ts
   * import { PgClient } from "effectpg"
   *
   * export const close = PgClient.PgClient.use((pg) => pg.execute("UPDATE orders SET closed = true WHERE id = $1", [7]))
   * ```
   * @since 0.1.0
   */
  readonly execute: (...call: Call<CallOptions>) => Effect.Effect<CommandResult, PgError.PgError>
  /**
   * Runs several statements in one text, without parameters, and gives one result for each. They are one transaction
   * unless they contain transaction commands themselves. Fails as every call of `Queryable` does.
   *
   * @example
   * ```ts
   * import { PgClient } from "effectpg"
   *
   * const schema = `
   *   CREATE TABLE authors (id int PRIMARY KEY, name text NOT NULL);
   *   CREATE INDEX ON authors (name);
   * `
   *
   * export const migrate = PgClient.PgClient.use((pg) => pg.executeScript(schema))
   * ```
   * @since 0.1.0
   */
  readonly executeScript: (
    sql: string,
    options?: CallOptions
  ) => Effect.Effect<ReadonlyArray<CommandResult>, PgError.PgError>
  /**
   * Runs a statement once for each row of values, with as few round trips as can be. Tells to how many rows it was
   * applied in all. It is all or nothing: outside of a transaction it is one, inside of one it is a savepoint. Rows are
   * pulled as the connection takes them, and no more once one has failed. Fails as the source of the rows does, and as
   * every call of `Queryable` does; the error has the number of the row that failed as `row`.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgClient } from "effectpg"
   *
   * const readings = [
   *   [1, 21.5],
   *   [2, 22]
   * ]
   *
   * export const program = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   return yield* pg.executeMany("INSERT INTO readings (sensor, celsius) VALUES ($1, $2)", readings)
   * })
   * ```
   * @since 0.1.0
   */
  readonly executeMany: <E = never, R = never>(
    sql: string,
    rows: RowSource<E, R>,
    options?: CallOptions
  ) => Effect.Effect<ManyResult, E | PgError.PgError, R>
  /**
   * Runs different statements in one round trip, and gives what each has done and returned.
   *
   * @since 0.1.0
   */
  readonly batch: {
    /**
     * Runs different statements in one round trip, each of which succeeds or fails by itself. What each has done and
     * returned, or its error, is a `Result`. Inside of a transaction, what comes after a failure fails with it. The
     * call itself fails only as a whole: if no connection is to be had, with `QueryTimeoutError`, or with
     * `InvalidConfigError` for statements or options of the wrong kind.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     * import { sql } from "effectpg/PgSql"
     *
     * const statements = [sql`REFRESH MATERIALIZED VIEW sales`, sql`REFRESH MATERIALIZED VIEW stock`]
     *
     * export const refresh = PgClient.PgClient.use((pg) => pg.batch(statements, { errorBarriers: true }))
     * ```
     * @since 0.1.0
     */
    (
      statements: ReadonlyArray<BatchStatement>,
      options: CallOptions & { readonly errorBarriers: true }
    ): Effect.Effect<ReadonlyArray<BarrierResult>, PgError.PgError>
    /**
     * Runs different statements in one round trip, and gives what each has done and returned. One more is taken by each
     * that can only be described once those before it have run: `FETCH`, `EXECUTE` and the like, and all behind a
     * change of the schema. Outside of a transaction they are one, and statements behind one that may commit by itself,
     * such as `CALL`, are described before any of them runs. Fails as every call of `Queryable` does; the error of the
     * statement that failed has its number, from 1, as `row`.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     *
     * const statements = [
     *   { sql: "INSERT INTO books (title) VALUES ($1) RETURNING id", params: ["Notes"] },
     *   { sql: "SELECT count(*) FROM books" }
     * ]
     *
     * export const program = PgClient.PgClient.use((pg) => pg.batch(statements))
     * ```
     * @since 0.1.0
     */
    (
      statements: ReadonlyArray<BatchStatement>,
      options?: CallOptions & { readonly errorBarriers?: false | undefined }
    ): Effect.Effect<ReadonlyArray<BatchResult>, PgError.PgError>
  }
  /**
   * Copies bytes into a table, in PostgreSQL's text format by default, as CSV, or in its binary format. They come from
   * a stream, such as that of a file, or an iterable. All of it is copied, or nothing: a failure of the source undoes
   * it and is what the call fails with, and a failure of the server ends the source at once. What the source asks of
   * the connection that copies fails with `UnsupportedError`. Fails as every call of `Queryable` does.
   *
   * @example
   * ```ts
   * import { PgClient } from "effectpg"
   *
   * const csv = new TextEncoder().encode("1,21.5\n2,22\n")
   *
   * export const load = PgClient.PgClient.use((pg) => pg.copyIn({ table: "readings" }, csv, { format: "csv" }))
   * ```
   * @since 0.1.0
   */
  readonly copyIn: <E = never, R = never>(
    table: PgCopy.Table,
    bytes: Uint8Array | Iterable<Uint8Array> | Stream.Stream<Uint8Array, E, R>,
    options?: PgCopy.InOptions
  ) => Effect.Effect<PgCopy.Result, E | PgError.PgError, R>
  /**
   * Copies rows into a table, which is the fastest way to write many. Values are taken as they are for parameters.
   * Without `columns`, objects are written to the columns that the first one names, and arrays to all of the table.
   * Fails with `EncodeError`, which has the row and the column, if a column does not take its value or a row has
   * another shape, and otherwise as `copyIn`.
   *
   * @example
   * ```ts
   * import { Effect, Stream } from "effect"
   * import { PgClient } from "effectpg"
   *
   * export const load = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   const readings = Stream.map(Stream.range(1, 100_000), (n) => ({ sensor: n % 10, celsius: 20 + Math.random() }))
   *   return yield* pg.copyInRows({ table: "readings" }, readings)
   * })
   * ```
   * @since 0.1.0
   */
  readonly copyInRows: <E = never, R = never>(
    table: PgCopy.Table,
    rows: Iterable<PgCopy.InputRow> | Stream.Stream<PgCopy.InputRow, E, R>,
    options?: PgCopy.RowsInOptions
  ) => Effect.Effect<PgCopy.Result, E | PgError.PgError, R>
  /**
   * Copies a table or the rows of a query out, as bytes in PostgreSQL's text format by default, as CSV, or in its
   * binary format. The server waits for a slow reader. A stream that ends early cancels the COPY, which a transaction
   * around it does not survive; `stream` has pages, and does. What the fiber that reads asks of the same connection
   * meanwhile fails with `UnsupportedError`. Fails as every call of `Queryable` does.
   *
   * @example
   * ```ts
   * import { Effect, FileSystem, Stream } from "effect"
   * import { PgClient } from "effectpg"
   *
   * export const save = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   const files = yield* FileSystem.FileSystem
   *   const readings = pg.copyOut({ query: "SELECT * FROM readings WHERE sensor = $1", params: [7] }, { format: "csv" })
   *   yield* Stream.run(readings, files.sink("readings.csv"))
   * })
   * ```
   * @since 0.1.0
   */
  readonly copyOut: (source: PgCopy.Source, options?: PgCopy.OutOptions) => Stream.Stream<Uint8Array, PgError.PgError>
  /**
   * Copies a table or the rows of a query out, as objects by column name with the values that `fetch` gives. Fails with
   * `DecodeError` if a value cannot be read, and otherwise as `copyOut`.
   *
   * @example
   * ```ts
   * import { Effect, Stream } from "effect"
   * import { PgClient } from "effectpg"
   *
   * export const print = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   yield* Stream.runForEach(pg.copyOutRows({ table: "readings" }), (reading) => Effect.log(reading))
   * })
   * ```
   * @since 0.1.0
   */
  readonly copyOutRows: (source: PgCopy.Source, options?: PgCopy.Observed) => Stream.Stream<Row, PgError.PgError>
  /**
   * Prepares a statement for the scope, on the connection of the fiber's transaction or on one that is its own. Every
   * call prepares what it runs; this is for those who want to know the types of a statement, to see its plan, or to
   * name it. Fails as every call of `Queryable` does.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgClient } from "effectpg"
   *
   * const described = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   const statement = yield* pg.prepare("SELECT title FROM books WHERE author = $1")
   *   return statement.columns.map(({ name, type }) => `${name} ${type.name}`)
   * })
   *
   * export const program = Effect.scoped(described)
   * ```
   * @since 0.1.0
   */
  readonly prepare: (
    sql: string,
    options?: PgStatement.PrepareOptions
  ) => Effect.Effect<PgStatement.PgStatement, PgError.PgError, Scope.Scope>
  /**
   * Sends a notification to all who listen to a channel; inside of a transaction, when that commits. Without a payload
   * it is an empty string. Fails as every call of `Queryable` does.
   *
   * @example
   * ```ts
   * import { PgClient } from "effectpg"
   *
   * export const tell = PgClient.PgClient.use((pg) => pg.notify("orders", JSON.stringify({ id: 7 })))
   * ```
   * @since 0.1.0
   */
  readonly notify: (channel: string, payload?: string, options?: CallOptions) => Effect.Effect<void, PgError.PgError>
  /**
   * Forgets what is known of the types that users have made, and all prepared statements, on every connection of a
   * pool. Both are learned again when they are needed. Changes of a schema are noticed without it, as a rule by the
   * server's own word; it is for those who want to be sure after a migration. It never fails.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgClient } from "effectpg"
   *
   * export const migrate = Effect.gen(function* () {
   *   const pg = yield* PgClient.PgClient
   *   yield* pg.executeScript("DROP TYPE mood; CREATE TYPE mood AS ENUM ('glad', 'sad')")
   *   yield* pg.reloadSchemaState
   * })
   * ```
   * @since 0.1.0
   */
  readonly reloadSchemaState: Effect.Effect<void>
}
