/** What an error of the server, before anything has run, says of what the client knew of the statement. */
import type { ErrorFields } from "../../wire/errorFields.ts"
import type { PreparedStatement } from "./preparedStatement.ts"

/**
 * - `wrong`: the statement has to be described anew.
 * - `doubtful`: the error may come from it. It does if the server, asked again, describes other parameters.
 * - `right`: the error has another cause.
 */
export type Verdict = "right" | "doubtful" | "wrong"

export const verdictOn = (
  error: ErrorFields,
  { types }: Pick<PreparedStatement, "types">,
  values: ReadonlyArray<unknown>
): Verdict => {
  if (isStalePlan(error) || hasOtherParameters(error)) return "wrong"
  if (types !== undefined && isStaleType(error, values)) return "wrong"
  // 42: no operator or function takes the types that the parameters had. 22: a value does not fit such a type.
  return error.code.startsWith("42") || error.code.startsWith("22") ? "doubtful" : "right"
}

/**
 * Whether an error of a statement that has begun may come from a plan that the server has kept: it keeps the values that it
 * has made of constants, and where the attributes of a composite lay, whatever becomes of the type.
 */
export const mayComeOfPlan = ({ code }: ErrorFields): boolean => code === "XX000" || code === "42804"

/** Bind came with another number of values, or of formats, than the statement has. */
const hasOtherParameters = ({ code, routine }: ErrorFields): boolean =>
  code === "08P01" && (routine === "exec_bind_message" || routine === "PortalSetResultFormat")

/** The server has deallocated the statement. */
export const isForgotten = ({ code }: ErrorFields): boolean => code === "26000"

/** PostgreSQL tells a stale plan by the routine that found it; the message is translated. */
const isStalePlan = (error: ErrorFields): boolean =>
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
