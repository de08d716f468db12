/** What is wrong with a statement, and how a compiler would print it. */
import { lineAt, lineTextOf, placeOf, type SourceFile } from "../finding/source.ts"

export interface Fault {
  readonly source: SourceFile
  readonly offset: number
  /** Where the statement begins, whose lines down to the fault are shown. */
  readonly start: number
  /** The SQLSTATE, if the server has found it. */
  readonly code: string | undefined
  readonly message: string
  readonly detail?: string | undefined
  readonly hint?: string | undefined
}

const MAX_LINES = 6

/** `file:line:column - error 42703: message`, the lines of the statement with a caret, and the hint. */
export const renderFault = ({ code, detail, hint, message, offset, source, start }: Fault): string => {
  const { column, line, lineText } = placeOf(source, offset)
  const head = `${source.path}:${line}:${column} - error ${code === undefined ? "" : `${code}: `}${message}`
  const first = Math.max(lineAt(source, Math.min(start, offset)), line - MAX_LINES + 1)
  const width = String(line).length
  const shown = Array.from(
    { length: line - first + 1 },
    (_, index) => `${String(first + index).padStart(width)} | ${lineTextOf(source, first + index)}`
  )
  // Tabs stay tabs, so that the caret stands below its character.
  const caret = `${" ".repeat(width)} | ${lineText.slice(0, column - 1).replaceAll(/[^\t]/g, " ")}^`
  return [
    head,
    "",
    ...shown,
    caret,
    ...(detail === undefined ? [] : [`DETAIL: ${detail}`]),
    ...(hint === undefined ? [] : [`HINT: ${hint}`]),
    ""
  ].join("\n")
}

export const inOrder = (faults: ReadonlyArray<Fault>): ReadonlyArray<Fault> =>
  faults.toSorted((a, b) =>
    a.source.path === b.source.path ? a.offset - b.offset : a.source.path < b.source.path ? -1 : 1
  )
