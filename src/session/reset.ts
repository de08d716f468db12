/**
 * What a user may leave behind on a session, and the script that removes it: session authorization and role, settings,
 * cursors that outlive their transaction, LISTEN, advisory locks, temporary tables, sequence caches. Prepared statements
 * stay, since they are ours. It takes a session back to where its startup left it.
 */
export const RESET = [
  "SET SESSION AUTHORIZATION DEFAULT",
  "RESET ALL",
  "CLOSE ALL",
  "UNLISTEN *",
  "SELECT pg_catalog.pg_advisory_unlock_all()",
  "DISCARD TEMP",
  "DISCARD SEQUENCES"
].join("; ")
