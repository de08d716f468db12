/** Defines what a pool has to know about a caller that wants a session. */
import type * as Cause from "effect/Cause"
import type * as PgError from "../PgError.ts"
import type { Member } from "./member.ts"

/**
 * A caller that wants a session. The pool calls exactly one of `take` and `refuse`, once, unless the caller gives up
 * the wait.
 */
export interface Borrower {
  /** Whether it waits for callers that the pool has already counted as waiting. */
  readonly isCounted?: boolean
  /** Whether it may get a session whose reset is sent together with its first request. */
  readonly takesReset?: boolean
  lend(member: Member): void
  /** If `timeIsUp` is true, callers that came later may still get a session. */
  refuse(cause: Cause.Cause<PgError.PgError>, timeIsUp: boolean): void
}

/** A caller that has to wait. */
export interface Waiting {
  readonly borrower: Borrower
  /** Both by the pool's clock. */
  readonly since: number
  readonly deadline: number
}
