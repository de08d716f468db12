/**
 * Decides what an error of the server leaves of the request that it ended. Most statements do all of their work or
 * none, so an error leaves nothing. Some commit while they run, or change things that no transaction covers. If one of
 * those fails, a part of its work may stay.
 *
 * Two effects do not count, because no transaction undoes them for any statement: values taken from a sequence, and
 * what a function does outside its transaction, such as a query over dblink.
 */
import { begins } from "./beginning.ts"
import type * as PgError from "../../PgError.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"

/** How far a request had come when it failed. */
export interface Progress {
  /** Whether the request has only asked for a description so far, so that the statement cannot have run. */
  readonly asksOnly?: boolean
  /**
   * Whether the server has reported the command as complete, or has sent as many rows as were asked for. After a FATAL
   * instead of ReadyForQuery the work may be committed; after an ERROR it is rolled back.
   */
  readonly hasRun: boolean
  /** Whether a part of the work may stay after an ERROR. */
  readonly mayOutlastError: boolean
  /** The number of the run that failed, from 1, if the request has many. */
  readonly row?: number | undefined
}

export const NOTHING_ASKED: Progress = { hasRun: false, mayOutlastError: false }

/** Whether the server closes the connection after the error. */
export const isFatal = ({ severityUnlocalized }: ErrorFields): boolean =>
  severityUnlocalized === "FATAL" || severityUnlocalized === "PANIC"

/** A server that panics may have committed already, and not have reported it. */
const isPanic = ({ severityUnlocalized }: ErrorFields): boolean => severityUnlocalized === "PANIC"

/**
 * Whether a PostgreSQL backend has made the error: it names a place in its source, and a pooler does not. A pooler that
 * ends the connection has usually lost its server, and does not know what became of the statement.
 */
const isOfBackend = ({ file, routine }: ErrorFields): boolean => file !== undefined || routine !== undefined

/** What an error leaves. `isLastWord` says that the connection ends after it, without a ReadyForQuery. */
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

/** Whether a part of the work may stay if the statement fails. A function decides by the text behind the first word. */
type Outlasts = boolean | ((rest: string) => boolean)

const CONCURRENTLY = /\bconcurrently\b/i
/** Objects that exist not only in the system catalogs, but also as files, directories or slots on another server. */
const OUTSIDE_OF_TRANSACTIONS = /^(?:database|tablespace|subscription|system)\b/i
const INDEX = /^(?:unique\s+)?index\b/i

/** Every word that begins a statement in PostgreSQL 18, and REPACK of 19. Other statements may do anything. */
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
  // The file that it wrote, or what its program did, stays.
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

/** Whether a part of a statement's work may stay if it fails outside a transaction. Inside one, nothing stays. */
export const mayOutlastError = (sql: string): boolean => {
  const { isQuery, rest, word } = begins(sql)
  if (isQuery) return false
  const outlasts = OUTLASTS_ERROR.get(word) ?? true
  return typeof outlasts === "boolean" ? outlasts : outlasts(rest())
}

/**
 * The words of the table that may outlast an error, anywhere in a text. DO does not count in ON CONFLICT DO and CREATE
 * RULE, and COPY does not count if it reads STDIN or writes STDOUT.
 */
const OUTLASTING_WORDS =
  /\b(?:do(?!\s+(?:nothing|update|also|instead)\b)|anal[yz][sz]?e|call|checkpoint|cluster|concurrently|copy(?![^;]*\b(?:stdin|stdout)\b)|database|discard|load|prepared|reindex|repack|subscription|system|tablespace|vacuum)\b/i

/**
 * Like `mayOutlastError`, for a text that may hold several statements. Separating them would take all of PostgreSQL's
 * grammar, so any word counts that could begin such a statement.
 */
export const mayScriptOutlastError = (sql: string): boolean =>
  mayBeSeveral(sql) ? OUTLASTING_WORDS.test(sql) : mayOutlastError(sql)

export const mayBeSeveral = (sql: string): boolean => /;\s*\S/.test(sql)

/** The tags of commands that commit the work before them, even in the same request. */
const COMMITTING_TAGS: ReadonlySet<string> = new Set([
  "COMMIT",
  "COMMIT PREPARED",
  "PREPARE TRANSACTION",
  "ROLLBACK PREPARED"
])

export const isCommitting = (command: string): boolean => COMMITTING_TAGS.has(command)

/** Whether the rest of the same request may run outside a transaction. `ROLLBACK TO` has the tag of ROLLBACK. */
export const mayHaveEnded = (command: string): boolean => command === "ROLLBACK" || isCommitting(command)

const ENDS: ReadonlySet<string> = new Set(["abort", "commit", "end", "rollback"])
const ENDING_WORDS = /\b(?:abort|commit|end|rollback|prepare\s+transaction)\b/i

/** Whether an unanswered statement may have ended its transaction. A script that contains one of the words may. */
export const mayEnd = (sql: string): boolean => {
  if (mayBeSeveral(sql)) return ENDING_WORDS.test(sql)
  const { rest, word } = begins(sql)
  return ENDS.has(word) || (word === "prepare" && /^transaction\b/i.test(rest()))
}
