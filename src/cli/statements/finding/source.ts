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

export const placeOf = ({ text }: SourceFile, offset: number): Place => {
  const before = text.slice(0, offset)
  const start = before.lastIndexOf("\n") + 1
  const end = text.indexOf("\n", offset)
  return {
    line: before.split("\n").length,
    column: offset - start + 1,
    lineText: text.slice(start, end === -1 ? undefined : end).replace(/\r$/, "")
  }
}
