/**
 * The text forms of rows and ranges: `(1,"a ""b""",)` and `[1,"2024-02-29 12:00:00")`. Both put a part in double quotes
 * where it needs them, in which a quote or a backslash is doubled or has a backslash before it; a part of no characters
 * is NULL, or no bound.
 */
import { Undecodable } from "../wire/failure.ts"

/** A part as it may stand in any of them. */
export const quoted = (text: string): string => `"${text.replace(/["\\]/g, "$&$&")}"`

/** A cursor over a text form. What is malformed is `Undecodable`. */
export class LiteralReader {
  private readonly text: string
  private readonly what: string
  private at = 0

  constructor(what: string, text: string) {
    this.what = what
    this.text = text
  }

  /** Takes one of the characters, or throws. */
  take(characters: string): string {
    const character = this.text.charAt(this.at)
    if (character === "" || !characters.includes(character)) throw this.malformed()
    this.at++
    return character
  }

  /** Takes the text where it comes next. */
  takes(text: string): boolean {
    if (!this.text.startsWith(text, this.at)) return false
    this.at += text.length
    return true
  }

  /** The part up to one of the characters, which is left; undefined where there is none. */
  part(terminators: string): string | undefined {
    const { text } = this
    const start = this.at
    let part = ""
    /** Where what is not yet in the part begins. */
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
    return new Undecodable(`a malformed text form of ${this.what}`)
  }
}
