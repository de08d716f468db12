/** Cuts a statement into the tokens that matter for a summary, and reads the names of tables from them. */
import { tokenEnd } from "../statement/sqlToken.ts"

/** The tokens of a text, without white space and comments. */
export type SqlTokens = ReadonlyArray<string>

/** A longer text is read up to here. */
const MAX_READ = 10_000

/** How the server reads a backslash does not matter here: a wrong guess costs a name in a summary. */
const LEXING = { isBackslashPlain: true }

export const tokensOf = (sql: string): SqlTokens => {
  const text = sql.length > MAX_READ ? sql.slice(0, MAX_READ) : sql
  const tokens: Array<string> = []
  for (let at = 0; at < text.length;) {
    const end = tokenEnd(text, at, LEXING)
    const token = text.slice(at, end)
    if (!isBlank(token)) tokens.push(token)
    at = end
  }
  return tokens
}

const isBlank = (token: string): boolean => token.trim() === "" || token.startsWith("--") || token.startsWith("/*")

/** Whether a token is a word or a name in quotes. */
export const isName = (token: string | undefined): token is string =>
  token !== undefined && /^["A-Z_a-z\u0080-\uffff]/.test(token)

interface Name {
  /** With its schema, and in quotes if it needs them. */
  readonly text: string
  /** The index of the first token behind it. */
  readonly end: number
}

/** Reads a name, which may have a schema. */
export const nameOf = (tokens: SqlTokens, start: number): Name | undefined => {
  const first = tokens[start]
  if (!isName(first)) return undefined
  let text = plain(first)
  let end = start + 1
  for (let next = tokens[end + 1]; tokens[end] === "." && isName(next); next = tokens[end + 1]) {
    text += `.${plain(next)}`
    end += 2
  }
  return { text, end }
}

/** Removes quotes around a name that can be read without them. */
const plain = (name: string): string => (/^"[\p{L}_][\p{L}\p{N}_$]*"$/u.test(name) ? name.slice(1, -1) : name)
