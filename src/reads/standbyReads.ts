/**
 * Lends the sessions of the pool for reads. If that pool cannot connect, the primary lends one instead. What has been
 * sent to a server is not run again on another.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Lender } from "../connection/router.ts"
import type * as PgError from "../PgError.ts"
import { type Request, withExchange } from "../session/request/request.ts"
import type { LastCommit } from "../session/transaction/lastCommit.ts"
import type { TransactionLevel } from "../session/transaction/transactionLevel.ts"
import type { Reachability } from "./reachability.ts"

export class StandbyReads implements Lender {
  readonly observer: Lender["observer"]
  readonly catalogue: Lender["catalogue"]
  private readonly reads: Lender
  private readonly primary: Lender
  private readonly reachability: Reachability

  constructor(reads: Lender, primary: Lender, reachability: Reachability) {
    this.observer = reads.observer
    this.catalogue = reads.catalogue
    this.reads = reads
    this.primary = primary
    this.reachability = reachability
  }

  runIn<A>(fiber: Fiber.Fiber<unknown, unknown>, request: Request<A>): Effect.Effect<A, PgError.PgError> {
    return this.orPrimary(
      (lent) =>
        this.reads.runIn(
          fiber,
          withExchange(request, (session, resume) => {
            lent()
            return request.exchange(session, resume)
          })
        ),
      () => this.primary.runIn(fiber, request)
    )
  }

  withRoot<A, E, R>(
    use: (root: TransactionLevel, lastCommit?: LastCommit) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return this.orPrimary<A, E, R>(
      (lent) =>
        this.reads.withRoot((root, lastCommit) => {
          lent()
          return use(root, lastCommit)
        }),
      () => this.primary.withRoot(use)
    )
  }

  get scopedRoot(): Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope> {
    return this.orPrimary<TransactionLevel, never, Scope.Scope>(
      () => this.reads.scopedRoot,
      () => this.primary.scopedRoot
    )
  }

  /** `attempt` calls `lent` once it has a session, after which its failure is the answer. */
  private orPrimary<A, E, R>(
    attempt: (lent: () => void) => Effect.Effect<A, E | PgError.PgError, R>,
    otherwise: () => Effect.Effect<A, E | PgError.PgError, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return Effect.suspend(() => {
      const { reachability } = this
      if (reachability.isCutOff) {
        reachability.tryAgain()
        return otherwise()
      }
      let isLent = false
      const attempted = attempt(() => {
        isLent = true
      })
      return Effect.catch(attempted, (error) => {
        if (isLent) return Effect.fail(error)
        reachability.refused(error)
        return reachability.isCutOff ? otherwise() : Effect.fail(error)
      })
    })
  }
}
