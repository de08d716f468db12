/** Decides what an error from before the run says about the client's description of the statement. */
import type { ErrorFields } from "../../wire/errorFields.ts"
import type { PreparedStatement } from "./preparedStatement.ts"

/**
 * - `wrong`: the statement has to be described again.
 * - `doubtful`: the description may be the cause. It is if the server now describes other parameters.
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
  // 42: no operator or function takes the parameter types of the description. 22: a value does not fit such a type.
  return error.code.startsWith("42") || error.code.startsWith("22") ? "doubtful" : "right"
}

/**
 * Whether an error that came during a run may come from a plan that the server keeps. A plan contains values computed
 * from constants, and the positions of a composite's attributes, and keeps both when the type changes.
 */
export const mayComeOfPlan = ({ code }: ErrorFields): boolean => code === "XX000" || code === "42804"

/** Whether Bind carried another number of values, or of formats, than the statement has. */
const hasOtherParameters = ({ code, routine }: ErrorFields): boolean =>
  code === "08P01" && (routine === "exec_bind_message" || routine === "PortalSetResultFormat")

/** The functions of the server that look for the binary form of a type, or of the types within it. */
const BINARY_LOOKUPS: ReadonlySet<string | undefined> = new Set([
  "array_send",
  "get_multirange_io_data",
  "get_range_io_data",
  "getTypeBinaryOutputInfo"
])

/** Whether a column was asked for in a binary form that its type does not have. The server has undone the run. */
export const hasNoBinaryForm = ({ code, routine }: ErrorFields): boolean =>
  code === "42883" && BINARY_LOOKUPS.has(routine)

/** Whether the server has deallocated the statement. */
export const isForgotten = ({ code }: ErrorFields): boolean => code === "26000"

/** Whether the server has no statement of a name, or has one already. This says nothing about any description. */
export const concernsName = (error: ErrorFields): boolean => isForgotten(error) || error.code === "42P05"

/** The routine that found a stale plan identifies the error, because the message is translated. */
const isStalePlan = (error: ErrorFields): boolean =>
  isForgotten(error) || (error.code === "0A000" && error.routine === "RevalidateCachedQuery")

/**
 * Whether the server refuses a value whose type has changed or is gone. For example, a composite has other attributes
 * than those of the binary value, or of the text that the client wrote.
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
