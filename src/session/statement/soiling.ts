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

/** Commands that change rows at most: no name, no type, no setting, and not the transaction that they run in. */
const ROW_COMMANDS: ReadonlySet<string> = new Set(["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"])

/** Whether a command that has completed can only have changed rows, as far as its tag tells. */
export const changesRowsOnly = (command: string, hasColumns: boolean): boolean =>
  ROW_COMMANDS.has(command) && (command !== "SELECT" || hasColumns)

/**
 * A SELECT that returns no columns has put its rows into a table, which may be a temporary one: `SELECT INTO`,
 * `CREATE TABLE AS`.
 */
export const isSoiling = ({ command }: CommandTag, hasColumns: boolean): boolean =>
  !CLEAN_COMMANDS.has(command) || (command === "SELECT" && !hasColumns)

const NAMES_SESSION_STATE = /\b(set_config|setseed|pg_(try_)?advisory_(un)?lock(_shared|_all)?)\b/i

/** Whether a statement names a function of PostgreSQL that changes the session, whatever its command is. */
export const namesSessionState = (sql: string): boolean => NAMES_SESSION_STATE.test(sql)

const STARTS_CLEAN = /^\s*(select|insert|update|delete|merge|values|table|with|copy)\b/i

/**
 * Whether a statement that has failed may have left something behind: locks of a session, statements prepared in SQL and
 * what a procedure has committed before it failed all stay. It has no command tag, so its text has to do.
 */
export const failureIsSoiling = (sql: string): boolean => !STARTS_CLEAN.test(sql) || namesSessionState(sql)
