/**
 * Reports each operation to the tracer, the `onQuery` hook, the slow-query log and the metrics. If none of these is in
 * use, an operation runs as if this file did not exist.
 *
 * Spans and metrics follow OpenTelemetry's stable conventions for database clients and for PostgreSQL. They contain the
 * text of a statement with its placeholders, and never a value.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Observing, QueryEvent } from "../../PgConfig.ts"
import { type Asked, summaryOfAsked } from "./asked.ts"
import { OperationMetrics } from "./metrics.ts"
import { errorIn, isTraced, within } from "./spans.ts"
import { describeTarget, type Target } from "./target.ts"
import { Attempts, tracedTransaction } from "./transactionSpan.ts"

type Hook = NonNullable<Observing["onQuery"]>

/** The hooks that the fiber is running. They do not hear of its queries: a hook that queries would never end. */
const RunningHooks = Context.Reference<ReadonlyArray<Hook>>("effectpg/RunningHooks", { defaultValue: () => [] })

export class Observer {
  readonly target: Target
  /** Makes the comments of statements, if a program wants comments. */
  readonly comment: Observing["comment"]
  private readonly settings: Observing
  private readonly metrics: OperationMetrics | undefined
  private readonly hasSpans: boolean
  /** Whether there is anything to report to besides a tracer, which depends on the fiber. */
  private readonly isObserving: boolean

  constructor(
    settings: Observing,
    target: Target,
    metrics = settings.metrics ? new OperationMetrics(target) : undefined,
    hasSpans = true
  ) {
    this.hasSpans = hasSpans
    this.target = target
    this.comment = settings.comment
    this.settings = settings
    this.metrics = metrics
    this.isObserving = settings.onQuery !== undefined || settings.slowQueryMillis !== undefined || settings.metrics
  }

  /** This observer without spans, for an adapter whose calls have spans already. */
  get withoutSpans(): Observer {
    return new Observer(this.settings, this.target, this.metrics, false)
  }

  /** Runs an operation, and reports how it went. */
  observe<A, E, R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    operation: string,
    asked: Asked,
    effect: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    const observed = this.isObserving ? this.observed(fiber.getRef(RunningHooks), operation, asked, effect) : effect
    return fiber.cache.tracer === undefined || !this.hasSpans ? observed : this.traced(operation, asked, observed)
  }

  /** Runs a transaction with its retries, and reports it as one span. */
  transaction<A, E, R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    run: (attempts: Attempts | undefined) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    if (this.hasSpans && isTraced(fiber))
      return tracedTransaction(`transaction ${this.target.database}`, this.target, this.metrics, run)
    return run(this.metrics === undefined ? undefined : new Attempts(undefined, this.metrics))
  }

  /** Runs what has a savepoint of its own, and reports it as a span. */
  savepoint<A, E, R>(fiber: Fiber.Fiber<unknown, unknown>, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    if (!this.hasSpans || !isTraced(fiber)) return effect
    return tracedTransaction(`savepoint ${this.target.database}`, this.target, undefined, () => effect)
  }

  private observed<A, E, R>(
    running: ReadonlyArray<Hook>,
    operation: string,
    asked: Asked,
    effect: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const began = performance.now()
      return Effect.onExit(effect, (exit) =>
        this.report({ operation, asked, millis: performance.now() - began, exit }, running)
      )
    })
  }

  private report({ asked, exit, millis, operation }: Finished, running: ReadonlyArray<Hook>): Effect.Effect<void> {
    const { onQuery, slowQueryMillis } = this.settings
    const { sql } = asked
    const event: QueryEvent = {
      operation,
      sql,
      durationMillis: millis,
      outcome: Exit.isSuccess(exit) ? "success" : Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : "failure",
      error: Exit.isFailure(exit) ? errorIn(exit.cause) : undefined
    }
    const slow =
      slowQueryMillis !== undefined && millis >= slowQueryMillis
        ? Effect.logWarning(`slow query: ${Math.round(millis)} ms in ${operation}`, { sql })
        : Effect.void
    const measured = this.metrics?.ended(summaryOfAsked(asked), event.error, millis) ?? Effect.void
    const noted = Effect.andThen(slow, measured)
    if (onQuery === undefined || running.includes(onQuery)) return noted
    const told = onQuery(event)
    // A hook may return something else, for example a promise. That must not make the operation die.
    if (!Effect.isEffect(told))
      return Effect.andThen(noted, Effect.logWarning("the onQuery hook did not return an Effect"))
    return Effect.andThen(noted, Effect.provideService(told, RunningHooks, [...running, onQuery]))
  }

  private traced<A, E, R>(method: string, asked: Asked, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const { collection, operation, text } = summaryOfAsked(asked)
    return within(text ?? this.target.database, { kind: "client" }, (span) => {
      describeTarget(span, this.target)
      if (operation !== undefined) span.attribute("db.operation.name", operation)
      if (text !== undefined) span.attribute("db.query.summary", text)
      if (collection !== undefined) span.attribute("db.collection.name", collection)
      if (Array.isArray(asked.many)) span.attribute("db.operation.batch.size", asked.many.length)
      span.attribute("db.query.text", asked.sql)
      span.attribute("effectpg.method", method)
      return effect
    })
  }
}

interface Finished {
  readonly operation: string
  readonly asked: Asked
  readonly millis: number
  readonly exit: Exit.Exit<unknown, unknown>
}
