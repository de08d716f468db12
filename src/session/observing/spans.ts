/** Runs effects within spans, which get no values and no rows. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as References from "effect/References"
import type * as Tracer from "effect/Tracer"
import { clientErrorOf } from "../../error/wrapped.ts"
import * as PgError from "../../PgError.ts"

/** Whether the fiber reports spans. Effect keeps only a tracer that a program has provided. */
export const isTraced = (fiber: Fiber.Fiber<unknown, unknown>): boolean => fiber.cache.tracer !== undefined

/** The time for the beginning, an event or the end of a span, measured as Effect does. */
export const timeOf = (fiber: Fiber.Fiber<unknown, unknown>): bigint =>
  fiber.getRef(References.TracerTimingEnabled) ? fiber.getRef(Clock.Clock).currentTimeNanosUnsafe() : 0n

/**
 * Runs an effect within a new span. A span keeps the exit that it ends with, and rows do not belong in a trace: the span
 * of a success ends without them.
 */
export const within = <A, E, R>(
  name: string,
  options: Tracer.SpanOptionsNoTrace,
  use: (span: Tracer.Span) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.useSpan(name, options, (span) =>
    Effect.onExit(Effect.withParentSpan(use(span), span, { captureStackTrace: false }), (exit) => ended(span, exit))
  )

/** Ends a span, and names the error if there is one. */
export const ended = (span: Tracer.Span, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    if (Exit.isFailure(exit)) describeFailure(span, exit.cause)
    if (span.status._tag === "Started") span.end(timeOf(fiber), Exit.asVoid(exit))
    return Effect.void
  })

const describeFailure = (span: Tracer.Span, cause: Cause.Cause<unknown>): void => {
  const error = errorIn(cause)
  if (error === undefined) return
  span.attribute("error.type", error._tag)
  if (PgError.isPostgresError(error)) span.attribute("db.response.status_code", error.code)
}

/** The client's error that a cause has, if it has one. */
export const errorIn = (cause: Cause.Cause<unknown>): PgError.PgError | undefined =>
  clientErrorOf(Option.getOrUndefined(Cause.findErrorOption(cause)))
