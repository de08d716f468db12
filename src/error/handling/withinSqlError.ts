/** Finds effectpg's errors within the `SqlError` of effect/sql. */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { isPgError, type PgError } from "../anyError.ts"
import type { Tagged, TagsOf } from "./tagCases.ts"

/**
 * The error of effectpg within a `SqlError`, which `PgSqlClient` fails with: the error that the server or the connection
 * reported, with its code, its detail and what became of the work. None if another client has made the `SqlError`.
 *
 * @example
 * ```ts
 * import { Effect, Option } from "effect"
 * import { SqlError } from "effect/sql"
 * import { PgError } from "effectpg"
 *
 * declare const insert: Effect.Effect<void, SqlError.SqlError>
 *
 * export const logged = insert.pipe(
 *   Effect.tapError((error) =>
 *     Option.match(PgError.fromSqlError(error), {
 *       onNone: () => Effect.void,
 *       onSome: (native) => Effect.logWarning(`it happened: ${native.outcome}`)
 *     })
 *   )
 * )
 * ```
 * @category conversions
 * @since 0.1.0
 */
export const fromSqlError = (error: SqlError): Option.Option<PgError> =>
  isPgError(error.reason.cause) ? Option.some(error.reason.cause) : Option.none()

/**
 * Handles one error of effectpg, also within a `SqlError`, and passes all others on.
 *
 * @category error handling
 * @since 0.1.0
 */
export const catchTag: {
  /**
   * Handles one error of effectpg, whether a call of effectpg has failed with it or a call of `PgSqlClient` with a
   * `SqlError` around it; takes the effect by `pipe`. All other errors pass.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { SqlError } from "effect/sql"
   * import { PgError } from "effectpg"
   *
   * declare const insert: Effect.Effect<void, SqlError.SqlError>
   *
   * export const insertOnce = insert.pipe(
   *   PgError.catchTag("UniqueViolationError", (error) => Effect.logInfo(`${error.constraintName}: it already exists`))
   * )
   * ```
   * @since 0.1.0
   */
  <const Tag extends TagsOf<PgError>, A2, E2, R2>(
    tag: Tag,
    f: (error: Tagged<PgError, Tag>) => Effect.Effect<A2, E2, R2>
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, E | E2, R | R2>
  /**
   * Handles one error of effectpg in an effect, whether a call of effectpg has failed with it or a call of `PgSqlClient`
   * with a `SqlError` around it. All other errors pass.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { SqlError } from "effect/sql"
   * import { PgError } from "effectpg"
   *
   * declare const insert: Effect.Effect<void, SqlError.SqlError>
   *
   * export const insertOnce = PgError.catchTag(insert, "UniqueViolationError", () => Effect.void)
   * ```
   * @since 0.1.0
   */
  <A, E, R, const Tag extends TagsOf<PgError>, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    tag: Tag,
    f: (error: Tagged<PgError, Tag>) => Effect.Effect<A2, E2, R2>
  ): Effect.Effect<A | A2, E | E2, R | R2>
} = dual(
  3,
  <A, E, R, Tag extends TagsOf<PgError>, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    tag: Tag,
    f: (error: Tagged<PgError, Tag>) => Effect.Effect<A2, E2, R2>
  ) => {
    const hasTag = (error: PgError): error is PgError & Tagged<PgError, Tag> => error._tag === tag
    return Effect.catch(self, (error): Effect.Effect<A2, E | E2, R2> => {
      const native = nativeIn(error)
      return native !== undefined && hasTag(native) ? f(native) : Effect.fail(error)
    })
  }
)

/** The error of effectpg that an error is, or has as its cause. */
const nativeIn = (error: unknown): PgError | undefined => {
  if (isPgError(error)) return error
  return isSqlError(error) ? Option.getOrUndefined(fromSqlError(error)) : undefined
}
