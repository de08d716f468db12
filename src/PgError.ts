/**
 * The errors of effectpg, with guards for them and ways to handle them.
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
 *   PgError.catchClass("40", (error) => Effect.logWarning(`try again: ${error.message}`)),
 *   // Nothing else is expected here, so the type says that the program cannot fail.
 *   PgError.orDie
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Predicate from "effect/Predicate"
import { isPgError, type PgError } from "./error/anyError.ts"
import { isOfClass, type PostgresErrorOfClass, type SqlStateClass } from "./error/postgresError.ts"
import type { Handled, OnlyTags, TagHandlers, Unhandled } from "./error/handling/tagCases.ts"

export * from "./error/anyError.ts"
export * from "./error/clientError.ts"
export * from "./error/connectionError.ts"
export * from "./error/frequentErrors.generated.ts"
export * from "./error/postgresError.ts"
export * from "./error/replicationError.ts"
export * from "./error/sqlStateGuards.generated.ts"
export * from "./error/handling/withinSqlError.ts"

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

/**
 * Handles errors by their tags, as `Effect.catchTags` does. Use it for the errors of effectpg, because `Effect.catchTags`
 * cannot tell their types.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgError } from "effectpg"
 *
 * declare const insert: Effect.Effect<void, PgError.PgError>
 *
 * export const insertOrExplain = insert.pipe(
 *   PgError.catchTags({
 *     UniqueViolationError: (error) => Effect.logInfo(`${error.constraintName}: it already exists`),
 *     ConnectionLostError: (error) => Effect.logWarning(`safe to retry: ${error.safeToRetry}`)
 *   })
 * )
 * ```
 *
 * @since 0.1.0
 * @category error handling
 */
export const catchTags: {
  /**
   * Handles errors by their tags, with one function for each tag; takes the effect by `pipe`. The tags of the other
   * errors in the effect's type can be named as well.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgError } from "effectpg"
   *
   * declare const insert: Effect.Effect<void, PgError.PgError>
   *
   * export const insertOnce = insert.pipe(
   *   PgError.catchTags({ UniqueViolationError: (error) => Effect.logInfo(`${error.constraintName}: it already exists`) })
   * )
   * ```
   * @since 0.1.0
   */
  <E, Cases extends TagHandlers<E> & OnlyTags<E, Cases>>(
    cases: Cases
  ): <A, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<
    A | Effect.Success<Handled<Cases>>,
    Unhandled<E, Cases> | Effect.Error<Handled<Cases>>,
    R | Effect.Services<Handled<Cases>>
  >
  /**
   * Handles the errors of an effect by their tags, with one function for each tag. The tags of the other errors in the
   * effect's type can be named as well.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgError } from "effectpg"
   *
   * declare const insert: Effect.Effect<void, PgError.PgError>
   *
   * export const insertOnce = PgError.catchTags(insert, { UniqueViolationError: () => Effect.void })
   * ```
   * @since 0.1.0
   */
  <A, E, R, Cases extends TagHandlers<E> & OnlyTags<E, Cases>>(
    self: Effect.Effect<A, E, R>,
    cases: Cases
  ): Effect.Effect<
    A | Effect.Success<Handled<Cases>>,
    Unhandled<E, Cases> | Effect.Error<Handled<Cases>>,
    R | Effect.Services<Handled<Cases>>
  >
} = dual(
  2,
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    cases: Readonly<Record<string, (error: E) => Effect.Effect<unknown, unknown, unknown>>>
  ) => {
    const handlerOf = (error: E) =>
      Predicate.hasProperty(error, "_tag") && Predicate.isString(error._tag) && Object.hasOwn(cases, error._tag)
        ? cases[error._tag]
        : undefined
    return Effect.catchIf(
      self,
      (error) => handlerOf(error) !== undefined,
      (error) => handlerOf(error)?.(error) ?? Effect.fail(error)
    )
  }
)

/**
 * Handles every error of effectpg, and takes `PgError` out of the type of the effect. Errors of other kinds pass.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgError } from "effectpg"
 *
 * declare const count: Effect.Effect<number, PgError.PgError>
 *
 * export const countOrZero = count.pipe(PgError.catchAll(() => Effect.succeed(0)))
 * ```
 *
 * @since 0.1.0
 * @category error handling
 */
export const catchAll: {
  /**
   * Handles every error of effectpg and lets all others pass; takes the effect by `pipe`.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgError } from "effectpg"
   *
   * declare const count: Effect.Effect<number, PgError.PgError>
   *
   * export const countOrZero = count.pipe(PgError.catchAll(() => Effect.succeed(0)))
   * ```
   * @since 0.1.0
   */
  <A2, E2, R2>(
    f: (error: PgError) => Effect.Effect<A2, E2, R2>
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, E2 | Exclude<E, PgError>, R | R2>
  /**
   * Handles every error of effectpg in an effect and lets all others pass.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { PgError } from "effectpg"
   *
   * declare const count: Effect.Effect<number, PgError.PgError>
   *
   * export const countOrZero = PgError.catchAll(count, () => Effect.succeed(0))
   * ```
   * @since 0.1.0
   */
  <A, E, R, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    f: (error: PgError) => Effect.Effect<A2, E2, R2>
  ): Effect.Effect<A | A2, E2 | Exclude<E, PgError>, R | R2>
} = dual(2, <A, E, R, A2, E2, R2>(self: Effect.Effect<A, E, R>, f: (error: PgError) => Effect.Effect<A2, E2, R2>) =>
  Effect.catchIf(self, refine<E, PgError>(isPgError), f)
)

/**
 * Replaces every error of effectpg by an error of the application, and takes `PgError` out of the type of the effect.
 *
 * @example
 * ```ts
 * import { Data, Effect } from "effect"
 * import { PgError } from "effectpg"
 *
 * class StorageError extends Data.TaggedError("StorageError")<{ readonly cause: unknown }> {}
 *
 * declare const insert: Effect.Effect<void, PgError.PgError>
 *
 * export const store = insert.pipe(PgError.mapError((cause) => new StorageError({ cause })))
 * ```
 *
 * @since 0.1.0
 * @category error handling
 */
export const mapError: {
  /**
   * Replaces every error of effectpg by another and lets errors of other kinds pass; takes the effect by `pipe`.
   *
   * @example
   * ```ts
   * import { Data, Effect } from "effect"
   * import { PgError } from "effectpg"
   *
   * class StorageError extends Data.TaggedError("StorageError")<{ readonly cause: unknown }> {}
   *
   * declare const insert: Effect.Effect<void, PgError.PgError>
   *
   * export const store = insert.pipe(PgError.mapError((cause) => new StorageError({ cause })))
   * ```
   * @since 0.1.0
   */
  <E2>(
    f: (error: PgError) => E2
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E2 | Exclude<E, PgError>, R>
  /**
   * Replaces every error of effectpg in an effect by another and lets errors of other kinds pass.
   *
   * @example
   * ```ts
   * import { Data, Effect } from "effect"
   * import { PgError } from "effectpg"
   *
   * class StorageError extends Data.TaggedError("StorageError")<{ readonly cause: unknown }> {}
   *
   * declare const insert: Effect.Effect<void, PgError.PgError>
   *
   * export const store = PgError.mapError(insert, (cause) => new StorageError({ cause }))
   * ```
   * @since 0.1.0
   */
  <A, E, R, E2>(self: Effect.Effect<A, E, R>, f: (error: PgError) => E2): Effect.Effect<A, E2 | Exclude<E, PgError>, R>
} = dual(2, <A, E, R, E2>(self: Effect.Effect<A, E, R>, f: (error: PgError) => E2) =>
  catchAll(self, (error) => Effect.fail(f(error)))
)

/**
 * Turns every error of effectpg into a defect, and takes `PgError` out of the type of the effect. It is for errors that a
 * program cannot do anything about. Errors of other kinds pass.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgError } from "effectpg"
 *
 * declare const count: Effect.Effect<number, PgError.PgError>
 *
 * export const alwaysCounted: Effect.Effect<number> = count.pipe(PgError.orDie)
 * ```
 *
 * @since 0.1.0
 * @category error handling
 */
export const orDie: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, Exclude<E, PgError>, R> = catchAll(
  (error) => Effect.die(error)
)

/** Turns a guard for any value into a guard for the errors of an effect. */
const refine =
  <E, Caught>(guard: (value: unknown) => value is Caught) =>
  (error: E): error is Extract<E, Caught> =>
    guard(error)
