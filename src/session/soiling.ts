import type { CommandTag } from "../wire/commandTag.ts"

/**
 * Commands after which a session is no longer as it was: settings, LISTEN, cursors that outlive their transaction,
 * temporary tables, which bear no mark in their command tag. What a function does inside of a SELECT cannot be seen.
 */
const SOILING_COMMANDS: ReadonlySet<string> = new Set([
  "SET",
  "RESET",
  "LISTEN",
  "UNLISTEN",
  "LOAD",
  "DECLARE CURSOR",
  "CREATE TABLE",
  "CREATE TABLE AS",
  "CREATE VIEW",
  "CREATE SEQUENCE",
  "DISCARD ALL",
  "DISCARD TEMP",
  "DISCARD SEQUENCES"
])

/** A SELECT that returns no columns has put its rows into a table: `SELECT INTO`, `CREATE TABLE AS`. */
export const isSoiling = ({ command }: CommandTag, hasColumns: boolean): boolean =>
  SOILING_COMMANDS.has(command) || (command === "SELECT" && !hasColumns)
