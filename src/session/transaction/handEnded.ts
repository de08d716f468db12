/** Recognizes, by command tag and text, a statement of the user that ended a transaction of the client. */
import type * as PgError from "../../PgError.ts"
import { withoutQuoted } from "../../wire/sqlText.ts"

const GAP = String.raw`(?:\s|--[^\n]*(?:\n|$)|/\*[\s\S]*?\*/)`
const ROLLS_BACK_ALL = new RegExp(
  String.raw`\b(?:ROLLBACK|ABORT)\b(?!${GAP}+(?:(?:WORK|TRANSACTION)${GAP}+)?TO\b|${GAP}+PREPARED\b)`,
  "i"
)

/**
 * Returns the outcome of a transaction after one of its commands has completed, or undefined if it goes on. `ROLLBACK
 * TO` has the tag of ROLLBACK, so the text decides between them.
 */
export const outcomeOfEnd = (command: string, sql: string): PgError.Outcome | undefined => {
  switch (command) {
    case "COMMIT":
    case "PREPARE TRANSACTION":
      return "unknown"
    case "ROLLBACK":
      return ROLLS_BACK_ALL.test(withoutQuoted(sql)) ? "none" : undefined
    default:
      return undefined
  }
}
