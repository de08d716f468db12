/** The calls that run statements without reading their rows, and those that copy, prepare and notify. */
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
import type { KnownText, RunOf } from "../../call/typedText.ts"

/** The calls of a `Queryable` that run statements and copy data. */
export interface Running {
  /**
   * Runs a statement and drops its rows, if it returns any. Returns the command's tag and how many rows it changed or
   * returned. Fails as every call of `Queryable` does.
   *
   * @example
   * ```ts
   * import { PgClient } from "effectpg"
   *
   * export const close = PgClient.PgClient.use((pg) => pg.execute("UPDATE orders SET closed = true WHERE id = $1", [7]))
   * ```
   * @since 0.1.0
   */
  readonly execute: <const Text extends string>(
    ...call: Call<CallOptions, Text>
  ) => Effect.Effect<CommandResult, PgError.PgError>
  /**
   * Runs several statements in one text, without parameters, and returns one result for each. The server runs them in
   * one transaction unless the text has transaction commands of its own. Fails as every call of `Queryable` does.
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
   * Runs a statement once for each row of parameter values, with as few round trips as possible, and returns how many
   * rows all runs changed together. If one run fails, none of them has an effect, because the call is a transaction of
   * its own, or a savepoint inside of another transaction. Rows are pulled from the source as fast as the connection
   * can send them, and no more of them after a failure. Fails as the source of the rows does, and as every call of
   * `Queryable` does. The `row` of the error is the number of the row that failed, from 1.
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
  readonly executeMany: <const Text extends string, E = never, R = never>(
    sql: Text,
    rows: RowSource<E, R, RunOf<Text>>,
    options?: CallOptions
  ) => Effect.Effect<ManyResult, E | PgError.PgError, R>
  /**
   * Runs different statements in one round trip, and returns what each did and its rows.
   *
   * @since 0.1.0
   */
  readonly batch: {
    /**
     * Runs different statements in one round trip, each of which succeeds or fails on its own. The result has a
     * `Result` for each statement: what it did and its rows, or its error. Inside of a transaction all statements after
     * a failed one fail too. The call as a whole fails only if there is no connection for it, with `QueryTimeoutError`, or
     * with `InvalidConfigError` or `EncodeError` if its arguments are wrong.
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
     * Runs different statements in one round trip, and returns what each did and its rows. Outside of a transaction
     * they run in a transaction of their own. Some statements cost one more round trip each, because the server can
     * describe them only after the ones before have run: `FETCH`, `EXECUTE` and similar ones, and every statement
     * behind a change of the schema. Statements behind one that may commit by itself, such as `CALL`, are always
     * described before any of them runs. Fails as every call of `Queryable` does. The `row` of the error is the number
     * of the statement that failed, from 1.
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
   * Copies bytes into a table, in PostgreSQL's text format by default, as CSV, or in its binary format. The bytes come
   * from a stream, such as that of a file, or from an iterable. Either everything is copied or nothing. If the source
   * fails, nothing is copied and the call fails with that failure; if the server fails, the source is interrupted at
   * once. Calls that the source makes on the connection that copies fail with `UnsupportedError`. Fails as every call
   * of `Queryable` does.
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
   * Copies rows into a table, which is the fastest way to write many. Values are encoded as parameters are. Without
   * `columns`, objects are written to the columns that the first object names, and arrays to all columns of the table.
   * Fails with `EncodeError`, which names the row and the column, if a column does not accept its value or a row has
   * another shape than expected, and otherwise as `copyIn` does.
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
   * binary format. The server waits for a slow reader. If the reader ends the stream early, the COPY is canceled and a
   * transaction around it can no longer be committed; a `stream` can be ended early without that. Calls that the
   * reading fiber makes on the same connection meanwhile fail with `UnsupportedError`. Fails as every call of
   * `Queryable` does.
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
   * Copies a table or the rows of a query out, as objects by column name with the values that `fetch` returns. Fails
   * with `DecodeError` if a value cannot be read, and otherwise as `copyOut` does.
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
   * Prepares a statement for the scope, on the connection of the fiber's transaction or on a connection of its own. You
   * need this only to know the types of a statement, to see its plan, or to give it a name, because every call prepares
   * its statement anyway. Fails as every call of `Queryable` does.
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
  readonly prepare: <const Text extends string>(
    sql: Text,
    options?: PgStatement.PrepareOptions
  ) => Effect.Effect<PgStatement.PgStatement<KnownText<Text>>, PgError.PgError, Scope.Scope>
  /**
   * Sends a notification to all listeners of a channel. Inside of a transaction, the server sends it when the
   * transaction commits. The payload is an empty string by default. Fails as every call of `Queryable` does.
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
   * Forgets all prepared statements and all types that users have created, on every connection of a pool. Both are
   * looked up again when they are needed. Changes of the schema are noticed without this call too, usually because the
   * server reports them; use it after a migration to be sure. It never fails.
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
