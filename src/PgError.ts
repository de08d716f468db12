/**
 * All errors of effectpg, as one union of tagged errors.
 *
 * Each SQLSTATE has a tag, named as in asyncpg; the client's own errors have tags of their own. Every error has an
 * `outcome`, which says whether the work may have happened.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgError } from "effectpg"
 *
 * declare const insert: Effect.Effect<void, PgError.PgError>
 *
 * export const program = insert.pipe(
 *   Effect.catchTag("UniqueViolationError", (error) => Effect.logInfo(`${error.constraintName}: it already exists`)),
 *   PgError.catchClass("40", (error) => Effect.logWarning(`try again: ${error.message}`))
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as ClientError from "./error/clientError.ts"
import * as ConnectionError from "./error/connectionError.ts"
import {
  isOfClass,
  isPostgresError,
  type PostgresErrorOfClass,
  type PostgresErrors,
  type SqlStateClass
} from "./error/postgresError.ts"

export * from "./error/clientError.ts"
export * from "./error/connectionError.ts"
export * from "./error/postgresError.ts"
export * from "./error/sqlStateGuards.generated.ts"

/**
 * Every error of effectpg: `PostgresErrors` are reported by the server, the others are raised by the client.
 *
 * @category errors
 * @since 0.1.0
 */
export type PgError = PostgresErrors | ClientError.ClientErrors

const clientErrors = [...Object.values(ConnectionError), ...Object.values(ClientError)]

/**
 * Tells whether a value is an error of effectpg.
 *
 * @category guards
 * @since 0.1.0
 */
export const isPgError = (value: unknown): value is PgError => isPostgresError(value) || isClientError(value)

/** Inspecting a Proxy may throw, and then it is not one of our errors. */
const isClientError = (value: unknown): boolean => {
  try {
    return clientErrors.some((ClientError) => value instanceof ClientError)
  } catch {
    return false
  }
}

/**
 * Handles the server's errors of one class of SQLSTATEs, and passes all others on.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgError } from "effectpg"
 *
 * declare const insert: Effect.Effect<void, PgError.PgError>
 *
 * // Any violated constraint: unique, foreign key, not null, check, exclusion.
 * export const insertIfValid = insert.pipe(PgError.catchClass("23", () => Effect.void))
 * ```
 *
 * @since 0.1.0
 * @category error handling
 */
export const catchClass: {
  /**
   * Handles the server's errors of one class of SQLSTATEs and lets all others pass; takes the effect by `pipe`. The
   * class is named by the first two characters of its SQLSTATEs, such as `"23"` for a violation of any constraint.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgError } from "effectpg"
   *
   * declare const insert: Effect.Effect<void, PgError.PgError>
   *
   * export const insertIfValid = insert.pipe(PgError.catchClass("23", () => Effect.void))
   * ```
   * @since 0.1.0
   */
  <Class extends SqlStateClass, A2, E2, R2>(
    sqlStateClass: Class,
    f: (error: PostgresErrorOfClass<Class>) => Effect.Effect<A2, E2, R2>
  ): <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A | A2, E2 | Exclude<E, PostgresErrorOfClass<Class>>, R | R2>
  /**
   * Handles the server's errors of one class of SQLSTATEs in an effect and lets all others pass. The class is named by
   * the first two characters of its SQLSTATEs, such as `"23"` for a violation of any constraint.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgError } from "effectpg"
   *
   * declare const insert: Effect.Effect<void, PgError.PgError>
   *
   * export const insertIfValid = PgError.catchClass(insert, "23", () => Effect.void)
   * ```
   * @since 0.1.0
   */
  <A, E, R, Class extends SqlStateClass, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    sqlStateClass: Class,
    f: (error: PostgresErrorOfClass<Class>) => Effect.Effect<A2, E2, R2>
  ): Effect.Effect<A | A2, E2 | Exclude<E, PostgresErrorOfClass<Class>>, R | R2>
} = dual(
  3,
  <A, E, R, Class extends SqlStateClass, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    sqlStateClass: Class,
    f: (error: PostgresErrorOfClass<Class>) => Effect.Effect<A2, E2, R2>
  ) => Effect.catchIf(self, refine<E, PostgresErrorOfClass<Class>>(isOfClass(sqlStateClass)), f)
)

/** Turns a guard for any value into a guard for the errors of an effect. */
const refine =
  <E, Caught>(guard: (value: unknown) => value is Caught) =>
  (error: E): error is Extract<E, Caught> =>
    guard(error)
