/** The options with which a transaction or a savepoint begins and ends. */
import * as PgError from "../../PgError.ts"
import type { AfterEnd } from "./afterEnd.ts"
import type { LastCommit } from "./lastCommit.ts"

export interface LevelOptions {
  /** The statement that begins a transaction. A savepoint ignores it. */
  readonly begin: string
  /** Whether a savepoint can be begun with these options, too. */
  readonly isPlain: boolean
  readonly trackOutcome: boolean
  /** Whether it may become a savepoint in a transaction that was begun in SQL. */
  readonly joins?: boolean
  /**
   * For a level that is ended by hand: the error for requests on the level below it. They cannot wait, because the
   * fiber that sends them is usually the one that has to end the level.
   */
  readonly forbids?: PgError.PgError
  /** Runs the callbacks after the end. By default they run at once, before the fiber goes on. */
  readonly afterEnd?: AfterEnd | undefined
  /** Hears of the COMMIT, if the session is lent for this transaction only. */
  readonly lastCommit?: LastCommit | undefined
}

/** A transaction or a savepoint without options. */
export const PLAIN_LEVEL: LevelOptions = { begin: "BEGIN", isPlain: true, trackOutcome: false }

/** A plain level that may also become a savepoint in a transaction that was begun in SQL. */
export const JOINING_LEVEL: LevelOptions = { ...PLAIN_LEVEL, joins: true }

/** The error if no level with these options can begin above an open one. */
export const refusalToBegin = (
  options: LevelOptions,
  { isBegunInSql, isTransaction }: { readonly isTransaction: boolean; readonly isBegunInSql: boolean }
): PgError.PgError | undefined => {
  if (isTransaction) return options.isPlain ? undefined : savepointWithOptions()
  if (!isBegunInSql || options.joins === true) return undefined
  return new PgError.UnsupportedError({
    feature: "a transaction inside a transaction that began in SQL",
    instead: "end the outer one first, or begin it with withTransaction",
    sql: options.begin
  })
}

const savepointWithOptions = (): PgError.InvalidConfigError =>
  new PgError.InvalidConfigError({
    setting: undefined,
    reason: "a nested transaction is a savepoint, which takes no options; give the options to the outermost transaction"
  })
