/** The end of what a server writes, for the message of an error. A server that runs for long may write much. */

/** How much of a log an error shows at most. */
const MAX_CHARACTERS = 20_000

export const tailOf = (log: string): string => (log.length > MAX_CHARACTERS ? `...${log.slice(-MAX_CHARACTERS)}` : log)

/** Keeps the end of a log that comes in pieces. */
export class LogTail {
  private kept = ""

  add(piece: string): void {
    this.kept += piece
    // Not at each piece, because that would copy the text each time.
    if (this.kept.length > 2 * MAX_CHARACTERS) this.kept = tailOf(this.kept)
  }

  get text(): string {
    return tailOf(this.kept)
  }
}
