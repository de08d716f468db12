/**
 * Decides on which session a call runs. A call inside of a transaction runs in that transaction, which the router finds
 * in the context of the fiber. Any other call runs on a session that the subclass provides.
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

/** Gives streams, cursors and held statements a session for longer than one call. */
export interface Place {
  /** Lends the level of the fiber for the scope, or level 0 of a session if the fiber has none. */
  readonly scopedLevel: Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope>
  /** Lends that level for as long as `use` runs. */
  readonly onLevel: <A, E, R>(
    use: (level: TransactionLevel) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | PgError.PgError, R>
  /**
   * Finds the level on which something that was made on the level `made` can run. That is the level of the fiber if it
   * is on the same session, otherwise `made`, or the level around it if `made` has ended.
   */
  readonly levelFrom: (made: TransactionLevel) => Effect.Effect<TransactionLevel>
  /** Runs an operation and reports it to the tracer, the `onQuery` hook, the slow-query log and the metrics. */
  readonly observed: <A>(
    operation: string,
    sql: string,
    answer: Effect.Effect<A, PgError.PgError>
  ) => Effect.Effect<A, PgError.PgError>
  /** Runs an effect whose calls all run on a level. */
  readonly within: <A, E, R>(level: TransactionLevel, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** Keeps a level in the context of a fiber. The field is private, because many programs print contexts. */
class Bond {
  readonly #level: TransactionLevel

  constructor(level: TransactionLevel) {
    this.#level = level
  }

  get level(): TransactionLevel {
    return this.#level
  }
}

/** The key under which the context of a fiber has the level that the fiber is bound to. */
export type Ambient = Context.Service<Bond, Bond>

let ambients = 0

/**
 * The base class of everything that runs calls. It and its subclasses keep everything in `#private` fields, so that
 * printing a connection or a pool does not show the SQL of other fibers. They print their kind and state instead.
 */
export abstract class Levels extends Inspectable.Class {
  /** Made when the first fiber is bound: a pool makes a connection for each lease, and few of them need a key. */
  #knownAmbient: Ambient | undefined

  constructor(ambient?: Ambient) {
    super()
    this.#knownAmbient = ambient
  }

  /**
   * The key of the fiber's level: that of its innermost transaction, or of the session that has its lock. Each
   * connection and pool has its own key, so that a transaction on one database does not catch the calls on another.
   */
  protected get ambient(): Ambient {
    return (this.#knownAmbient ??= Context.Service<Bond>(`effectpg/connection/Levels/${ambients++}`))
  }

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

  /** Runs a request outside of a transaction. `fiber` is the one that runs the returned effect, at once. */
  protected abstract direct<A>(
    request: Request.Request<A>,
    fiber: Fiber.Fiber<unknown, unknown>
  ): Effect.Effect<A, PgError.PgError>

  /**
   * Lends level 0 of a session for as long as `use` runs. If the session is lent only for this, `use` receives a
   * `lastCommit`, and reports to it a COMMIT after which it needs the session no longer.
   */
  protected abstract withRoot<A, E, R>(
    use: (root: TransactionLevel, lastCommit?: LastCommit) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R>

  protected abstract readonly observer: Observer

  /** Knows the types of the database. */
  protected abstract readonly catalogue: Pick<TypeCatalogue, "reload">

  /** Lends level 0 of a session for the scope. */
  protected abstract readonly scopedRoot: Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope>

  // ------------------------------------------------------------------------------------------------- levels

  /** Lends the level of the fiber for the scope, or level 0 of a session if the fiber has none. */
  protected get scopedLevel(): Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope> {
    return this.onAmbient<TransactionLevel, PgError.PgError, Scope.Scope>(Effect.succeed, () => this.scopedRoot)
  }

  /** Lends that level for as long as `use` runs. */
  protected onLevel<A, E, R>(
    use: (level: TransactionLevel) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return this.onAmbient<A, E | PgError.PgError, R>(use, () => this.withRoot((root) => use(root)))
  }

  /** Runs `inside` if the fiber is in a transaction, otherwise `outside`, with the level of its lock if it has one. */
  protected inTransaction<A, E, R>(
    inside: (level: TransactionLevel) => Effect.Effect<A, E, R>,
    outside: (level?: TransactionLevel) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return this.onAmbient((level) => (level.isTransaction ? inside(level) : outside(level)), outside)
  }

  /** Runs `bound` if a transaction or a lock has bound the fiber to a level, otherwise `unbound`. */
  protected onAmbient<A, E, R>(
    bound: (level: TransactionLevel) => Effect.Effect<A, E, R>,
    unbound: () => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return Effect.withFiber((fiber) => {
      const level = this.levelOf(fiber)
      return level === undefined ? unbound() : bound(level)
    })
  }

  /** Finds the level that the fiber is bound to, if there is one that may run calls of this object. */
  private levelOf(fiber: Fiber.Fiber<unknown, unknown>): TransactionLevel | undefined {
    if (this.#knownAmbient === undefined) return undefined
    const level = Context.getOrUndefined(fiber.context, this.#knownAmbient)?.level
    return level === undefined || !this.isHere(level) ? undefined : level
  }

  /** Runs an effect whose calls on this object all run on a level. */
  protected bound<A, E, R>(level: TransactionLevel, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.provideService(effect, this.ambient, new Bond(level))
  }

  /** Whether the level that the fiber is bound to may run the calls of this object. */
  protected isHere(_level: TransactionLevel): boolean {
    return true
  }

  // ------------------------------------------------------------------------------------------------- running

  /** Where the statements of this object are kept, if not in the cache of the session. */
  protected get kept(): { readonly statements?: Statements } {
    return {}
  }

  /** Makes a request use the held statement, if this object has one. */
  protected keeping<A>(request: Request.StatementRequest<A>): Request.StatementRequest<A> {
    const { statements } = this.kept
    return statements === undefined ? request : request.with(statements)
  }

  /** Runs a request on the level of the fiber or on a session of the subclass, with a timeout, and reports it. */
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

  /** Runs an effect that may send several requests, with a timeout, and reports it as one operation. */
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
