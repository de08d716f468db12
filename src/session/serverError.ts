/** An ErrorResponse as a typed error, with what the client can add: the way out where the server cannot know it. */
import * as PgError from "../PgError.ts"
import type { ErrorFields } from "../wire/errorFields.ts"

const FATAL_SEVERITIES: ReadonlySet<string> = new Set(["FATAL", "PANIC"])

/** True where the server closes the connection after the error. */
export const isFatal = (fields: ErrorFields): boolean => FATAL_SEVERITIES.has(fields.severityUnlocalized)

/** What the server had said before the error. */
export interface Progress {
  /** CommandComplete: an ERROR rolls back all the same, but what a FATAL cuts off from its ReadyForQuery may be done. */
  readonly completed: boolean
  /** The command tag COMMIT of an earlier statement in the same text. */
  readonly committed?: boolean
  /** Of many runs, the number of the one that failed, from 1. */
  readonly row?: number | undefined
}

export const serverError = (fields: ErrorFields, sql: string, progress: Progress): PgError.PostgresErrors => {
  const mayBeDone = progress.committed === true || (progress.completed && isFatal(fields))
  return PgError.fromServer(withHint(fields), { sql, outcome: mayBeDone ? "unknown" : "none", row: progress.row })
}

/** A request that could not be encoded, where no parameter is to blame: the SQL text itself, or the count. */
export const requestRefused = (failure: unknown, sql: string): PgError.PgError => {
  if (PgError.isPgError(failure)) return failure
  const reason = failure instanceof Error ? failure.message : String(failure)
  return new PgError.EncodeError({ parameter: 0, type: "SQL text", reason, sql })
}

const withHint = (fields: ErrorFields): ErrorFields => {
  if (fields.hint !== undefined) return fields
  if (fields.code === "42601" && fields.routine === "exec_parse_message") {
    return { ...fields, hint: "Send one statement at a time, or use executeScript, which takes several." }
  }
  if (fields.code === "42804" && fields.routine === "record_recv") {
    return { ...fields, hint: "The type has changed, and is known anew: run the transaction again." }
  }
  if (fields.code === "42883" && fields.routine === "getTypeBinaryOutputInfo") {
    return { ...fields, hint: "Cast the value to text where it stands inside of a record." }
  }
  if (fields.routine === "RevalidateCachedQuery") {
    return { ...fields, hint: "The statement has been dropped from the cache: run the transaction again." }
  }
  return fields
}
