/**
 * The transactions of one session, as a stack of levels: level 0 is the session itself, level 1 a transaction, each
 * further one a savepoint.
 *
 * - Only the innermost level may run statements: what a fiber of another level asks for waits until the levels above it
 *   have ended, because it would otherwise become a part of their work. A level that has ended refuses.
 * - The statements that begin and end a level are simple queries: they depend on no prepared statement and no cache.
 * - A level that cannot be ended as it must be takes its session with it.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as PgError from "../PgError.ts"
import { TransactionStatus } from "../wire/backendMessage.ts"
import type { CommandTag } from "../wire/commandTag.ts"
import { Listeners } from "./listeners.ts"
import { ownTupleRows, type Request, type Resume, send } from "./request.ts"
import type { Session } from "./session.ts"
import { SimpleQuery } from "./simpleQuery.ts"

/** How a level is begun and ended. */
export interface LevelOptions {
  /** The statement that begins a transaction; a savepoint has one of its own. */
  readonly begin: string
  /** False where anything was asked for that a savepoint has not. */
  readonly isPlain: boolean
  /** Whether to ask for the transaction's id before COMMIT. */
  readonly trackOutcome: boolean
  /** Whether it may be a savepoint in a transaction that was begun in SQL. */
  readonly joins?: boolean
  /** What those are told who ask the level around this one for anything, where they are not to wait for its end. */
  readonly forbids?: PgError.PgError
}

/** A transaction, or a savepoint, that nothing special is asked of. */
export const PLAIN_LEVEL: LevelOptions = { begin: "BEGIN", isPlain: true, trackOutcome: false }

/** The same, also inside of a transaction that was begun in SQL. */
export const JOINING_LEVEL: LevelOptions = { ...PLAIN_LEVEL, joins: true }

export class TransactionLevel {
  readonly session: Session
  private readonly depth: number
  private readonly outer: TransactionLevel | undefined
  private readonly isSavepoint: boolean
  private readonly trackOutcome: boolean
  /** The server's id of the transaction, where it was asked for and there is one. */
  private transactionId: string | undefined
  private readonly forbids: PgError.PgError | undefined
  /** Why nothing more may be asked here. */
  private endedBy: (() => PgError.PgError) | undefined
  /** The transaction or savepoint that is open above this level. */
  private inner: TransactionLevel | undefined
  private readonly waiting = new Listeners<void>()
  private readonly onCommit: Array<Effect.Effect<unknown>> = []
  private readonly onRollback: Array<Effect.Effect<unknown>> = []
  private endListeners: Listeners<PgError.PgError> | undefined

  private constructor(session: Session, outer?: TransactionLevel, options?: LevelOptions) {
    this.session = session
    this.outer = outer
    this.depth = outer === undefined ? 0 : outer.depth + 1
    this.isSavepoint = outer !== undefined && (outer.isTransaction || outer.isBegunInSql)
    this.trackOutcome = options?.trackOutcome === true
    this.forbids = options?.forbids
  }

  static root(session: Session): TransactionLevel {
    return new TransactionLevel(session)
  }

  /** False for the session itself. */
  get isTransaction(): boolean {
    return this.depth > 0
  }

  /** True inside of a transaction that was begun in SQL, which is nobody's level. */
  get isBegunInSql(): boolean {
    return !this.isTransaction && this.session.transactionStatus !== TransactionStatus.idle
  }

  /** This level, or where it has ended, the one around it that has not: for what may outlive a transaction. */
  get surviving(): TransactionLevel {
    return this.ended === undefined || this.outer === undefined ? this : this.outer.surviving
  }

  /** Asks for what is no part of any level's work. Nobody waits for the answer, nor for the levels above this one. */
  post(request: Request<unknown>): void {
    if (this.ended === undefined) this.session.submit(request.exchange(this.session, () => {}))
  }

  run<A>(request: Request<A>): Effect.Effect<A, PgError.PgError> {
    return Effect.withFiber((fiber) => this.runIn(fiber, request))
  }

  /** The same for whoever has the fiber, which is what runs the effect, and at once. */
  runIn<A>(fiber: Fiber.Fiber<unknown, unknown>, request: Request<A>): Effect.Effect<A, PgError.PgError> {
    const refusal = this.ended ?? this.session.oldest?.refusalOf?.(fiber)
    if (refusal !== undefined) return Effect.fail(refusal)
    if (this.inner === undefined) return send(this.session, request)
    if (this.inner.forbids !== undefined) return Effect.fail(this.inner.forbids)
    return Effect.flatMap(this.innerEnded, () => this.run(request))
  }

  afterCommit(effect: Effect.Effect<unknown>): void {
    this.onCommit.push(effect)
  }

  afterRollback(effect: Effect.Effect<unknown>): void {
    this.onRollback.push(effect)
  }

  /** Refuses everything from now on, on this level and above. Few ask for the error, which is made for them then. */
  end(error: () => PgError.PgError): void {
    this.endedBy ??= error
    this.inner?.end(error)
    this.waiting.tell()
    this.endListeners?.tell(this.endedBy())
  }

  /** Whether it is too late to ask for anything. */
  get isOver(): boolean {
    return this.endedBy !== undefined || this.session.lost !== undefined
  }

  /**
   * Calls back when nothing more may be asked here, for this level has ended or its session; at once where that has
   * been. Returns how to unsubscribe.
   */
  onEnd(listener: (error: PgError.PgError) => void): () => void {
    const over = this.ended ?? this.session.lost
    if (over !== undefined) {
      listener(over)
      return () => {}
    }
    const end = (error: PgError.PgError): void => {
      forget()
      listener(error)
    }
    const forgetLevel = (this.endListeners ??= new Listeners()).add(end)
    const forgetSession = this.session.onEnd(end)
    const forget = (): void => {
      forgetLevel()
      forgetSession()
    }
    return forget
  }

  private get ended(): PgError.PgError | undefined {
    return this.endedBy?.()
  }

  /**
   * Runs `body` in a transaction, or in a savepoint where this level is a transaction already. What the body's exit does
   * to the transaction, and what becomes of the exit, is `conclude`'s table.
   */
  within<A, E, R>(
    options: LevelOptions,
    body: (level: TransactionLevel) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(this.open(options, restore), (inner) => {
        const whole = Effect.flatMap(body(inner), (value) => Effect.as(inner.beforeEnd(), value))
        return Effect.flatMap(Effect.exit(restore(whole)), (exit) => inner.close(exit))
      })
    )
  }

  /** Ends the level as if its body had succeeded. */
  get commitByHand(): Effect.Effect<void, PgError.PgError> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.exit(restore(this.beforeEnd())), (exit) =>
        this.ended === undefined ? this.close(exit) : Effect.fail(this.ended)
      )
    )
  }

  /** Ends the level as if its body had failed. */
  get rollbackByHand(): Effect.Effect<void, PgError.PgError> {
    return Effect.uninterruptible(
      Effect.suspend(() =>
        this.ended === undefined ? Effect.ignore(this.close(Exit.fail(BY_HAND))) : Effect.fail(this.ended)
      )
    )
  }

  // ------------------------------------------------------------------------------------------------- waiting

  /** What a body that has succeeded still has to wait for. It can be interrupted, and then the level is rolled back. */
  private beforeEnd(): Effect.Effect<void, PgError.PgError> {
    if (!this.trackOutcome) return this.untilSettled()
    return Effect.andThen(this.untilSettled(), () => {
      if (this.session.transactionStatus !== TransactionStatus.inTransaction) return Effect.void
      return Effect.map(transactionIdOf(this.session), (id) => void (this.transactionId = id))
    })
  }

  private get innerEnded(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.inner === undefined) return resume(Effect.void)
      const unsubscribe = this.waiting.add(() => resume(Effect.void))
      return Effect.sync(unsubscribe)
    })
  }

  /** Waits until no level is open above this one and all that was asked is answered, or the session is lost. */
  untilSettled(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.inner !== undefined) return Effect.flatMap(this.innerEnded, () => this.untilSettled())
      return this.session.settled ? Effect.void : answered(this.session)
    })
  }

  // ------------------------------------------------------------------------------------------------- begin

  /**
   * Waits, interruptibly, until no other level is open and all that could take long is answered. The statement that then
   * begins the level has nothing to wait for, and is not interrupted. Call it where nothing can interrupt.
   */
  open(options: LevelOptions, restore: Restore): Effect.Effect<TransactionLevel, PgError.PgError> {
    return Effect.withFiber((fiber) => {
      const circular = this.session.oldest?.refusalOf?.(fiber)
      return circular === undefined ? this.openOnceQuiet(options, restore) : Effect.fail(circular)
    })
  }

  private openOnceQuiet(options: LevelOptions, restore: Restore): Effect.Effect<TransactionLevel, PgError.PgError> {
    const { inner, session } = this
    if (session.lost === undefined && (inner !== undefined || !session.isQuiet)) {
      if (inner?.forbids !== undefined) return Effect.fail(inner.forbids)
      const quiet = inner === undefined ? answered(session) : this.innerEnded
      return Effect.flatMap(restore(quiet), () => this.openOnceQuiet(options, restore))
    }
    const refusal = this.refusal(options)
    return refusal === undefined ? this.begin(options) : Effect.fail(refusal)
  }

  private begin(options: LevelOptions): Effect.Effect<TransactionLevel, PgError.PgError> {
    const inner = new TransactionLevel(this.session, this, options)
    this.inner = inner
    const sql = inner.isSavepoint ? `SAVEPOINT ${inner.savepoint}` : options.begin
    return Effect.callback((resume) =>
      submitControl(this.session, { operation: sql, sql }, (exit) => {
        if (Exit.isFailure(exit)) this.lower(inner)
        resume(Exit.map(exit, () => inner))
      })
    )
  }

  private refusal(options: LevelOptions): PgError.PgError | undefined {
    if (this.ended !== undefined) return this.ended
    if (this.depth > 0) return options.isPlain ? undefined : savepointWithOptions()
    if (!this.isBegunInSql || options.joins === true) return undefined
    return new PgError.UnsupportedError({
      feature: "a transaction inside of one that was begun in SQL",
      instead: "end that one first, or begin it with withTransaction",
      sql: options.begin
    })
  }

  // ------------------------------------------------------------------------------------------------- end

  /** Ends this level, and runs what was to be run after its end. */
  private close<A, E>(exit: Exit.Exit<A, E>): Effect.Effect<A, E | PgError.PgError> {
    return Effect.suspend(() => {
      const { ended, outer } = this
      // Whoever ended it before has seen to the transaction, and the session may be another's by now.
      if (ended !== undefined) return Exit.isFailure(exit) ? exit : Effect.fail(ended)
      this.end(() => closed(Exit.isSuccess(exit) ? "it has been committed" : "it has been rolled back"))
      return Effect.flatMap(Effect.exit(this.conclude(exit)), (conclusion) => {
        outer?.lower(this)
        if (Exit.isFailure(conclusion)) return followed(conclusion, this.onRollback)
        if (outer === undefined || outer.depth === 0) return followed(conclusion, this.onCommit)
        this.passOn(outer)
        return conclusion
      })
    })
  }

  /** A released savepoint is a part of what is around it. */
  private passOn(outer: TransactionLevel): void {
    outer.onCommit.push(...this.onCommit)
    outer.onRollback.push(...this.onRollback)
  }

  private lower(inner: TransactionLevel): void {
    if (this.inner === inner) this.inner = undefined
    this.waiting.tell()
  }

  /** Every exit of a body, at every depth, and what follows. */
  private conclude<A, E>(exit: Exit.Exit<A, E>): Effect.Effect<A, E | PgError.PgError> {
    const { lost, transactionStatus } = this.session
    if (Exit.isFailure(exit)) return lost === undefined ? Effect.flatMap(this.rollback, () => exit) : exit
    if (lost !== undefined) return Effect.fail(lostBeforeCommit(lost))
    switch (transactionStatus) {
      case TransactionStatus.idle:
        return Effect.fail(closed("its body has ended it in SQL", "unknown"))
      case TransactionStatus.failed:
        return Effect.flatMap(this.rollback, () =>
          Effect.fail(new PgError.TransactionRolledBackError({ reason: HAS_FAILED }))
        )
      case TransactionStatus.inTransaction:
        return Effect.flatMap(this.isSavepoint ? this.release : commit(this.session, this.transactionId), () => exit)
    }
  }

  private get savepoint(): string {
    return `effectpg_${this.depth - 1}`
  }

  /** A savepoint that cannot be released is rolled back to. */
  private get release(): Effect.Effect<void, PgError.PgError> {
    return Effect.tapError(control(this.session, `RELEASE SAVEPOINT ${this.savepoint}`), () => this.rollback)
  }

  /**
   * Never fails: where the server does not roll back, the session is lost, and with it the transaction. One that is
   * closing takes no more requests and is left to it: what runs is being cancelled, which its death would cut short.
   */
  private get rollback(): Effect.Effect<void> {
    const { savepoint } = this
    const sql = this.isSavepoint ? `ROLLBACK TO SAVEPOINT ${savepoint}; RELEASE SAVEPOINT ${savepoint}` : "ROLLBACK"
    return Effect.catch(control(this.session, sql), (error) =>
      Effect.sync(() => {
        if (this.session.closing !== undefined) return
        this.session.die(lostWith(`the transaction could not be rolled back: ${error.message}`, "none"))
      })
    )
  }
}

export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const HAS_FAILED =
  "a statement in it had failed and the failure was caught inside; catch it around a nested transaction"

/** The exit of a body that has nothing to say. */
const BY_HAND = "rolled back by hand"

/** What became of a level, once what was to be run after its end has been. */
const followed = <A, E>(
  conclusion: Exit.Exit<A, E>,
  effects: ReadonlyArray<Effect.Effect<unknown>>
): Effect.Effect<A, E> =>
  effects.length === 0 ? conclusion : Effect.andThen(Effect.all(effects, { discard: true }), conclusion)

/** Waits until all that was asked of a session is answered, or the session is lost. */
const answered = (session: Session): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const unsubscribe = session.onIdle(() => resume(Effect.void))
    return Effect.sync(unsubscribe)
  })

/**
 * Runs a statement that begins or ends a level, to its end: call it where nothing can interrupt. The server has nothing
 * to think about, so a session that does not answer within the bound is lost.
 */
const control = (session: Session, sql: string): Effect.Effect<void, PgError.PgError> =>
  Effect.callback((resume) => submitControl(session, { operation: sql, sql }, (exit) => resume(Exit.asVoid(exit))))

/** A statement that begins, ends or cleans up. */
export interface Control {
  /** In words, for the error where it is not answered: the statement may carry values of the user. */
  readonly operation: string
  readonly sql: string
}

/** The same for those who have no fiber. */
export const submitControl = (
  session: Session,
  { operation, sql }: Control,
  done: Resume<ReadonlyArray<CommandTag>>
): void => {
  const bound = dieAfterBound(session, operation)
  session.controls++
  const settle: Resume<ReadonlyArray<CommandTag>> = (exit) => {
    session.controls--
    clearTimeout(bound)
    done(exit)
  }
  session.submit(new SimpleQuery(session, sql, settle, { isControl: true }))
}

/**
 * COMMIT may take long for good reasons, so it is waited for without a bound; once the fiber is interrupted, no longer
 * than the bound. Where the answer came in time it counts, interrupted or not.
 */
const commit = (session: Session, transactionId: string | undefined): Effect.Effect<void, PgError.PgError> =>
  Effect.suspend(() => {
    const answer = Deferred.makeUnsafe<ReadonlyArray<CommandTag>, PgError.PgError>()
    session.submit(new SimpleQuery(session, "COMMIT", (exit) => Deferred.doneUnsafe(answer, exit)))
    return Effect.flatMap(Effect.exit(Effect.interruptible(Deferred.await(answer))), () => {
      const bound = Deferred.isDoneUnsafe(answer) ? undefined : dieAfterBound(session, "COMMIT")
      return Effect.flatMap(Effect.exit(Deferred.await(answer)), (exit) => {
        clearTimeout(bound)
        return committed(session, exit, transactionId)
      })
    })
  })

const committed = (
  { lost }: Session,
  exit: Exit.Exit<ReadonlyArray<CommandTag>, PgError.PgError>,
  transactionId: string | undefined
): Effect.Effect<void, PgError.PgError> => {
  if (Exit.isFailure(exit)) {
    return lost === undefined ? exit : Effect.mapError(exit, (error) => commitOutcome(error, transactionId))
  }
  if (exit.value.at(-1)?.command === "COMMIT") return Effect.void
  return Effect.fail(new PgError.TransactionRolledBackError({ reason: "the server answered COMMIT with ROLLBACK" }))
}

/** Without an answer nobody knows whether the transaction was committed, unless COMMIT never left the process. */
const commitOutcome = (lost: PgError.PgError, transactionId: string | undefined): PgError.PgError =>
  lost._tag === "ConnectionLostError" && lost.safeToRetry
    ? lost
    : new PgError.CommitOutcomeUnknownError({ lost, transactionId })

/** A transaction that has written nothing has no id. */
const transactionIdOf = (session: Session): Effect.Effect<string | undefined, PgError.PgError> =>
  Effect.map(send(session, ownTupleRows("SELECT pg_catalog.pg_current_xact_id_if_assigned()")), ([found]) => {
    const id = found?.[0]
    return typeof id === "bigint" ? String(id) : undefined
  })

const savepointWithOptions = (): PgError.InvalidConfigError =>
  new PgError.InvalidConfigError({
    setting: undefined,
    reason: "a transaction inside of another is a savepoint, which takes no options; give them to the outermost one"
  })

const dieAfterBound = (session: Session, operation: string): ReturnType<typeof setTimeout> =>
  setTimeout(
    () => session.die(lostWith(`${operation} was not answered within ${session.cancelTimeoutMillis} ms`, "unknown")),
    session.cancelTimeoutMillis
  )

const closed = (reason: string, outcome: PgError.Outcome = "none"): PgError.TransactionClosedError =>
  new PgError.TransactionClosedError({ reason, outcome })

/** The session ended before COMMIT was asked for, so the server has rolled the transaction back. */
const lostBeforeCommit = (lost: PgError.PgError): PgError.ConnectionLostError =>
  lostWith(`the connection was lost inside the transaction, which the server rolls back: ${lost.message}`, "none")

const lostWith = (reason: string, outcome: PgError.Outcome): PgError.ConnectionLostError =>
  new PgError.ConnectionLostError({ reason, server: undefined, safeToRetry: false, outcome })
