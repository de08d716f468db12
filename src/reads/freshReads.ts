/**
 * Lends sessions to reads that must see what was committed before a position in the log. A standby that has not yet
 * replayed the log up to there is asked again after a pause. When the time for that is up, the primary lends a session.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Lender } from "../connection/router.ts"
import type * as PgError from "../PgError.ts"
import { passed } from "../call/realTime.ts"
import { realTimers } from "../pool/timers.ts"
import type { Session } from "../session/engine/session.ts"
import type { Request } from "../session/request/request.ts"
import type { LastCommit } from "../session/transaction/lastCommit.ts"
import type { TransactionLevel } from "../session/transaction/transactionLevel.ts"
import type { Guarded, Replay } from "./replay.ts"

/** What a region of reads asks of the standbys. */
export interface Freshness {
  readonly after: bigint
  readonly waitMillis: number
}

/** Who lends sessions. */
export interface Supply {
  readonly lender: Lender
  readonly primary: Lender
  readonly replay: Replay
  /** Is told of a session whose server is not far enough. */
  readonly behind: (session: Session) => void
}

/** The result of an attempt, none if the standby is behind, or that the next attempt may follow at once. */
type Attempted<A> = Option.Option<A> | typeof AT_ONCE

const AT_ONCE = "at once"

const FIRST_PAUSE_MILLIS = 1
const MAX_PAUSE_MILLIS = 20

export class FreshReads implements Lender {
  readonly observer: Lender["observer"]
  readonly catalogue: Lender["catalogue"]
  private readonly standbys: Lender
  private readonly primary: Lender
  private readonly replay: Replay
  private readonly behind: (session: Session) => void
  private readonly freshness: Freshness

  constructor({ behind, lender: standbys, primary, replay }: Supply, freshness: Freshness) {
    this.observer = standbys.observer
    this.catalogue = standbys.catalogue
    this.standbys = standbys
    this.primary = primary
    this.replay = replay
    this.behind = behind
    this.freshness = freshness
  }

  runIn<A>(fiber: Fiber.Fiber<unknown, unknown>, request: Request<A>): Effect.Effect<A, PgError.PgError> {
    return this.orPrimary(
      this.attempted(fiber, this.replay.guarded(request, this.freshness.after)),
      Effect.suspend(() => this.primary.runIn(fiber, request))
    )
  }

  private attempted<A>(
    fiber: Fiber.Fiber<unknown, unknown>,
    guarded: Request<Guarded<A>>
  ): Effect.Effect<Attempted<A>, PgError.PgError> {
    return Effect.map(this.standbys.runIn(fiber, guarded), (answered): Attempted<A> => {
      if (answered.isThere === undefined) return Option.some(answered.answer)
      if (answered.isThere) return AT_ONCE
      this.behind(answered.session)
      return Option.none()
    })
  }

  withRoot<A, E, R>(
    use: (root: TransactionLevel, lastCommit?: LastCommit) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | PgError.PgError, R> {
    const lent = this.standbys.withRoot((root, lastCommit) =>
      Effect.flatMap(this.isThere(root), (isThere): Effect.Effect<Option.Option<A>, E, R> =>
        isThere ? Effect.asSome(use(root, lastCommit)) : Effect.succeedNone
      )
    )
    return this.orPrimary(this.onceThere(lent), this.primary.withRoot(use))
  }

  get scopedRoot(): Effect.Effect<TransactionLevel, PgError.PgError, Scope.Scope> {
    const attempt = Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function* () {
        const lease = yield* Scope.fork(yield* Effect.scope)
        const lent = Effect.flatMap(Scope.provide(this.standbys.scopedRoot, lease), (root) =>
          Effect.map(this.isThere(root), (isThere) => (isThere ? Option.some(root) : Option.none()))
        )
        return yield* Effect.onExit(restore(lent), (exit) =>
          Exit.isSuccess(exit) && Option.isSome(exit.value) ? Effect.void : Scope.close(lease, exit)
        )
      })
    )
    return this.orPrimary(this.onceThere(attempt), this.primary.scopedRoot)
  }

  /** After a first attempt in vain, asks sessions for their positions, and lends one only if that is worth it. */
  private onceThere<A, E, R>(
    lent: Effect.Effect<Option.Option<A>, E, R>
  ): Effect.Effect<Attempted<A>, E | PgError.PgError, R> {
    const asked = Effect.withFiber((fiber) => this.attempted(fiber, this.replay.asked(this.freshness.after)))
    let isFirst = true
    return Effect.suspend((): Effect.Effect<Attempted<A>, E | PgError.PgError, R> => {
      if (!isFirst)
        return Effect.flatMap(asked, (there) => (there === AT_ONCE || Option.isSome(there) ? lent : Effect.succeedNone))
      isFirst = false
      return lent
    })
  }

  private isThere(root: TransactionLevel): Effect.Effect<boolean> {
    return this.replay.isThere(root, this.freshness.after)
  }

  /** Makes attempts until one has a result, within the time for them. */
  private orPrimary<A, E, R, E2, R2>(
    attempt: Effect.Effect<Attempted<A>, E, R>,
    otherwise: Effect.Effect<A, E2, R2>
  ): Effect.Effect<A, E | E2, R | R2> {
    return Effect.suspend(() => {
      const deadline = realTimers.now() + this.freshness.waitMillis
      const attempts = (pause: number): Effect.Effect<A, E | E2, R | R2> =>
        Effect.flatMap(attempt, (result): Effect.Effect<A, E | E2, R | R2> => {
          if (result === AT_ONCE) return attempts(pause)
          if (Option.isSome(result)) return Effect.succeed(result.value)
          const left = deadline - realTimers.now()
          if (left <= 0) return otherwise
          const longer = Math.min(2 * pause, MAX_PAUSE_MILLIS)
          return Effect.flatMap(passed(Math.min(pause, left)), () => attempts(longer))
        })
      return attempts(FIRST_PAUSE_MILLIS)
    })
  }
}
