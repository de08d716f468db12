/**
 * The transactions of one session, as a stack of levels: level 0 is the session itself, level 1 a transaction, and each
 * further one a savepoint.
 *
 * - Only the innermost level runs statements. A request on another level waits until the levels above it have ended,
 *   because it would otherwise become a part of their work. A level that has ended refuses requests.
 * - A level serves its callers in order. Beginning and ending a transaction take a turn, too, and later requests wait
 *   behind.
 * - No fiber waits without a bound, or uninterruptibly, for a server that does not answer. The session does what
 *   remains to be done before any later request.
 * - If a level cannot be ended as it must be, its session is lost.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as PgError from "../../PgError.ts"
import { TransactionStatus } from "../../wire/backendMessage.ts"
import { OUR_PREFIX } from "../../wire/sqlText.ts"
import { AfterEnd, type Callback } from "./afterEnd.ts"
import { type Restore, revocable, withinGrace } from "./control.ts"
import {
  BY_HAND,
  closed,
  commit,
  endedInSql,
  failedInside,
  lostBeforeCommit,
  mayBeCommitted,
  releaseSavepoint,
  transactionIdOf,
  undo
} from "./ending.ts"
import { DueBegin } from "./dueBegin.ts"
import { outcomeOfEnd } from "./handEnded.ts"
import { type LevelOptions, PLAIN_LEVEL, refusalToBegin } from "./levelOptions.ts"
import { ask, type Request, send } from "../request/request.ts"
import type { Exchange, Resume } from "../engine/exchange.ts"
import type { Session } from "../engine/session.ts"
import { Served, Turn } from "./turn.ts"

export { JOINING_LEVEL, type LevelOptions, PLAIN_LEVEL } from "./levelOptions.ts"

export class TransactionLevel extends Served {
  readonly depth: number
  private readonly outer: TransactionLevel | undefined
  private readonly isSavepoint: boolean
  private readonly options: LevelOptions
  /** The server's id of the transaction, if it was asked for and there is one. */
  private transactionId: string | undefined
  /** Makes the error for requests that come after the end. */
  private endedBy: (() => PgError.PgError) | undefined
  /** The outcome of the work, if a statement of the user has ended the transaction. */
  private endedInSql: PgError.Outcome | undefined
  private isClosed = false
  /** The BEGIN of a transaction. */
  private due: DueBegin | undefined
  private inner: TransactionLevel | undefined
  /** How many levels above this one are closed, although the server has not answered the statement that ends them. */
  private ending = 0
  private readonly onCommit: Array<Callback> = []
  private readonly onRollback: Array<Callback> = []

  private constructor(session: Session, outer?: TransactionLevel, options: LevelOptions = PLAIN_LEVEL) {
    super(session)
    this.outer = outer
    this.depth = outer === undefined ? 0 : outer.depth + 1
    this.isSavepoint = outer !== undefined && (outer.isTransaction || outer.isBegunInSql)
    this.options = options
  }

  static root(session: Session): TransactionLevel {
    return new TransactionLevel(session)
  }

  get isTransaction(): boolean {
    return this.depth > 0
  }

  /** The transaction of which this level is a savepoint, or this level. */
  get outermost(): TransactionLevel {
    return this.depth > 1 && this.outer !== undefined ? this.outer.outermost : this
  }

  /** Whether the session is in a transaction that SQL of the user has begun, which is no level. */
  get isBegunInSql(): boolean {
    return !this.isTransaction && this.ending === 0 && this.session.transactionStatus !== TransactionStatus.idle
  }

  /** This level, or the nearest one below it that has not ended. For work that may outlive a transaction. */
  get surviving(): TransactionLevel {
    return this.ended === undefined || this.outer === undefined ? this : this.outer.surviving
  }

  /** The innermost level above this one that has neither ended nor is to be ended by hand; otherwise this level. */
  get innermost(): TransactionLevel {
    const { inner } = this
    return inner === undefined || inner.endedBy !== undefined || this.forbidden !== undefined ? this : inner.innermost
  }

  /** Sends a request, unless this level has ended. It does not wait for the levels above, and no fiber waits for it. */
  post<A>(request: Request<A>, resume: Resume<A> = () => {}): Exchange | undefined {
    return this.ended === undefined ? ask(this.session, request, resume) : undefined
  }

  run<A>(request: Request<A>): Effect.Effect<A, PgError.PgError> {
    return Effect.withFiber((fiber) => this.runIn(fiber, request))
  }

  /** Runs a request for a caller that already knows its fiber. */
  runIn<A>(fiber: Fiber.Fiber<unknown, unknown>, request: Request<A>): Effect.Effect<A, PgError.PgError> {
    const refusal = this.refusalFor(fiber)
    if (refusal !== undefined) return Effect.fail(refusal)
    return this.isTaken || this.due?.isDue === true ? this.sendInTurn(fiber, request) : send(this.session, request)
  }

  protected override ask<A>(request: Request<A>, resume: Resume<A>): Exchange | undefined {
    return this.due?.isDue === true ? this.due.ask(request, resume) : super.ask(request, resume)
  }

  /** Called if BEGIN has failed. */
  notBegun(error: PgError.PgError): void {
    if (this.isClosed) return
    this.isClosed = true
    this.end(() => error)
    this.options.afterEnd?.add(this.onRollback)
    this.outer?.lower(this)
  }

  /** Called if the session is lost. An abandoned request is not told, and others may wait for the BEGIN that it carries. */
  sessionLost(): void {
    this.due?.settled()
  }

  protected refusalFor(fiber: Fiber.Fiber<unknown, unknown>): PgError.PgError | undefined {
    if (this.endedBy !== undefined) return this.endedBy()
    const refusal = this.session.oldest?.refusalOf?.(fiber)
    return refusal !== undefined || this.inner === undefined ? refusal : this.forbidden
  }

  /** The error for callers of this level while a level above it is open that has to be ended by hand. */
  private get forbidden(): PgError.PgError | undefined {
    return this.inner?.endedBy === undefined ? this.inner?.options.forbids : undefined
  }

  afterCommit(callback: Callback): void {
    this.onCommit.push(callback)
  }

  afterRollback(callback: Callback): void {
    this.onRollback.push(callback)
  }

  /** Refuses all further requests on this level and those above. The error is made only when it is needed. */
  end(error: () => PgError.PgError): void {
    this.endedBy ??= error
    this.inner?.end(error)
    this.refuseWaiting(this.endedBy)
    this.tellEnd(this.endedBy)
  }

  /** Whether no request can be sent here any more. */
  get isOver(): boolean {
    return this.endedBy !== undefined || this.session.lost !== undefined
  }

  /** Whether it is settled what becomes of this level's work: this level was closed, or one below it. */
  get isConcluded(): boolean {
    return this.isClosed || (this.outer?.isConcluded ?? false)
  }

  protected get ended(): PgError.PgError | undefined {
    return this.endedBy?.()
  }

  /**
   * Runs `body` in a transaction, or in a savepoint if this level is a transaction. `conclude` decides what the exit of
   * the body means for the transaction, and what exit the caller gets.
   */
  within<A, E, R>(
    options: LevelOptions,
    body: (level: TransactionLevel) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    if (options.afterEnd === undefined) {
      return Effect.suspend(() => {
        const afterEnd = new AfterEnd()
        return afterEnd.following(this.within({ ...options, afterEnd }, body))
      })
    }
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(this.open(options, restore), (inner) => {
        const whole = Effect.flatMap(body(inner), (value) => Effect.as(inner.beforeEnd(), value))
        return Effect.flatMap(Effect.exit(restore(whole)), (exit) => inner.close(exit))
      })
    )
  }

  /** Commits, as if the body had succeeded. A finalizer passes `interruptible`, so that its wait can be interrupted. */
  commitByHand(interruptible?: Restore): Effect.Effect<void, PgError.PgError> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.exit((interruptible ?? restore)(this.beforeEnd())), (exit) => this.close(exit))
    )
  }

  /** Commits behind the requests under way, which cannot fail. */
  get commitBehind(): Effect.Effect<void, PgError.PgError> {
    return Effect.uninterruptible(this.close(Exit.void))
  }

  get rollbackByHand(): Effect.Effect<void, PgError.PgError> {
    return Effect.uninterruptible(
      Effect.suspend(() => {
        if (this.isFinished && this.endedBy !== undefined) return Effect.fail(this.endedBy())
        return Effect.ignore(this.close(Exit.fail(BY_HAND)))
      })
    )
  }

  // ------------------------------------------------------------------------------------------------- begin

  /** Waits, interruptibly, for this level's turn, and begins a level above it. Call it in an uninterruptible region. */
  open(options: LevelOptions, restore: Restore): Effect.Effect<TransactionLevel, PgError.PgError> {
    return Effect.withFiber((fiber) => {
      const refusal = this.refusalFor(fiber)
      if (refusal !== undefined) return Effect.fail(refusal)
      if (!this.isTaken && (this.session.lost !== undefined || this.mayBegin)) return this.begin(options, restore)
      const turn = new Turn(this, () => this.mayBegin)
      const itsTurn = Effect.onExit(restore(turn.wait), (exit) =>
        Exit.isFailure(exit) ? Effect.sync(() => turn.giveBack()) : Effect.void
      )
      return Effect.andThen(itsTurn, () => this.begin(options, restore))
    })
  }

  /** Whether only control statements are unanswered, and no level above is still ending. */
  private get mayBegin(): boolean {
    return this.ending === 0 ? this.session.isQuiet : this.session.settled
  }

  /** Begins a level. If the fiber is interrupted, the session undoes what has begun, before anything else. */
  private begin(options: LevelOptions, restore: Restore): Effect.Effect<TransactionLevel, PgError.PgError> {
    const refusal = this.ended ?? refusalToBegin(options, this)
    if (refusal !== undefined) {
      this.handOn()
      return Effect.fail(refusal)
    }
    const inner = this.raise(options)
    if (!inner.isSavepoint && DueBegin.canWait(this.session, options.begin)) {
      inner.due = new DueBegin(inner, options.begin)
      return Effect.succeed(inner)
    }
    const sql = inner.isSavepoint ? `SAVEPOINT ${inner.savepoint}` : options.begin
    const { due } = this
    const takesAlong = due?.isDue === true
    const begun = revocable(this.session, takesAlong ? due.takeAlong(sql) : sql, restore, {
      failed: (error) => {
        if (takesAlong) this.notBegunWith(due, error)
        this.lower(inner)
      },
      givenUp: () => {
        inner.isClosed = true
        inner.end(() => closed("the call that began it was interrupted"))
      },
      // If this level has ended meanwhile, the inner one was undone with it.
      revoke: (done) => {
        if (this.endedBy === undefined) inner.undo(done)
        else done()
        this.lower(inner)
      }
    })
    return Effect.as(begun, inner)
  }

  /** Called if BEGIN and a savepoint were to begin together, and one of them has failed or neither was sent. */
  private notBegunWith(due: DueBegin, error: PgError.PgError | undefined): void {
    const { lost, transactionStatus } = this.session
    if (error === undefined) due.isDue = true
    else if (lost === undefined && transactionStatus === TransactionStatus.idle) this.notBegun(error)
  }

  private raise(options: LevelOptions): TransactionLevel {
    const inner = new TransactionLevel(this.session, this, options)
    this.isTaken = true
    this.inner = inner
    if (inner.depth === 1) this.session.transaction = inner
    const { forbids } = options
    if (forbids !== undefined) this.refuseWaiting(() => forbids)
    return inner
  }

  private lower(inner: TransactionLevel): void {
    if (this.inner !== inner) return
    this.inner = undefined
    if (this.session.transaction === inner) this.session.transaction = undefined
    this.handOn()
  }

  // ------------------------------------------------------------------------------------------------- end

  /**
   * Called when a command of the user has completed, or may have, while this transaction is open. If the command ended
   * it, later requests fail, because they would no longer be a part of it.
   */
  completed(command: string, sql: string): boolean {
    const wasOpen = this.endedInSql === undefined
    this.endedInSql = wasOpen ? outcomeOfEnd(command, sql) : "unknown"
    if (wasOpen && this.endedInSql !== undefined) this.end(() => endedInSql(this.session, this.endedInSql))
    return this.endedInSql === undefined
  }

  /**
   * Waits for the turn to end, so that all earlier requests are answered. If it is interrupted, the level is rolled
   * back. Levels that were begun by hand and left open are rolled back here, as if their scope had closed.
   */
  private beforeEnd(): Effect.Effect<void, PgError.PgError> {
    return Effect.suspend(() => {
      if (this.ended !== undefined) return Effect.fail(this.ended)
      if (this.forbidden !== undefined) return Effect.andThen(this.endLeftOpen, () => this.beforeEnd())
      if (!this.isTaken && this.session.settled) return this.track
      const turn = new Turn(this, (session) => session.settled)
      return Effect.matchEffect(turn.wait, {
        onFailure: (error) => (error === this.forbidden ? this.beforeEnd() : Effect.fail(error)),
        onSuccess: () => this.track
      })
    })
  }

  /** Rolls back the level above, which was begun by hand and left open. */
  private get endLeftOpen(): Effect.Effect<void> {
    return Effect.suspend(() => (this.inner === undefined ? Effect.void : Effect.ignore(this.inner.rollbackByHand)))
  }

  /** Asks for the transaction's id, if the options want it. */
  private get track(): Effect.Effect<void, PgError.PgError> {
    if (!this.options.trackOutcome || this.session.transactionStatus !== TransactionStatus.inTransaction) {
      return Effect.void
    }
    return Effect.map(transactionIdOf(this.session), (id) => void (this.transactionId = id))
  }

  /**
   * Waits, interruptibly, until all requests are answered or the session is lost. It does not wait for a level above
   * that was begun by hand, because that does not end by itself.
   */
  untilSettled(): Effect.Effect<void, PgError.PgError> {
    return Effect.suspend(() => {
      if (this.forbidden !== undefined) {
        return this.session.transactionStatus === TransactionStatus.failed ? this.endLeftOpen : Effect.void
      }
      if (!this.isTaken && this.session.settled) return Effect.void
      const turn = new Turn(this, (session) => session.settled)
      const giveBack = Effect.sync(() => turn.giveBack())
      return Effect.ensuring(turn.wait, giveBack)
    })
  }

  /** Whether this level is done with the session. It is not yet if the body has ended the transaction in SQL. */
  private get isFinished(): boolean {
    return this.isClosed || (this.endedBy !== undefined && this.endedInSql === undefined)
  }

  /** Ends this level. Its callbacks are left to `afterEnd`. */
  private close<A, E>(exit: Exit.Exit<A, E>): Effect.Effect<A, E | PgError.PgError> {
    return Effect.suspend(() => {
      const { endedInSql, outer } = this
      if (this.isFinished) {
        return Exit.isFailure(exit) || this.ended === undefined ? exit : Effect.fail(this.ended)
      }
      this.isClosed = true
      this.end(() => closed(Exit.isSuccess(exit) ? "it has been committed" : "it has been rolled back"))
      return Effect.flatMap(Effect.exit(this.conclude(exit)), (conclusion) => {
        outer?.lower(this)
        if (Exit.isFailure(conclusion)) {
          const isUnknown = endedInSql === "unknown" || (Exit.isSuccess(exit) && mayBeCommitted(conclusion))
          if (!isUnknown) this.options.afterEnd?.add(this.onRollback)
        } else if (outer === undefined || outer.depth === 0) {
          this.options.afterEnd?.add(this.onCommit)
        } else {
          // The callbacks of a released savepoint belong to the level around it.
          outer.onCommit.push(...this.onCommit)
          outer.onRollback.push(...this.onRollback)
        }
        return conclusion
      })
    })
  }

  /** The one place that decides what follows each exit of a body, at every depth. */
  private conclude<A, E>(exit: Exit.Exit<A, E>): Effect.Effect<A, E | PgError.PgError> {
    const { lost, transactionStatus } = this.session
    if (this.endedInSql !== undefined) return this.concludeEnded(exit, this.endedInSql)
    if (this.due?.isDue === true && lost === undefined) return exit
    if (Exit.isFailure(exit)) return lost === undefined ? Effect.flatMap(this.rollback, () => exit) : exit
    if (lost !== undefined) return Effect.fail(lostBeforeCommit(lost))
    switch (transactionStatus) {
      case TransactionStatus.idle:
        return this.concludeEnded(exit, "unknown")
      case TransactionStatus.failed:
        return Effect.andThen(this.rollback, Effect.fail(failedInside()))
      case TransactionStatus.inTransaction:
        return Effect.flatMap(this.isSavepoint ? this.release : this.commit, () => exit)
    }
  }

  /** Handles a transaction that the body has ended in SQL. The body may have begun another one in its place. */
  private concludeEnded<A, E>(exit: Exit.Exit<A, E>, outcome: PgError.Outcome): Effect.Effect<A, E | PgError.PgError> {
    const { lost, transactionStatus } = this.session
    const isOpen = lost === undefined && transactionStatus !== TransactionStatus.idle && !this.isSavepoint
    const failure: Exit.Exit<A, E | PgError.PgError> = Exit.isFailure(exit)
      ? exit
      : Exit.fail(endedInSql(this.session, outcome))
    return isOpen ? Effect.andThen(this.rollback, failure) : failure
  }

  private get savepoint(): string {
    return `${OUR_PREFIX}${this.depth - 1}`
  }

  private get commit(): Effect.Effect<void, PgError.PgError> {
    return Effect.suspend(() => commit(this.session, this.transactionId, this.options.lastCommit, this.beginsToEnd()))
  }

  /** Releases the savepoint, or rolls it back if that fails. */
  private get release(): Effect.Effect<void, PgError.PgError> {
    const released = Effect.suspend(() => releaseSavepoint(this.session, this.savepoint, this.beginsToEnd()))
    return Effect.tapError(released, () => this.rollback)
  }

  /** Rolls back. The caller waits for that no longer than the grace. */
  private get rollback(): Effect.Effect<void> {
    return withinGrace(this.session, (done) => this.undo(done))
  }

  private undo(done: () => void): void {
    const ended = this.beginsToEnd()
    undo(this.session, this.isSavepoint ? this.savepoint : undefined, () => {
      ended()
      done()
    })
  }

  /** Returns a function to call when the server has ended the level, too. */
  private beginsToEnd(): () => void {
    const { outer } = this
    if (outer !== undefined) outer.ending++
    return () => {
      if (outer !== undefined) outer.ending--
    }
  }
}
