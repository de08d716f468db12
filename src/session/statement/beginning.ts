/** Reads how the text of a statement begins: what stands before its first word, and that word. */
import { commentEnd } from "./sqlToken.ts"

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

/** Skips white space and comments. */
export const statementStart = (sql: string, from: number): number => {
  for (let at = from; ;) {
    SPACE.lastIndex = at
    if (SPACE.test(sql)) at = SPACE.lastIndex
    else if (sql.startsWith("/*", at)) at = commentEnd(sql, at)
    else return at
  }
}
