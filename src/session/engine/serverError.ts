/**
 * Makes typed errors from ErrorResponses and from values that cannot be encoded, and adds hints that only the client
 * can give.
 */
import * as PgError from "../../PgError.ts"
import { slipHint } from "../../error/hints/slipHint.ts"
import { valueHint } from "../../error/hints/valueHint.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { Unencodable, WrongParameterCount } from "../../wire/failure.ts"
import { OUR_PREFIX } from "../../wire/sqlText.ts"
import { outcomeOf, type Progress } from "../statement/outcome.ts"
import type { PreparedStatement } from "../statement/preparedStatement.ts"

interface Circumstances {
  /** Whether the statement was dropped from the cache, so that the caller has to run the transaction again. */
  readonly isDropped?: boolean
  /** Whether the connection ends after the error, without a ReadyForQuery. The default is true for FATAL and PANIC. */
  readonly isLastWord?: boolean
}

export const serverError = (
  fields: ErrorFields,
  sql: string,
  progress: Progress,
  { isDropped = false, isLastWord }: Circumstances = {}
): PgError.PostgresError =>
  PgError.fromServer(withHint(fields, isDropped, sql), {
    sql,
    outcome: outcomeOf(fields, progress, isLastWord),
    row: progress.row
  })

/**
 * For a request that could not be encoded because of its SQL text, or of the number of its parameters. `row` counts from
 * 1.
 */
export const requestRefused = (failure: unknown, sql: string, row?: number): PgError.PgError => {
  const known = recognised(failure, sql, row)
  return typeof known === "string"
    ? new PgError.EncodeError({ parameter: 0, type: "SQL text", reason: known, sql })
    : known
}

/**
 * Describes a failure without quoting it. A getter of the user's value may have thrown it, so it may contain that
 * value, or throw again when it is read.
 */
const recognised = (failure: unknown, sql: string, row: number | undefined): PgError.PgError | string => {
  try {
    if (failure instanceof WrongParameterCount) {
      const { actual, expected } = failure
      return new PgError.ParameterCountError({ expected, actual, sql, ...(row === undefined ? {} : { row }) })
    }
    if (PgError.isPgError(failure)) return failure
    if (failure instanceof Unencodable) return failure.message
    const thrown = failure instanceof Error ? failure.constructor.name : `a value of type ${typeof failure}`
    return `reading the given values threw ${thrown}`
  } catch {
    return "reading the given values threw an error"
  }
}

/**
 * The errors for a prepared statement that the server does not have, or already has. They mean that a pooler has moved
 * the session to another server connection.
 */
const MISSING_OR_DOUBLE: ReadonlySet<string> = new Set(["26000", "42P05"])

const MISPLACED =
  "A pooler such as PgBouncer has probably moved the connection to another server process. Run the transaction again: " +
  'with statementMode "auto", the client no longer relies on prepared statements. With "cached", set "auto" or "unnamed".'

/** Makes the error for a value that cannot be encoded, or for a row that is not an array. `row` counts from 1. */
export const valueRefused = (
  { kind, message, parameter = 0 }: Unencodable,
  { parameters, sql }: Pick<PreparedStatement, "parameters" | "sql">,
  row?: number
): PgError.EncodeError => {
  const type = parameters[parameter - 1]?.typeName ?? "row"
  const hint = valueHint(kind, { type, parameter, sql })
  return new PgError.EncodeError({ parameter, type, reason: message, sql, hint, ...(row === undefined ? {} : { row }) })
}

/** How PgBouncer refuses a server parameter that it does not pass on. PgBouncer does not translate its messages. */
const REFUSED_AT_STARTUP = "unsupported startup parameter"

const READ_ONLY = "25006"

const ON_THE_PRIMARY =
  "The server is a standby, or the transaction is read only. In a client with the setting reads, run a call that writes " +
  "with { readOnly: false }, or outside of readOnly."

/** Adds a hint if the server has sent none and the client knows a way out. */
export const withHint = (fields: ErrorFields, isDropped = false, sql = ""): ErrorFields => {
  const slip = isDropped ? undefined : slipHint(fields, sql)
  if (slip !== undefined) return { ...fields, hint: slip }
  if (fields.hint !== undefined) return fields
  if (fields.code === "42601" && fields.routine === "exec_parse_message") {
    return { ...fields, hint: "Send one statement at a time, or use executeScript, which takes several." }
  }
  if (fields.code === READ_ONLY) return { ...fields, hint: ON_THE_PRIMARY }
  if (fields.code === "42804" && fields.routine === "record_recv") {
    return {
      ...fields,
      hint: "The type has changed, and the client has looked it up again. Run the transaction again."
    }
  }
  if (fields.code === "42883" && fields.routine === "getTypeBinaryOutputInfo") {
    return { ...fields, hint: "Cast the value inside the record to text." }
  }
  if (MISSING_OR_DOUBLE.has(fields.code) && fields.message.includes(OUR_PREFIX)) {
    return {
      ...fields,
      hint: MISPLACED
    }
  }
  if (fields.code === "08P01" && fields.message.startsWith(REFUSED_AT_STARTUP)) {
    return {
      ...fields,
      hint: "The pooler does not accept this parameter. Leave it out of the settings, and use ALTER ROLE ... SET instead."
    }
  }
  if (isDropped && fields.routine === "RevalidateCachedQuery") {
    return { ...fields, hint: "The client has dropped the statement from its cache. Run the transaction again." }
  }
  if (isDropped && fields.code.startsWith("42")) {
    return {
      ...fields,
      hint: "If the schema has changed, run the transaction again. The client has dropped the statement from its cache."
    }
  }
  return fields
}
