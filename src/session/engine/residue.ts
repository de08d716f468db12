/**
 * Which statements may leave something behind on their session, as far as that can be seen from outside. A lease is
 * reset whatever it did; a single statement of a pool only where this says that it may have changed the session.
 */
import type { CommandTag } from "../../wire/commandTag.ts"

/** Commands that leave the session as it was. Every other one counts as a change, also one that nobody knows yet. */
const CLEAN_COMMANDS: ReadonlySet<string> = new Set([
  "SELECT",
  "INSERT",
  "UPDATE",
  "DELETE",
  "MERGE",
  "COPY",
  "SHOW",
  "BEGIN",
  "START TRANSACTION",
  "COMMIT",
  "ROLLBACK",
  "SAVEPOINT",
  "RELEASE",
  "NOTIFY",
  "TRUNCATE TABLE",
  "VACUUM",
  "ANALYZE"
])

/** Commands that prepare a statement in SQL, or run code that may. */
const PREPARING_COMMANDS: ReadonlySet<string> = new Set(["PREPARE", "DO", "CALL"])

/**
 * A SELECT that returns no columns has put its rows into a table, which may be a temporary one: `SELECT INTO`,
 * `CREATE TABLE AS`.
 */
const isSoiling = ({ command }: CommandTag, hasColumns: boolean): boolean =>
  !CLEAN_COMMANDS.has(command) || (command === "SELECT" && !hasColumns)

const NAMES_SESSION_STATE = /\b(set_config|setseed|pg_(try_)?advisory_(un)?lock(_shared|_all)?)\b/i

/** Whether a statement names a function of PostgreSQL that changes the session, whatever its command is. */
export const namesSessionState = (sql: string): boolean => NAMES_SESSION_STATE.test(sql)

const STARTS_CLEAN = /^\s*(select|insert|update|delete|merge|values|table|with|copy)\b/i

/**
 * Whether a statement that has failed may have left something behind: locks of a session, statements prepared in SQL and
 * what a procedure has committed before it failed all stay. It has no command tag, so its text has to do.
 */
const failureIsSoiling = (sql: string): boolean => !STARTS_CLEAN.test(sql) || namesSessionState(sql)

/** What may have been left on one session. */
export class Residue {
  /** Whether settings, locks, tables or the like may have been left behind since this was last set to false. */
  isSoiled = false
  /** Whether something was done that no reset can undo: a library stays loaded as long as its session. */
  isBeyondReset = false
  /** Whether a statement may have been prepared in SQL. PostgreSQL removes it by its name, or together with all of ours. */
  mayHavePrepared = false
  /** Whether anything was asked since this was last set to false, but for what begins, ends or cleans up. */
  isUsed = false

  /** Pass `changesSession` for a statement whose text says so, whatever its command is. */
  completed(tag: CommandTag, hasColumns: boolean, changesSession: boolean): void {
    if (!changesSession && !isSoiling(tag, hasColumns)) return
    this.isSoiled = true
    if (PREPARING_COMMANDS.has(tag.command)) this.mayHavePrepared = true
    if (tag.command === "LOAD") this.isBeyondReset = true
  }

  failed(sql: string): void {
    if (!failureIsSoiling(sql)) return
    this.isSoiled = true
    this.mayHavePrepared = true
  }
}
