/**
 * Recognizes statements that may leave residue on their session, as far as their text and command tag show it. After a
 * lease a pool always resets the session, but after a single statement only if this file says that it may have left
 * residue.
 */
import type { CommandTag } from "../../wire/commandTag.ts"

/** Commands that leave no residue. Every other command counts as soiling, also one that is not known here. */
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

/** Whether a completed command can have changed nothing but rows, as far as its tag tells. */
export const changesRowsOnly = (command: string, hasColumns: boolean): boolean =>
  ROW_COMMANDS.has(command) && (command !== "SELECT" || hasColumns)

/** A SELECT that returns no columns is SELECT INTO or CREATE TABLE AS, whose table may be a temporary one. */
export const isSoiling = ({ command }: CommandTag, hasColumns: boolean): boolean =>
  !CLEAN_COMMANDS.has(command) || (command === "SELECT" && !hasColumns)

const NAMES_SESSION_STATE = /\b(set_config|setseed|pg_(try_)?advisory_(un)?lock(_shared|_all)?)\b/i

/** Whether a text names a function of PostgreSQL that changes the session. */
export const namesSessionState = (sql: string): boolean => NAMES_SESSION_STATE.test(sql)

const STARTS_CLEAN = /^\s*(select|insert|update|delete|merge|values|table|with|copy)\b/i

/**
 * Whether a failed statement may have left residue: session locks, statements that were prepared in SQL, and what a
 * procedure committed before it failed all stay. A failed statement has no command tag, so its text decides.
 */
export const failureIsSoiling = (sql: string): boolean => !STARTS_CLEAN.test(sql) || namesSessionState(sql)
