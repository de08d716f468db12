/**
 * Holds an advisory lock for as long as an effect runs. The lock belongs to a session, so that the calls of the effect
 * run on that session: if the connection is lost, and the lock with it, they fail.
 *
 * Inside of a transaction the lock belongs to the transaction, and the server releases it when the transaction ends. If
 * it were released earlier, the next holder of the lock would not see what was done under it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import * as PgError from "../PgError.ts"
import type { TupleRow } from "../codec/rowReader.ts"
import { ExtendedQuery } from "../session/exchange/extendedQuery.ts"
import type { Resume } from "../session/engine/exchange.ts"
import { ALL } from "../session/statement/wanted.ts"
import type { Request } from "../session/request/request.ts"
import type { Session } from "../session/engine/session.ts"
import { submitControl, withinGrace } from "../session/transaction/control.ts"
import type { TransactionLevel } from "../session/transaction/transactionLevel.ts"
import type { TransactionStatus } from "../wire/backendMessage.ts"
import type { ErrorFields } from "../wire/errorFields.ts"
import type { AdvisoryLockKey, AdvisoryLockOptions } from "./queryable/queryable.ts"
import * as Shape from "../call/shape.ts"
import { lostWith } from "../session/engine/lostErrors.ts"
import type { Router } from "./router.ts"

type Answer<A, E, R> = Effect.Effect<A, E | PgError.PgError, R>

/** Says what is wrong with the arguments of a call that takes a lock, if anything is. */
export const lockFault = (key: unknown, effect: unknown): Shape.Fault | undefined =>
  Shape.faultOf("key", key, LOCK_KEY) ?? Shape.faultOf("effect", effect, Shape.effect)

const LOCK_KEY: Shape.Kind = {
  is: (key) =>
    typeof key === "bigint" ||
    typeof key === "number" ||
    (Array.isArray(key) && key.length === 2 && key.every((half) => typeof half === "number")),
  takes: "a bigint, a number, or an array of two numbers"
}

/** Waits for the lock and runs an effect under it. */
export const withLock = <A, E, R>(
  router: Router,
  level: TransactionLevel,
  key: AdvisoryLockKey,
  effect: Effect.Effect<A, E, R>,
  options: AdvisoryLockOptions
): Answer<A, E, R> => {
  const lock = lockOf(level, key, options.shared)
  const request = acquire(lock, "")
  if (isLostBetweenStatements(lock)) return Effect.fail(notKept(request.sql, "none"))
  // The time for which the lock is held is not part of the report.
  const wait = router.observed("withAdvisoryLock", request, level.run(request), { timeout: options.timeout }, level)
  return Effect.uninterruptibleMask((restore) =>
    Effect.andThen(onLoss(restore(wait), lock), () => under(lock, request, restore(effect)))
  )
}

/** Runs an effect under the lock if the lock can be had without waiting. */
export const withLockIfAvailable = <A, E, R>(
  router: Router,
  level: TransactionLevel,
  key: AdvisoryLockKey,
  effect: Effect.Effect<A, E, R>,
  options: Omit<AdvisoryLockOptions, "timeout">
): Answer<Option.Option<A>, E, R> => {
  const lock = lockOf(level, key, options.shared)
  const request = acquire(lock, "try_")
  if (isLostBetweenStatements(lock)) return Effect.fail(notKept(request.sql, "none"))
  const attempt = router.observed("withAdvisoryLockIfAvailable", request, level.run(request), undefined, level)
  return Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(onLoss(restore(attempt), lock), (isGranted) =>
      isGranted ? Effect.asSome(under(lock, request, restore(effect))) : Effect.succeedNone
    )
  )
}

/** Runs an effect and releases the lock. Fails if the lock was not held where the session is now. */
const under = <A, E, R>(lock: Lock, { sql }: Request<boolean>, effect: Effect.Effect<A, E, R>): Answer<A, E, R> =>
  Effect.flatMap(
    Effect.onExit(effect, () => release(lock)),
    (result) => (lock.wasElsewhere ? Effect.fail(notKept(sql, "unknown")) : Effect.succeed(result))
  )

/** Whether a pooler would leave the lock on a server process that the session does not keep. */
const isLostBetweenStatements = ({ level: { isTransaction, session } }: Lock): boolean =>
  !isTransaction && session.statements.pooler.movesSessions

const notKept = (sql: string, outcome: "none" | "unknown"): PgError.UnsupportedError =>
  new PgError.UnsupportedError({
    feature:
      "an advisory lock outside of a transaction, through a pooler that gives each transaction another server connection",
    instead: "take the lock inside of withTransaction",
    sql,
    outcome
  })

/** Releases a lock that was granted just before the waiting fiber was interrupted or timed out. */
const onLoss = <A, E, R>(wait: Effect.Effect<A, E, R>, lock: Lock): Effect.Effect<A, E, R> =>
  Effect.onExit(wait, (exit) => (Exit.isFailure(exit) && lock.isHeld ? release(lock) : Effect.void))

interface Lock {
  readonly level: TransactionLevel
  readonly key: ReadonlyArray<bigint | number>
  /** The end of the names of the server's functions for this lock. */
  readonly suffix: "" | "_shared"
  /** Whether the server granted the lock while the call still waited for it. */
  isHeld: boolean
  /** Whether a pooler had moved the session away from the lock when it was to be released. */
  wasElsewhere: boolean
}

const lockOf = (level: TransactionLevel, key: AdvisoryLockKey, shared: boolean | undefined): Lock => ({
  level,
  key: typeof key === "object" ? key : [key],
  suffix: shared === true ? "_shared" : "",
  isHeld: false,
  wasElsewhere: false
})

/** Makes the request for the lock, which answers whether it was granted. */
const acquire = (lock: Lock, attempt: "" | "try_"): Request<boolean> => {
  const { key, level, suffix } = lock
  const owner = level.isTransaction ? "xact_" : ""
  const places = key.map((_, at) => `$${at + 1}`).join(", ")
  const sql = `SELECT pg_catalog.pg_${attempt}advisory_${owner}lock${suffix}(${places})`
  const isGranted = (rows: ReadonlyArray<TupleRow>): boolean => attempt === "" || rows[0]?.[0] === true
  return { sql, params: key, exchange: (session, resume) => new Acquisition(session, sql, lock, isGranted, resume) }
}

/** The statement that asks for a lock. If it is granted after its caller has gone, the lock is released at once. */
class Acquisition extends ExtendedQuery<TupleRow, boolean> {
  private readonly lock: Lock
  private readonly isGranted: (rows: ReadonlyArray<TupleRow>) => boolean

  constructor(
    session: Session,
    sql: string,
    lock: Lock,
    isGranted: (rows: ReadonlyArray<TupleRow>) => boolean,
    resume: Resume<boolean>
  ) {
    const result = ({ rows }: { readonly rows: ReadonlyArray<TupleRow> }) => Exit.succeed(isGranted(rows))
    super(session, sql, lock.key, { form: (shape) => shape.tuple, maxRows: ALL, result }, resume)
    this.lock = lock
    this.isGranted = isGranted
  }

  override ready(status: TransactionStatus, error: ErrorFields | undefined): void {
    const isHeld = this.completed && error === undefined && this.isGranted(this.rows)
    // `ready` resumes the fiber, which reads `isHeld`.
    if (!this.abandoned) this.lock.isHeld = isHeld
    super.ready(status, error)
    if (this.abandoned && isHeld && !this.lock.level.isTransaction) unlock(this.lock, () => {})
  }
}

/**
 * Releases the lock after everything that the effect has left running has ended. An interruption of the fiber ends that
 * wait, and the fiber then waits for the release no longer than the grace.
 */
const release = (lock: Lock): Effect.Effect<void> => {
  const { level } = lock
  if (level.isTransaction) return Effect.void
  const unlocked = withinGrace(level.session, (done) => unlock(lock, done))
  return Effect.andThen(Effect.exit(Effect.interruptible(level.untilSettled())), unlocked)
}

/** Releases the lock. If that fails, the session is ended, because the server then releases its locks. */
const unlock = (lock: Lock, done: () => void): void => {
  const { key, level, suffix } = lock
  const { session } = level
  const type = key.length === 1 ? "int8" : "int4"
  const places = key.map((part) => `'${BigInt(part)}'::pg_catalog.${type}`).join(", ")
  const sql = `SELECT pg_catalog.pg_advisory_unlock${suffix}(${places})`
  let wasHeld = true
  const read = (_: Session, [isReleased]: ReadonlyArray<string>): void => {
    wasHeld = isReleased !== "f"
  }
  submitControl(session, { operation: RELEASE, sql, read }, (exit) => {
    if (Exit.isFailure(exit) && session.lost === undefined && session.closing === undefined) session.die(notReleased())
    if (wasHeld || session.lost !== undefined) return done()
    askWhere(lock, done)
  })
}

const RELEASE = "the release of an advisory lock"

/** SQL of the effect may have released the lock. Otherwise the session is no longer where the lock is. */
const askWhere = (lock: Lock, done: () => void): void => {
  const { session } = lock.level
  const read = (_: Session, [process]: ReadonlyArray<string>): void => {
    lock.wasElsewhere = process !== String(session.processId)
    if (lock.wasElsewhere) session.statements.pooler.moved()
  }
  submitControl(session, { operation: RELEASE, sql: "SELECT pg_catalog.pg_backend_pid()", read }, done)
}

const notReleased = (): PgError.ConnectionLostError =>
  lostWith("the client closed it, because an advisory lock could not be released")
