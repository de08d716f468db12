/** Finds the error of effectpg in a failure, also if the adapter to effect/sql has wrapped it. */
import { hasProperty } from "effect/Predicate"
import * as PgError from "../PgError.ts"

/** The error itself, or the one that a `SqlError` has as the cause of its reason. */
export const clientErrorOf = (failure: unknown): PgError.PgError | undefined => {
  if (PgError.isPgError(failure)) return failure
  const cause = causeOf(failure)
  return PgError.isPgError(cause) ? cause : undefined
}

/** Inspecting a Proxy may throw, and then it is no `SqlError`. */
const causeOf = (failure: unknown): unknown => {
  try {
    return hasProperty(failure, "reason") && hasProperty(failure.reason, "cause") ? failure.reason.cause : undefined
  } catch {
    return undefined
  }
}
