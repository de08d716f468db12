/** Prints errors as text for people: with the statement, and for a server's error with a caret under the position. */
import type { ErrorFields } from "../wire/errorFields.ts"

interface Reported extends ErrorFields {
  readonly _tag: string
  readonly sql: string | undefined
  readonly row?: number | undefined
}

/** The whole error. It may quote rows and parameters. */
export const renderReport = (error: Reported): string =>
  present([
    `${error.severityUnlocalized} ${error.code}: ${error.message}`,
    field("DETAIL", error.detail),
    field("HINT", error.hint),
    field("WHERE", error.where),
    field("ROW", error.row?.toString()),
    statement("SQL", error.sql, error.position),
    statement("INTERNAL QUERY", error.internalQuery, error.internalPosition)
  ])

/** The parts that are safe in any log. The first line has the form of the first line of a JavaScript stack. */
export const renderEssentials = (error: Reported): string =>
  present([
    `${error._tag}: ${error.message}`,
    field("SQLSTATE", error.code),
    field("HINT", error.hint),
    field("ROW", error.row?.toString()),
    statement("SQL", error.sql, error.position)
  ])

/** What an error of the client shows. None of its parts has a value of a parameter or of a row. */
export interface ClientReported {
  readonly name: string
  readonly message: string
  readonly hint?: string | undefined
  readonly sql?: string | undefined
}

/** The first line has the form of the first line of a JavaScript stack. */
export const renderClientError = ({ hint, message, name, sql }: ClientReported): string =>
  present([`${name}: ${message}`, field("HINT", hint), sql === "" ? undefined : statement("SQL", sql, undefined)])

const present = (parts: ReadonlyArray<string | undefined>): string =>
  parts.filter((part) => part !== undefined).join("\n")

const field = (label: string, text: string | undefined): string | undefined =>
  text === undefined ? undefined : `${label}: ${text.replaceAll("\n", "\n  ")}`

/** Longer statements are cut to the lines around the caret, or to the first lines. */
const MAX_LINES = 20
/** Longer lines are cut to the part around the caret, or to the beginning. */
const MAX_LINE_LENGTH = 160
const CUT = "…"

/** A text with a caret under the character at `position`, counted from 1, or only its lines around that. */
export const renderSql = (label: string, sql: string, position: string): string | undefined =>
  statement(label, sql, position)

const statement = (label: string, sql: string | undefined, position: string | undefined): string | undefined => {
  if (sql === undefined) return undefined
  const caret = indexOfPosition(sql, position)
  const lines = sql.split("\n")
  const { row, column } = caret === undefined ? { row: undefined, column: undefined } : placeOf(lines, caret)

  const first = windowStart(row, lines.length, MAX_LINES)
  const shown = lines.slice(first, first + MAX_LINES)
  const numberWidth = String(first + shown.length).length
  const gutter = (text: string): string => `  ${text.padStart(numberWidth)} | `

  const out = [`${label}:`]
  for (const [offset, line] of shown.entries()) {
    const isMarked = first + offset === row
    const cut = cutLine(line, isMarked ? column : undefined)
    out.push(gutter(String(first + offset + 1)) + cut.text)
    if (cut.beforeCaret !== undefined) out.push(`${gutter("")}${blank(cut.beforeCaret)}^`)
  }
  const below = lines.length - first - shown.length
  if (below > 0) out.push(`${gutter(CUT)}${below} more ${below === 1 ? "line" : "lines"}`)
  return out.join("\n")
}

/**
 * Converts a position, which counts characters from 1, into an index in UTF-16 units. One past the last character is
 * the end.
 */
export const indexOfPosition = (sql: string, position: string | undefined): number | undefined => {
  if (position === undefined || !/^[1-9]\d*$/.test(position)) return undefined
  let index = 0
  for (let characters = Number(position) - 1; characters > 0 && index < sql.length; characters--) {
    index += sizeAt(sql, index)
  }
  return index
}

/** The position in a text of a position in its part that begins at the index `start`, or of the beginning of that part. */
export const positionInWhole = (text: string, start: number, position: string | undefined): number =>
  Array.from(text.slice(0, start)).length + Number(position ?? 1)

/** 2 for a character that takes two UTF-16 units, otherwise 1. */
const sizeAt = (text: string, index: number): number => ((text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1)

const placeOf = (lines: ReadonlyArray<string>, index: number): { readonly row: number; readonly column: number } => {
  let row = 0
  let column = index
  for (const line of lines) {
    if (column <= line.length) break
    column -= line.length + 1
    row++
  }
  return { row, column }
}

/** Where a window of `size` begins so that the marked place is in the middle and no room is wasted. */
const windowStart = (marked: number | undefined, length: number, size: number): number =>
  marked === undefined ? 0 : Math.max(0, Math.min(marked - Math.floor(size / 2), length - size))

interface CutLine {
  readonly text: string
  /** The text to the left of the caret, if the caret is in this line. */
  readonly beforeCaret: string | undefined
}

const cutLine = (line: string, column: number | undefined): CutLine => {
  const start = characterStart(line, windowStart(column, line.length, MAX_LINE_LENGTH))
  const end = characterStart(line, start + MAX_LINE_LENGTH)
  const cutLeft = start > 0 ? CUT : ""
  const cutRight = end < line.length ? CUT : ""
  return {
    text: (cutLeft + line.slice(start, end) + cutRight).trimEnd(),
    beforeCaret: column === undefined ? undefined : cutLeft + line.slice(start, column)
  }
}

/** Returns `index`, or the index before it if `index` would split a character. */
const characterStart = (text: string, index: number): number =>
  index > 0 && index < text.length && sizeAt(text, index - 1) === 2 ? index - 1 : index

const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60]/u
const WITHOUT_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u

/** Blanks as wide as the text: a tab for a tab, two for a character that a terminal shows in two columns. */
const blank = (text: string): string =>
  Array.from(text, (character) => {
    if (character === "\t") return "\t"
    if (WITHOUT_WIDTH.test(character)) return ""
    return WIDE.test(character) ? "  " : " "
  }).join("")
