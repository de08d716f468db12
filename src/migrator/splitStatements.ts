/** Cuts an SQL text into its statements, at the semicolons that psql would take for their ends. */
import { commentEnd, tokenEnd } from "../session/statement/sqlToken.ts"

export interface SqlStatement {
  /** From the first token to the last one, without the semicolon. */
  readonly sql: string
  /** Where it begins in the text. */
  readonly start: number
  /** The number of the line where it begins, from 1. */
  readonly line: number
}

/** Servers have read a backslash in a plain string as a backslash since PostgreSQL 9.1, unless a setting says otherwise. */
export const LEXING = { isBackslashPlain: true }

export const splitStatements = (text: string): ReadonlyArray<SqlStatement> => {
  const statements: Array<SqlStatement> = []
  let nesting = new Nesting()
  let first: Token | undefined
  let end = 0
  let line = 1
  let counted = 0
  const close = (): void => {
    if (first === undefined) return
    line += lineBreaks(text.slice(counted, first.start))
    counted = first.start
    statements.push({ sql: text.slice(first.start, end), start: first.start, line })
    first = undefined
    nesting = new Nesting()
  }
  for (const token of tokensOf(text)) {
    if (token.text === ";" && !nesting.isOpen) close()
    else {
      first ??= token
      end = token.start + token.text.length
      nesting.see(token.text)
    }
  }
  close()
  return statements
}

export interface Token {
  readonly text: string
  readonly start: number
}

/** The tokens of a text, without white space and comments. A comment that does not end is a token. */
export function* tokensOf(text: string): Generator<Token> {
  for (let start = 0; start < text.length;) {
    const end = tokenEnd(text, start, LEXING)
    const token = text.slice(start, end)
    if (!isBlank(token)) yield { text: token, start }
    start = end
  }
}

const isBlank = (token: string): boolean =>
  token.trim() === "" || token.startsWith("--") || (token.startsWith("/*") && isEnded(token))

/** Such a comment is not longer if more text follows. */
const isEnded = (comment: string): boolean => commentEnd(`${comment} `, 0) === comment.length

/** Knows whether a semicolon is inside of parentheses (CREATE RULE) or of the body of a function (BEGIN ATOMIC). */
class Nesting {
  private parentheses = 0
  /** How many of BEGIN ATOMIC and CASE wait for their END. */
  private blocks = 0
  private previous = ""

  get isOpen(): boolean {
    return this.parentheses > 0 || this.blocks > 0
  }

  see(token: string): void {
    const word = token.toUpperCase()
    if (word === "(") this.parentheses++
    else if (word === ")") this.parentheses = Math.max(0, this.parentheses - 1)
    else if (this.parentheses === 0) this.seeWord(word)
    this.previous = word
  }

  private seeWord(word: string): void {
    if (word === "ATOMIC" && this.previous === "BEGIN") this.blocks = 1
    // Behind AS or a dot it is the name of a column.
    else if (this.blocks > 0 && this.previous !== "AS" && this.previous !== ".") {
      if (word === "CASE") this.blocks++
      else if (word === "END") this.blocks--
    }
  }
}

export const lineBreaks = (text: string): number => text.split("\n").length - 1
