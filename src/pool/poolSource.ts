/**
 * Supplies the sessions of a pool to its router: for one statement, for as long as an effect runs, or for a scope. Runs the
 * `setup` hook for each borrower, and decides on return whether the session is to be reset.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Shape from "../call/shape.ts"
import type { Lender } from "../connection/router.ts"
import { fromRoot } from "../connection/connection.ts"
import type * as PgError from "../PgError.ts"
import type { Observer } from "../session/observing/observer.ts"
import type { Request } from "../session/request/request.ts"
import { SingleCalls } from "../session/statement/singleCall.ts"
import type { LastCommit } from "../session/transaction/lastCommit.ts"
import type { Restore } from "../session/transaction/control.ts"
import { TransactionLevel } from "../session/transaction/transactionLevel.ts"
import type { KnownDatabases } from "../session/types/knownDatabase.ts"
import type { Borrower } from "./borrower.ts"
import { EarlyReset } from "./resetting/earlyReset.ts"
import { givenBack, type Hooks } from "./hooks.ts"
import type { Member } from "./member.ts"
import { Multiplexer, type MultiplexLimits } from "./multiplexing/multiplexer.ts"
import { call } from "./pooledCall.ts"
import { waitingForLease, waitingForSession } from "./observing/waiting.ts"
import type { SessionPool } from "./sessionPool.ts"

/** A lent session, with the level on which its borrower's statements and transactions run. */
class Lease implements LastCommit {
  readonly member: Member
  readonly root: TransactionLevel

  constructor(member: Member) {
    this.member = member
    this.root = TransactionLevel.root(member.session)
  }

  submitted(): void {
    this.member.earlyReset = EarlyReset.begin(this.member)
  }

  /** Forgets the early reset, because a COMMIT that failed may have left residue behind it. */
  failed(): void {
    this.member.earlyReset = undefined
  }
}

/**
 * A fiber's request for a connection, from the request to its end. The fiber may be interrupted after the pool has lent
 * a connection but before the fiber has it; the connection is then given back from here.
 */
class Loan implements Borrower {
  readonly takesReset = true
  private readonly sessions: SessionPool
  private lease: Lease | undefined
  private answered: Exit.Exit<Lease, PgError.PgError> | undefined
  private resume: ((answer: Exit.Exit<Lease, PgError.PgError>) => void) | undefined
  private withdraw: (() => void) | undefined

  constructor(sessions: SessionPool) {
    this.sessions = sessions
  }

  /** Asks for a session, and waits only if none is idle. If this does not succeed, call `end`. */
  get answer(): Effect.Effect<Lease, PgError.PgError> {
    return Effect.suspend(() => {
      this.withdraw = this.sessions.acquire(this)
      return this.answered ?? this.wait
    })
  }

  private get wait(): Effect.Effect<Lease, PgError.PgError> {
    return Effect.callback((resume) => {
      // The fiber may have yielded to others meanwhile.
      if (this.answered !== undefined) resume(this.answered)
      else this.resume = resume
    })
  }

  lend(member: Member): void {
    member.session.residue.lent()
    this.lease = new Lease(member)
    this.settle(Exit.succeed(this.lease))
  }

  refuse(cause: Cause.Cause<PgError.PgError>): void {
    this.settle(Exit.failCause(cause))
  }

  private settle(answer: Exit.Exit<Lease, PgError.PgError>): void {
    this.answered = answer
    this.resume?.(answer)
  }

  /** Withdraws the request, or gives back the connection that was lent. */
  end(giveBack: (lease: Lease) => void): void {
    if (this.lease === undefined) this.withdraw?.()
    else giveBack(this.lease)
  }
}

export interface PoolSourceOptions {
  readonly sessions: SessionPool
  readonly catalogue: KnownDatabases
  readonly observer: Observer
  readonly hooks: Hooks
  /** Undefined if each statement has its session to itself. */
  readonly multiplex: MultiplexLimits | undefined
}

export class PoolSource implements Lender {
  readonly catalogue: KnownDatabases
  readonly observer: Observer
  private readonly sessions: SessionPool
  private readonly multiplexer: Multiplexer | undefined
  private readonly setup: Hooks["setup"]
  private readonly hasResetHook: boolean
  private readonly resetsByScript: boolean
  private readonly singleCalls = new SingleCalls()

  constructor({ catalogue, hooks, multiplex, observer, sessions }: PoolSourceOptions) {
    this.catalogue = catalogue
    this.observer = observer
    this.sessions = sessions
    this.multiplexer = multiplex && new Multiplexer(sessions, multiplex)
    this.setup = hooks.setup
    this.hasResetHook = hooks.reset !== undefined
    this.resetsByScript = hooks.reset === undefined && hooks.init === undefined
  }

  runIn<A>(fiber: Fiber.Fiber<unknown, unknown>, request: Request<A>): Effect.Effect<A, PgError.PgError> {
    const { singleCalls } = this
    const isSound = request.mayHaveNoEffect === true || singleCalls.effective.has(request.sql)
    const refusal = isSound ? undefined : singleCalls.refusalOf(request)
    if (refusal !== undefined) return Effect.fail(refusal)
    if (this.setup !== undefined) return this.withRoot((root) => root.run(request))
    if (fiber.cache.tracer !== undefined && !this.sessions.hasIdle) {
      return waitingForSession(this.observer.target, request, (noting) => this.called(noting))
    }
    return this.multiplexer === undefined ? call(this.sessions, request) : this.multiplexer.call(request)
  }

  private called<A>(request: Request<A>): Effect.Effect<A, PgError.PgError> {
    return this.multiplexer === undefined ? call(this.sessions, request) : this.multiplexer.call(request)
  }

  withRoot<A, E, R>(
    use: (root: TransactionLevel, lastCommit?: LastCommit) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return Effect.withFiber((fiber) => {
      const loan = new Loan(this.sessions)
      // What ends the loan is there before the loan begins, so that no interruption can come between. There is no effect
      // to run at the end, which is why this is the primitive.
      return Effect.onExitPrimitive(
        Effect.flatMap(this.answerTo(loan, fiber), (lease) => this.using(lease, use)),
        () => {
          loan.end(this.giveBack)
          return undefined
        }
      )
    })
  }

  private using<A, E, R>(
    lease: Lease,
    use: (root: TransactionLevel, lastCommit?: LastCommit) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    // Only the pool's own script can be written behind a COMMIT. A hook needs the session to itself.
    const run = () => use(lease.root, this.resetsByScript ? lease : undefined)
    return this.setup === undefined ? run() : Effect.andThen(this.setUp(lease), run)
  }

  readonly scopedRoot: Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope> = Effect.uninterruptibleMask(
    (restore) =>
      Effect.flatMap(this.borrow(restore), (lease) =>
        Effect.addFinalizer(() => Effect.sync(() => this.giveBack(lease))).pipe(
          Effect.andThen(restore(this.setUp(lease))),
          Effect.as(lease.root)
        )
      )
  )

  /** Waits interruptibly. Call it in an uninterruptible region, so that the connection cannot be lost. */
  private borrow(restore: Restore): Effect.Effect<Lease, PgError.PgError> {
    return Effect.withFiber((fiber) => {
      const loan = new Loan(this.sessions)
      return Effect.onExit(restore(this.answerTo(loan, fiber)), (exit) =>
        Exit.isSuccess(exit) ? Effect.void : Effect.sync(() => loan.end(this.giveBack))
      )
    })
  }

  /** A wait is reported as a span of its own. */
  private answerTo(loan: Loan, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<Lease, PgError.PgError> {
    const isTracedWait = fiber.cache.tracer !== undefined && !this.sessions.hasIdle
    return isTracedWait ? waitingForLease(this.observer.target, loan.answer) : loan.answer
  }

  /** Runs the `setup` hook; a connection on which it fails is not used again. */
  private setUp({ member, root }: Lease): Effect.Effect<void, PgError.PgError> {
    if (this.setup === undefined) return Effect.void
    return Shape.answerOf("setup", this.setup(fromRoot(root))).pipe(
      Effect.onError(() => Effect.sync(() => member.session.terminate())),
      Effect.asVoid
    )
  }

  /** Cancels what still runs on the connection, and refuses what is requested from now on. */
  private readonly giveBack = ({ member, root }: Lease): void => {
    const { catalogue, session } = member
    root.end(givenBack)
    session.catalogue = catalogue
    if (session.lost === undefined && !session.isQuiet) session.abandonAll(givenBack())
    // Any statement may have changed the session, since a SELECT can call a function. If none ran, no reset is needed.
    if (session.residue.lastSql !== undefined || this.hasResetHook) {
      if (this.resetsByScript) session.residue.doubt()
      else session.residue.soil()
      member.earlyReset = undefined
    }
    this.sessions.release(member)
  }
}
