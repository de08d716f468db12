/** SQL that is put together from the parts of a source file, of which each character knows where it was written. */
import type { SourceFile } from "./source.ts"

/** The characters `start` to `end` of the text stand for something that is known only when the program runs. */
export interface Hole {
  readonly start: number
  readonly end: number
  /** Whether it may be more than a value, such as a fragment of SQL. */
  readonly isUncertain: boolean
}

export interface Origin {
  readonly source: SourceFile
  readonly offset: number
}

export class SqlText {
  text = ""
  readonly holes: Array<Hole> = []
  private readonly origins: Array<Origin> = []
  /** The number of the last parameter of a template. */
  parameters = 0

  /** Adds text as it is written; `offsets` has the place of each character in the source. */
  add(text: string, source: SourceFile, offsets: ReadonlyArray<number>): void {
    this.text += text
    for (let index = 0; index < text.length; index++) this.origins.push({ source, offset: offsets[index] ?? 0 })
  }

  /** Adds text that stands for an expression of the source. */
  addFor(text: string, source: SourceFile, offset: number): void {
    this.text += text
    for (let index = 0; index < text.length; index++) this.origins.push({ source, offset })
  }

  addHole(text: string, source: SourceFile, offset: number, isUncertain: boolean): void {
    const start = this.text.length
    this.addFor(text, source, offset)
    this.holes.push({ start, end: this.text.length, isUncertain })
  }

  addParameter(source: SourceFile, offset: number, isUncertain: boolean): void {
    this.addHole(`$${++this.parameters}`, source, offset, isUncertain)
  }

  /** Where a character was written; the end of the text is behind its last character. */
  originOf(index: number): Origin | undefined {
    const known = this.origins[index]
    if (known !== undefined) return known
    const last = this.origins.at(-1)
    return last === undefined ? undefined : { source: last.source, offset: last.offset + 1 }
  }
}

/**
 * The characters that a string literal or a part of a template means, and where each is written. `raw` is what stands
 * between the quotes, from `start` on.
 */
export const cooked = (
  raw: string,
  start: number
): { readonly text: string; readonly offsets: ReadonlyArray<number> } => {
  const offsets: Array<number> = []
  let text = ""
  for (const match of raw.matchAll(PIECES)) {
    const [piece] = match
    const meant = meaningOf(piece)
    text += meant
    for (let index = 0; index < meant.length; index++) offsets.push(start + match.index)
  }
  return { text, offsets }
}

const PIECES = /\\(?:u\{[0-9a-f]+\}|u[0-9a-f]{4}|x[0-9a-f]{2}|\r\n|[\s\S])|\r\n|[\s\S]/gi

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
  v: "\v",
  "0": "\0"
}

const meaningOf = (piece: string): string => {
  // A template has only line feeds, whatever the file has.
  if (piece === "\r\n") return "\n"
  if (!piece.startsWith("\\")) return piece
  const escape = piece.slice(1)
  if (/^\r?\n$/.test(escape)) return ""
  const code = /^(?:u\{([0-9a-f]+)\}|u([0-9a-f]{4})|x([0-9a-f]{2}))$/i.exec(escape)
  if (code !== null) return String.fromCodePoint(Number.parseInt(code[1] ?? code[2] ?? code[3] ?? "0", 16))
  return ESCAPES[escape] ?? escape
}
