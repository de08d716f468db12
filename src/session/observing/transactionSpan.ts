/** Reports a transaction as one span around the spans of its statements, with its retries and its outcome. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import type * as PgError from "../../PgError.ts"
import type { OperationMetrics } from "./metrics.ts"
import { errorIn, timeOf, within } from "./spans.ts"
import type { Whereabouts } from "./whereabouts.ts"

/** The attempts of one transaction. */
export class Attempts {
  private readonly span: Tracer.Span | undefined
  private readonly metrics: OperationMetrics | undefined
  private count = 0
  private failure: PgError.PgError | undefined

  constructor(span: Tracer.Span | undefined, metrics: OperationMetrics | undefined) {
    this.span = span
    this.metrics = metrics
  }

  /** Runs an attempt. Each but the first is reported as a retry, with the error of the one before. */
  attempt<A, E, R>(transaction: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const noted = Effect.onExit(transaction, (exit) => {
      this.failure = Exit.isFailure(exit) ? errorIn(exit.cause) : undefined
      return Effect.void
    })
    return Effect.withFiber((fiber) => {
      this.count++
      if (this.failure === undefined) return noted
      const { failure } = this
      this.span?.event("retry", timeOf(fiber), {
        "error.type": failure._tag,
        "effectpg.transaction.attempt": this.count
      })
      return Effect.andThen(this.metrics?.retried(failure) ?? Effect.void, noted)
    })
  }
}

export const tracedTransaction = <A, E, R>(
  name: string,
  where: Whereabouts,
  metrics: OperationMetrics | undefined,
  run: (attempts: Attempts) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  within(name, { kind: "internal" }, (span) => {
    where.describes(span)
    return Effect.onExit(run(new Attempts(span, metrics)), (exit) => {
      span.attribute("effectpg.transaction.outcome", outcomeOf(exit))
      return Effect.void
    })
  })

/** Any other error of the client concerns a statement, and the transaction was rolled back because of it. */
const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "committed"
  const error = errorIn(exit.cause)
  const mayBeCommitted = error?._tag === "CommitOutcomeUnknownError" || error?._tag === "TransactionClosedError"
  return mayBeCommitted && error.outcome === "unknown" ? "unknown" : "rolled back"
}
