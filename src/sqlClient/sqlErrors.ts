/** Translates effectpg's errors into the `SqlError` of effect/sql, which keeps the error as the cause of its reason. */
import * as SqlError from "effect/sql/SqlError"
import * as PgError from "../PgError.ts"

interface ReasonFields {
  readonly cause: PgError.PgError
  readonly message: string
  readonly operation: string
}

type Reason = new (fields: ReasonFields) => SqlError.SqlErrorReason

/** Reasons of single SQLSTATEs. */
const reasonOfCode: ReadonlyMap<string, Reason> = new Map<string, Reason>([
  ["40001", SqlError.SerializationError],
  ["40P01", SqlError.DeadlockError],
  ["55P03", SqlError.LockTimeoutError],
  ["57014", SqlError.StatementTimeoutError],
  ["42501", SqlError.AuthorizationError],
  ["53300", SqlError.ConnectionError],
  ["57P01", SqlError.ConnectionError],
  ["57P02", SqlError.ConnectionError],
  ["57P03", SqlError.ConnectionError],
  ["57P05", SqlError.ConnectionError]
])

/** Reasons of whole classes, where the code itself has none. */
const reasonOfClass: ReadonlyMap<string, Reason> = new Map<string, Reason>([
  ["08", SqlError.ConnectionError],
  ["23", SqlError.ConstraintError],
  ["28", SqlError.AuthenticationError],
  ["42", SqlError.SqlSyntaxError]
])

const reasonOfClientError = (error: Exclude<PgError.PgError, PgError.PostgresError>): Reason => {
  switch (error._tag) {
    case "AuthenticationError":
      return SqlError.AuthenticationError
    case "ConnectError":
    case "ConnectionLostError":
    case "AcquireTimeoutError":
    case "TooManyWaitersError":
    case "PoolClosedError":
      return SqlError.ConnectionError
    case "QueryTimeoutError":
      return SqlError.StatementTimeoutError
    default:
      return SqlError.UnknownError
  }
}

const UNIQUE_VIOLATION = "23505"

export const sqlErrorOf = (cause: PgError.PgError, operation: string): SqlError.SqlError => {
  const fields: ReasonFields = { cause, message: cause.message, operation }
  if (!PgError.isPostgresError(cause))
    return new SqlError.SqlError({ reason: new (reasonOfClientError(cause))(fields) })
  if (cause.code === UNIQUE_VIOLATION) {
    const constraint = cause.constraintName?.trim() || "unknown"
    return new SqlError.SqlError({ reason: new SqlError.UniqueViolation({ ...fields, constraint }) })
  }
  const Found = reasonOfCode.get(cause.code) ?? reasonOfClass.get(cause.code.slice(0, 2)) ?? SqlError.UnknownError
  return new SqlError.SqlError({ reason: new Found(fields) })
}
