/** A prepared statement, which asks the same things as whoever prepared it, with a text that is given. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { DatabaseTypes } from "../codec/databaseTypes.ts"
import type { PgCursor } from "../PgCursor.ts"
import type * as PgError from "../PgError.ts"
import type { Column, ExplainOptions, PgStatement, Type } from "../PgStatement.ts"
import { OwnStatement } from "../session/ownStatement.ts"
import * as Request from "../session/request.ts"
import type { PreparedStatement } from "../session/statementCache.ts"
import { PLAIN_LEVEL } from "../session/transaction.ts"
import type { Place } from "./place.ts"
import type { Queryable } from "./queryable.ts"
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
} from "./vocabulary.ts"

type Answer<A, R = never> = Effect.Effect<A, PgError.PgError, R>
type MaybeDecoded<Options> = Partial<Options> & CallOptions

export class Statement implements PgStatement {
  readonly sql: string
  readonly name: string
  readonly parameters: ReadonlyArray<Type>
  readonly columns: ReadonlyArray<Column>
  private readonly queryable: Queryable
  private readonly place: Place

  /** What is asked of `queryable` runs the statement that was prepared. */
  constructor(queryable: Queryable, place: Place, prepared: PreparedStatement, types: DatabaseTypes) {
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
    this.queryable = queryable
    this.place = place
  }

  fetch<A, R>(params: Parameters | undefined, options: RowOptions<A, R>): Answer<ReadonlyArray<A>, R>
  fetch(params?: Parameters, options?: CallOptions): Answer<ReadonlyArray<Row>>
  fetch(
    params?: Parameters,
    options?: MaybeDecoded<RowOptions<unknown, unknown>>
  ): Answer<ReadonlyArray<unknown>, unknown> {
    return options?.row === undefined
      ? this.queryable.fetch(this.sql, params, options)
      : this.queryable.fetch(this.sql, params, { ...options, row: options.row })
  }

  fetchTuples<A, R>(params: Parameters | undefined, options: RowOptions<A, R>): Answer<ReadonlyArray<A>, R>
  fetchTuples(params?: Parameters, options?: CallOptions): Answer<ReadonlyArray<Tuple>>
  fetchTuples(
    params?: Parameters,
    options?: MaybeDecoded<RowOptions<unknown, unknown>>
  ): Answer<ReadonlyArray<unknown>, unknown> {
    return options?.row === undefined
      ? this.queryable.fetchTuples(this.sql, params, options)
      : this.queryable.fetchTuples(this.sql, params, { ...options, row: options.row })
  }

  fetchRow<A, R>(params: Parameters | undefined, options: RowOptions<A, R>): Answer<Option.Option<A>, R>
  fetchRow(params?: Parameters, options?: CallOptions): Answer<Option.Option<Row>>
  fetchRow(
    params?: Parameters,
    options?: MaybeDecoded<RowOptions<unknown, unknown>>
  ): Answer<Option.Option<unknown>, unknown> {
    return options?.row === undefined
      ? this.queryable.fetchRow(this.sql, params, options)
      : this.queryable.fetchRow(this.sql, params, { ...options, row: options.row })
  }

  fetchOne<A, R>(params: Parameters | undefined, options: RowOptions<A, R>): Answer<A, R>
  fetchOne(params?: Parameters, options?: CallOptions): Answer<Row>
  fetchOne(params?: Parameters, options?: MaybeDecoded<RowOptions<unknown, unknown>>): Answer<unknown, unknown> {
    return options?.row === undefined
      ? this.queryable.fetchOne(this.sql, params, options)
      : this.queryable.fetchOne(this.sql, params, { ...options, row: options.row })
  }

  fetchValue<A, R>(params: Parameters | undefined, options: DecodedValueOptions<A, R>): Answer<Option.Option<A>, R>
  fetchValue(params?: Parameters, options?: ValueOptions): Answer<Option.Option<unknown>>
  fetchValue(
    params?: Parameters,
    options?: MaybeDecoded<DecodedValueOptions<unknown, unknown>>
  ): Answer<Option.Option<unknown>, unknown> {
    return options?.value === undefined
      ? this.queryable.fetchValue(this.sql, params, options)
      : this.queryable.fetchValue(this.sql, params, { ...options, value: options.value })
  }

  execute(params?: Parameters, options?: CallOptions): Answer<CommandResult> {
    return this.queryable.execute(this.sql, params, options)
  }

  executeMany<E = never, R = never>(
    rows: RowSource<E, R>,
    options?: CallOptions
  ): Effect.Effect<ManyResult, E | PgError.PgError, R> {
    return this.queryable.executeMany(this.sql, rows, options)
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
    return options?.row === undefined
      ? this.queryable.fetchMany(this.sql, rows, options)
      : this.queryable.fetchMany(this.sql, rows, { ...options, row: options.row })
  }

  stream<A, R>(params: Parameters | undefined, options: RowStreamOptions<A, R>): Stream.Stream<A, PgError.PgError, R>
  stream(params?: Parameters, options?: StreamOptions): Stream.Stream<Row, PgError.PgError>
  stream(
    params?: Parameters,
    options?: StreamOptions & Partial<RowStreamOptions<unknown, unknown>>
  ): Stream.Stream<unknown, PgError.PgError, unknown> {
    return options?.row === undefined
      ? this.queryable.stream(this.sql, params, options)
      : this.queryable.stream(this.sql, params, { ...options, row: options.row })
  }

  cursor(params?: Parameters): Effect.Effect<PgCursor, PgError.PgError, Scope.Scope> {
    return this.queryable.cursor(this.sql, params)
  }

  explain(
    params: Parameters = [],
    { analyze = false }: ExplainOptions = {}
  ): Answer<Readonly<Record<string, unknown>>> {
    const sql = `EXPLAIN (FORMAT JSON, VERBOSE${analyze ? ", ANALYZE" : ""}) ${this.sql}`
    const plan = this.place.onLevel((level) => {
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
    return this.place.observed("explain", sql, plan)
  }
}

/** The server gives a list with one plan. */
const planOf = (plans: Option.Option<unknown>): Readonly<Record<string, unknown>> => {
  const [plan]: ReadonlyArray<unknown> = Option.isSome(plans) && Array.isArray(plans.value) ? plans.value : []
  return typeof plan === "object" && plan !== null ? { ...plan } : {}
}
