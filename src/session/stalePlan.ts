/** How the server says that a prepared statement, or what we know of its types, is no longer true. */
import type { ErrorFields } from "../wire/errorFields.ts"
import type { PreparedStatement } from "./statementCache.ts"

/** Whether it is worth preparing the statement anew, given that it has not run. */
export const isStale = (error: ErrorFields, { types }: PreparedStatement, values: ReadonlyArray<unknown>): boolean =>
  isStalePlan(error) || (types !== undefined && isStaleType(error, values))

/** What a statement takes or returns is no longer what the client remembers, with which it was prepared anew. */
export const isMisdescribed = (error: ErrorFields): boolean => error.code.startsWith("42") || hasOtherParameters(error)

/** Bind came with another number of values, or of formats, than the statement has. */
export const hasOtherParameters = ({ code }: ErrorFields): boolean => code === "08P01"

/** The server has deallocated the statement. */
export const isForgotten = ({ code }: ErrorFields): boolean => code === "26000"

/** PostgreSQL tells a stale plan by the routine that found it; the message is translated. */
export const isStalePlan = (error: ErrorFields): boolean =>
  isForgotten(error) || (error.code === "0A000" && error.routine === "RevalidateCachedQuery")

/**
 * What the server says of a value in a form that its type has no longer: other attributes of a composite, in binary or
 * in a text that the client wrote; or of a type that is not there any more.
 */
const isStaleType = ({ code, routine }: ErrorFields, values: ReadonlyArray<unknown>): boolean => {
  switch (code) {
    case "42804":
    case "XX000":
      return true
    case "22P02":
      return routine === "record_in" && values.some((value) => typeof value === "object")
    case "42704":
      return routine === "lookup_type_cache"
    default:
      return false
  }
}
