/** The errors that the server reports: one class whose tag is the name of the SQLSTATE. */
import * as Data from "effect/Data"
import * as Inspectable from "effect/Inspectable"
import { atPlace, type ConnectPlace } from "./connectPlace.ts"
import { sqlStates } from "./sqlState.generated.ts"
import type { ErrorFields } from "../wire/errorFields.ts"
import { renderEssentials, renderReport } from "./report.ts"

/**
 * Whether the work happened when a call failed.
 *
 * - `none`: it did not happen. It never ran, or the server rolled it back, or (inside a transaction) it will be rolled
 *   back. Running it again cannot apply it twice.
 * - `unknown`: it may have happened. The request was sent, but its answer never arrived, or could not be used.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = "none" | "unknown"

type SqlStates = typeof sqlStates

/**
 * The first two characters of a SQLSTATE, which identify its class: `"23"` is Integrity Constraint Violation.
 *
 * @category models
 * @since 0.1.0
 */
export type SqlStateClass = keyof SqlStates

type TagOfClass<Class extends SqlStateClass> = Class extends SqlStateClass
  ? SqlStates[Class][keyof SqlStates[Class]]
  : never

/**
 * The tags of `PostgresError`: one for each SQLSTATE that is an error, and `UnknownPostgresError` for codes of other
 * classes.
 *
 * @category models
 * @since 0.1.0
 */
export type SqlStateTag = TagOfClass<SqlStateClass> | "UnknownPostgresError"

/**
 * The circumstances of an error that the server reported.
 *
 * @category models
 * @since 0.1.0
 */
export interface PostgresErrorContext {
  /** The statement that was running, if there was one. */
  readonly sql: string | undefined
  readonly outcome: Outcome
  /** The number, from 1, of the failed row of `executeMany` or `fetchMany`, or of the failed statement of `batch`. */
  readonly row?: number | undefined
  /** Which server it was, if it has refused a connection. The message then ends with it. */
  readonly place?: ConnectPlace | undefined
}

/** The fields that may quote rows and parameters. */
type Confidential = "detail" | "where" | "internalQuery"

/**
 * An error that the server reported. Its `_tag` is the name of the SQLSTATE, so `Effect.catchTag` selects a condition
 * by name; its `code` is the SQLSTATE itself. A code that PostgreSQL does not list, which `RAISE` can send, gets the
 * tag of the general condition of its class, or `UnknownPostgresError` if there is no such class of errors.
 *
 * `detail`, `where` and `internalQuery` may quote rows and parameters. You can read them, and `report` includes them,
 * but they are left out whenever an error is printed or logged (`toString`, `inspect`, JSON).
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import type { PgError } from "effectpg"
 *
 * declare const insert: Effect.Effect<void, PgError.PgError>
 *
 * export const insertOnce = insert.pipe(
 *   Effect.catchTag("UniqueViolationError", (error) => Effect.logDebug(`${error.constraintName} already exists`))
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

  /** Use `fromServer`, which determines the tag. */
  constructor(tag: Tag, fields: ErrorFields, context: PostgresErrorContext) {
    const { detail, where, internalQuery, ...shown } = fields
    super({ ...shown, ...context, message: shown.message + atPlace(context.place) })
    this._tag = tag
    this.#confidential = { detail, where, internalQuery }
    // The stack within the driver tells the reader nothing; the statement does.
    this.stack = renderEssentials(this)
  }

  /**
   * Tells whether a value is an error that the server reported. It checks for a private field, which no Proxy can have
   * and which runs no code of the object.
   */
  static isOne(value: unknown): value is PostgresError {
    return typeof value === "object" && value !== null && #confidential in value
  }

  override get name(): Tag {
    return this._tag
  }

  /** More about the error. May quote rows: `Key (email)=(ada@example.com) already exists.` */
  get detail(): string | undefined {
    return this.#confidential.detail
  }

  /** The server-side calls that led to the error, innermost first. May quote statements and values. */
  get where(): string | undefined {
    return this.#confidential.where
  }

  /** The failed statement, if the server itself ran it, for example inside a function. May quote values. */
  get internalQuery(): string | undefined {
    return this.#confidential.internalQuery
  }

  /**
   * The whole error as text for people: severity, code, message, detail, hint, where, and the statement with a caret
   * under the position. May quote rows and parameters.
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
 * The errors of one class of SQLSTATEs.
 *
 * @since 0.1.0
 * @category errors
 */
export type PostgresErrorOfClass<Class extends SqlStateClass> = PostgresError<TagOfClass<Class>>

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
 * @category constructors
 * @since 0.1.0
 */
export const fromServer = (fields: ErrorFields, context: PostgresErrorContext): PostgresError =>
  new PostgresError(tagOf(fields.code), fields, context)

/**
 * The fields of an error that `make` makes. Each may be left out; `code` is then the SQLSTATE of the tag.
 *
 * @category models
 * @since 0.1.0
 */
export interface MakeFields extends Partial<ErrorFields>, Partial<PostgresErrorContext> {}

/** A code for `UnknownPostgresError`: PostgreSQL has no class 99. */
const UNKNOWN_CODE = "99999"

const codeOf = (tag: SqlStateTag): string => [...tags].find(([, listed]) => listed === tag)?.[0] ?? UNKNOWN_CODE

/**
 * Makes an error as the server would report it, for tests of code that handles it. The client's own errors are classes:
 * `new PgError.PoolClosedError()`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgError } from "effectpg"
 *
 * export const insertThatFails = Effect.fail(
 *   PgError.make("UniqueViolationError", { constraintName: "users_email_key" })
 * )
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <Tag extends SqlStateTag>(tag: Tag, fields: MakeFields = {}): PostgresError<Tag> => {
  const { sql, outcome = "none", row, place, ...given } = fields
  return new PostgresError(tag, { ...unsaid, code: codeOf(tag), ...given }, { sql, outcome, row, place })
}

const unsaid: Omit<ErrorFields, "code"> = {
  severity: "ERROR",
  severityUnlocalized: "ERROR",
  message: "made by PgError.make",
  detail: undefined,
  hint: undefined,
  position: undefined,
  internalPosition: undefined,
  internalQuery: undefined,
  where: undefined,
  schemaName: undefined,
  tableName: undefined,
  columnName: undefined,
  dataTypeName: undefined,
  constraintName: undefined,
  file: undefined,
  line: undefined,
  routine: undefined
}

/**
 * Tells whether a value is an error that the server reported.
 *
 * @category guards
 * @since 0.1.0
 */
export const isPostgresError = (value: unknown): value is PostgresError => PostgresError.isOne(value)

/**
 * Makes the guard for one class of SQLSTATEs, which is given by their first two characters. Each class also has one by
 * name, such as `isIntegrityConstraintViolation`.
 *
 * @category guards
 * @since 0.1.0
 */
export const isOfClass =
  <Class extends SqlStateClass>(sqlStateClass: Class) =>
  (value: unknown): value is PostgresErrorOfClass<Class> =>
    isPostgresError(value) && classOf(value.code) === sqlStateClass

/**
 * Makes the guard for one tag of the server's errors. The frequent ones have a guard by name, such as
 * `isUniqueViolation`.
 *
 * @category guards
 * @since 0.1.0
 */
export const hasTag =
  <Tag extends SqlStateTag>(tag: Tag) =>
  (value: unknown): value is PostgresError<Tag> =>
    isPostgresError(value) && value._tag === tag
