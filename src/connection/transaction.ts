/** Runs transactions: around an effect, or begun by hand and ended through a handle. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { clientErrorOf } from "../error/wrapped.ts"
import * as PgError from "../PgError.ts"
import type { Attempts } from "../session/observing/transactionSpan.ts"
import { AfterEnd } from "../session/transaction/afterEnd.ts"
import type { LastCommit } from "../session/transaction/lastCommit.ts"
import { type LevelOptions, TransactionLevel } from "../session/transaction/transactionLevel.ts"
import { beginStatement, PLAIN_BEGIN } from "./beginStatement.ts"
import type { TransactionOptions, WithTransactionOptions } from "./queryable/queryable.ts"
import type { Lender, Reading, Router } from "./router.ts"

/** Runs an effect in a transaction, or in a savepoint if the fiber is in a transaction. */
export const withTransaction = <A, E, R>(
  router: Router,
  effect: Effect.Effect<A, E, R>,
  options: WithTransactionOptions
): Effect.Effect<A, E | PgError.PgError, R> => {
  const begin = beginStatement(options)
  return typeof begin === "string" ? begunWith(router, effect, begin, options) : Effect.fail(begin)
}

/** A standby takes read-only transactions, but none that is serializable. */
export const readingOf = ({ access, isolation }: TransactionOptions): Reading => ({
  texts: [],
  readOnly: access === "read only" && isolation !== "serializable" ? undefined : false
})

/** Runs an effect in a transaction that the statement `begin` begins, or in a savepoint. */
export const begunWith = <A, E, R>(
  router: Router,
  effect: Effect.Effect<A, E, R>,
  begin: string,
  options: WithTransactionOptions
): Effect.Effect<A, E | PgError.PgError, R> => {
  const on = (outer: TransactionLevel, afterEnd?: AfterEnd, lastCommit?: LastCommit) =>
    outer.within({ ...levelOptions(begin, options), afterEnd, lastCommit }, (level) => router.bind(level, effect))
  const { retry } = options
  const { observer } = router
  const inside = (level: TransactionLevel, fiber: Fiber.Fiber<unknown, unknown>) =>
    observer.savepoint(fiber, on(level), level.session)
  const whole = (target: TransactionLevel | Lender, attempts: Attempts | undefined) => {
    const once = Effect.suspend(() => {
      const afterEnd = new AfterEnd()
      return afterEnd.following(
        target instanceof TransactionLevel
          ? on(target, afterEnd)
          : target.withRoot((root, lastCommit) => on(root, afterEnd, lastCommit))
      )
    })
    const attempt = attempts === undefined ? once : attempts.attempt(once)
    return retry === undefined ? attempt : Effect.retry(attempt, { schedule: retry, while: mayPassNextTime })
  }
  return router.inTransaction<A, E | PgError.PgError, R>(inside, (target, fiber) =>
    observer.transaction(fiber, (attempts) => whole(target, attempts))
  )
}

const mayPassNextTime = (failure: unknown): boolean => {
  const error = clientErrorOf(failure)
  return error?._tag === "SerializationError" || error?._tag === "DeadlockDetectedError"
}

export type Ending = Effect.Effect<void, PgError.PgError>

/** A transaction that is ended by hand. */
export interface Begun {
  readonly level: TransactionLevel
  /** Wraps a COMMIT or ROLLBACK: the session is given back after it, and then the callbacks run. */
  readonly ended: (ending: Ending) => Ending
}

/** Begins a transaction. It is rolled back when the scope closes, if it has not been ended by then. */
export const begin = (
  router: Router,
  options: TransactionOptions
): Effect.Effect<Begun, PgError.PgError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const begin = beginStatement(options)
      if (typeof begin !== "string") return yield* begin
      const afterEnd = new AfterEnd()
      yield* Effect.addFinalizer(() => afterEnd.runAtTheEnd)
      const lease = yield* Scope.fork(yield* Effect.scope)
      const opened = Effect.flatMap(restore(Scope.provide(router.scopedLevel, lease)), (outer) =>
        outer.open({ ...levelOptions(begin, options), forbids: begunByHand(), afterEnd }, restore)
      )
      const level = yield* Effect.onExit(opened, (exit) =>
        Exit.isFailure(exit) ? Scope.close(lease, exit) : Effect.void
      )
      yield* Scope.addFinalizer(lease, Effect.ignore(level.rollbackByHand))
      return {
        level,
        ended: (ending) => afterEnd.following(Effect.ensuring(ending, Scope.close(lease, Exit.void)))
      }
    })
  )

/** Refuses a call that does not use the handle: the fiber that would wait for the end usually has to end it. */
const begunByHand = (): PgError.UnsupportedError =>
  new PgError.UnsupportedError({
    feature: "a statement outside an open transaction that begin has started",
    instead: "run it on the handle that begin returned, or end that transaction first",
    sql: ""
  })

const levelOptions = (begin: string, options: WithTransactionOptions): LevelOptions => ({
  begin,
  isPlain: begin === PLAIN_BEGIN && options.trackOutcome === undefined && options.retry === undefined,
  trackOutcome: options.trackOutcome === true
})
