/**
 * The transactions of effect/sql, as transactions of effectpg: a call of either API within one of the other is a part of
 * it. `makeWithTransaction` of effect/sql gives each transaction its span and its identity, by which batches of requests
 * are told apart. All that concerns the session is done here.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { SqlError } from "effect/sql/SqlError"
import type { WithTransactionOptions } from "../connection/queryable/queryable.ts"
import type { LevelSource, Router } from "../connection/router.ts"
import type { TransactionLevel } from "../session/transaction/transactionLevel.ts"
import { beginStatement } from "../connection/beginStatement.ts"
import { begunWith } from "../connection/transaction.ts"
import * as PgError from "../PgError.ts"
import { withTimeout } from "../call/timeout.ts"
import { connectionOf } from "./connection.ts"
import { sqlErrorOf } from "./sqlErrors.ts"

export type TransactionService = SqlClient.SqlClient["transactionService"]

/** Runs an effect in a transaction, or in a savepoint if the fiber is in a transaction of either API. */
export type WithTransaction = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  options?: WithTransactionOptions
) => Effect.Effect<A, E | SqlError, R>

export type AfterCommit = SqlClient.SqlClient["afterCommit"]

export interface Transactions {
  readonly service: TransactionService
  readonly withTransaction: WithTransaction
  readonly afterCommit: AfterCommit
}

let clients = 0

/**
 * Makes the transactions of one client. Each level of a transaction, whichever API has begun it, is known in the
 * context of its fiber by a pair of its own, whose connection reaches the level from any fiber.
 */
export const make = (
  router: Router,
  connection: Connection,
  spanAttributes: ReadonlyArray<readonly [string, unknown]>
): Transactions => {
  const service: TransactionService = Context.Service(`effectpg/SqlTransaction/${clients++}`)
  const connections = new WeakMap<TransactionLevel, Connection>()
  /** The levels that were begun here. */
  const begunHere = new WeakSet<TransactionLevel>()
  router.companions.push((level) => {
    const transaction = level.outermost
    let own = connections.get(transaction)
    if (own === undefined) {
      own = connectionOf(router.adapted(router.observer, new InnermostSource(transaction)))
      connections.set(transaction, own)
    }
    return Context.make(service, [own, level.depth - 1])
  })
  const afterCommit = afterCommitOf(router, service)
  const identified = SqlClient.makeWithTransaction({
    transactionService: service,
    spanAttributes,
    acquireConnection: () => Effect.succeed(connection),
    begin: () => Effect.void,
    savepoint: () => Effect.void,
    commit: () => Effect.void,
    rollback: () => Effect.void,
    rollbackSavepoint: () => Effect.void
  })
  return {
    service,
    afterCommit,
    withTransaction: <A, E, R>(self: Effect.Effect<A, E, R>, options: WithTransactionOptions = {}) =>
      Effect.withFiber((fiber) => {
        const reactivity = Context.getOrUndefined(fiber.context, Reactivity.Reactivity)
        const deferred =
          reactivity === undefined
            ? self
            : Effect.provideService(self, Reactivity.Reactivity, deferring(reactivity, afterCommit))
        const body = router.onTransaction((level) => {
          if (level !== undefined) begunHere.add(level)
          return deferred
        })
        const whole = identified(transacted(router, body, options))
        // For a level that only effectpg has begun, effect/sql has nothing with which siblings wait for each other.
        return router.onTransaction((level) =>
          level !== undefined && begunHere.has(level) ? whole : Effect.updateContext(whole, hiding<R>(service))
        )
      })
  }
}

/** Supplies the innermost level of a transaction, for calls of fibers that know nothing of it. */
class InnermostSource implements LevelSource {
  private readonly transaction: TransactionLevel

  constructor(transaction: TransactionLevel) {
    this.transaction = transaction
  }

  get level(): TransactionLevel {
    return this.transaction.innermost
  }

  get observer(): LevelSource["observer"] {
    return this.transaction.session.observer
  }

  get catalogue(): LevelSource["catalogue"] {
    return this.transaction.session.catalogue
  }
}

/** Carries a failure of the body past the errors of its transaction. */
class FailedBody<E> {
  readonly error: E

  constructor(error: E) {
    this.error = error
  }
}

const transacted = <A, E, R>(
  router: Router,
  body: Effect.Effect<A, E, R>,
  options: WithTransactionOptions
): Effect.Effect<A, E | SqlError, R> => {
  const marked = Effect.mapError(body, (error) => new FailedBody(error))
  const begun = (begin: string | PgError.InvalidConfigError) =>
    typeof begin === "string" ? begunWith(router, marked, begin, options, isTransient) : Effect.fail(begin)
  const whole = router.inTransaction<A, FailedBody<E> | PgError.PgError, R>(
    () => begun(beginStatement(options)),
    (_, fiber) => begun(fiber.getRef(SqlClient.BeginTransaction) ?? beginStatement(options))
  )
  return Effect.mapError(withTimeout("withTransaction", undefined, whole, options.timeout), (error) =>
    error instanceof FailedBody ? error.error : sqlErrorOf(error, "withTransaction")
  )
}

/** Whether a transaction that failed with this error may succeed if it is run again. */
const isTransient = (error: unknown): boolean => {
  const failure = error instanceof FailedBody ? error.error : error
  const native = failure instanceof SqlError ? failure.reason.cause : failure
  return PgError.isPgError(native) && (native._tag === "SerializationError" || native._tag === "DeadlockDetectedError")
}

/**
 * Runs an effect once the transaction of the fiber has been committed, without that transaction. A transaction that can
 * no longer be committed discards it, also if its body does not know that yet: the session was lost, or SQL ended it.
 */
const afterCommitOf =
  (router: Router, service: TransactionService): AfterCommit =>
  <R>(effect: Effect.Effect<void, never, R>) => {
    const reported = Effect.ignoreCause(effect, { log: "Unhandled", message: "a callback of afterCommit failed" })
    return router.inTransaction(
      (level) =>
        Effect.contextWith((context: Context.Context<R>) => {
          if (level.isConcluded) return Effect.die(new Error("afterCommit: the transaction has already ended"))
          level.afterCommit({
            effect: Effect.provideContext(reported, outside<R>(router, service)(context)),
            isUninterruptible: true
          })
          return Effect.void
        }),
      () => reported
    )
  }

const hiding =
  <R>(service: TransactionService) =>
  (context: Context.Context<R>): Context.Context<R> =>
    Context.omit(service)(context) as Context.Context<R>

/** Takes the fiber's transaction out of a context. No effect requires it, so all that `R` names is left. */
const outside =
  <R>(router: Router, service: TransactionService) =>
  (context: Context.Context<R>): Context.Context<R> =>
    Context.omit(service, router.key)(context) as Context.Context<R>

/** Invalidates keys once the transaction has been committed. */
const deferring = (reactivity: Reactivity.Reactivity, afterCommit: AfterCommit): Reactivity.Reactivity => {
  const invalidate: typeof reactivity.invalidate = (keys) =>
    afterCommit(Effect.sync(() => reactivity.invalidateUnsafe(keys)))
  return { ...reactivity, invalidate, mutation: (keys, effect) => Effect.tap(effect, invalidate(keys)) }
}
