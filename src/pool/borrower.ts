/** What a pool has to know of those who want a session. */
import type * as Cause from "effect/Cause"
import type * as PgError from "../PgError.ts"
import type { Member } from "./member.ts"

/** Somebody who wants a session. Exactly one of the two is called, once, unless the wait is given up. */
export interface Borrower {
  /** Whether it waits for others who have been counted among those that may wait. */
  readonly isCounted?: boolean
  lend(member: Member): void
  /** With `timeIsUp` those who came later may still get a session. */
  refuse(cause: Cause.Cause<PgError.PgError>, timeIsUp: boolean): void
}
