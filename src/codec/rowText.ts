/**
 * Parses and quotes the text forms of rows and ranges: `(1,"a ""b""",)` and `[1,"2024-02-29 12:00:00")`. In both, a
 * part is put in double quotes if necessary; a quote or backslash within them is doubled or escaped with a backslash.
 * An empty part is NULL, or an infinite bound.
 */
import { Undecodable } from "../wire/failure.ts"

/** Quotes a part, for rows and ranges alike. */
export const quoted = (text: string): string => `"${text.replace(/["\\]/g, "$&$&")}"`

/** A cursor over a text form. Malformed text throws `Undecodable`. */
export class LiteralReader {
  private readonly text: string
  private readonly what: string
  private at = 0

  constructor(what: string, text: string) {
    this.what = what
    this.text = text
  }

  /** Reads one of the characters, or throws. */
  take(characters: string): string {
    const character = this.text.charAt(this.at)
    if (character === "" || !characters.includes(character)) throw this.malformed()
    this.at++
    return character
  }

  /** Reads the text if it comes next; returns whether it did. */
  takes(text: string): boolean {
    if (!this.text.startsWith(text, this.at)) return false
    this.at += text.length
    return true
  }

  /** Reads a part up to one of the characters, which is not consumed; undefined if the part is empty. */
  part(terminators: string): string | undefined {
    const { text } = this
    const start = this.at
    let part = ""
    /** The beginning of what has not been added to the part. */
    let from = start
    let isQuoted = false
    for (; this.at < text.length; this.at++) {
      const character = text.charAt(this.at)
      if (character === "\\") {
        part += text.slice(from, this.at)
        from = ++this.at
      } else if (character === '"') {
        part += text.slice(from, this.at)
        if (isQuoted && text.charAt(this.at + 1) === '"') from = ++this.at
        else {
          isQuoted = !isQuoted
          from = this.at + 1
        }
      } else if (!isQuoted && terminators.includes(character)) {
        return this.at === start ? undefined : part + text.slice(from, this.at)
      }
    }
    throw this.malformed()
  }

  expectEnd(): void {
    if (this.at !== this.text.length) throw this.malformed()
  }

  private malformed(): Undecodable {
    return new Undecodable(`the text of ${this.what} is malformed`)
  }
}
