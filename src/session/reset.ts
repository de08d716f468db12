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
  "DISCARD TEMP",
  "DISCARD SEQUENCES"
]

const UNLOCK = "SELECT pg_catalog.pg_advisory_unlock_all()"

/**
 * The script, with what is to be done behind it. It runs in a transaction whose modes are its own: with those that a
 * user may have left for the session, its first snapshot might wait for other transactions.
 */
export const resetAnd = (statements: ReadonlyArray<string>): string => within([...UNDO, UNLOCK, ...statements])

const within = (statements: ReadonlyArray<string>): string =>
  ["BEGIN ISOLATION LEVEL READ COMMITTED", ...statements, "COMMIT"].join("; ")

/**
 * For a session between two borrowers. It gives `random()` a new seed, since a borrower may have chosen one. If it is
 * to, it also counts the statements that were prepared in SQL; that takes as long as all the rest.
 */
export const resetBetweenBorrowers = (countsPrepared: boolean): string =>
  within([
    ...UNDO,
    `${UNLOCK}, pg_catalog.setseed(${Math.random()})`,
    ...(countsPrepared ? ["SELECT 1 FROM pg_catalog.pg_prepared_statements WHERE from_sql"] : [])
  ])

/** How many statements were prepared in SQL, from the answer to that: its SELECTs give one row, and one for each. */
export const preparedInSql = (tags: ReadonlyArray<CommandTag>): number => {
  const [, counted] = tags.filter(({ command }) => command === "SELECT")
  return counted?.rowCount ?? 0
}
