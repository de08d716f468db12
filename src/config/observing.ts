/** Reads the settings that observe operations: the `onQuery` hook, the threshold for slow queries, and metrics. */
import * as Effect from "effect/Effect"
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

type Hook = (event: QueryEvent) => Effect.Effect<void>

/** What to do for each operation, besides running it. */
export interface Watch {
  readonly onQuery: Hook | undefined
  /** Undefined disables the log of slow queries. */
  readonly slowQueryMillis: number | undefined
  readonly metrics: boolean
}

export const resolveWatch = Effect.fnUntraced(function* (
  source: Source
): Effect.fn.Return<Watch, PgError.InvalidConfigError> {
  return {
    onQuery: yield* readOr(source("onQuery"), readHook, undefined),
    slowQueryMillis: yield* readOr(source("slowQueryThreshold"), readMillis({ infinity: "refused" }), undefined),
    metrics: yield* readOr(source("metrics"), readBoolean, false)
  }
})

const readHook = ({ name, value }: Given): Effect.Effect<Hook, PgError.InvalidConfigError> =>
  isHook(value) ? Effect.succeed(value) : Effect.fail(invalid(name, "must be a function that returns an Effect"))

/** The type of `Settings` guarantees the hook's parameters and result. */
const isHook = (value: unknown): value is Hook => typeof value === "function"
