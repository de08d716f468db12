/**
 * Where things run: what a fiber asks inside of a transaction goes to that transaction, which travels in the fiber's
 * context; any other request goes to a session that the subclass provides.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Inspectable from "effect/Inspectable"
import type * as Scope from "effect/Scope"
import type * as PgError from "../PgError.ts"
import type { TypeCatalogue } from "../session/types/typeCatalogue.ts"
import type { Observer } from "../session/observer.ts"
import type { LastCommit } from "../session/transaction/lastCommit.ts"
import type * as Request from "../session/request/request.ts"
import type { Statements } from "../session/statement/statements.ts"
import type { TransactionLevel } from "../session/transaction/transactionLevel.ts"
import { withTimeout } from "../call/timeout.ts"
import type { CallOptions } from "../call/call.ts"

/** How streams, cursors and prepared statements get a session, which they need for longer than a call. */
export interface Place {
  /** The level that a fiber's work belongs to, lent for the scope. */
  readonly scopedLevel: Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope>
  /** Lends the level that the fiber's work belongs to for as long as `use` runs. */
  readonly onLevel: <A, E, R>(
    use: (level: TransactionLevel) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | PgError.PgError, R>
  /** For what is bound to a session: the fiber's level there, or else the one that it was made on. */
  readonly levelFrom: (made: TransactionLevel) => Effect.Effect<TransactionLevel>
  /** Runs an operation and reports it to the tracer, the `onQuery` hook, the slow-query log and the metrics. */
  readonly observed: <A>(
    operation: string,
    sql: string,
    answer: Effect.Effect<A, PgError.PgError>
  ) => Effect.Effect<A, PgError.PgError>
  /** Makes a level the one that an effect's work belongs to. */
  readonly within: <A, E, R>(level: TransactionLevel, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** What the context of a fiber holds of the level that the fiber is bound to. Contexts are printed by many. */
class Bond {
  readonly #level: TransactionLevel

  constructor(level: TransactionLevel) {
    this.#level = level
  }

  get level(): TransactionLevel {
    return this.#level
  }
}

/** Where the context of a fiber holds it. */
export type Ambient = Context.Service<Bond, Bond>

let ambients = 0

/**
 * What is handed out holds everything in fields that are private to the language, so that nothing that prints or walks an
 * object finds what others ask and what they wait for; printed, it tells its kind and its state.
 */
export abstract class Levels extends Inspectable.Class {
  /** Made once somebody is bound: a pool makes a connection for each lease, and few of them ever bind a fiber. */
  #knownAmbient: Ambient | undefined

  constructor(ambient?: Ambient) {
    super()
    this.#knownAmbient = ambient
  }

  /** The innermost transaction of a fiber, or the session of its lock. Two databases do not know of each other's. */
  protected get ambient(): Ambient {
    return (this.#knownAmbient ??= Context.Service<Bond>(`effectpg/connection/Levels/${ambients++}`))
  }

  /** What needs a session for longer than a call asks here for its level. */
  protected get place(): Place {
    return {
      scopedLevel: Effect.suspend(() => this.scopedLevel),
      onLevel: (use) => this.onLevel(use),
      levelFrom: (made) =>
        this.onAmbient(
          (level) => Effect.succeed(level.session === made.session ? level : made.surviving),
          () => Effect.sync(() => made.surviving)
        ),
      observed: (operation, sql, answer) => this.observed(operation, sql, answer, undefined),
      within: (level, effect) => this.bound(level, effect)
    }
  }

  /** Runs what belongs to no transaction. The fiber runs the effect, and at once. */
  protected abstract direct<A>(
    request: Request.Request<A>,
    fiber: Fiber.Fiber<unknown, unknown>
  ): Effect.Effect<A, PgError.PgError>

  /**
   * Lends a session, as the level that transactions begin on, for as long as `use` runs. Where it is lent for that alone,
   * `use` is given whom to tell of a COMMIT that it asks nothing behind.
   */
  protected abstract withRoot<A, E, R>(
    use: (root: TransactionLevel, lastCommit?: LastCommit) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R>

  /** Who is told of what is asked. */
  protected abstract readonly observer: Observer

  /** What is known of the types of the database. */
  protected abstract readonly catalogue: Pick<TypeCatalogue, "reload">

  /** Lends one for the scope. */
  protected abstract readonly scopedRoot: Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope>

  // ------------------------------------------------------------------------------------------------- levels

  /** The level that a fiber's work belongs to, for what needs one for longer than a call; it is lent for the scope. */
  protected get scopedLevel(): Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope> {
    return this.onAmbient<TransactionLevel, PgError.PgError, Scope.Scope>(Effect.succeed, () => this.scopedRoot)
  }

  /** Lends the level that the fiber's work belongs to for as long as `use` runs. */
  protected onLevel<A, E, R>(
    use: (level: TransactionLevel) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return this.onAmbient<A, E | PgError.PgError, R>(use, () => this.withRoot((root) => use(root)))
  }

  /** Goes one way inside of a transaction of the fiber, and the other way outside, where it may be bound to a session. */
  protected inTransaction<A, E, R>(
    inside: (level: TransactionLevel) => Effect.Effect<A, E, R>,
    outside: (level?: TransactionLevel) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return this.onAmbient((level) => (level.isTransaction ? inside(level) : outside(level)), outside)
  }

  /** Goes one way where the fiber is bound to a level, by a transaction or a lock, and the other way elsewhere. */
  protected onAmbient<A, E, R>(
    bound: (level: TransactionLevel) => Effect.Effect<A, E, R>,
    unbound: () => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return Effect.withFiber((fiber) => {
      const level = this.levelOf(fiber)
      return level === undefined ? unbound() : bound(level)
    })
  }

  /** The level that the fiber is bound to here. */
  private levelOf(fiber: Fiber.Fiber<unknown, unknown>): TransactionLevel | undefined {
    if (this.#knownAmbient === undefined) return undefined
    const level = Context.getOrUndefined(fiber.context, this.#knownAmbient)?.level
    return level === undefined || !this.isHere(level) ? undefined : level
  }

  /** Makes a level the one that an effect's work belongs to. */
  protected bound<A, E, R>(level: TransactionLevel, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.provideService(effect, this.ambient, new Bond(level))
  }

  /** Whether a level that the fiber is bound to may run what is asked here. */
  protected isHere(_level: TransactionLevel): boolean {
    return true
  }

  // ------------------------------------------------------------------------------------------------- running

  /** Where statements are kept, if not in the cache of the session that they run on. */
  protected get kept(): { readonly statements?: Statements } {
    return {}
  }

  /** The request with the statement that is kept, if one is. */
  protected keeping<A>(request: Request.StatementRequest<A>): Request.StatementRequest<A> {
    const { statements } = this.kept
    return statements === undefined ? request : request.with(statements)
  }

  /** Runs a request on the level that it belongs to, within its timeout, and reports it to the observer. */
  protected run<A>(
    operation: string,
    request: Request.Request<A>,
    options: CallOptions | undefined
  ): Effect.Effect<A, PgError.PgError> {
    const answer = Effect.withFiber<A, PgError.PgError>((fiber) => {
      const level = this.levelOf(fiber)
      const run = level === undefined ? this.direct(request, fiber) : level.runIn(fiber, request)
      return this.observer.observe(fiber, operation, request.sql, run)
    })
    return withTimeout(operation, request.sql, answer, options?.timeout)
  }

  /** The same for what is more than one request. */
  protected observed<A, E, R>(
    operation: string,
    sql: string,
    answer: Effect.Effect<A, E | PgError.PgError, R>,
    options: CallOptions | undefined
  ): Effect.Effect<A, E | PgError.PgError, R> {
    const observed = Effect.withFiber<A, E | PgError.PgError, R>((fiber) =>
      this.observer.observe(fiber, operation, sql, answer)
    )
    return withTimeout(operation, sql, observed, options?.timeout)
  }
}
