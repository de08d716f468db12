/** Cuts an SQL text into tokens, as PostgreSQL's lexer does. */

export interface Lexing {
  /** Whether a backslash in a string without `E` is only a backslash: the setting `standard_conforming_strings`. */
  readonly isBackslashPlain: boolean
}

/** Finds the end of the token that begins at `at`. A character with no meaning here is a token of its own. */
export const tokenEnd = (sql: string, at: number, { isBackslashPlain }: Lexing): number => {
  const character = sql.charAt(at)
  const next = sql.charAt(at + 1)
  if (character === "'") return stringEnd(sql, at, !isBackslashPlain)
  if (character === '"') return quotedEnd(sql, at, '"', false)
  if (character === "-" && next === "-") return matchEnd(LINE, sql, at)
  if (character === "/" && next === "*") return commentEnd(sql, at)
  if (character === "$") return isDigit(next) ? matchEnd(DIGITS, sql, at + 1) : dollarQuotedEnd(sql, at)
  if ((character === "E" || character === "e") && next === "'") return stringEnd(sql, at + 1, true)
  return Math.max(at + 1, matchEnd(NAME, sql, at))
}

const LINE = /[^\r\n]+/y
const DIGITS = /[0-9]+/y
/** A name may have dollar signs, but not at its beginning. */
const NAME = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y
const DOLLAR_QUOTE = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y
/** A string continues in the next quotes if a line break is between them, with or without comments. */
const CONTINUATION = /[ \t\f\v]*(?:--[^\r\n]*)?[\r\n](?:[ \t\f\v\r\n]|--[^\r\n]*[\r\n])*'/y

export const isDigit = (character: string | undefined): boolean =>
  character !== undefined && character >= "0" && character <= "9"

/** Finds the end of a match at `at`. Returns `at` if there is none. */
const matchEnd = (pattern: RegExp, sql: string, at: number): number => {
  pattern.lastIndex = at
  return pattern.test(sql) ? pattern.lastIndex : at
}

const stringEnd = (sql: string, quoteAt: number, hasEscapes: boolean): number => {
  let end = quotedEnd(sql, quoteAt, "'", hasEscapes)
  for (;;) {
    const continued = matchEnd(CONTINUATION, sql, end)
    if (continued === end) return end
    end = quotedEnd(sql, continued - 1, "'", hasEscapes)
  }
}

/** A doubled quote does not end the string. */
const quotedEnd = (sql: string, quoteAt: number, quote: string, hasEscapes: boolean): number => {
  for (let at = quoteAt + 1; at < sql.length; at++) {
    const character = sql.charAt(at)
    if (hasEscapes && character === "\\") at++
    else if (character === quote && sql.charAt(at + 1) === quote) at++
    else if (character === quote) return at + 1
  }
  return sql.length
}

/** Finds the end of the block comment that begins at `start`. Comments nest. */
export const commentEnd = (sql: string, start: number): number => {
  let depth = 0
  let at = start
  while (at < sql.length) {
    if (sql.startsWith("/*", at)) {
      depth++
      at += 2
    } else if (sql.startsWith("*/", at)) {
      at += 2
      if (--depth === 0) return at
    } else {
      at++
    }
  }
  return sql.length
}

const dollarQuotedEnd = (sql: string, start: number): number => {
  const bodyAt = matchEnd(DOLLAR_QUOTE, sql, start)
  if (bodyAt === start) return start + 1
  const tag = sql.slice(start, bodyAt)
  const close = sql.indexOf(tag, bodyAt)
  return close === -1 ? sql.length : close + tag.length
}
