/** Lends sessions, and tells the operation that borrows one at which server that is. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Lender } from "../../connection/router.ts"
import type * as PgError from "../../PgError.ts"
import type { Session } from "../../session/engine/session.ts"
import { CurrentOperation } from "../../session/observing/whereabouts.ts"
import { type Request, withExchange } from "../../session/request/request.ts"
import type { LastCommit } from "../../session/transaction/lastCommit.ts"
import type { TransactionLevel } from "../../session/transaction/transactionLevel.ts"

/** For a pool with several hosts. */
export class LocatingLender implements Lender {
  readonly observer: Lender["observer"]
  readonly catalogue: Lender["catalogue"]
  private readonly lender: Lender

  constructor(lender: Lender) {
    this.observer = lender.observer
    this.catalogue = lender.catalogue
    this.lender = lender
  }

  runIn<A>(_: Fiber.Fiber<unknown, unknown>, request: Request<A>): Effect.Effect<A, PgError.PgError> {
    return Effect.withFiber((fiber) => {
      if (fiber.getRef(CurrentOperation) === undefined) return this.lender.runIn(fiber, request)
      const locating = withExchange<A>(request, (session, resume) => {
        found(fiber, session)
        return request.exchange(session, resume)
      })
      return this.lender.runIn(fiber, locating)
    })
  }

  withRoot<A, E, R>(
    use: (root: TransactionLevel, lastCommit?: LastCommit) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    return Effect.withFiber((fiber) =>
      this.lender.withRoot((root, lastCommit) => {
        found(fiber, root.session)
        // What is borrowed within does not say where the operation runs.
        return Effect.provideService(use(root, lastCommit), CurrentOperation, undefined)
      })
    )
  }

  get scopedRoot(): Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope> {
    return Effect.withFiber((fiber) =>
      Effect.map(this.lender.scopedRoot, (root) => {
        found(fiber, root.session)
        return root
      })
    )
  }
}

const found = (fiber: Fiber.Fiber<unknown, unknown>, session: Session): void =>
  fiber.getRef(CurrentOperation)?.found(session.observer.target)
