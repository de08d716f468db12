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
import type * as PgError from "../PgError.ts"
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
  // The time for which the lock is held is not part of the report.
  const wait = router.observed("withAdvisoryLock", request, level.run(request), { timeout: options.timeout }, level)
  return Effect.uninterruptibleMask((restore) =>
    Effect.andThen(onLoss(restore(wait), lock), () => Effect.onExit(restore(effect), () => release(lock)))
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
  const attempt = router.observed("withAdvisoryLockIfAvailable", request, level.run(request), undefined, level)
  return Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(onLoss(restore(attempt), lock), (isGranted) =>
      isGranted ? Effect.asSome(Effect.onExit(restore(effect), () => release(lock))) : Effect.succeedNone
    )
  )
}

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
}

const lockOf = (level: TransactionLevel, key: AdvisoryLockKey, shared: boolean | undefined): Lock => ({
  level,
  key: typeof key === "object" ? key : [key],
  suffix: shared === true ? "_shared" : "",
  isHeld: false
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
const unlock = ({ key, level, suffix }: Lock, done: () => void): void => {
  const { session } = level
  const type = key.length === 1 ? "int8" : "int4"
  const places = key.map((part) => `'${BigInt(part)}'::pg_catalog.${type}`).join(", ")
  const sql = `SELECT pg_catalog.pg_advisory_unlock${suffix}(${places})`
  submitControl(session, { operation: "the release of an advisory lock", sql }, (exit) => {
    if (Exit.isFailure(exit) && session.lost === undefined && session.closing === undefined) session.die(notReleased())
    done()
  })
}

const notReleased = (): PgError.ConnectionLostError =>
  lostWith("the client closed it, because an advisory lock could not be released")
