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
import type { Target } from "./target.ts"
import { Attempts, tracedTransaction } from "./transactionSpan.ts"
import { CurrentOperation, Whereabouts } from "./whereabouts.ts"

type Hook = NonNullable<Observing["onQuery"]>

/** The hooks that the fiber is running. They do not hear of its queries: a hook that queries would never end. */
const RunningHooks = Context.Reference<ReadonlyArray<Hook>>("effectpg/RunningHooks", { defaultValue: () => [] })

export interface ObserverOptions {
  readonly hasSpans?: boolean
  readonly isSpread?: boolean
  readonly metricsOf?: Map<string, OperationMetrics>
}

/** A session, which knows its server. */
interface Located {
  readonly observer: Observer
}

export class Observer {
  readonly target: Target
  /** Makes the comments of statements, if a program wants comments. */
  readonly comment: Observing["comment"]
  private readonly settings: Observing
  private readonly metrics: OperationMetrics | undefined
  private readonly hasSpans: boolean
  /** Whether only a session tells where an operation runs, because the pool has several hosts. */
  readonly isSpread: boolean
  /** The metrics of each server, by its address. */
  private readonly metricsOf: Map<string, OperationMetrics>
  /** Whether there is anything to report to besides a tracer, which depends on the fiber. */
  private readonly isObserving: boolean

  constructor(
    settings: Observing,
    target: Target,
    { hasSpans = true, isSpread = false, metricsOf = new Map<string, OperationMetrics>() }: ObserverOptions = {}
  ) {
    this.hasSpans = hasSpans
    this.isSpread = isSpread
    this.metricsOf = metricsOf
    this.target = target
    this.comment = settings.comment
    this.settings = settings
    this.metrics = settings.metrics ? this.metricsAt(target) : undefined
    this.isObserving = settings.onQuery !== undefined || settings.slowQueryMillis !== undefined || settings.metrics
  }

  /** This observer without spans, for an adapter whose calls have spans already. */
  get withoutSpans(): Observer {
    const { isSpread, metricsOf } = this
    return new Observer(this.settings, this.target, { hasSpans: false, isSpread, metricsOf })
  }

  private metricsAt(target: Target): OperationMetrics {
    const key = `${target.address} ${target.port}`
    const known = this.metricsOf.get(key)
    if (known !== undefined) return known
    const made = new OperationMetrics(target)
    this.metricsOf.set(key, made)
    return made
  }

  /** Runs an operation, and reports how it went. `session` is undefined if the operation has none yet. */
  observe<A, E, R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    operation: string,
    asked: Asked,
    effect: Effect.Effect<A, E, R>,
    session?: Located
  ): Effect.Effect<A, E, R> {
    if (this.isSpread) return this.observeAnywhere(fiber, operation, asked, effect, session)
    const observed = this.isObserving ? this.observed(fiber.getRef(RunningHooks), operation, asked, effect) : effect
    return fiber.cache.tracer === undefined || !this.hasSpans ? observed : this.traced(operation, asked, observed)
  }

  private observeAnywhere<A, E, R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    operation: string,
    asked: Asked,
    effect: Effect.Effect<A, E, R>,
    session: Located | undefined
  ): Effect.Effect<A, E, R> {
    const isTraced = fiber.cache.tracer !== undefined && this.hasSpans
    if (!isTraced && !this.isObserving) return effect
    return Effect.suspend(() => {
      const where = new Whereabouts(this.target)
      if (session !== undefined) where.found(session.observer.target)
      const located = Effect.provideService(effect, CurrentOperation, where)
      const observed = this.isObserving
        ? this.observed(fiber.getRef(RunningHooks), operation, asked, located, where)
        : located
      return isTraced ? this.traced(operation, asked, observed, where) : observed
    })
  }

  /** Runs a transaction with its retries, and reports it as one span. */
  transaction<A, E, R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    run: (attempts: Attempts | undefined) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    if (this.hasSpans && isTraced(fiber)) {
      const where = new Whereabouts(this.target)
      return tracedTransaction(`transaction ${this.target.database}`, where, this.metrics, (attempts) =>
        this.isSpread ? Effect.provideService(run(attempts), CurrentOperation, where) : run(attempts)
      )
    }
    return run(this.metrics === undefined ? undefined : new Attempts(undefined, this.metrics))
  }

  /** Runs what has a savepoint of its own, and reports it as a span. */
  savepoint<A, E, R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    effect: Effect.Effect<A, E, R>,
    session: Located
  ): Effect.Effect<A, E, R> {
    if (!this.hasSpans || !isTraced(fiber)) return effect
    const where = new Whereabouts(this.isSpread ? session.observer.target : this.target)
    return tracedTransaction(`savepoint ${this.target.database}`, where, undefined, () => effect)
  }

  private observed<A, E, R>(
    running: ReadonlyArray<Hook>,
    operation: string,
    asked: Asked,
    effect: Effect.Effect<A, E, R>,
    where?: Whereabouts
  ): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const began = performance.now()
      return Effect.onExit(effect, (exit) =>
        this.report({ operation, asked, millis: performance.now() - began, exit, where }, running)
      )
    })
  }

  private report(
    { asked, exit, millis, operation, where }: Finished,
    running: ReadonlyArray<Hook>
  ): Effect.Effect<void> {
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
    const metrics = where === undefined || this.metrics === undefined ? this.metrics : this.metricsAt(where.place)
    const measured = metrics?.ended(summaryOfAsked(asked), event.error, millis) ?? Effect.void
    const noted = Effect.andThen(slow, measured)
    if (onQuery === undefined || running.includes(onQuery)) return noted
    const told = onQuery(event)
    // A hook may return something else, for example a promise. That must not make the operation die.
    if (!Effect.isEffect(told))
      return Effect.andThen(noted, Effect.logWarning("the onQuery hook did not return an Effect"))
    return Effect.andThen(noted, Effect.provideService(told, RunningHooks, [...running, onQuery]))
  }

  private traced<A, E, R>(
    method: string,
    asked: Asked,
    effect: Effect.Effect<A, E, R>,
    where = new Whereabouts(this.target)
  ): Effect.Effect<A, E, R> {
    const { collection, operation, text } = summaryOfAsked(asked)
    return within(text ?? this.target.database, { kind: "client" }, (span) => {
      where.describes(span)
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
  readonly where: Whereabouts | undefined
}
