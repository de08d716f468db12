/**
 * The transactions of effect/sql, as transactions of effectpg: a call of either API within one of the other is a part of
 * it. Spans, identities and services are those of `makeWithTransaction` of effect/sql, which cannot be used itself, because
 * it begins and ends transactions in its own way.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Tracer from "effect/Tracer"
import type { WithTransactionOptions } from "../connection/queryable/queryable.ts"
import type { LevelSource, Router } from "../connection/router.ts"
import type { TransactionLevel } from "../session/transaction/transactionLevel.ts"
import { beginStatement } from "../connection/beginStatement.ts"
import { begunWith, readingOf } from "../connection/transaction.ts"
import { WITH_TRANSACTION_OPTIONS } from "../call/options.ts"
import * as Shape from "../call/shape.ts"
import * as PgError from "../PgError.ts"
import { withTimeout } from "../call/timeout.ts"
import { timeOf } from "../session/observing/spans.ts"
import { connectionOf } from "./connection.ts"
import { sqlErrorOf } from "./sqlErrors.ts"

export type TransactionService = SqlClient.SqlClient["transactionService"]

/** Runs an effect in a transaction, or in a savepoint if the fiber is in a transaction of either API. */
export type WithTransaction = SqlClient.SqlClient["withTransaction"]

export type AfterCommit = SqlClient.SqlClient["afterCommit"]

export interface Transactions {
  readonly service: TransactionService
  /** Takes no options: at the end of `Effect.fn` it is given the arguments of the function. */
  readonly withTransaction: WithTransaction
  readonly withTransactionOptions: (options: WithTransactionOptions) => WithTransaction
  readonly afterCommit: AfterCommit
}

let clients = 0

/**
 * Where `SqlResolver` looks for the transaction of a request if there is no `SqlClient` in its context. effect/sql does
 * not export it, but knows it by its key.
 */
const CurrentTransactionService = Context.Reference<TransactionService | undefined>(
  "effect/sql/CurrentTransactionService",
  { defaultValue: () => undefined }
)

/** What all clients of one pool share, so that a level has one identity. */
interface Shared {
  readonly service: TransactionService
  readonly afterCommit: AfterCommit
}

const sharedOf = new WeakMap<object, Shared>()

/**
 * Makes the transactions of one client. Each level of a transaction, whichever API has begun it, is known in the
 * context of its fiber by a pair of its own, whose connection reaches the transaction from any fiber.
 */
export const make = (router: Router, spanAttributes: ReadonlyArray<readonly [string, unknown]>): Transactions => {
  const { afterCommit, service } = sharedOf.get(router.companions) ?? share(router)
  const inTransaction =
    (options?: WithTransactionOptions) =>
    <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
      Effect.useSpan("sql.transaction", { kind: "internal" }, (span) => {
        for (const [key, value] of spanAttributes) span.attribute(key, value)
        return transacted(router, span, self, options)
      })
  return { service, afterCommit, withTransaction: inTransaction(), withTransactionOptions: inTransaction }
}

const share = (router: Router): Shared => {
  const service: TransactionService = Context.Service(`effectpg/SqlTransaction/${clients++}`)
  const afterCommit = afterCommitOf(router, service)
  const connections = new WeakMap<TransactionLevel, Connection>()
  const connectionTo = (transaction: TransactionLevel): Connection => {
    const known = connections.get(transaction)
    if (known !== undefined) return known
    const made = connectionOf(router.adapted(router.observer, new InnermostSource(transaction)))
    connections.set(transaction, made)
    return made
  }
  const deferrals = new WeakMap<Reactivity.Reactivity, Reactivity.Reactivity>()
  const deferred = (reactivity: Reactivity.Reactivity): Reactivity.Reactivity => {
    const known = deferrals.get(reactivity)
    if (known !== undefined) return known
    const made = deferring(reactivity, afterCommit)
    deferrals.set(reactivity, made)
    return made
  }
  router.companions.push((context, level) => {
    const reactivity = Context.getOrUndefined(context, Reactivity.Reactivity)
    const known = Context.add(context, service, [connectionTo(level.outermost), level.depth - 1]).pipe(
      Context.add(CurrentTransactionService, service)
    )
    return reactivity === undefined ? known : Context.add(known, Reactivity.Reactivity, deferred(reactivity))
  })
  const shared = { service, afterCommit }
  sharedOf.set(router.companions, shared)
  return shared
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

const transacted = <A, E, R>(
  router: Router,
  span: Tracer.Span,
  body: Effect.Effect<A, E, R>,
  given: WithTransactionOptions | undefined
): Effect.Effect<A, E | SqlError, R> =>
  Effect.suspend(() => {
    let failures: ReadonlyArray<unknown> = NONE
    const noted = (fiber: Fiber.Fiber<unknown, unknown>, end: "commit" | "savepoint") =>
      Effect.onExit(Effect.provideService(body, Tracer.ParentSpan, span), (exit) => {
        if (Exit.isFailure(exit)) failures = failuresIn(exit.cause)
        span.event(`effect.sql.transaction.${Exit.isSuccess(exit) ? end : "rollback"}`, timeOf(fiber))
        return Effect.void
      })
    const whole = Shape.withOptions(given, WITH_TRANSACTION_OPTIONS, (options = {}) => {
      const begun = (begin: string | PgError.InvalidConfigError, whole: Effect.Effect<A, E, R>) =>
        typeof begin === "string"
          ? router.reading(readingOf(options), (chosen) => begunWith(chosen, whole, begin, options))
          : Effect.fail(begin)
      const begins = router.inTransaction<A, E | PgError.PgError, R>(
        (_, fiber) => begun(beginStatement(options), noted(fiber, "savepoint")),
        (_, fiber) => begun(fiber.getRef(SqlClient.BeginTransaction) ?? beginStatement(options), noted(fiber, "commit"))
      )
      return withTimeout("withTransaction", undefined, begins, options.timeout)
    })
    /** The body's own failure passes as it is, also if it is an error of effectpg. */
    const isOfTransaction = (error: E | PgError.PgError): error is PgError.PgError =>
      PgError.isPgError(error) && !failures.includes(error)
    return Effect.mapError(whole, (error) => (isOfTransaction(error) ? sqlErrorOf(error, "withTransaction") : error))
  })

const NONE: ReadonlyArray<never> = []

const failuresIn = ({ reasons }: Cause.Cause<unknown>): ReadonlyArray<unknown> =>
  reasons.filter(Cause.isFailReason).map(({ error }) => error)

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
