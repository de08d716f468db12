/** What borrowers may have left on a session, and so what a reset would have to remove. */
import type { CommandTag } from "../../wire/commandTag.ts"
import { failureIsSoiling, isSoiling } from "../statement/soiling.ts"

/** Commands that prepare a statement in SQL, or run code that may. */
const PREPARING_COMMANDS: ReadonlySet<string> = new Set(["PREPARE", "DO", "CALL"])

/** What may have been left on one session. */
export class Residue {
  /** Whether settings, locks, tables or the like may have been left behind since this was last set to false. */
  isSoiled = false
  /** Whether something was done that no reset can undo: a library stays loaded as long as its session. */
  isBeyondReset = false
  /** Whether a statement may have been prepared in SQL. PostgreSQL removes it by its name, or together with all of ours. */
  mayHavePrepared = false
  /** Whether anything was asked since this was last set to false, but for what begins, ends or cleans up. */
  isUsed = false

  /** Pass `changesSession` for a statement whose text says so, whatever its command is. */
  completed(tag: CommandTag, hasColumns: boolean, changesSession: boolean): void {
    if (!changesSession && !isSoiling(tag, hasColumns)) return
    this.isSoiled = true
    if (PREPARING_COMMANDS.has(tag.command)) this.mayHavePrepared = true
    if (tag.command === "LOAD") this.isBeyondReset = true
  }

  failed(sql: string): void {
    if (!failureIsSoiling(sql)) return
    this.isSoiled = true
    this.mayHavePrepared = true
  }
}
