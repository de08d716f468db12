/** How a statement of the user ends a transaction that is not the user's to end: seen in its command tag, and its text. */
import type * as PgError from "../../PgError.ts"

/** What may stand between two words. */
const GAP = String.raw`(?:\s|--[^\n]*(?:\n|$)|/\*[\s\S]*?\*/)`
/** Texts and names in quotes, and comments, may hold any words. */
const QUOTED = /'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$\w*\$)[\s\S]*?\1|--[^\n]*|\/\*[\s\S]*?\*\//g
const ROLLS_BACK_ALL = new RegExp(
  String.raw`\b(?:ROLLBACK|ABORT)\b(?!${GAP}+(?:(?:WORK|TRANSACTION)${GAP}+)?TO\b|${GAP}+PREPARED\b)`,
  "i"
)

/**
 * What is known of the work of a transaction after a command in it has completed: undefined where the transaction goes
 * on. `ROLLBACK TO` has the tag of ROLLBACK, so that the text has to tell them apart.
 */
export const outcomeOfEnd = (command: string, sql: string): PgError.Outcome | undefined => {
  switch (command) {
    case "COMMIT":
    case "PREPARE TRANSACTION":
      return "unknown"
    case "ROLLBACK":
      return ROLLS_BACK_ALL.test(sql.replace(QUOTED, " ")) ? "none" : undefined
    default:
      return undefined
  }
}
