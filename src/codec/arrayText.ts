/**
 * Parses and prints the text form of arrays as the server does: `{{"1","2"},{NULL,"4"}}`. If a dimension's indexes do
 * not begin at 1, the bounds come first: `[0:1][5:6]=`. An element is quoted if it contains a brace, a quote, a
 * backslash, white space or the delimiter, if it is empty, or if it would be taken for NULL.
 */
import { Undecodable } from "../wire/failure.ts"

/** PostgreSQL's MAXDIM. */
export const MAX_DIMENSIONS = 6

/** An array as a flat list: the elements in order, the last dimension running fastest. */
export interface FlatArray<A> {
  readonly elements: ReadonlyArray<A>
  /** The lengths of the dimensions, outermost first; empty if the array is. */
  readonly lengths: ReadonlyArray<number>
  /** The first index of each dimension. */
  readonly lowerBounds: ReadonlyArray<number>
}

const FIRST_INDEX = 1
const BOUNDS = /^(?:\[[+-]?\d{1,10}:[+-]?\d{1,10}\]){1,6}=/
const BOUND = /\[([^:]+):([^\]]+)\]/g
const ESCAPED = /\\(.)/gs

const malformed = (why: string): Undecodable => new Undecodable(`the text of the array ${why}`)

/** Parses the text of an array in one pass; `delimiter` is the delimiter of the elements' type. */
class ArrayParser {
  private readonly text: string
  private readonly delimiter: string
  private at: number
  private readonly elements: Array<string | null> = []
  /** The number of elements read so far in each open dimension, outermost first. */
  private readonly counts: Array<number> = []
  /** The lengths of the dimensions, as far as one array of the dimension has been closed. */
  private readonly lengths: Array<number> = []
  /** The depth of the elements; known from the first one. */
  private depth = 0

  constructor(text: string, delimiter: string, at: number) {
    this.text = text
    this.delimiter = delimiter
    this.at = at
  }

  parse(): Pick<FlatArray<string | null>, "elements" | "lengths"> {
    if (this.text.slice(this.at) === "{}") return { elements: [], lengths: [] }
    this.elementInBraces()
    while (this.counts.length > 0) {
      if (this.text[this.at] !== this.delimiter) throw malformed("has an element that does not end")
      this.at++
      this.elementInBraces()
    }
    if (this.at !== this.text.length) throw malformed("continues behind its end")
    return { elements: this.elements, lengths: this.lengths }
  }

  /** Reads an element, with the braces that open before it and those that close after it. */
  private elementInBraces(): void {
    this.open()
    this.elements.push(this.text[this.at] === '"' ? this.quoted() : this.unquoted())
    this.count()
    while (this.text[this.at] === "}" && this.counts.length > 0) this.close()
  }

  private open(): void {
    for (; this.text[this.at] === "{"; this.at++) {
      if (this.counts.length === MAX_DIMENSIONS) throw malformed(`has more than ${MAX_DIMENSIONS} dimensions`)
      this.counts.push(0)
    }
    if (this.elements.length === 0) this.depth = this.counts.length
    if (this.depth === 0) throw malformed("does not begin with a brace")
    if (this.counts.length !== this.depth) throw malformed("has elements at different depths")
  }

  private count(): void {
    const innermost = this.counts.length - 1
    this.counts[innermost] = this.counts[innermost]! + 1
  }

  private close(): void {
    const dimension = this.counts.length - 1
    const count = this.counts.pop()!
    this.lengths[dimension] ??= count
    if (this.lengths[dimension] !== count) throw malformed("is not rectangular")
    if (dimension > 0) this.count()
    this.at++
  }

  private quoted(): string {
    const start = this.at + 1
    let isEscaped = false
    let end = start
    for (; this.text[end] !== '"'; end++) {
      if (end >= this.text.length) throw malformed("ends within quotes")
      if (this.text[end] === "\\") {
        isEscaped = true
        end++
      }
    }
    this.at = end + 1
    const element = this.text.slice(start, end)
    return isEscaped ? element.replace(ESCAPED, "$1") : element
  }

  private unquoted(): string | null {
    const start = this.at
    while (this.at < this.text.length && !this.isSpecial(this.text[this.at]!)) this.at++
    if (this.at === start) throw malformed("has no element where one is due")
    const element = this.text.slice(start, this.at)
    return element === "NULL" ? null : element
  }

  private isSpecial(character: string): boolean {
    return character === this.delimiter || character === "}" || character === "{" || character === '"'
  }
}

/** Parses what PostgreSQL's `array_out` prints. Throws `Undecodable` for anything else. */
export const parseArray = (text: string, delimiter: string): FlatArray<string | null> => {
  const prefix = BOUNDS.exec(text)?.[0] ?? ""
  const { elements, lengths } = new ArrayParser(text, delimiter, prefix.length).parse()
  if (prefix === "") return { elements, lengths, lowerBounds: lengths.map(() => FIRST_INDEX) }
  const bounds = Array.from(prefix.matchAll(BOUND), ([, lower, upper]) => [Number(lower), Number(upper)] as const)
  const isAsLong = ([lower, upper]: readonly [number, number], dimension: number): boolean =>
    upper - lower + 1 === lengths[dimension]
  if (bounds.length !== lengths.length || !bounds.every(isAsLong))
    throw malformed("declares bounds that do not match its lengths")
  return { elements, lengths, lowerBounds: bounds.map(([lower]) => lower) }
}

/** The bounds before the braces; empty if all indexes begin at 1. */
export const formatBounds = (lengths: ReadonlyArray<number>, lowerBounds: ReadonlyArray<number>): string => {
  if (lowerBounds.every((lower) => lower === FIRST_INDEX)) return ""
  return `${lowerBounds.map((lower, dimension) => `[${lower}:${lower + lengths[dimension]! - 1}]`).join("")}=`
}

export const quoteElement = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`
