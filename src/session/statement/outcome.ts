/**
 * What an error of the server leaves of the request that it ended. Most statements are all or nothing, so that an error
 * leaves nothing. Some commit while they run, or change what no transaction covers: of those an error says only that
 * they did not come to their end.
 *
 * Two effects are not counted, because no transaction undoes them for any statement: values drawn from a sequence, and
 * what a function does outside of its transaction, such as a query over dblink.
 */
import { begins } from "./beginning.ts"
import type * as PgError from "../../PgError.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"

/** How far a request had come when it failed. */
export interface Progress {
  /** Whether all that was asked so far is what the statement takes and returns, so that nothing of it can have run. */
  readonly asksOnly?: boolean
  /**
   * Whether the server has said that the command is complete, or has given as many rows as were asked for. An ERROR
   * rolls it back all the same, but what a FATAL cuts off from its ReadyForQuery may be committed.
   */
  readonly hasRun: boolean
  /** Whether a part of it may stay though an ERROR ends it. */
  readonly mayOutlastError: boolean
  /** Of many runs, the number of the one that failed, from 1. */
  readonly row?: number | undefined
}

export const NOTHING_ASKED: Progress = { hasRun: false, mayOutlastError: false }

/** True where the server closes the connection after the error. */
export const isFatal = ({ severityUnlocalized }: ErrorFields): boolean =>
  severityUnlocalized === "FATAL" || severityUnlocalized === "PANIC"

/** A server that panics may do so between the commit and the word that it is done. */
const isPanic = ({ severityUnlocalized }: ErrorFields): boolean => severityUnlocalized === "PANIC"

/**
 * A backend names the place in its source that an error comes from. What stands between, such as a pooler, does not; and
 * where that ends the connection it has as a rule lost its server, and cannot tell what became of the statement there.
 */
const isOfBackend = ({ file, routine }: ErrorFields): boolean => file !== undefined || routine !== undefined

/** What an error leaves. One that is the last word is followed by no ReadyForQuery, but by the end of the connection. */
export const outcomeOf = (
  fields: ErrorFields,
  { asksOnly, hasRun, mayOutlastError }: Progress,
  isLastWord = isFatal(fields)
): PgError.Outcome => {
  if (asksOnly === true) return "none"
  if (mayOutlastError || isPanic(fields) || (hasRun && isFatal(fields))) return "unknown"
  return isLastWord && !isOfBackend(fields) ? "unknown" : "none"
}

// ---------------------------------------------------------------------------------------------------- the table

/** Whether a part of a statement may stay though it fails; a function decides it by what follows the first word. */
type Outlasts = boolean | ((rest: string) => boolean)

const CONCURRENTLY = /\bconcurrently\b/i
/** Objects that are files, directories or slots on another server besides their row in the catalogue. */
const OUTSIDE_OF_TRANSACTIONS = /^(?:database|tablespace|subscription|system)\b/i
const INDEX = /^(?:unique\s+)?index\b/i

/** Every first word of a statement that PostgreSQL 18 has, and REPACK of 19. One that is not here may do anything. */
export const OUTLASTS_ERROR: ReadonlyMap<string, Outlasts> = new Map<string, Outlasts>([
  ["abort", false],
  ["alter", (rest) => OUTSIDE_OF_TRANSACTIONS.test(rest) || CONCURRENTLY.test(rest)],
  ["analyse", true],
  ["analyze", true],
  ["begin", false],
  ["call", true],
  ["checkpoint", true],
  ["close", false],
  ["cluster", true],
  ["comment", false],
  ["commit", (rest) => /^prepared\b/i.test(rest)],
  // A file, or a program that has run, stays.
  ["copy", (rest) => !/\b(?:stdin|stdout)\b/i.test(rest)],
  ["create", (rest) => OUTSIDE_OF_TRANSACTIONS.test(rest) || (INDEX.test(rest) && CONCURRENTLY.test(rest))],
  ["deallocate", false],
  ["declare", false],
  ["delete", false],
  ["discard", true],
  ["do", true],
  ["drop", (rest) => OUTSIDE_OF_TRANSACTIONS.test(rest) || (INDEX.test(rest) && CONCURRENTLY.test(rest))],
  ["end", false],
  ["execute", false],
  ["explain", false],
  ["fetch", false],
  ["grant", false],
  ["import", false],
  ["insert", false],
  ["listen", false],
  ["load", true],
  ["lock", false],
  ["merge", false],
  ["move", false],
  ["notify", false],
  ["prepare", false],
  ["reassign", false],
  ["refresh", false],
  ["reindex", true],
  ["release", false],
  ["repack", true],
  ["reset", false],
  ["revoke", false],
  ["rollback", (rest) => /^prepared\b/i.test(rest)],
  ["savepoint", false],
  ["security", false],
  ["select", false],
  ["set", false],
  ["show", false],
  ["start", false],
  ["table", false],
  ["truncate", false],
  ["unlisten", false],
  ["update", false],
  ["vacuum", true],
  ["values", false],
  ["with", false]
])

/** Whether a part of the statement may stay though it fails. Within a transaction that is open nothing does. */
export const mayOutlastError = (sql: string): boolean => {
  const { isQuery, rest, word } = begins(sql)
  if (isQuery) return false
  const outlasts = OUTLASTS_ERROR.get(word) ?? true
  return typeof outlasts === "boolean" ? outlasts : outlasts(rest())
}

/**
 * The words of the table's statements that may outlast an error, anywhere in a text. Behind `DO` stands neither NOTHING,
 * as in ON CONFLICT, nor what CREATE RULE has there; COPY counts if it reads or writes a file or a program.
 */
const OUTLASTING_WORDS =
  /\b(?:do(?!\s+(?:nothing|update|also|instead)\b)|anal[yz][sz]?e|call|checkpoint|cluster|concurrently|copy(?![^;]*\b(?:stdin|stdout)\b)|database|discard|load|prepared|reindex|repack|subscription|system|tablespace|vacuum)\b/i

/**
 * The same for a text that may hold several statements. They are not told apart, which takes all of PostgreSQL's
 * grammar: any word that could begin such a statement counts.
 */
export const mayScriptOutlastError = (sql: string): boolean =>
  mayBeSeveral(sql) ? OUTLASTING_WORDS.test(sql) : mayOutlastError(sql)

export const mayBeSeveral = (sql: string): boolean => /;\s*\S/.test(sql)

/** Command tags of what commits the work before it, in the same request too. */
const COMMITTING_TAGS: ReadonlySet<string> = new Set([
  "COMMIT",
  "COMMIT PREPARED",
  "PREPARE TRANSACTION",
  "ROLLBACK PREPARED"
])

export const isCommitting = (command: string): boolean => COMMITTING_TAGS.has(command)

/** Whether what follows in the same request may stand outside of a transaction. `ROLLBACK TO` has the tag of ROLLBACK. */
export const mayHaveEnded = (command: string): boolean => command === "ROLLBACK" || isCommitting(command)

const ENDS: ReadonlySet<string> = new Set(["abort", "commit", "end", "rollback"])
const ENDING_WORDS = /\b(?:abort|commit|end|rollback|prepare\s+transaction)\b/i

/** Whether a statement whose answer has not come may have ended its transaction; a script with one of the words may. */
export const mayEnd = (sql: string): boolean => {
  if (mayBeSeveral(sql)) return ENDING_WORDS.test(sql)
  const { rest, word } = begins(sql)
  return ENDS.has(word) || (word === "prepare" && /^transaction\b/i.test(rest()))
}
