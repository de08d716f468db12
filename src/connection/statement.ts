/** A held statement. It has the calls of a connection without their SQL argument. */
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { DatabaseTypes } from "../codec/databaseTypes.ts"
import type { PgCursor } from "../PgCursor.ts"
import type * as PgError from "../PgError.ts"
import type { Column, ExplainOptions, PgStatement, Type } from "../PgStatement.ts"
import { OwnStatement } from "../session/statement/heldStatement.ts"
import * as Request from "../session/request/request.ts"
import type { PreparedStatement } from "../session/statement/preparedStatement.ts"
import type { Statements } from "../session/statement/statements.ts"
import type { TypeCatalogue } from "../session/types/typeCatalogue.ts"
import type { Observer } from "../session/observing/observer.ts"
import { PLAIN_LEVEL, type TransactionLevel } from "../session/transaction/transactionLevel.ts"
import { type LevelSource, Router } from "./router.ts"
import type { Queryable } from "./queryable/queryable.ts"
import * as Options from "../call/options.ts"
import * as Shape from "../call/shape.ts"
import { withTimeout } from "../call/timeout.ts"
import type {
  CallOptions,
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
import type { NamedRun } from "../call/typedText.ts"

type Answer<A, R = never> = Effect.Effect<A, PgError.PgError, R>
type MaybeDecoded<Options> = Partial<Options> & CallOptions

class Statement extends Inspectable.Class implements PgStatement {
  readonly sql: string
  readonly name: string
  readonly parameters: ReadonlyArray<Type>
  readonly columns: ReadonlyArray<Column>
  readonly #queryable: Queryable
  readonly #router: Router

  /** A call on `queryable` with the SQL of this statement runs the statement that was prepared. */
  constructor(queryable: Queryable, router: Router, prepared: PreparedStatement, types: DatabaseTypes) {
    super()
    const typeOf = (oid: number): Type => ({ oid, name: types.typeName(oid), schema: types.schemaOf(oid) })
    this.sql = prepared.sql
    this.name = prepared.name
    this.parameters = prepared.parameterOids.map(typeOf)
    this.columns = (prepared.rowShape?.columns ?? []).map((column) => ({
      name: column.name,
      type: typeOf(column.typeOid),
      typeModifier: column.typeModifier,
      table: column.tableOid === 0 ? undefined : { oid: column.tableOid, column: column.attributeNumber }
    }))
    this.#queryable = queryable
    this.#router = router
  }

  toJSON(): unknown {
    const { columns, name, parameters, sql } = this
    return { _id: "effectpg/PgStatement", name, sql, parameters, columns }
  }

  fetch<A, R>(params: Parameters | undefined, options: RowOptions<A, R>): Answer<ReadonlyArray<A>, R>
  fetch<A extends object = never>(...run: NamedRun<A, CallOptions>): Answer<ReadonlyArray<NoInfer<A>>>
  fetch(params?: Parameters, options?: CallOptions): Answer<ReadonlyArray<Row>>
  fetch(
    params?: Parameters,
    options?: MaybeDecoded<RowOptions<unknown, unknown>>
  ): Answer<ReadonlyArray<unknown>, unknown> {
    return this.#queryable.fetch(this.sql, params, options)
  }

  fetchTuples<A, R>(params: Parameters | undefined, options: RowOptions<A, R>): Answer<ReadonlyArray<A>, R>
  fetchTuples<A extends Tuple = never>(...run: NamedRun<A, CallOptions>): Answer<ReadonlyArray<NoInfer<A>>>
  fetchTuples(params?: Parameters, options?: CallOptions): Answer<ReadonlyArray<Tuple>>
  fetchTuples(
    params?: Parameters,
    options?: MaybeDecoded<RowOptions<unknown, unknown>>
  ): Answer<ReadonlyArray<unknown>, unknown> {
    return this.#queryable.fetchTuples(this.sql, params, options)
  }

  fetchRow<A, R>(params: Parameters | undefined, options: RowOptions<A, R>): Answer<Option.Option<A>, R>
  fetchRow<A extends object = never>(...run: NamedRun<A, CallOptions>): Answer<Option.Option<NoInfer<A>>>
  fetchRow(params?: Parameters, options?: CallOptions): Answer<Option.Option<Row>>
  fetchRow(
    params?: Parameters,
    options?: MaybeDecoded<RowOptions<unknown, unknown>>
  ): Answer<Option.Option<unknown>, unknown> {
    return this.#queryable.fetchRow(this.sql, params, options)
  }

  fetchOne<A, R>(params: Parameters | undefined, options: RowOptions<A, R>): Answer<A, R>
  fetchOne<A extends object = never>(...run: NamedRun<A, CallOptions>): Answer<NoInfer<A>>
  fetchOne(params?: Parameters, options?: CallOptions): Answer<Row>
  fetchOne(params?: Parameters, options?: MaybeDecoded<RowOptions<unknown, unknown>>): Answer<unknown, unknown> {
    return this.#queryable.fetchOne(this.sql, params, options)
  }

  fetchValue<A, R>(params: Parameters | undefined, options: DecodedValueOptions<A, R>): Answer<Option.Option<A>, R>
  fetchValue<A = never>(...run: NamedRun<A, ValueOptions>): Answer<Option.Option<NoInfer<A>>>
  fetchValue(params?: Parameters, options?: ValueOptions): Answer<Option.Option<unknown>>
  fetchValue(
    params?: Parameters,
    options?: MaybeDecoded<DecodedValueOptions<unknown, unknown>>
  ): Answer<Option.Option<unknown>, unknown> {
    return this.#queryable.fetchValue(this.sql, params, options)
  }

  execute(params?: Parameters, options?: CallOptions): Answer<CommandResult> {
    return this.#queryable.execute(this.sql, params, options)
  }

  executeMany<E = never, R = never>(
    rows: RowSource<E, R>,
    options?: CallOptions
  ): Effect.Effect<ManyResult, E | PgError.PgError, R> {
    return this.#queryable.executeMany(this.sql, rows, options)
  }

  fetchMany<A, E = never, R = never, R2 = never>(
    rows: RowSource<E, R>,
    options: RowOptions<A, R2>
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<A>>, E | PgError.PgError, R | R2>
  fetchMany<E = never, R = never>(
    rows: RowSource<E, R>,
    options?: CallOptions
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<Row>>, E | PgError.PgError, R>
  fetchMany<E, R>(
    rows: RowSource<E, R>,
    options?: MaybeDecoded<RowOptions<unknown, unknown>>
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, E | PgError.PgError, unknown> {
    return this.#queryable.fetchMany(this.sql, rows, options)
  }

  stream<A, R>(params: Parameters | undefined, options: RowStreamOptions<A, R>): Stream.Stream<A, PgError.PgError, R>
  stream<A extends object = never>(...run: NamedRun<A, StreamOptions>): Stream.Stream<NoInfer<A>, PgError.PgError>
  stream(params?: Parameters, options?: StreamOptions): Stream.Stream<Row, PgError.PgError>
  stream(
    params?: Parameters,
    options?: StreamOptions & Partial<RowStreamOptions<unknown, unknown>>
  ): Stream.Stream<unknown, PgError.PgError, unknown> {
    return this.#queryable.stream(this.sql, params, options)
  }

  cursor(params?: Parameters, options?: CallOptions): Effect.Effect<PgCursor, PgError.PgError, Scope.Scope> {
    return Shape.withOptions(options, Options.CALL_OPTIONS, (known) => this.#queryable.cursor(this.sql, params, known))
  }

  explain(params: Parameters = [], options?: ExplainOptions): Answer<Readonly<Record<string, unknown>>> {
    return Shape.unless(Shape.faultOf("params", params, Shape.values), () =>
      Shape.withOptions(options, EXPLAIN_OPTIONS, (known = {}) => this.explained(params, known))
    )
  }

  private explained(
    params: Parameters,
    { analyze = false, timeout }: ExplainOptions
  ): Answer<Readonly<Record<string, unknown>>> {
    const sql = `EXPLAIN (FORMAT JSON, VERBOSE${analyze ? ", ANALYZE" : ""}) ${this.sql}`
    const plan = this.#router.onLevel((level) => {
      const request = Request.value(sql, params, 0).with(new OwnStatement(level.session.statements, ""))
      const plans = analyze
        ? Effect.uninterruptibleMask((restore) =>
            Effect.flatMap(level.open(PLAIN_LEVEL, restore), (inner) =>
              Effect.onExit(restore(inner.run(request)), () => Effect.ignore(inner.rollbackByHand))
            )
          )
        : level.run(request)
      return Effect.map(plans, planOf)
    })
    return withTimeout("explain", sql, this.#router.observed("explain", { sql, params }, plan), timeout)
  }
}

/** Prepares a statement for the scope. `queryableOf` makes the calls of a router. */
export const prepared = (
  router: Router,
  sql: string,
  name: string | undefined,
  queryableOf: (router: Router) => Queryable
): Effect.Effect<PgStatement, PgError.PgError, Scope.Scope> =>
  Effect.gen(function* () {
    const made = yield* router.scopedLevel
    const { catalogue, statements } = made.session
    const own = new OwnStatement(statements, name ?? statements.ownName())
    yield* Effect.addFinalizer(() => Effect.sync(() => own.close()))
    const held = new Router(new HeldStatementSource(made, own), router.key)
    const statement = yield* held.run("prepare", Request.preparation(sql).with(own), undefined)
    return new Statement(queryableOf(held), held, statement, catalogue.types)
  })

/** Supplies the level on which a statement was prepared, or what survives of it. */
class HeldStatementSource implements LevelSource {
  readonly statements: Statements
  private readonly made: TransactionLevel

  constructor(made: TransactionLevel, own: OwnStatement) {
    this.made = made
    this.statements = own
  }

  get level(): TransactionLevel {
    return this.made.surviving
  }

  get observer(): Observer {
    return this.made.session.observer
  }

  get catalogue(): TypeCatalogue {
    return this.made.session.catalogue
  }
}

const EXPLAIN_OPTIONS: Shape.Kinds = { timeout: Shape.duration, analyze: Shape.flag }

/** The server answers with a list that has one plan. */
const planOf = (plans: Option.Option<unknown>): Readonly<Record<string, unknown>> => {
  const [plan]: ReadonlyArray<unknown> = Option.isSome(plans) && Array.isArray(plans.value) ? plans.value : []
  return typeof plan === "object" && plan !== null ? { ...plan } : {}
}
