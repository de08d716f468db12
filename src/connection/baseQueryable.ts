/**
 * Implements the calls that connections, transactions, pools, clients and held statements share. It checks and takes apart
 * the arguments of a call; its router decides which session runs the call.
 */
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as PgCopy from "../PgCopy.ts"
import type { CursorOptions, PgCursor, ScrollCursor } from "../PgCursor.ts"
import type * as PgError from "../PgError.ts"
import type { PgStatement, PrepareOptions } from "../PgStatement.ts"
import type { Asked } from "../session/observing/asked.ts"
import * as Request from "../session/request/request.ts"
import { lockFault, withLock, withLockIfAvailable } from "./advisoryLock.ts"
import { batch, batchWithBarriers } from "./pipeline/batch.ts"
import { withBatch, withStatement } from "../call/withStatement.ts"
import { copyBytesIn, copyRowsIn } from "./copy/copyIn.ts"
import { copyBytesOut, copyRowsOut } from "./copy/copyOut.ts"
import { copyingIn, copyingOut } from "./copy/copying.ts"
import { cursor, scrollCursor } from "./paging/cursor.ts"
import { executeMany, fetchMany } from "./pipeline/executeMany.ts"
import type * as Queryables from "./queryable/queryable.ts"
import { levelSource, Router } from "./router.ts"
import {
  type Decode,
  decodeFirstRow,
  decodeRow,
  decodeRows,
  decodePortions,
  decodeValue,
  described
} from "./rowSchema.ts"
import * as Options from "../call/options.ts"
import * as Shape from "../call/shape.ts"
import { prepared } from "./statement.ts"
import { decodedStream, stream } from "./paging/stream.ts"
import { withTimeout } from "../call/timeout.ts"
import { begin, type Begun, type Ending, readingOf, withTransaction } from "./transaction.ts"
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
  NamedCall,
  Parameters,
  Row,
  RowOptions,
  RowSource,
  RowStreamOptions,
  StreamOptions,
  Tuple,
  ColumnOptions,
  ValueOptions
} from "../call/call.ts"
import type { KnownText, RowOf, RunOf, TupleOf, ValueOf } from "../call/typedText.ts"

/** What the observer is told of a statement that runs many times. */
const manyRuns = (sql: string): Asked => ({ sql, params: undefined, many: "runs" })

type Answer<A, R = never> = Effect.Effect<A, PgError.PgError, R>
type Scrolling = CursorOptions & { readonly scroll: true }

export class BaseQueryable extends Inspectable.Class implements Queryables.Queryable {
  readonly #router: Router

  constructor(router: Router) {
    super()
    this.#router = router
  }

  /** For an adapter. Undefined for an object of another library. */
  static routerOf(queryable: object): Router | undefined {
    return #router in queryable ? queryable.#router : undefined
  }

  /** Every object that is handed out prints no more than its kind and its state. */
  toJSON(): unknown {
    return { _id: "effectpg/Queryable" }
  }

  // ------------------------------------------------------------------------------------------------- statements

  fetch<A, R, const Text extends string>(...call: CallWith<RowOptions<A, R>, Text>): Answer<ReadonlyArray<A>, R>
  fetch<A extends object = never>(...call: NamedCall<A, CallOptions>): Answer<ReadonlyArray<NoInfer<A>>>
  fetch<const Text extends string>(...call: Call<CallOptions, Text>): Answer<ReadonlyArray<RowOf<Text>>>
  fetch(...call: Call<Partial<RowOptions<unknown, unknown>>>): Answer<ReadonlyArray<unknown>, unknown> {
    return this.fetchRows("fetch", Request.rows, decodeRows, call)
  }

  fetchTuples<A, R, const Text extends string>(...call: CallWith<RowOptions<A, R>, Text>): Answer<ReadonlyArray<A>, R>
  fetchTuples<A extends Tuple = never>(...call: NamedCall<A, CallOptions>): Answer<ReadonlyArray<NoInfer<A>>>
  fetchTuples<const Text extends string>(...call: Call<CallOptions, Text>): Answer<ReadonlyArray<TupleOf<Text>>>
  fetchTuples(...call: Call<Partial<RowOptions<unknown, unknown>>>): Answer<ReadonlyArray<unknown>, unknown> {
    return this.fetchRows("fetchTuples", Request.tupleRows, decodeRows, call)
  }

  fetchRow<A, R, const Text extends string>(...call: CallWith<RowOptions<A, R>, Text>): Answer<Option.Option<A>, R>
  fetchRow<A extends object = never>(...call: NamedCall<A, CallOptions>): Answer<Option.Option<NoInfer<A>>>
  fetchRow<const Text extends string>(...call: Call<CallOptions, Text>): Answer<Option.Option<RowOf<Text>>>
  fetchRow(...call: Call<Partial<RowOptions<unknown, unknown>>>): Answer<Option.Option<unknown>, unknown> {
    return this.fetchRows("fetchRow", Request.row, decodeFirstRow, call)
  }

  fetchOne<A, R, const Text extends string>(...call: CallWith<RowOptions<A, R>, Text>): Answer<A, R>
  fetchOne<A extends object = never>(...call: NamedCall<A, CallOptions>): Answer<NoInfer<A>>
  fetchOne<const Text extends string>(...call: Call<CallOptions, Text>): Answer<RowOf<Text>>
  fetchOne(...call: Call<Partial<RowOptions<unknown, unknown>>>): Answer<unknown, unknown> {
    return this.fetchRows("fetchOne", Request.oneRow, decodeRow, call)
  }

  fetchValue<A, R, const Text extends string>(
    ...call: CallWith<DecodedValueOptions<A, R>, Text>
  ): Answer<Option.Option<A>, R>
  fetchValue<A = never>(...call: NamedCall<A, ValueOptions>): Answer<Option.Option<NoInfer<A>>>
  fetchValue<const Text extends string, const Column extends string | number = 0>(
    ...call: Call<ColumnOptions<Text, Column>, Text>
  ): Answer<Option.Option<ValueOf<Text, Column>>>
  fetchValue(...call: Call<Partial<DecodedValueOptions<unknown, unknown>>>): Answer<Option.Option<unknown>, unknown> {
    return withStatement(call, this.#router.names, Options.VALUE_OPTIONS, (sql, params, options) => {
      const column = options?.column ?? 0
      const request = this.keeping(Request.value(sql, params, column))
      if (options?.value === undefined) return this.#router.run("fetchValue", request, options)
      return this.runDecoded("fetchValue", request, decodeValue(column), options.value, options)
    })
  }

  execute(...call: Call<CallOptions>): Answer<CommandResult> {
    return withStatement(call, this.#router.names, Options.CALL_OPTIONS, (sql, params, options) =>
      this.#router.run("execute", this.keeping(Request.command(sql, params)), options)
    )
  }

  executeScript(sql: string, options?: CallOptions): Answer<ReadonlyArray<CommandResult>> {
    return this.checked(Shape.sqlFault("executeScript", sql), options, (known) =>
      this.#router.run("executeScript", Request.script(sql), known)
    )
  }

  notify(channel: string, payload = "", options?: CallOptions): Answer<void> {
    const fault = Shape.faultOf("channel", channel, Shape.text) ?? Shape.faultOf("payload", payload, Shape.text)
    return this.checked(fault, options, (known) => {
      const request = Request.ownTupleRows("SELECT pg_catalog.pg_notify($1, $2)", [channel, payload])
      return Effect.asVoid(this.#router.run("notify", request, { ...known, readOnly: false }))
    })
  }

  /** Has the statement kept where the router's source keeps its own, if it does. */
  private keeping<A>(request: Request.StatementRequest<A>): Request.StatementRequest<A> {
    const { statements } = this.#router.source
    return statements === undefined ? request : request.with(statements)
  }

  private fetchRows<A, B>(
    operation: string,
    request: (sql: string, params: Parameters) => Request.StatementRequest<A>,
    decode: Decode<A, B>,
    call: Call<Partial<RowOptions<unknown, unknown>>>
  ): Answer<A | B, unknown> {
    return withStatement(
      call,
      this.#router.names,
      Options.ROW_OPTIONS,
      (sql, params, options): Answer<A | B, unknown> =>
        options?.row === undefined
          ? this.#router.run(operation, this.keeping(request(sql, params)), options)
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
    return Effect.flatMap(this.#router.run(operation, described(request), options), (answer) => decode(schema, answer))
  }

  /** Checks the options of a call that has only the common ones, and goes on unless its arguments have a fault. */
  private checked<A, E, R>(
    fault: Shape.Fault | undefined,
    options: CallOptions | undefined,
    use: (options: CallOptions | undefined) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return fault === undefined ? Shape.withOptions(options, Options.CALL_OPTIONS, use) : Effect.fail(fault)
  }

  // ------------------------------------------------------------------------------------------------- COPY

  copyIn<E = never, R = never>(
    table: PgCopy.Table,
    bytes: Uint8Array | Iterable<Uint8Array> | Stream.Stream<Uint8Array, E, R>,
    options?: PgCopy.InOptions
  ): Effect.Effect<PgCopy.Result, E | PgError.PgError, R> {
    const fault = Shape.faultOf("bytes", bytes, Shape.bytes)
    return copyingIn(this.#router, "copyIn", [table, fault, options], Options.COPY_OPTIONS, (level, into, known) =>
      Effect.scoped(copyBytesIn(this.#router, level, into, bytes, known))
    )
  }

  copyInRows<E = never, R = never>(
    table: PgCopy.Table,
    rows: Iterable<PgCopy.InputRow> | Stream.Stream<PgCopy.InputRow, E, R>,
    options?: PgCopy.RowsInOptions
  ): Effect.Effect<PgCopy.Result, E | PgError.PgError, R> {
    const fault = Shape.faultOf("rows", rows, Shape.rows)
    return copyingIn(
      this.#router,
      "copyInRows",
      [table, fault, options],
      Options.COPY_ROWS_OPTIONS,
      (level, into, known) => Effect.scoped(copyRowsIn(this.#router, level, into, rows, known))
    )
  }

  copyOut(source: PgCopy.Source, options?: PgCopy.OutOptions): Stream.Stream<Uint8Array, PgError.PgError> {
    return copyingOut(this.#router, source, options, Options.COPY_OPTIONS, copyBytesOut)
  }

  copyOutRows(source: PgCopy.Source, options?: PgCopy.Observed): Stream.Stream<Row, PgError.PgError> {
    return copyingOut(this.#router, source, options, Options.OBSERVED_OPTIONS, copyRowsOut)
  }

  // ------------------------------------------------------------------------------------------------- many

  executeMany<E = never, R = never>(
    sql: string,
    rows: RowSource<E, R>,
    options?: CallOptions
  ): Effect.Effect<ManyResult, E | PgError.PgError, R> {
    const fault = Shape.sqlFault("executeMany", sql) ?? Shape.faultOf("rows", rows, Shape.rows)
    return this.checked(fault, options, (known) =>
      this.#router.reading({ texts: [sql], readOnly: known?.readOnly }, (router) => {
        const statement = { sql, statements: router.source.statements }
        return router.observed("executeMany", manyRuns(sql), executeMany(router, statement, rows), known)
      })
    )
  }

  fetchMany<A, const Text extends string, E = never, R = never, R2 = never>(
    sql: Text,
    rows: RowSource<E, R, RunOf<Text>>,
    options: RowOptions<A, R2>
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<A>>, E | PgError.PgError, R | R2>
  fetchMany<const Text extends string, E = never, R = never>(
    sql: Text,
    rows: RowSource<E, R, RunOf<Text>>,
    options?: CallOptions
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<RowOf<Text>>>, E | PgError.PgError, R>
  fetchMany<E, R>(
    sql: string,
    rows: RowSource<E, R>,
    options?: Partial<RowOptions<unknown, unknown>>
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, E | PgError.PgError, unknown> {
    const fault = Shape.sqlFault("fetchMany", sql) ?? Shape.faultOf("rows", rows, Shape.rows)
    return Shape.unless(fault, () =>
      Shape.withOptions(options, Options.ROW_OPTIONS, (known) => {
        const fetched = this.#router.reading({ texts: [sql], readOnly: known?.readOnly }, (router) => {
          const statement = { sql, statements: router.source.statements }
          return router.observed("fetchMany", manyRuns(sql), fetchMany(router, statement, rows), known)
        })
        return Effect.flatMap(fetched, (portions) => decodePortions(known?.row, portions))
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
    return withBatch(statements, this.#router.names, (known) =>
      Shape.withOptions(options, Options.BATCH_OPTIONS, (how) =>
        this.#router.reading({ texts: known.map(({ sql }) => sql), readOnly: how?.readOnly }, (router) => {
          const answer: Answer<ReadonlyArray<BarrierResult | BatchResult>> =
            how?.errorBarriers === true ? batchWithBarriers(router, known) : batch(router, known)
          return router.observed("batch", { sql: known[0]?.sql ?? "", params: undefined, many: known }, answer, how)
        })
      )
    )
  }

  // ------------------------------------------------------------------------------------------------- page by page

  stream<A, R, const Text extends string>(
    ...call: CallWith<RowStreamOptions<A, R>, Text>
  ): Stream.Stream<A, PgError.PgError, R>
  stream<A extends object = never>(...call: NamedCall<A, StreamOptions>): Stream.Stream<NoInfer<A>, PgError.PgError>
  stream<const Text extends string>(...call: Call<StreamOptions, Text>): Stream.Stream<RowOf<Text>, PgError.PgError>
  stream(
    ...call: Call<StreamOptions & Partial<RowStreamOptions<unknown, unknown>>>
  ): Stream.Stream<unknown, PgError.PgError, unknown> {
    return Stream.unwrap(
      withStatement(call, this.#router.names, Options.STREAM_OPTIONS, (sql, params, options) =>
        this.#router.reading({ texts: [sql], readOnly: options?.readOnly }, (router) => {
          const statement = { sql, params, statements: router.source.statements }
          return Effect.succeed(
            options?.row === undefined
              ? stream(router, statement, options)
              : decodedStream(router, statement, options, options.row)
          )
        })
      )
    )
  }

  cursor<A extends object>(...call: CallWith<Scrolling>): Answer<ScrollCursor<A>, Scope.Scope>
  cursor<A extends object>(...call: Call<CursorOptions>): Answer<PgCursor<A>, Scope.Scope>
  cursor<const Text extends string>(...call: CallWith<Scrolling, Text>): Answer<ScrollCursor<RowOf<Text>>, Scope.Scope>
  cursor<const Text extends string>(...call: Call<CursorOptions, Text>): Answer<PgCursor<RowOf<Text>>, Scope.Scope>
  cursor(...call: Call<CursorOptions>): Answer<unknown, Scope.Scope> {
    return withStatement(call, this.#router.names, Options.CURSOR_OPTIONS, (sql, params, options = {}) => {
      const open = options.scroll === true ? scrollCursor : cursor
      return this.#router.reading({ texts: [sql], readOnly: options.readOnly }, (router) =>
        open(router, { sql, params, statements: router.source.statements }, options)
      )
    })
  }

  // ------------------------------------------------------------------------------------------------- held statements

  prepare<const Text extends string>(
    sql: Text,
    options?: PrepareOptions
  ): Answer<PgStatement<KnownText<Text>>, Scope.Scope>
  prepare(sql: string, options?: PrepareOptions): Answer<PgStatement, Scope.Scope> {
    return Shape.unless(Shape.sqlFault("prepare", sql), () =>
      Shape.withOptions(options, Options.PREPARE_OPTIONS, (known) => {
        const held = this.#router.reading({ texts: [sql], readOnly: known?.readOnly }, (router) =>
          prepared(router, sql, known?.name, queryableOf)
        )
        return withTimeout("prepare", sql, held, known?.timeout)
      })
    )
  }

  // ------------------------------------------------------------------------------------------------- transactions

  withTransaction<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Queryables.WithTransactionOptions
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return Shape.unless(Shape.faultOf("effect", effect, Shape.effect), () =>
      Shape.withOptions(options, Options.WITH_TRANSACTION_OPTIONS, (known = {}) => {
        const whole = this.#router.reading(readingOf(known), (router) => withTransaction(router, effect, known))
        return withTimeout("withTransaction", undefined, whole, known.timeout)
      })
    )
  }

  begin(options?: Queryables.TransactionOptions): Effect.Effect<Queryables.Transaction, PgError.PgError, Scope.Scope> {
    return Shape.withOptions(options, Options.TRANSACTION_OPTIONS, (known = {}) => {
      const begun = this.#router.reading(readingOf(known), (router) => begin(router, known))
      const handle = Effect.map(begun, (transaction) => new Handle(transaction))
      return withTimeout("begin", undefined, handle, known.timeout)
    })
  }

  afterCommit(effect: Effect.Effect<unknown>): Answer<void> {
    return Shape.unless(Shape.faultOf("effect", effect, Shape.effect), () =>
      this.#router.inTransaction(
        (level) => Effect.sync(() => level.afterCommit({ effect })),
        () => Effect.asVoid(effect)
      )
    )
  }

  afterRollback(effect: Effect.Effect<unknown>): Answer<void> {
    return Shape.unless(Shape.faultOf("effect", effect, Shape.effect), () =>
      this.#router.inTransaction(
        (level) => Effect.sync(() => level.afterRollback({ effect })),
        () => Effect.void
      )
    )
  }

  // ------------------------------------------------------------------------------------------------- locks and types

  withAdvisoryLock<A, E, R>(
    key: Queryables.AdvisoryLockKey,
    effect: Effect.Effect<A, E, R>,
    options?: Queryables.AdvisoryLockOptions
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return Shape.unless(lockFault(key, effect), () =>
      Shape.withOptions(options, Options.WAITING_LOCK_OPTIONS, (known = {}) =>
        this.#router.onLevel((level) => withLock(this.#router, level, key, this.#router.bind(level, effect), known))
      )
    )
  }

  withAdvisoryLockIfAvailable<A, E, R>(
    key: Queryables.AdvisoryLockKey,
    effect: Effect.Effect<A, E, R>,
    options?: Omit<Queryables.AdvisoryLockOptions, "timeout">
  ): Effect.Effect<Option.Option<A>, E | PgError.PgError, R> {
    return Shape.unless(lockFault(key, effect), () =>
      Shape.withOptions(options, Options.LOCK_OPTIONS, (known = {}) =>
        this.#router.onLevel((level) =>
          withLockIfAvailable(this.#router, level, key, this.#router.bind(level, effect), known)
        )
      )
    )
  }

  get reloadSchemaState(): Effect.Effect<void> {
    return Effect.sync(() => this.#router.source.catalogue.reload())
  }
}

export const { routerOf } = BaseQueryable

const queryableOf = (router: Router): Queryables.Queryable => new BaseQueryable(router)

/** A transaction that is ended by hand. */
class Handle extends BaseQueryable implements Queryables.Transaction {
  readonly #begun: Begun

  constructor(begun: Begun) {
    super(new Router(levelSource(begun.level)))
    this.#begun = begun
  }

  override toJSON(): unknown {
    return { _id: "effectpg/Transaction", session: this.#begun.level.session }
  }

  get commit(): Ending {
    return this.#begun.ended(this.#begun.level.commitByHand())
  }

  get rollback(): Ending {
    return this.#begun.ended(this.#begun.level.rollbackByHand)
  }
}
