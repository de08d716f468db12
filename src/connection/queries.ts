/** Implements the calls that take SQL: statements, COPY, many runs of one statement, streams and cursors. */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as PgCopy from "../PgCopy.ts"
import type { CursorOptions, PgCursor, ScrollCursor } from "../PgCursor.ts"
import type * as PgError from "../PgError.ts"
import * as Request from "../session/request/request.ts"
import { batch, batchWithBarriers } from "./pipeline/batch.ts"
import { withBatch, withStatement } from "../call/withStatement.ts"
import { copyBytesIn, copyRowsIn } from "./copy/copyIn.ts"
import { copyBytesOut, copyRowsOut } from "./copy/copyOut.ts"
import { withSource, withTable } from "./copy/copyStatement.ts"
import { cursor, scrollCursor } from "./cursor.ts"
import { Levels } from "./router.ts"
import { executeMany, fetchMany } from "./pipeline/executeMany.ts"
import { type Decode, decodeFirstRow, decodeRow, decodeRows, decodeRuns, decodeValue, described } from "./rowSchema.ts"
import * as Shape from "../call/shape.ts"
import { decodedStream, stream } from "./stream.ts"
import { withTimeout } from "../call/timeout.ts"
import type {
  BarrierResult,
  BatchResult,
  BatchStatement,
  Call,
  CallOptions,
  CallWith,
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
} from "../call/call.ts"

type Answer<A, R = never> = Effect.Effect<A, PgError.PgError, R>

export abstract class Queries extends Levels {
  // ------------------------------------------------------------------------------------------------- statements

  fetch<A, R>(...call: CallWith<RowOptions<A, R>>): Answer<ReadonlyArray<A>, R>
  fetch(...call: Call<CallOptions>): Answer<ReadonlyArray<Row>>
  fetch(...call: Call<Partial<RowOptions<unknown, unknown>>>): Answer<ReadonlyArray<unknown>, unknown> {
    return this.fetchRows("fetch", Request.rows, decodeRows, call)
  }

  fetchTuples<A, R>(...call: CallWith<RowOptions<A, R>>): Answer<ReadonlyArray<A>, R>
  fetchTuples(...call: Call<CallOptions>): Answer<ReadonlyArray<Tuple>>
  fetchTuples(...call: Call<Partial<RowOptions<unknown, unknown>>>): Answer<ReadonlyArray<unknown>, unknown> {
    return this.fetchRows("fetchTuples", Request.tupleRows, decodeRows, call)
  }

  fetchRow<A, R>(...call: CallWith<RowOptions<A, R>>): Answer<Option.Option<A>, R>
  fetchRow(...call: Call<CallOptions>): Answer<Option.Option<Row>>
  fetchRow(...call: Call<Partial<RowOptions<unknown, unknown>>>): Answer<Option.Option<unknown>, unknown> {
    return this.fetchRows("fetchRow", Request.row, decodeFirstRow, call)
  }

  fetchOne<A, R>(...call: CallWith<RowOptions<A, R>>): Answer<A, R>
  fetchOne(...call: Call<CallOptions>): Answer<Row>
  fetchOne(...call: Call<Partial<RowOptions<unknown, unknown>>>): Answer<unknown, unknown> {
    return this.fetchRows("fetchOne", Request.oneRow, decodeRow, call)
  }

  fetchValue<A, R>(...call: CallWith<DecodedValueOptions<A, R>>): Answer<Option.Option<A>, R>
  fetchValue(...call: Call<ValueOptions>): Answer<Option.Option<unknown>>
  fetchValue(...call: Call<Partial<DecodedValueOptions<unknown, unknown>>>): Answer<Option.Option<unknown>, unknown> {
    return withStatement(call, Shape.VALUE_OPTIONS, (sql, params, options) => {
      const column = options?.column ?? 0
      const request = this.keeping(Request.value(sql, params, column))
      if (options?.value === undefined) return this.run("fetchValue", request, options)
      return this.runDecoded("fetchValue", request, decodeValue(column), options.value, options)
    })
  }

  execute(...call: Call<CallOptions>): Answer<CommandResult> {
    return withStatement(call, Shape.CALL_OPTIONS, (sql, params, options) =>
      this.run("execute", this.keeping(Request.command(sql, params)), options)
    )
  }

  executeScript(sql: string, options?: CallOptions): Answer<ReadonlyArray<CommandResult>> {
    return this.checked(Shape.sqlFault("executeScript", sql), options, (known) =>
      this.run("executeScript", Request.script(sql), known)
    )
  }

  notify(channel: string, payload = "", options?: CallOptions): Answer<void> {
    const fault = Shape.faultOf("channel", channel, Shape.text) ?? Shape.faultOf("payload", payload, Shape.text)
    return this.checked(fault, options, (known) => {
      const request = Request.ownTupleRows("SELECT pg_catalog.pg_notify($1, $2)", [channel, payload])
      return Effect.asVoid(this.run("notify", request, known))
    })
  }

  private fetchRows<A, B>(
    operation: string,
    request: (sql: string, params: Parameters) => Request.StatementRequest<A>,
    decode: Decode<A, B>,
    call: Call<Partial<RowOptions<unknown, unknown>>>
  ): Answer<A | B, unknown> {
    return withStatement(call, Shape.ROW_OPTIONS, (sql, params, options): Answer<A | B, unknown> =>
      options?.row === undefined
        ? this.run(operation, this.keeping(request(sql, params)), options)
        : this.runDecoded(operation, this.keeping(request(sql, params)), decode, options.row, options)
    )
  }

  private runDecoded<A, B>(
    operation: string,
    request: Request.StatementRequest<A>,
    decode: Decode<A, B>,
    schema: Schema.ConstraintDecoder<unknown, unknown>,
    options: CallOptions
  ): Answer<B, unknown> {
    return Effect.flatMap(this.run(operation, described(request), options), (answer) => decode(schema, answer))
  }

  /** Checks the options of a call that has only the common ones, and goes on unless its arguments have a fault. */
  private checked<A, E, R>(
    fault: Shape.Fault | undefined,
    options: CallOptions | undefined,
    use: (options: CallOptions | undefined) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return fault === undefined ? Shape.withOptions(options, Shape.CALL_OPTIONS, use) : Effect.fail(fault)
  }

  // ------------------------------------------------------------------------------------------------- COPY

  copyIn<E, R>(
    table: PgCopy.Table,
    bytes: Uint8Array | Iterable<Uint8Array> | Stream.Stream<Uint8Array, E, R>,
    options?: PgCopy.InOptions
  ): Effect.Effect<PgCopy.Result, E | PgError.PgError, R> {
    return withTable(table, (into) =>
      Shape.unless(Shape.faultOf("bytes", bytes, Shape.bytes), () =>
        Shape.withOptions(options, COPY_OPTIONS, (known = {}) => {
          const copied = this.onLevel((level) => Effect.scoped(copyBytesIn(level, into, bytes, known)))
          return withTimeout("copyIn", undefined, copied, known.timeout)
        })
      )
    )
  }

  copyInRows<E, R>(
    table: PgCopy.Table,
    rows: Iterable<PgCopy.InputRow> | Stream.Stream<PgCopy.InputRow, E, R>,
    options?: PgCopy.RowsInOptions
  ): Effect.Effect<PgCopy.Result, E | PgError.PgError, R> {
    return withTable(table, (into) =>
      Shape.unless(Shape.faultOf("rows", rows, Shape.rows), () =>
        Shape.withOptions(options, COPY_ROWS_OPTIONS, (known = {}) => {
          const copied = this.onLevel((level) => Effect.scoped(copyRowsIn(level, into, rows, known)))
          return withTimeout("copyInRows", undefined, copied, known.timeout)
        })
      )
    )
  }

  copyOut(source: PgCopy.Source, options?: PgCopy.OutOptions): Stream.Stream<Uint8Array, PgError.PgError> {
    return Stream.unwrap(
      withSource(source, (from) =>
        Shape.withOptions(options, COPY_OPTIONS, (known = {}) =>
          Effect.succeed(copyBytesOut(this.scopedLevel, from, known))
        )
      )
    )
  }

  copyOutRows(source: PgCopy.Source, options?: PgCopy.Observed): Stream.Stream<Row, PgError.PgError> {
    return Stream.unwrap(
      withSource(source, (from) =>
        Shape.withOptions(options, OBSERVED_OPTIONS, (known = {}) =>
          Effect.succeed(copyRowsOut(this.scopedLevel, from, known))
        )
      )
    )
  }

  // ------------------------------------------------------------------------------------------------- many

  executeMany<E = never, R = never>(
    sql: string,
    rows: RowSource<E, R>,
    options?: CallOptions
  ): Effect.Effect<ManyResult, E | PgError.PgError, R> {
    const fault = Shape.sqlFault("executeMany", sql) ?? Shape.faultOf("rows", rows, Shape.rows)
    return this.checked(fault, options, (known) =>
      this.observed("executeMany", sql, executeMany(this.place, { sql, ...this.kept }, rows), known)
    )
  }

  fetchMany<A, E = never, R = never, R2 = never>(
    sql: string,
    rows: RowSource<E, R>,
    options: RowOptions<A, R2>
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<A>>, E | PgError.PgError, R | R2>
  fetchMany<E = never, R = never>(
    sql: string,
    rows: RowSource<E, R>,
    options?: CallOptions
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<Row>>, E | PgError.PgError, R>
  fetchMany<E, R>(
    sql: string,
    rows: RowSource<E, R>,
    options?: Partial<RowOptions<unknown, unknown>>
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, E | PgError.PgError, unknown> {
    const fault = Shape.sqlFault("fetchMany", sql) ?? Shape.faultOf("rows", rows, Shape.rows)
    return Shape.unless(fault, () =>
      Shape.withOptions(options, Shape.ROW_OPTIONS, (known) => {
        const fetched = this.observed("fetchMany", sql, fetchMany(this.place, { sql, ...this.kept }, rows), known)
        const schema = known?.row
        return Effect.flatMap(fetched, (portions) =>
          schema === undefined
            ? Effect.succeed(portions.flatMap(({ answer }) => answer))
            : Effect.map(
                Effect.forEach(portions, (portion) => decodeRuns(schema, portion)),
                (runs) => runs.flat()
              )
        )
      })
    )
  }

  batch(
    statements: ReadonlyArray<BatchStatement>,
    options: CallOptions & { readonly errorBarriers: true }
  ): Answer<ReadonlyArray<BarrierResult>>
  batch(
    statements: ReadonlyArray<BatchStatement>,
    options?: CallOptions & { readonly errorBarriers?: false | undefined }
  ): Answer<ReadonlyArray<BatchResult>>
  batch(
    statements: ReadonlyArray<BatchStatement>,
    options?: CallOptions & { readonly errorBarriers?: boolean | undefined }
  ): Answer<ReadonlyArray<BarrierResult | BatchResult>> {
    return withBatch(statements, (known) =>
      Shape.withOptions(options, BATCH_OPTIONS, (how) => {
        const answer: Answer<ReadonlyArray<BarrierResult | BatchResult>> =
          how?.errorBarriers === true ? batchWithBarriers(this.place, known) : batch(this.place, known)
        return this.observed("batch", known[0]?.sql ?? "", answer, how)
      })
    )
  }

  // ------------------------------------------------------------------------------------------------- page by page

  stream<A, R>(...call: CallWith<RowStreamOptions<A, R>>): Stream.Stream<A, PgError.PgError, R>
  stream(...call: Call<StreamOptions>): Stream.Stream<Row, PgError.PgError>
  stream(
    ...call: Call<StreamOptions & Partial<RowStreamOptions<unknown, unknown>>>
  ): Stream.Stream<unknown, PgError.PgError, unknown> {
    return Stream.unwrap(
      withStatement(call, Shape.STREAM_OPTIONS, (sql, params, options) => {
        const statement = { sql, params, ...this.kept }
        return Effect.succeed(
          options?.row === undefined
            ? stream(this.place, statement, options)
            : decodedStream(this.place, statement, options, options.row)
        )
      })
    )
  }

  cursor(
    ...call: CallWith<CursorOptions & { readonly scroll: true }>
  ): Effect.Effect<ScrollCursor, PgError.PgError, Scope.Scope>
  cursor(...call: Call<CursorOptions>): Effect.Effect<PgCursor, PgError.PgError, Scope.Scope>
  cursor(...call: Call<CursorOptions>): Effect.Effect<PgCursor, PgError.PgError, Scope.Scope> {
    return withStatement(call, CURSOR_OPTIONS, (sql, params, options = {}) => {
      const open = options.scroll === true ? scrollCursor : cursor
      return open(this.place, { sql, params, ...this.kept }, options)
    })
  }
}

const BATCH_OPTIONS: Shape.Kinds = { timeout: Shape.duration, errorBarriers: Shape.flag }
const CURSOR_OPTIONS: Shape.Kinds = { timeout: Shape.duration, scroll: Shape.flag, hold: Shape.flag }
const OBSERVED_OPTIONS: Shape.Kinds = { timeout: Shape.duration, onProgress: Shape.callback }
/** `copyStatement.ts` checks all other options. */
const COPY_OPTIONS: Shape.Kinds = { ...OBSERVED_OPTIONS, where: Shape.text, [Shape.ANY_OTHER]: Shape.anything }
const COPY_ROWS_OPTIONS: Shape.Kinds = {
  ...COPY_OPTIONS,
  format: { is: (value) => value === "binary" || value === "csv", takes: '"binary" or "csv"' }
}
