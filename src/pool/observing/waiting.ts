/** Reports the wait for a connection of a pool as a span of its own, within the span of what waits. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as PgError from "../../PgError.ts"
import { ended, timeOf, within } from "../../session/observing/spans.ts"
import { describeTarget, type Target } from "../../session/observing/target.ts"
import type { Request } from "../../session/request/request.ts"

const nameOf = ({ database }: Target): string => `acquire ${database}`

/** Waits for a lease. */
export const waitingForLease = <A, E, R>(target: Target, answer: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  within(nameOf(target), { kind: "internal" }, (span) => {
    describeTarget(span, target)
    return answer
  })

/** Runs a request that has to wait for a session. The wait ends when the request makes its exchange. */
export const waitingForSession = <A>(
  target: Target,
  request: Request<A>,
  run: (request: Request<A>) => Effect.Effect<A, PgError.PgError>
): Effect.Effect<A, PgError.PgError> =>
  Effect.withFiber((fiber) =>
    Effect.flatMap(Effect.makeSpan(nameOf(target), { kind: "internal" }), (span) => {
      describeTarget(span, target)
      const noting: Request<A> = {
        sql: request.sql,
        params: request.params,
        exchange: (session, resume) => {
          if (span.status._tag === "Started") span.end(timeOf(fiber), Exit.void)
          return request.exchange(session, resume)
        }
      }
      return Effect.onExit(run(noting), (exit) => (span.status._tag === "Started" ? ended(span, exit) : Effect.void))
    })
  )
