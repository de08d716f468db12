/**
 * Reports each operation to the tracer, the `onQuery` hook, the slow-query log and the metrics. If none of these is in
 * use, an operation runs as if this file did not exist.
 *
 * Spans and metrics follow OpenTelemetry's stable conventions for database clients and for PostgreSQL. They contain the
 * text of a statement with its placeholders, and never a value.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as References from "effect/References"
import type * as Tracer from "effect/Tracer"
import type { HostAddress, QueryEvent, ResolvedConfig, Watch } from "../../PgConfig.ts"
import * as PgError from "../../PgError.ts"

/** The server and database of the operations, as attributes of every span. */
export interface Target {
  readonly database: string
  readonly address: string
  readonly port: number | undefined
}

export const targetOf = ({ database }: ResolvedConfig, host: HostAddress | undefined): Target => ({
  database,
  address: host === undefined ? "" : host._tag === "Tcp" ? host.host : host.path,
  port: host?.port
})

const operationDuration = Metric.histogram("db.client.operation.duration", {
  description: "Duration of database client operations, in seconds",
  boundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]
})

type Hook = NonNullable<Watch["onQuery"]>

/** The hooks that the fiber is running. They do not hear of its queries: a hook that queries would never end. */
const RunningHooks = Context.Reference<ReadonlyArray<Hook>>("effectpg/RunningHooks", { defaultValue: () => [] })

export class Observer {
  private readonly watch: Watch
  private readonly target: Target
  /** Whether there is anything to report to besides a tracer, which depends on the fiber. */
  private readonly isWatching: boolean

  constructor(watch: Watch, target: Target) {
    this.watch = watch
    this.target = target
    this.isWatching = watch.onQuery !== undefined || watch.slowQueryMillis !== undefined || watch.metrics
  }

  /** Runs an operation, and reports how it went. */
  observe<A, E, R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    operation: string,
    sql: string,
    effect: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    const watched = this.isWatching ? this.watched(fiber.getRef(RunningHooks), operation, sql, effect) : effect
    return fiber.cache.tracer === undefined ? watched : this.traced(operation, sql, watched)
  }

  private watched<A, E, R>(
    running: ReadonlyArray<Hook>,
    operation: string,
    sql: string,
    effect: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const began = performance.now()
      return Effect.onExit(effect, (exit) =>
        this.report({ operation, sql, millis: performance.now() - began, exit }, running)
      )
    })
  }

  private report({ exit, millis, operation, sql }: Finished, running: ReadonlyArray<Hook>): Effect.Effect<void> {
    const { metrics, onQuery, slowQueryMillis } = this.watch
    const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
    const event: QueryEvent = {
      operation,
      sql,
      durationMillis: millis,
      outcome: Exit.isSuccess(exit) ? "success" : Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : "failure",
      error: PgError.isPgError(error) ? error : undefined
    }
    const slow =
      slowQueryMillis !== undefined && millis >= slowQueryMillis
        ? Effect.logWarning(`slow query: ${Math.round(millis)} ms in ${operation}`, { sql })
        : Effect.void
    const measured = metrics ? Metric.update(this.durationOf(operation, event), millis / 1000) : Effect.void
    const noted = Effect.andThen(slow, measured)
    if (onQuery === undefined || running.includes(onQuery)) return noted
    const told = onQuery(event)
    // A hook may return something else, for example a promise. That must not make the operation die.
    if (!Effect.isEffect(told)) return Effect.andThen(noted, Effect.logWarning("onQuery gave no Effect"))
    return Effect.andThen(noted, Effect.provideService(told, RunningHooks, [...running, onQuery]))
  }

  private durationOf(operation: string, { error }: QueryEvent): typeof operationDuration {
    return Metric.withAttributes(operationDuration, {
      "db.system.name": "postgresql",
      "db.namespace": this.target.database,
      "db.operation.name": operation,
      ...(error === undefined ? {} : { "error.type": error._tag })
    })
  }

  private traced<A, E, R>(operation: string, sql: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const { address, database, port } = this.target
    return Effect.useSpan(`${operation} ${database}`, { kind: "client" }, (span) => {
      span.attribute("db.system.name", "postgresql")
      span.attribute("db.namespace", database)
      span.attribute("db.operation.name", operation)
      span.attribute("db.query.text", sql)
      span.attribute("server.address", address)
      if (port !== undefined) span.attribute("server.port", port)
      return Effect.onExit(effect, (exit) =>
        Effect.withFiber((fiber) => {
          // A span keeps the exit that it ends with. Rows do not belong in a trace, so a success is reported without
          // them.
          if (Exit.isSuccess(exit)) span.end(endTimeOf(fiber), Exit.void)
          else describeFailure(span, exit.cause)
          return Effect.void
        })
      )
    })
  }
}

/** Measures the end of a span as Effect does. */
const endTimeOf = (fiber: Fiber.Fiber<unknown, unknown>): bigint =>
  fiber.getRef(References.TracerTimingEnabled) ? fiber.getRef(Clock.Clock).currentTimeNanosUnsafe() : 0n

const describeFailure = (span: Tracer.Span, cause: Cause.Cause<unknown>): void => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (!PgError.isPgError(error)) return
  span.attribute("error.type", error._tag)
  if (PgError.isPostgresError(error)) span.attribute("db.response.status_code", error.code)
}

interface Finished {
  readonly operation: string
  readonly sql: string
  readonly millis: number
  readonly exit: Exit.Exit<unknown, unknown>
}
