/** A file in which statements are looked for, and places in it. */

export interface SourceFile {
  /** As it is printed: relative to the working directory. */
  readonly path: string
  readonly text: string
}

/** A place as compilers count it: the first line and the first column are 1. */
export interface Place {
  readonly line: number
  readonly column: number
  /** The text of the line. */
  readonly lineText: string
}

export const placeOf = (source: SourceFile, offset: number): Place => {
  const line = lineAt(source, offset)
  return { line, column: offset - startOf(source, line) + 1, lineText: lineTextOf(source, line) }
}

/** The line of a character. */
export const lineAt = (source: SourceFile, offset: number): number => {
  const starts = startsIn(source)
  let first = 0
  let behind = starts.length
  while (behind - first > 1) {
    const middle = (first + behind) >> 1
    if ((starts[middle] ?? 0) <= offset) first = middle
    else behind = middle
  }
  return first + 1
}

export const lineTextOf = (source: SourceFile, line: number): string => {
  const end = startsIn(source)[line]
  return source.text.slice(startOf(source, line), end === undefined ? undefined : end - 1).replace(/\r$/, "")
}

const startOf = (source: SourceFile, line: number): number => startsIn(source)[line - 1] ?? 0

/** Where the lines of a file begin. There may be as many questions about a file as it has statements. */
const startsIn = (source: SourceFile): ReadonlyArray<number> => {
  const known = starts.get(source)
  if (known !== undefined) return known
  const found = [0, ...Array.from(source.text.matchAll(/\n/g), ({ index }) => index + 1)]
  starts.set(source, found)
  return found
}

const starts = new WeakMap<SourceFile, ReadonlyArray<number>>()
