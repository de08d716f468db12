/**
 * What a user may leave behind on a session, and the SQL that removes it: session authorization and role, settings,
 * cursors that outlive their transaction, LISTEN, advisory locks, temporary objects, sequence caches. It takes a session
 * back to where its startup left it. Every name in it is qualified, so that it means the same on any search_path.
 */
import type { CommandTag } from "../wire/commandTag.ts"

const UNDO = [
  "SET SESSION AUTHORIZATION DEFAULT",
  // A role that the server sets for each login comes back.
  "RESET ROLE",
  "RESET ALL",
  "CLOSE ALL",
  "UNLISTEN *",
  "SELECT pg_catalog.pg_advisory_unlock_all()",
  "DISCARD TEMP",
  "DISCARD SEQUENCES"
]

/**
 * The script, with what is to be done behind it. It runs in a transaction whose modes are its own: with those that a
 * user may have left for the session, its first snapshot might wait for other transactions.
 */
export const resetAnd = (statements: ReadonlyArray<string>): string =>
  ["BEGIN ISOLATION LEVEL READ COMMITTED", ...UNDO, ...statements, "COMMIT"].join("; ")

/**
 * For a session between two borrowers. It gives `random()` a new seed, since a borrower may have chosen one. Its last
 * SELECT counts the statements that somebody has prepared in SQL: PostgreSQL can remove them only by their names, or
 * all together with ours.
 */
export const resetBetweenBorrowers = (): string =>
  resetAnd([
    `SELECT pg_catalog.setseed(${Math.random()})`,
    "SELECT 1 FROM pg_catalog.pg_prepared_statements WHERE from_sql"
  ])

/** How many statements were prepared in SQL, from the answer to that. */
export const preparedInSql = (tags: ReadonlyArray<CommandTag>): number =>
  tags.findLast(({ command }) => command === "SELECT")?.rowCount ?? 0
