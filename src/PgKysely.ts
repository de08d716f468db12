/**
 * Kysely on the connections of effectpg. Kysely builds the queries; they run as promises, or as effects within the
 * transaction of the fiber. This module needs the package `kysely`, and only a program that imports
 * `effectpg/PgKysely` has to install it.
 *
 * @example
 * ```ts
 * import { Context, Effect, Layer } from "effect"
 * import { PgClient } from "effectpg"
 * import * as PgKysely from "effectpg/PgKysely"
 * import type { Generated, Kysely } from "kysely"
 *
 * interface Tables {
 *   readonly books: { readonly id: Generated<number>; readonly title: string }
 * }
 *
 * class Database extends Context.Service<Database, Kysely<Tables>>()("app/Database") {
 *   static readonly layer = Layer.effect(Database, PgKysely.make<Tables>())
 * }
 *
 * export const replace = Effect.fn("replace")(function* (from: string, to: string) {
 *   const pg = yield* PgClient.PgClient
 *   const db = yield* Database
 *   const both = Effect.gen(function* () {
 *     yield* PgKysely.execute(db.deleteFrom("books").where("title", "=", from))
 *     return yield* PgKysely.executeTakeFirst(db.insertInto("books").values({ title: to }).returning("id"))
 *   })
 *   return yield* pg.withTransaction(both)
 * })
 * ```
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import {
  type AbortableQueryOptions,
  type Dialect,
  Kysely,
  type KyselyConfig,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler
} from "kysely"
import * as Shape from "./call/shape.ts"
import { routerOf } from "./connection/baseQueryable.ts"
import { calledBy } from "./kysely/callers.ts"
import { KyselyDriver } from "./kysely/driver.ts"
import { Promises } from "./kysely/promises.ts"
import { readingOf } from "./kysely/reading.ts"
import * as PgClient from "./PgClient.ts"
import * as PgError from "./PgError.ts"
import type * as PgPool from "./PgPool.ts"

// ------------------------------------------------------------------------------------------------------ models

/**
 * A query that Kysely has built: a SELECT, INSERT, UPDATE, DELETE or MERGE, or a change of the schema.
 *
 * @category models
 * @since 0.1.0
 */
export interface Executable<A = unknown> {
  /** Kysely's own method, which runs the query and gives a promise of its rows. */
  readonly execute: (options?: AbortableQueryOptions) => Promise<A>
}

/**
 * A query that Kysely has built and that returns rows.
 *
 * @category models
 * @since 0.1.0
 */
export interface Streamable<A = unknown> {
  /** Kysely's own method, which runs the query and iterates over its rows. */
  readonly stream: (options: {
    readonly chunkSize?: number
    readonly signal?: AbortSignal | undefined
  }) => AsyncIterableIterator<A>
}

/**
 * The options of `stream`.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamOptions {
  /**
   * How many rows are fetched at once.
   *
   * @default 1000
   */
  readonly fetchSize?: number | undefined
}

// ------------------------------------------------------------------------------------------------- constructors

/**
 * Makes a Kysely on the pool of the `PgClient`, until the scope ends. Then the queries of its promises are canceled,
 * its open transactions are rolled back, and it runs no more.
 *
 * A promise of this Kysely runs in the context of the fiber that has made it. Therefore, if you make a Kysely inside of
 * `withTransaction`, all of its queries belong to that transaction, and its own transactions are savepoints. A Kysely
 * that is made outside, such as that of a layer, runs its promises outside of any transaction but its own: use `execute`
 * for a query that shall belong to the transaction of a fiber. It is also cheaper: each promise has a connection to itself,
 * which the pool resets afterwards.
 *
 * A promise is rejected with the `PgError`. Values are those of effectpg: `int8` is a bigint, `timestamptz` a Date.
 * `destroy` ends the Kysely, and leaves the pool open. Fails with `InvalidConfigError` if the configuration is wrong.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <Tables>(
  config?: Omit<KyselyConfig, "dialect">
): Effect.Effect<Kysely<Tables>, PgError.PgError, PgClient.PgClient | Scope.Scope> =>
  Shape.withOptions(config, CONFIG, (known = {}) =>
    Effect.map(Effect.flatMap(PgClient.PgClient, dialect), (dialect) => new Kysely<Tables>({ ...known, dialect }))
  )

const CONFIG: Shape.Kinds = {
  log: { is: (log) => typeof log === "function" || Shape.names.is(log), takes: "a function or an array of levels" },
  plugins: { is: (plugins) => Array.isArray(plugins) && plugins.every(isPlugin), takes: "an array of plugins" }
}

const isPlugin = (plugin: unknown): boolean =>
  typeof plugin === "object" && plugin !== null && "transformQuery" in plugin && "transformResult" in plugin

/**
 * Makes the dialect with which a program makes its Kysely itself, on any pool or client. `make` says how queries run.
 * Fails with `InvalidConfigError` if the pool is not one of effectpg.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgClient } from "effectpg"
 * import * as PgKysely from "effectpg/PgKysely"
 * import { Kysely } from "kysely"
 *
 * class Reporting extends PgClient.Service<Reporting>()("app/Reporting") {}
 *
 * export const reports = Effect.gen(function* () {
 *   const reporting = yield* Reporting
 *   return new Kysely<{ orders: { total: number } }>({ dialect: yield* PgKysely.dialect(reporting) })
 * })
 * ```
 * @category constructors
 * @since 0.1.0
 */
export const dialect = Effect.fnUntraced(function* (
  pool: PgPool.PgPool
): Effect.fn.Return<Dialect, PgError.InvalidConfigError, Scope.Scope> {
  const fault = Shape.faultOf("pool", pool, Shape.queryable)
  if (fault !== undefined) return yield* fault
  const router = routerOf(pool)
  if (router === undefined) {
    return yield* new PgError.InvalidConfigError({ setting: "pool", reason: "must be a pool or a client of effectpg" })
  }
  const scope = yield* Effect.scope
  const context = yield* Effect.context<never>()
  const made: Dialect = {
    createDriver: () => new KyselyDriver(router, new Promises(scope), context),
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler()
  }
  return made
})

// ------------------------------------------------------------------------------------------------------ running

/**
 * Runs a query of a Kysely that this module has made, and returns what its `execute` returns. The query belongs to the
 * transaction of the fiber, its span is a child of the fiber's, and if the fiber is interrupted it is canceled.
 *
 * For what takes the Kysely as an argument, give a function. It gets the options that it must pass on.
 *
 * Fails as a call of `PgClient` does. What else Kysely throws, such as an error of a plugin, is a defect.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as PgKysely from "effectpg/PgKysely"
 * import { sql } from "kysely"
 *
 * export const work = Effect.gen(function* () {
 *   const db = yield* PgKysely.make<{ books: { title: string } }>()
 *   const books = yield* PgKysely.execute(db.selectFrom("books").selectAll())
 *   const { rows } = yield* PgKysely.execute((options) => sql`SHOW TimeZone`.execute(db, options))
 *   return { books, rows }
 * })
 * ```
 * @category running
 * @since 0.1.0
 */
export const execute = <A>(
  query: Executable<A> | ((options: AbortableQueryOptions) => Promise<A>)
): Effect.Effect<A, PgError.PgError> =>
  Shape.unless(Shape.faultOf("query", query, EXECUTABLE), () =>
    Effect.contextWith((context) =>
      Effect.catch(
        Effect.tryPromise({
          try: async (signal) => {
            const isSingle = typeof query !== "function"
            calledBy(signal, { context, isSingle })
            return await (isSingle ? query.execute({ signal }) : query({ signal }))
          },
          catch: (reason) => reason
        }),
        failingWith
      )
    )
  )

const EXECUTABLE: Shape.Kind = {
  is: (query) => typeof query === "function" || has(query, "execute"),
  takes: "a query of Kysely, or a function that runs one"
}

/**
 * Runs a query as `execute` does, and returns its first row, if there is one.
 *
 * @category running
 * @since 0.1.0
 */
export const executeTakeFirst = <A>(
  query: Executable<ReadonlyArray<A>>
): Effect.Effect<Option.Option<A>, PgError.PgError> =>
  Effect.flatMap(execute(query), (rows) =>
    Shape.unless(Shape.faultOf("query", rows, ROWS), () => Effect.succeed(Arr.head(rows)))
  )

const ROWS: Shape.Kind = { is: Shape.isArray, takes: "a query of Kysely that returns an array" }

/**
 * Streams the rows of a query, a page at a time: only one page is in memory. Otherwise it is as `execute`.
 *
 * @category running
 * @since 0.1.0
 */
export const stream = <A>(query: Streamable<A>, options?: StreamOptions): Stream.Stream<A, PgError.PgError> =>
  Stream.unwrap(
    Shape.unless(Shape.faultOf("query", query, STREAMABLE), () =>
      Shape.withOptions(options, STREAM_OPTIONS, (known) =>
        Effect.contextWith((context) =>
          Effect.succeed(streamed(query, known?.fetchSize ?? DEFAULT_FETCH_SIZE, context))
        )
      )
    )
  )

const streamed = <A>(
  query: Streamable<A>,
  chunkSize: number,
  context: Context.Context<never>
): Stream.Stream<A, PgError.PgError> => {
  const reading = readingOf((signal) => {
    calledBy(signal, { context, isSingle: true })
    const rows = query.stream({ chunkSize, signal })
    const fault = Shape.faultOf("query", rows, ITERATOR)
    if (fault !== undefined) throw fault
    return rows
  })
  const rows = Stream.unwrap(Effect.map(reading, (read) => Stream.fromPull(Effect.succeed(read))))
  return Stream.catch(rows, (reason) => Stream.fromEffect(failingWith(reason)))
}

const STREAMABLE: Shape.Kind = { is: (query) => has(query, "stream"), takes: "a query of Kysely that returns rows" }
const ITERATOR: Shape.Kind = { is: (rows) => has(rows, "next"), takes: STREAMABLE.takes }
const STREAM_OPTIONS: Shape.Kinds = { fetchSize: Shape.count }

const DEFAULT_FETCH_SIZE = 1_000

const failingWith = (reason: unknown): Effect.Effect<never, PgError.PgError> =>
  PgError.isPgError(reason) ? Effect.fail(reason) : Effect.die(reason)

const has = (query: unknown, method: string): boolean =>
  typeof query === "object" && query !== null && typeof Reflect.get(query, method) === "function"
