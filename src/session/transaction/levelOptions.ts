/** How a transaction or a savepoint is begun and ended. */
import type * as PgError from "../../PgError.ts"
import type { AfterEnd } from "./afterEnd.ts"
import type { LastCommit } from "./lastCommit.ts"

export interface LevelOptions {
  /** The statement that begins a transaction; a savepoint has one of its own. */
  readonly begin: string
  /** False where anything was asked for that a savepoint has not. */
  readonly isPlain: boolean
  /** Whether to ask for the transaction's id before COMMIT. */
  readonly trackOutcome: boolean
  /** Whether it may be a savepoint in a transaction that was begun in SQL. */
  readonly joins?: boolean
  /**
   * For a level that somebody ends by hand: the error of those who ask the level around it for anything, since they would
   * as a rule be the ones who are to end it.
   */
  readonly forbids?: PgError.PgError
  /** Who runs what is to be run after the end; by default that is done at once, before the fiber goes on. */
  readonly afterEnd?: AfterEnd | undefined
  /** Where nothing is to be asked of the session behind the transaction. */
  readonly lastCommit?: LastCommit | undefined
}

/** A transaction, or a savepoint, that nothing special is asked of. */
export const PLAIN_LEVEL: LevelOptions = { begin: "BEGIN", isPlain: true, trackOutcome: false }

/** A plain one that may also be a savepoint in a transaction that was begun in SQL. */
export const JOINING_LEVEL: LevelOptions = { ...PLAIN_LEVEL, joins: true }
