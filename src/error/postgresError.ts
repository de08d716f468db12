/** What the server reports, as one class of error whose tag is the name of the SQLSTATE. */
import * as Data from "effect/Data"
import * as Inspectable from "effect/Inspectable"
import { sqlStates } from "../sqlState.generated.ts"
import type { ErrorFields } from "../wire/errorFields.ts"
import { renderEssentials, renderReport } from "./report.ts"

/**
 * What became of the work when a call failed.
 *
 * - `none`: it did not happen. It never ran, or the server rolled it back, or (inside a transaction) it will be rolled
 *   back. To repeat it cannot do it twice.
 * - `unknown`: it may have happened. The request was written and its answer never came, or came and was of no use.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome = "none" | "unknown"

type SqlStates = typeof sqlStates

/**
 * The first two characters of a SQLSTATE, which name its class: `"23"` is Integrity Constraint Violation.
 *
 * @since 0.1.0
 * @category models
 */
export type SqlStateClass = keyof SqlStates

type TagOfClass<Class extends SqlStateClass> = Class extends SqlStateClass
  ? SqlStates[Class][keyof SqlStates[Class]]
  : never

/**
 * The tags of `PostgresError`: one for each SQLSTATE, and `UnknownPostgresError` for codes of no class that PostgreSQL
 * has.
 *
 * @since 0.1.0
 * @category models
 */
export type SqlStateTag = TagOfClass<SqlStateClass> | "UnknownPostgresError"

/**
 * What happened around an error that the server reported.
 *
 * @since 0.1.0
 * @category models
 */
export interface PostgresErrorContext {
  /** The statement that was running, if one was. */
  readonly sql: string | undefined
  readonly outcome: Outcome
  /** Of the rows of `executeMany` or `fetchMany`, or the statements of `batch`, the number of the failed one, from 1. */
  readonly row?: number | undefined
}

/** What can quote rows and parameters. */
type Confidential = "detail" | "where" | "internalQuery"

/**
 * An error that the server reported. Its `_tag` is the name of the SQLSTATE, so that `Effect.catchTag` picks a
 * condition by name; its `code` is the SQLSTATE itself. A code that PostgreSQL does not list, as `RAISE` can send, has
 * the tag of the general condition of its class.
 *
 * `detail`, `where` and `internalQuery` can quote rows and parameters. They are there to read and in `report`, but what
 * prints or logs an error by itself (`toString`, `inspect`, JSON) leaves them out.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import type { PgError } from "effectpg"
 *
 * declare const insert: Effect.Effect<void, PgError.PgError>
 *
 * export const insertOnce = insert.pipe(
 *   Effect.catchTag("UniqueViolationError", (error) => Effect.logDebug(`${error.constraintName} holds already`))
 * )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class PostgresError<out Tag extends SqlStateTag = SqlStateTag>
  extends Data.Error<Omit<ErrorFields, Confidential> & PostgresErrorContext>
  implements ErrorFields
{
  readonly _tag: Tag
  readonly #confidential: Pick<ErrorFields, Confidential>

  /** `fromServer` finds the tag. */
  constructor(tag: Tag, fields: ErrorFields, context: PostgresErrorContext) {
    const { detail, where, internalQuery, ...shown } = fields
    super({ ...shown, ...context })
    this._tag = tag
    this.#confidential = { detail, where, internalQuery }
    // Which function of the driver met the error says nothing to the reader; the statement does.
    this.stack = renderEssentials(this)
  }

  /**
   * Tells whether a value is an error that the server reported. A private name is part of no Proxy, and asking for it
   * runs no code of the object.
   */
  static isOne(value: unknown): value is PostgresError {
    return typeof value === "object" && value !== null && #confidential in value
  }

  override get name(): Tag {
    return this._tag
  }

  /** More about the error; can quote rows: `Key (email)=(ada@example.com) already exists.` */
  get detail(): string | undefined {
    return this.#confidential.detail
  }

  /** The calls that led there, innermost first; can quote statements and values. */
  get where(): string | undefined {
    return this.#confidential.where
  }

  /** The statement that the server ran by itself, from a function for one, and that failed. */
  get internalQuery(): string | undefined {
    return this.#confidential.internalQuery
  }

  /**
   * All that is known, for people: severity, code, message, detail, hint, where, and the statement with a caret under
   * the position. It can quote rows and parameters.
   */
  get report(): string {
    return renderReport(this)
  }

  override toString(): string {
    return renderEssentials(this)
  }

  override toJSON(): unknown {
    return { ...this, message: this.message }
  }

  override [Inspectable.NodeInspectSymbol](): string {
    return this.toString()
  }
}

/**
 * Every error that the server can report: one member for each tag, so that `_tag` tells them apart.
 *
 * @since 0.1.0
 * @category errors
 */
export type PostgresErrors = { [Tag in SqlStateTag]: PostgresError<Tag> }[SqlStateTag]

/**
 * The errors of one class of SQLSTATEs.
 *
 * @since 0.1.0
 * @category errors
 */
export type PostgresErrorOfClass<Class extends SqlStateClass> = Extract<
  PostgresErrors,
  { readonly _tag: TagOfClass<Class> }
>

const tags: ReadonlyMap<string, SqlStateTag> = new Map(
  Object.values(sqlStates).flatMap((codes) => Object.entries(codes))
)

const classTags: ReadonlyMap<string, SqlStateTag | undefined> = new Map(
  Object.entries(sqlStates).map(([prefix, codes]) => [prefix, Object.values<SqlStateTag>(codes)[0]])
)

const classOf = (code: string): string => code.slice(0, 2)

const tagOf = (code: string): SqlStateTag => tags.get(code) ?? classTags.get(classOf(code)) ?? "UnknownPostgresError"

/**
 * Makes the error for what the server sent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromServer = (fields: ErrorFields, context: PostgresErrorContext): PostgresErrors =>
  // The compiler does not see that an error with one of the tags is one of the errors.
  new PostgresError(tagOf(fields.code), fields, context) as PostgresErrors

/**
 * Tells whether a value is an error that the server reported.
 *
 * @since 0.1.0
 * @category guards
 */
export const isPostgresError = (value: unknown): value is PostgresErrors => PostgresError.isOne(value)

/**
 * Makes the guard for one class of SQLSTATEs, which is given by their first two characters. Each class also has one by
 * name, such as `isIntegrityConstraintViolation`.
 *
 * @since 0.1.0
 * @category guards
 */
export const isOfClass =
  <Class extends SqlStateClass>(sqlStateClass: Class) =>
  (value: unknown): value is PostgresErrorOfClass<Class> =>
    isPostgresError(value) && classOf(value.code) === sqlStateClass
