/**
 * Replaces the placeholders of an SQL text, `$1`, `$2`..., by other text. It reads the SQL as PostgreSQL's lexer does
 * and leaves alone what only looks like a placeholder, within a string, a name or a comment.
 */
import { isDigit, type Lexing, tokenEnd } from "../../session/statement/sqlToken.ts"

/** Replaces each placeholder by the text that `replacement` returns for its number. */
export const replacePlaceholders = (sql: string, replacement: (number: number) => string, lexing: Lexing): string => {
  let replaced = ""
  let copied = 0
  let at = 0
  while (at < sql.length) {
    const end = tokenEnd(sql, at, lexing)
    if (isPlaceholder(sql, at, end)) {
      replaced += sql.slice(copied, at) + replacement(Number(sql.slice(at + 1, end)))
      copied = end
    }
    at = end
  }
  return replaced + sql.slice(copied)
}

const isPlaceholder = (sql: string, start: number, end: number): boolean =>
  sql[start] === "$" && end > start + 1 && isDigit(sql[start + 1])
