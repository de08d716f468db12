/**
 * Decides which session runs a call. A transaction travels in the context of its fiber: a call of that fiber goes to the
 * innermost level of the transaction. Any other call goes to a session that the router's source supplies.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { ColumnNames } from "../codec/columnNames.ts"
import type * as PgError from "../PgError.ts"
import type { Asked } from "../session/observing/asked.ts"
import { commentOf } from "../session/observing/comment.ts"
import type { Observer } from "../session/observing/observer.ts"
import type * as Request from "../session/request/request.ts"
import type { Statements } from "../session/statement/statements.ts"
import type { LastCommit } from "../session/transaction/lastCommit.ts"
import { TransactionLevel } from "../session/transaction/transactionLevel.ts"
import { withTimeout } from "../call/timeout.ts"
import type { CallOptions, ReadOnlyOptions } from "../call/call.ts"

/** Lends the sessions of a pool. */
export interface Lender {
  readonly level?: undefined
  readonly session?: undefined
  readonly observer: Observer
  readonly catalogue: Catalogue
  readonly statements?: undefined
  /** Runs a request for a fiber, which runs the effect at once. */
  runIn<A>(fiber: Fiber.Fiber<unknown, unknown>, request: Request.Request<A>): Effect.Effect<A, PgError.PgError>
  /**
   * Lends a session while `use` runs, as the level that transactions begin on. If the session is returned right after
   * `use`, `use` is given what to tell about its last COMMIT.
   */
  withRoot<A, E, R>(
    use: (root: TransactionLevel, lastCommit?: LastCommit) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R>
  /** Lends a session for the scope. */
  readonly scopedRoot: Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope>
}

/** Supplies one level: that of a connection, of a transaction that is ended by hand, or of a held statement. */
export interface LevelSource {
  readonly level: TransactionLevel
  readonly observer: Observer
  readonly catalogue: Catalogue
  /** Keeps the statements, instead of the cache of the session. */
  readonly statements?: Statements | undefined
}

/** What is known of a database. */
interface Catalogue {
  /** How columns are named. */
  readonly names: ColumnNames
  /** Drops what is known of its types and statements. */
  reload(): void
}

/** What a call says of whether it only reads. */
export interface Reading {
  /** Its statements; none if it has no SQL, and certainly only reads. */
  readonly texts: ReadonlyArray<string>
  readonly readOnly: CallOptions["readOnly"]
}

export type SessionSource = Lender | LevelSource

export const levelSource = (level: TransactionLevel): LevelSource => new FixedLevel(level)

class FixedLevel implements LevelSource {
  readonly level: TransactionLevel

  constructor(level: TransactionLevel) {
    this.level = level
  }

  get observer(): Observer {
    return this.level.session.observer
  }

  get catalogue(): Catalogue {
    return this.level.session.catalogue
  }
}

/** Hides a level in the context of a fiber, because loggers and debuggers print contexts. */
class Bond {
  readonly #level: TransactionLevel

  constructor(level: TransactionLevel) {
    this.#level = level
  }

  get level(): TransactionLevel {
    return this.#level
  }
}

/** The key under which the context of a fiber holds the level that the fiber is bound to. */
export type BondKey = Context.Service<Bond, Bond>

/** Adds what an adapter knows a transaction by to the context of its body. */
export type Companion = <R>(context: Context.Context<R>, level: TransactionLevel) => Context.Context<R>

let keys = 0

/** Asks the hook for a comment, within the span of the call, and runs the request with it. */
const commented = <A>(
  hook: NonNullable<Observer["comment"]>,
  operation: string,
  request: Request.Request<A>,
  target: TransactionLevel | Lender
): Effect.Effect<A, PgError.PgError> =>
  Effect.withFiber((fiber) =>
    Effect.flatMap(commentOf(hook, { operation, sql: request.sql, span: fiber.cache.span }), (comment) =>
      target.runIn(fiber, comment === "" ? request : (request.commented?.(comment) ?? request))
    )
  )

export class Router {
  readonly source: SessionSource
  /** Created when a fiber is first bound: a pool creates a router for each lease, and few of them bind a fiber. */
  private knownKey: BondKey | undefined
  /** What adapters provide beside each bond to a transaction. */
  readonly companions: Array<Companion>
  readonly observer: Observer
  /** How the columns of the database are named. */
  readonly names: ColumnNames

  /** A held statement is given the key of the router that prepared it, so that both see the same transactions. */
  constructor(source: SessionSource, key?: BondKey, observer = source.observer, companions: Array<Companion> = []) {
    this.companions = companions
    this.source = source
    this.observer = observer
    this.names = source.catalogue.names
    this.knownKey = key
  }

  /** Each router has a key of its own, so that the transactions of two databases are kept apart. */
  get key(): BondKey {
    return (this.knownKey ??= Context.Service<Bond>(`effectpg/connection/Router/${keys++}`))
  }

  /**
   * Makes a router for an adapter, which sees the same transactions and reports its calls to an observer of its own. By
   * default it has the same source.
   */
  adapted(observer: Observer, source: SessionSource = this.source): Router {
    return new Router(source, this.key, observer, this.companions)
  }

  // ------------------------------------------------------------------------------------------------- calls

  /** Runs a request within its timeout, and reports it to the observer. */
  run<A>(
    operation: string,
    request: Request.Request<A>,
    options: CallOptions | undefined
  ): Effect.Effect<A, PgError.PgError> {
    const answer = Effect.withFiber<A, PgError.PgError>((fiber) => {
      const target = this.targetOf(fiber)
      const { comment } = this.observer
      const run = comment === undefined ? target.runIn(fiber, request) : commented(comment, operation, request, target)
      return this.observer.observe(fiber, operation, request, run, target.session)
    })
    return options?.timeout === undefined ? answer : withTimeout(operation, request.sql, answer, options.timeout)
  }

  /**
   * Applies the timeout to a call of several requests, and reports the call to the observer. `level` is where the call
   * runs, if it has borrowed a session already.
   */
  observed<A, E, R>(
    operation: string,
    asked: Asked,
    answer: Effect.Effect<A, E | PgError.PgError, R>,
    options?: CallOptions,
    level?: TransactionLevel
  ): Effect.Effect<A, E | PgError.PgError, R> {
    const observed = Effect.withFiber<A, E | PgError.PgError, R>((fiber) =>
      this.observer.observe(fiber, operation, asked, answer, (level ?? this.targetOf(fiber)).session)
    )
    return withTimeout(operation, asked.sql, observed, options?.timeout)
  }

  /** Gives `use` the router of a call that may only read: for such calls, a router may have another one. */
  reading<A, E, R>(_call: Reading, use: (router: Router) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return use(this)
  }

  /** Runs an effect of which the calls that only read may be routed elsewhere. */
  region<A, E, R>(effect: Effect.Effect<A, E, R>, _options: ReadOnlyOptions): Effect.Effect<A, E, R> {
    return effect
  }

  // ------------------------------------------------------------------------------------------------- levels

  /** Lends the level of the fiber, or a session of the source, for the scope. */
  get scopedLevel(): Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope> {
    return this.onTarget<TransactionLevel, PgError.PgError, Scope.Scope>(Effect.succeed, (lender) => lender.scopedRoot)
  }

  /** Lends a session of the source for the scope, also if the fiber is in a transaction. */
  get scopedRoot(): Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope> {
    const { source } = this
    return source.level === undefined ? source.scopedRoot : Effect.succeed(source.level)
  }

  /** Lends the level of the fiber, or a session of the source, while `use` runs. */
  onLevel<A, E, R>(use: (level: TransactionLevel) => Effect.Effect<A, E, R>): Effect.Effect<A, E | PgError.PgError, R> {
    return this.onTarget<A, E | PgError.PgError, R>(use, (lender) => lender.withRoot((root) => use(root)))
  }

  /** The level that the fiber is bound to if that is on the session of `made`; otherwise `made`, or what survives of it. */
  levelFrom(made: TransactionLevel): Effect.Effect<TransactionLevel> {
    return Effect.withFiber((fiber) => {
      const level = this.bondOf(fiber)
      return Effect.succeed(level?.session === made.session ? level : made.surviving)
    })
  }

  /** Runs `inside` in a transaction, and `outside` otherwise. */
  inTransaction<A, E, R>(
    inside: (level: TransactionLevel, fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<A, E, R>,
    outside: (target: TransactionLevel | Lender, fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return this.onTarget(
      (level, fiber) => (level.isTransaction ? inside(level, fiber) : outside(level, fiber)),
      outside
    )
  }

  /** Binds an effect to a level: its calls run there. */
  bind<A, E, R>(level: TransactionLevel, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const { companions, key } = this
    const bond = new Bond(level)
    if (companions.length === 0 || !level.isTransaction) return Effect.provideService(effect, key, bond)
    return Effect.updateContext(effect, (context: Context.Context<R>): Context.Context<R> => {
      let known: Context.Context<R> = Context.add(context, key, bond)
      for (const companion of companions) known = companion(known, level)
      return known
    })
  }

  /** Gives `use` the level of the fiber if its calls are a part of a transaction. */
  onTransaction<A, E, R>(use: (level: TransactionLevel | undefined) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return this.inTransaction(use, () => use(undefined))
  }

  private onTarget<A, E, R>(
    onLevel: (level: TransactionLevel, fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<A, E, R>,
    onLender: (lender: Lender, fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return Effect.withFiber((fiber) => {
      const target = this.targetOf(fiber)
      return target instanceof TransactionLevel ? onLevel(target, fiber) : onLender(target, fiber)
    })
  }

  /** What runs the calls of a fiber: the level that the fiber is bound to, else the level of the source, else its lender. */
  private targetOf(fiber: Fiber.Fiber<unknown, unknown>): TransactionLevel | Lender {
    const { source } = this
    const bond = this.knownKey === undefined ? undefined : this.bondOf(fiber)
    if (source.level === undefined) return bond ?? source
    return bond !== undefined && bond.session === source.level.session ? bond : source.level
  }

  /** The level that a transaction or a lock has bound the fiber to. */
  protected bondOf(fiber: Fiber.Fiber<unknown, unknown>): TransactionLevel | undefined {
    return this.knownKey && Context.getOrUndefined(fiber.context, this.knownKey)?.level
  }
}
