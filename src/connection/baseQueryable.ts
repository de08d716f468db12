/**
 * The base classes of connections, transactions, pools and clients. This file adds transactions, locks and prepared
 * statements to the calls of `Queries`. A subclass decides on which session a request outside of a transaction runs,
 * and on which session a transaction begins.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as PgError from "../PgError.ts"
import type { PgStatement, PrepareOptions } from "../PgStatement.ts"
import type { TypeCatalogue } from "../session/types/typeCatalogue.ts"
import type { Observer } from "../session/observer.ts"
import { OwnStatement } from "../session/statement/heldStatement.ts"
import * as Request from "../session/request/request.ts"
import type { Statements } from "../session/statement/statements.ts"
import { AfterEnd } from "../session/transaction/afterEnd.ts"
import type { LastCommit } from "../session/transaction/lastCommit.ts"
import type { LevelOptions, TransactionLevel } from "../session/transaction/transactionLevel.ts"
import { withLock, withLockIfAvailable } from "./advisoryLock.ts"
import { beginStatement, PLAIN_BEGIN } from "./beginStatement.ts"
import type { Ambient, Place } from "./router.ts"
import { Queries } from "./queries.ts"
import type {
  AdvisoryLockKey,
  AdvisoryLockOptions,
  Queryable,
  Transaction,
  TransactionOptions,
  WithTransactionOptions
} from "./queryable/queryable.ts"
import * as Shape from "../call/shape.ts"
import { Statement } from "./statement.ts"
import { withTimeout } from "../call/timeout.ts"

type Answer<A, R = never> = Effect.Effect<A, PgError.PgError, R>

export abstract class Requester extends Queries implements Queryable {
  prepare(sql: string, options?: PrepareOptions): Effect.Effect<PgStatement, PgError.PgError, Scope.Scope> {
    return Shape.unless(Shape.sqlFault("prepare", sql), () =>
      Shape.withOptions(options, PREPARE_OPTIONS, (known) =>
        withTimeout("prepare", sql, this.prepared(sql, known?.name), known?.timeout)
      )
    )
  }

  private prepared(sql: string, name: string | undefined): Effect.Effect<PgStatement, PgError.PgError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const made = yield* this.scopedLevel
      const { catalogue, statements } = made.session
      const own = new OwnStatement(statements, name ?? statements.ownName())
      yield* Effect.addFinalizer(() => Effect.sync(() => own.close()))
      const requester = new StatementRequester(this.ambient, this.place, made, own)
      const prepared = yield* requester.run("prepare", Request.preparation(sql).with(own), undefined)
      return new Statement(requester, requester.place, prepared, catalogue.types)
    })
  }

  // ------------------------------------------------------------------------------------------------- transactions

  withTransaction<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: WithTransactionOptions
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return Shape.unless(Shape.faultOf("effect", effect, Shape.effect), () =>
      Shape.withOptions(options, WITH_TRANSACTION_OPTIONS, (known = {}) =>
        withTimeout("withTransaction", undefined, this.transaction(effect, known), known.timeout)
      )
    )
  }

  private transaction<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options: WithTransactionOptions
  ): Effect.Effect<A, E | PgError.PgError, R> {
    const on = (outer: TransactionLevel, begin: string, afterEnd?: AfterEnd, lastCommit?: LastCommit) =>
      outer.within({ ...levelOptions(begin, options), afterEnd, lastCommit }, (level) => this.bound(level, effect))
    const begin = beginStatement(options)
    if (typeof begin !== "string") return Effect.fail(begin)
    const { retry } = options
    return this.inTransaction<A, E | PgError.PgError, R>(
      (level) => on(level, begin),
      (level) => {
        const attempt = Effect.suspend(() => {
          const afterEnd = new AfterEnd()
          return afterEnd.following(
            level === undefined
              ? this.withRoot((root, lastCommit) => on(root, begin, afterEnd, lastCommit))
              : on(level, begin, afterEnd)
          )
        })
        return retry === undefined ? attempt : Effect.retry(attempt, { schedule: retry, while: mayPassNextTime })
      }
    )
  }

  begin(options?: TransactionOptions): Effect.Effect<Transaction, PgError.PgError, Scope.Scope> {
    return Shape.withOptions(options, TRANSACTION_OPTIONS, (known = {}) =>
      withTimeout("begin", undefined, this.begun(known), known.timeout)
    )
  }

  private begun(options: TransactionOptions): Effect.Effect<Transaction, PgError.PgError, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function* () {
        const begin = beginStatement(options)
        if (typeof begin !== "string") return yield* begin
        const afterEnd = new AfterEnd()
        yield* Effect.addFinalizer(() => afterEnd.runAtTheEnd)
        const lease = yield* Scope.fork(yield* Effect.scope)
        const opened = Effect.flatMap(restore(Scope.provide(this.scopedLevel, lease)), (outer) =>
          outer.open({ ...levelOptions(begin, options), forbids: begunByHand(), afterEnd }, restore)
        )
        const level = yield* Effect.onExit(opened, (exit) =>
          Exit.isFailure(exit) ? Scope.close(lease, exit) : Effect.void
        )
        yield* Scope.addFinalizer(lease, Effect.ignore(level.rollbackByHand))
        return new Handle(level, (ending) => afterEnd.following(Effect.ensuring(ending, Scope.close(lease, Exit.void))))
      })
    )
  }

  afterCommit(effect: Effect.Effect<unknown>): Answer<void> {
    return Shape.unless(Shape.faultOf("effect", effect, Shape.effect), () =>
      this.inTransaction(
        (level) => Effect.sync(() => level.afterCommit(effect)),
        () => Effect.asVoid(effect)
      )
    )
  }

  afterRollback(effect: Effect.Effect<unknown>): Answer<void> {
    return Shape.unless(Shape.faultOf("effect", effect, Shape.effect), () =>
      this.inTransaction(
        (level) => Effect.sync(() => level.afterRollback(effect)),
        () => Effect.void
      )
    )
  }

  get reloadSchemaState(): Effect.Effect<void> {
    return Effect.sync(() => this.catalogue.reload())
  }

  // ------------------------------------------------------------------------------------------------- locks

  withAdvisoryLock<A, E, R>(
    key: AdvisoryLockKey,
    effect: Effect.Effect<A, E, R>,
    options?: AdvisoryLockOptions
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return Shape.unless(lockFault(key, effect), () =>
      Shape.withOptions(options, WAITING_LOCK_OPTIONS, (known = {}) =>
        this.onLevel((level) => withLock(level, key, this.bound(level, effect), known))
      )
    )
  }

  withAdvisoryLockIfAvailable<A, E, R>(
    key: AdvisoryLockKey,
    effect: Effect.Effect<A, E, R>,
    options?: Omit<AdvisoryLockOptions, "timeout">
  ): Effect.Effect<Option.Option<A>, E | PgError.PgError, R> {
    return Shape.unless(lockFault(key, effect), () =>
      Shape.withOptions(options, LOCK_OPTIONS, (known = {}) =>
        this.onLevel((level) => withLockIfAvailable(level, key, this.bound(level, effect), known))
      )
    )
  }
}

const PREPARE_OPTIONS: Shape.Kinds = { timeout: Shape.duration, name: Shape.serverName }
/** `beginStatement` checks the modes. */
const TRANSACTION_OPTIONS: Shape.Kinds = {
  isolation: Shape.anything,
  access: Shape.anything,
  deferrable: Shape.anything,
  trackOutcome: Shape.flag,
  timeout: Shape.duration
}
const WITH_TRANSACTION_OPTIONS: Shape.Kinds = { ...TRANSACTION_OPTIONS, retry: Shape.schedule }
const LOCK_OPTIONS: Shape.Kinds = { shared: Shape.flag }
const WAITING_LOCK_OPTIONS: Shape.Kinds = { ...LOCK_OPTIONS, timeout: Shape.duration }

const lockFault = (key: unknown, effect: unknown): Shape.Fault | undefined =>
  Shape.faultOf("key", key, LOCK_KEY) ?? Shape.faultOf("effect", effect, Shape.effect)

const LOCK_KEY: Shape.Kind = {
  is: (key) =>
    typeof key === "bigint" ||
    typeof key === "number" ||
    (Array.isArray(key) && key.length === 2 && key.every((half) => typeof half === "number")),
  takes: "a bigint or a number, or an array of two numbers"
}

/** Runs everything on one level: that of a connection, or of a transaction that is ended by hand. */
export abstract class LevelRequester extends Requester {
  readonly #level: TransactionLevel

  constructor(level: TransactionLevel) {
    super()
    this.#level = level
  }

  protected get level(): TransactionLevel {
    return this.#level
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

/** Runs the calls of a held statement, which exists on one session only. */
class StatementRequester extends Requester {
  readonly #scopedRoot: Effect.Effect<TransactionLevel>
  readonly #made: TransactionLevel
  readonly #own: OwnStatement

  /** `made` is the level on which the statement was prepared. */
  constructor(ambient: Ambient, place: Place, made: TransactionLevel, own: OwnStatement) {
    super(ambient)
    this.#scopedRoot = place.levelFrom(made)
    this.#made = made
    this.#own = own
  }

  toJSON(): unknown {
    return { _id: "effectpg/PgStatement", session: this.#made.session }
  }

  protected get scopedRoot(): Effect.Effect<TransactionLevel> {
    return this.#scopedRoot
  }

  protected get observer(): Observer {
    return this.#made.session.observer
  }

  protected get catalogue(): TypeCatalogue {
    return this.#made.session.catalogue
  }

  protected override get kept(): { readonly statements: Statements } {
    return { statements: this.#own }
  }

  /** The statement cannot run in a transaction of the fiber on another session. */
  protected override isHere(level: TransactionLevel): boolean {
    return level.session === this.#made.session
  }

  protected direct<A>(request: Request.Request<A>): Answer<A> {
    return Effect.flatMap(this.scopedRoot, (level) => level.run(request))
  }

  protected withRoot<A, E, R>(use: (root: TransactionLevel) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.flatMap(this.scopedRoot, use)
  }
}

type Answered = Effect.Effect<void, PgError.PgError>

class Handle extends LevelRequester implements Transaction {
  /** Runs the end, gives the connection back, and then runs the effects of `afterCommit` and `afterRollback`. */
  readonly #ending: (end: Answered) => Answered

  constructor(level: TransactionLevel, ending: (end: Answered) => Answered) {
    super(level)
    this.#ending = ending
  }

  toJSON(): unknown {
    return { _id: "effectpg/Transaction", session: this.level.session }
  }

  /** A fiber that calls the handle need not be in a transaction. Its calls then belong to that of the handle. */
  protected override inTransaction<A, E, R>(
    inside: (level: TransactionLevel) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return super.inTransaction(inside, () => inside(this.level))
  }

  get commit(): Answered {
    return this.#ending(this.level.commitByHand())
  }

  get rollback(): Answered {
    return this.#ending(this.level.rollbackByHand)
  }
}

/** Such a call is refused, because the fiber that would wait for the end of the transaction usually has to end it. */
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
