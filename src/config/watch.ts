/** Who is to be told of operations. */
import * as Effect from "effect/Effect"
import type * as PgError from "../PgError.ts"
import { type Given, invalid, readBoolean, readMillis, readOr } from "./given.ts"
import type { Source } from "./sources.ts"

/**
 * An operation that has ended. It holds the text of the statement, with its placeholders, and no value.
 *
 * @since 0.1.0
 * @category models
 */
export interface QueryEvent {
  /** What was called: `fetch`, `execute`, `copyIn`... */
  readonly operation: string
  readonly sql: string
  /** From the call to its end, the wait for a connection included. */
  readonly durationMillis: number
  readonly outcome: "success" | "failure" | "interrupted"
  readonly error: PgError.PgError | undefined
}

type Hook = (event: QueryEvent) => Effect.Effect<void>

/** What is to be done for each operation, beside running it. */
export interface Watch {
  readonly onQuery: Hook | undefined
  /** Undefined logs none. */
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

/** The type of `Settings` promises what it takes and returns. */
const isHook = (value: unknown): value is Hook => typeof value === "function"
