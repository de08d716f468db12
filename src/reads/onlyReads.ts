/**
 * Tells whether a statement may be meant to read, as far as its beginning shows it. A function that it calls can write,
 * and FOR UPDATE locks rows: the standby then refuses it.
 */
import { begins } from "../session/statement/beginning.ts"

const QUERIES: ReadonlySet<string> = new Set(["explain", "select", "show", "table", "values", "with"])

/** A wrong guess sends a query to the primary, which can run it as well. */
const CHANGES = /\b(insert|update|delete|merge)\b/i

export const mayOnlyRead = (sql: string): boolean => {
  const { isQuery, word } = begins(sql)
  return isQuery || (QUERIES.has(word) && (word !== "with" || !CHANGES.test(sql)))
}
