/**
 * Whoever takes requests: a connection, a transaction, a pool, a client. They differ only in where a request runs that
 * belongs to no transaction, and on which session a transaction begins; what a fiber asks inside of a transaction goes
 * to that transaction, which travels in the fiber's context.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as PgCopy from "../PgCopy.ts"
import type { CursorOptions, PgCursor, ScrollCursor } from "../PgCursor.ts"
import * as PgError from "../PgError.ts"
import type { PgStatement, PrepareOptions } from "../PgStatement.ts"
import type { TypeCatalogue } from "../session/catalogue.ts"
import type { Observer } from "../session/observer.ts"
import { OwnStatement } from "../session/ownStatement.ts"
import * as Request from "../session/request.ts"
import type { Statements } from "../session/statementCache.ts"
import type { LevelOptions, TransactionLevel } from "../session/transaction.ts"
import { withLock, withLockIfAvailable } from "./advisoryLock.ts"
import { batch, batchWithBarriers } from "./batch.ts"
import { beginStatement, PLAIN_BEGIN } from "./beginStatement.ts"
import { withStatement } from "./call.ts"
import { copyBytesIn, copyRowsIn } from "./copyIn.ts"
import { copyBytesOut, copyRowsOut } from "./copyOut.ts"
import { cursor, scrollCursor } from "./cursor.ts"
import { type Ambient, Levels } from "./levels.ts"
import { executeMany, fetchMany } from "./many.ts"
import type { Place } from "./place.ts"
import type {
  AdvisoryLockKey,
  AdvisoryLockOptions,
  Call,
  CallOptions,
  CallWith,
  CommandResult,
  DecodedValueOptions,
  Parameters,
  Queryable,
  Row,
  RowOptions,
  Transaction,
  TransactionOptions,
  Tuple,
  ValueOptions,
  WithTransactionOptions
} from "./queryable.ts"
import { type Decode, decodeFirstRow, decodeRow, decodeRows, decodeRuns, decodeValue, described } from "./rowSchema.ts"
import { Statement } from "./statement.ts"
import { decodedStream, stream } from "./streaming.ts"
import type {
  BarrierResult,
  BatchResult,
  BatchStatement,
  ManyResult,
  RowSource,
  RowStreamOptions,
  StreamOptions
} from "./vocabulary.ts"

type Answer<A, R = never> = Effect.Effect<A, PgError.PgError, R>

export abstract class Requester extends Levels implements Queryable {
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
    return withStatement(call, (sql, params, options) => {
      const column = options?.column ?? 0
      const request = this.keeping(Request.value(sql, params, column))
      if (options?.value === undefined) return this.run("fetchValue", request, options)
      return this.runDecoded("fetchValue", request, decodeValue(column), options.value, options)
    })
  }

  execute(...call: Call<CallOptions>): Answer<CommandResult> {
    return withStatement(call, (sql, params, options) =>
      this.run("execute", this.keeping(Request.command(sql, params)), options)
    )
  }

  executeScript(sql: string, options?: CallOptions): Answer<ReadonlyArray<CommandResult>> {
    return this.run("executeScript", Request.script(sql), options)
  }

  notify(channel: string, payload = ""): Answer<void> {
    const request = Request.ownTupleRows("SELECT pg_catalog.pg_notify($1, $2)", [channel, payload])
    return Effect.asVoid(this.run("notify", request, undefined))
  }

  private fetchRows<A, B>(
    operation: string,
    request: (sql: string, params: Parameters) => Request.StatementRequest<A>,
    decode: Decode<A, B>,
    call: Call<Partial<RowOptions<unknown, unknown>>>
  ): Answer<A | B, unknown> {
    return withStatement(call, (sql, params, options): Answer<A | B, unknown> =>
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

  // ------------------------------------------------------------------------------------------------- COPY

  copyIn<E, R>(
    table: PgCopy.Table,
    bytes: Uint8Array | Iterable<Uint8Array> | Stream.Stream<Uint8Array, E, R>,
    options: PgCopy.InOptions = {}
  ): Effect.Effect<PgCopy.Result, E | PgError.PgError, R> {
    return this.onLevel((level) => Effect.scoped(copyBytesIn(level, table, bytes, options)))
  }

  copyInRows<E, R>(
    table: PgCopy.Table,
    rows: Iterable<PgCopy.InputRow> | Stream.Stream<PgCopy.InputRow, E, R>,
    options: PgCopy.RowsInOptions = {}
  ): Effect.Effect<PgCopy.Result, E | PgError.PgError, R> {
    return this.onLevel((level) => Effect.scoped(copyRowsIn(level, table, rows, options)))
  }

  copyOut(source: PgCopy.Source, options: PgCopy.OutOptions = {}): Stream.Stream<Uint8Array, PgError.PgError> {
    return copyBytesOut(this.scopedLevel, source, options)
  }

  copyOutRows(source: PgCopy.Source, options: PgCopy.Observed = {}): Stream.Stream<Row, PgError.PgError> {
    return copyRowsOut(this.scopedLevel, source, options)
  }

  // ------------------------------------------------------------------------------------------------- many

  executeMany<E = never, R = never>(
    sql: string,
    rows: RowSource<E, R>,
    options?: CallOptions
  ): Effect.Effect<ManyResult, E | PgError.PgError, R> {
    return this.observed("executeMany", sql, executeMany(this.place, { sql, ...this.kept }, rows), options)
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
    const fetched = this.observed("fetchMany", sql, fetchMany(this.place, { sql, ...this.kept }, rows), options)
    const schema = options?.row
    return Effect.flatMap(fetched, (portions) =>
      schema === undefined
        ? Effect.succeed(portions.flatMap(({ answer }) => answer))
        : Effect.map(
            Effect.forEach(portions, (portion) => decodeRuns(schema, portion)),
            (runs) => runs.flat()
          )
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
    const answer: Answer<ReadonlyArray<BarrierResult | BatchResult>> =
      options?.errorBarriers === true ? batchWithBarriers(this.place, statements) : batch(this.place, statements)
    return this.observed("batch", statements[0]?.sql ?? "", answer, options)
  }

  // ------------------------------------------------------------------------------------------------- page by page

  stream<A, R>(...call: CallWith<RowStreamOptions<A, R>>): Stream.Stream<A, PgError.PgError, R>
  stream(...call: Call<StreamOptions>): Stream.Stream<Row, PgError.PgError>
  stream(
    ...call: Call<StreamOptions & Partial<RowStreamOptions<unknown, unknown>>>
  ): Stream.Stream<unknown, PgError.PgError, unknown> {
    return Stream.unwrap(
      withStatement(call, (sql, params, options) => {
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
    return withStatement(call, (sql, params, options = {}) => {
      const open = options.scroll === true ? scrollCursor : cursor
      return open(this.place, { sql, params, ...this.kept }, options)
    })
  }

  prepare(sql: string, options: PrepareOptions = {}): Effect.Effect<PgStatement, PgError.PgError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const made = yield* this.scopedLevel
      const { catalogue, statements } = made.session
      const own = new OwnStatement(statements, options.name ?? statements.ownName())
      yield* Effect.addFinalizer(() => Effect.sync(() => own.close()))
      const requester = new StatementRequester(this.ambient, this.place, made, own)
      const prepared = yield* requester.run("prepare", Request.preparation(sql).with(own), undefined)
      return new Statement(requester, requester.place, prepared, catalogue.types)
    })
  }

  // ------------------------------------------------------------------------------------------------- transactions

  withTransaction<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options: WithTransactionOptions = {}
  ): Effect.Effect<A, E | PgError.PgError, R> {
    const on = (outer: TransactionLevel, begin: string) =>
      outer.within(levelOptions(begin, options), (level) => Effect.provideService(effect, this.ambient, level))
    return Effect.flatMap(beginStatement(options), (begin) =>
      this.inTransaction(
        (level) => on(level, begin),
        () => {
          const attempt = this.onLevel((root) => on(root, begin))
          const { retry } = options
          return retry === undefined ? attempt : Effect.retry(attempt, { schedule: retry, while: mayPassNextTime })
        }
      )
    )
  }

  begin(options: TransactionOptions = {}): Effect.Effect<Transaction, PgError.PgError, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function* () {
        const begin = yield* beginStatement(options)
        const outer = yield* restore(this.scopedLevel)
        const level = yield* outer.open({ ...levelOptions(begin, options), forbids: begunByHand() }, restore)
        yield* Effect.addFinalizer(() => Effect.ignore(level.rollbackByHand))
        return new Handle(level)
      })
    )
  }

  afterCommit(effect: Effect.Effect<unknown>): Effect.Effect<void> {
    return this.inTransaction(
      (level) => Effect.sync(() => level.afterCommit(effect)),
      () => Effect.asVoid(effect)
    )
  }

  afterRollback(effect: Effect.Effect<unknown>): Effect.Effect<void> {
    return this.inTransaction(
      (level) => Effect.sync(() => level.afterRollback(effect)),
      () => Effect.void
    )
  }

  get reloadSchemaState(): Effect.Effect<void> {
    return Effect.sync(() => this.catalogue.reload())
  }

  // ------------------------------------------------------------------------------------------------- locks

  withAdvisoryLock<A, E, R>(
    key: AdvisoryLockKey,
    effect: Effect.Effect<A, E, R>,
    options: AdvisoryLockOptions = {}
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return this.onLevel((level) => withLock(level, key, Effect.provideService(effect, this.ambient, level), options))
  }

  withAdvisoryLockIfAvailable<A, E, R>(
    key: AdvisoryLockKey,
    effect: Effect.Effect<A, E, R>,
    options: Omit<AdvisoryLockOptions, "timeout"> = {}
  ): Effect.Effect<Option.Option<A>, E | PgError.PgError, R> {
    return this.onLevel((level) =>
      withLockIfAvailable(level, key, Effect.provideService(effect, this.ambient, level), options)
    )
  }
}

/** What runs on one level: a connection, or a transaction that is ended by hand. */
export class LevelRequester extends Requester {
  protected readonly level: TransactionLevel

  constructor(level: TransactionLevel) {
    super()
    this.level = level
  }

  protected get scopedRoot(): Effect.Effect<TransactionLevel> {
    return Effect.succeed(this.level)
  }

  protected get observer(): Observer {
    return this.level.session.observer
  }

  protected get catalogue(): TypeCatalogue {
    return this.level.session.catalogue
  }

  protected direct<A>(request: Request.Request<A>, fiber: Fiber.Fiber<unknown, unknown>): Answer<A> {
    return this.level.runIn(fiber, request)
  }

  protected withRoot<A, E, R>(use: (root: TransactionLevel) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return use(this.level)
  }
}

/** What runs a statement that is kept on one session. */
class StatementRequester extends Requester {
  protected readonly scopedRoot: Effect.Effect<TransactionLevel>
  private readonly made: TransactionLevel
  private readonly own: OwnStatement

  /** It was made on that level, by whoever owns the place. */
  constructor(ambient: Ambient, place: Place, made: TransactionLevel, own: OwnStatement) {
    super(ambient)
    this.scopedRoot = place.levelFrom(made)
    this.made = made
    this.own = own
  }

  protected get observer(): Observer {
    return this.made.session.observer
  }

  protected get catalogue(): TypeCatalogue {
    return this.made.session.catalogue
  }

  protected override get kept(): { readonly statements: Statements } {
    return { statements: this.own }
  }

  /** A transaction of the fiber on another session is not this one's. */
  protected override isHere(level: TransactionLevel): boolean {
    return level.session === this.made.session
  }

  protected direct<A>(request: Request.Request<A>): Answer<A> {
    return Effect.flatMap(this.scopedRoot, (level) => level.run(request))
  }

  protected withRoot<A, E, R>(use: (root: TransactionLevel) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.flatMap(this.scopedRoot, use)
  }
}

class Handle extends LevelRequester implements Transaction {
  get commit(): Effect.Effect<void, PgError.PgError> {
    return this.level.commitByHand
  }

  get rollback(): Effect.Effect<void, PgError.PgError> {
    return this.level.rollbackByHand
  }
}

/** Whoever waited for the end of the transaction would as a rule be the one who is to end it. */
const begunByHand = (): PgError.UnsupportedError =>
  new PgError.UnsupportedError({
    feature: "another statement where a transaction has been begun by hand and not ended",
    instead: "ask the handle that begin gave, or end it first",
    sql: ""
  })

const mayPassNextTime = (error: unknown): boolean =>
  PgError.isPgError(error) && (error._tag === "SerializationError" || error._tag === "DeadlockDetectedError")

const levelOptions = (begin: string, options: WithTransactionOptions): LevelOptions => ({
  begin,
  isPlain: begin === PLAIN_BEGIN && options.trackOutcome === undefined && options.retry === undefined,
  trackOutcome: options.trackOutcome === true
})
