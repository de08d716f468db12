/** Reads the settings of how statements are prepared and cached, and of how their columns are named. */
import * as Effect from "effect/Effect"
import type * as PgError from "../PgError.ts"
import { readChoice, readCount, readMillisOrNoLimit, readOr } from "./given.ts"
import type { Source } from "./source/sources.ts"

/**
 * Whether statements are prepared on the server under a name, or again for each run; `auto` finds out whether a pooler
 * lets them be kept.
 *
 * @category models
 * @since 0.1.0
 */
export type StatementMode = "auto" | "cached" | "unnamed"

/**
 * Which properties the columns of a row become: `user_id` is `user_id` or `userId`.
 *
 * @category models
 * @since 0.1.0
 */
export type Names = "unchanged" | "camelCase"

/** How statements are prepared and cached. In `lifetimeMillis` and `maxSqlBytes`, 0 means no limit. */
export interface StatementCacheSettings {
  readonly mode: StatementMode
  readonly size: number
  readonly lifetimeMillis: number
  readonly maxSqlBytes: number
}

const MODES: ReadonlyArray<StatementMode> = ["auto", "cached", "unnamed"]
const DEFAULT_MODE: StatementMode = "auto"
const NAMES: ReadonlyArray<Names> = ["unchanged", "camelCase"]
const DEFAULT_NAMES: Names = "unchanged"

export const resolveStatements = Effect.fnUntraced(function* (
  source: Source
): Effect.fn.Return<
  { readonly statementCache: StatementCacheSettings; readonly names: Names },
  PgError.InvalidConfigError
> {
  return {
    statementCache: {
      mode: yield* readOr(source("statementMode"), readChoice(MODES), DEFAULT_MODE),
      size: yield* readOr(source("statementCacheSize"), readCount, 100),
      lifetimeMillis: yield* readOr(source("statementCacheLifetime"), readMillisOrNoLimit, 300_000),
      maxSqlBytes: yield* readOr(source("statementCacheMaxSqlBytes"), readCount, 15_360)
    },
    names: yield* readOr(source("names"), readChoice(NAMES), DEFAULT_NAMES)
  }
})
