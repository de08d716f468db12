/** What an operation asks of the server, and the summary of it. */
import { batchOf, inBatch, type Summary, summaryOf } from "./summary.ts"

export interface Asked {
  readonly sql: string
  /** Undefined if there are none, or if they come later. */
  readonly params: ReadonlyArray<unknown> | undefined
  /** The statements of a batch, or "runs" if one statement runs many times. */
  readonly many?: "runs" | ReadonlyArray<{ readonly sql: string }> | undefined
}

export const summaryOfAsked = ({ many, sql }: Asked): Summary => {
  if (many === undefined) return known(sql)
  return many === "runs" ? inBatch(known(sql)) : batchOf(many.map((statement) => known(statement.sql)))
}

/** The summaries of the texts that were used last. A Map keeps the order of insertion. */
const summaries = new Map<string, Summary>()
const MAX_SUMMARIES = 1_000
/** A longer text is not kept. */
const MAX_KEPT_LENGTH = 10_000

const known = (sql: string): Summary => {
  const kept = summaries.get(sql)
  if (kept !== undefined) return kept
  const summary = summaryOf(sql)
  if (sql.length > MAX_KEPT_LENGTH) return summary
  summaries.set(sql, summary)
  if (summaries.size > MAX_SUMMARIES) summaries.delete(summaries.keys().next().value ?? sql)
  return summary
}
