/** Reads the settings that observe operations: the `onQuery` hook, the threshold for slow queries, and metrics. */
import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import type * as PgError from "../PgError.ts"
import { type Given, invalid, readBoolean, readMillis, readOr } from "./given.ts"
import type { Source } from "./source/sources.ts"

/**
 * An operation that has ended. It contains the statement's text with its placeholders, but no values.
 *
 * @category models
 * @since 0.1.0
 */
export interface QueryEvent {
  /** The method that was called: `fetch`, `execute`, `copyIn`... */
  readonly operation: string
  readonly sql: string
  /** The time from the call to its end, including the wait for a connection. */
  readonly durationMillis: number
  readonly outcome: "success" | "failure" | "interrupted"
  readonly error: PgError.PgError | undefined
}

/**
 * A call that is about to send a statement, as the `comment` hook sees it.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommentedCall {
  /** The method that was called: `fetch`, `execute`... */
  readonly operation: string
  readonly sql: string
  /** The span of the call, if there is a tracer. */
  readonly span: Tracer.AnySpan | undefined
}

type Hook = (event: QueryEvent) => Effect.Effect<void>
type CommentHook = (call: CommentedCall) => Effect.Effect<Readonly<Record<string, string>>>

/** What to do for each operation, besides running it. */
export interface Observing {
  readonly onQuery: Hook | undefined
  /** Undefined disables the log of slow queries. */
  readonly slowQueryMillis: number | undefined
  readonly metrics: boolean
  readonly comment: CommentHook | undefined
}

export const resolveObserving = Effect.fnUntraced(function* (
  source: Source
): Effect.fn.Return<Observing, PgError.InvalidConfigError> {
  return {
    onQuery: yield* readOr(source("onQuery"), readHook, undefined),
    slowQueryMillis: yield* readOr(source("slowQueryThreshold"), readMillis({ infinity: "refused" }), undefined),
    metrics: yield* readOr(source("metrics"), readBoolean, false),
    comment: yield* readOr(source("comment"), readCommentHook, undefined)
  }
})

const readHook = ({ name, value }: Given): Effect.Effect<Hook, PgError.InvalidConfigError> =>
  isHook(value) ? Effect.succeed(value) : Effect.fail(invalid(name, "must be a function that returns an Effect"))

const readCommentHook = ({ name, value }: Given): Effect.Effect<CommentHook, PgError.InvalidConfigError> =>
  isCommentHook(value) ? Effect.succeed(value) : Effect.fail(invalid(name, "must be a function that returns an Effect"))

/** The type of `Settings` guarantees the hook's parameters and result. */
const isHook = (value: unknown): value is Hook => typeof value === "function"
const isCommentHook = (value: unknown): value is CommentHook => typeof value === "function"

/**
 * A `comment` hook that tells the server which trace a statement belongs to, as `traceparent` of the W3C. It adds
 * nothing to a call that is not traced.
 *
 * @category observing
 * @since 0.1.0
 */
export const traceComment: CommentHook = ({ span }) =>
  Effect.succeed<Readonly<Record<string, string>>>(
    span === undefined ? {} : { traceparent: `00-${span.traceId}-${span.spanId}-${span.sampled ? "01" : "00"}` }
  )
