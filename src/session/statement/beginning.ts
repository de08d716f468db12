/** Reads how the text of a statement begins: what stands before its first word, and that word. */

/** White space and line comments. */
const SPACE = /(?:\s|--[^\r\n]*)+/y

interface Beginning {
  /** Whether it begins with the parenthesis of a query. */
  readonly isQuery: boolean
  /** The first word, in lower case. */
  readonly word: string
  /** Returns the text behind the first word. */
  readonly rest: () => string
}

export const begins = (sql: string): Beginning => {
  const start = statementStart(sql, 0)
  const word = /^[a-z]+/i.exec(sql.slice(start, start + LONGEST_WORD))?.[0] ?? ""
  return {
    isQuery: sql.startsWith("(", start),
    word: word.toLowerCase(),
    rest: () => sql.slice(statementStart(sql, start + word.length))
  }
}

const LONGEST_WORD = 20

/** Skips white space and comments. Block comments can be nested. */
export const statementStart = (sql: string, from: number): number => {
  let at = from
  let depth = 0
  while (at < sql.length) {
    if (sql.startsWith("/*", at)) {
      depth++
      at += 2
    } else if (depth > 0) {
      if (sql.startsWith("*/", at)) {
        depth--
        at += 2
      } else {
        at++
      }
    } else {
      SPACE.lastIndex = at
      if (!SPACE.test(sql)) return at
      at = SPACE.lastIndex
    }
  }
  return at
}
