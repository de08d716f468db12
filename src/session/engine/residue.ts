/** Tracks what borrowers may have left on a session, and so what a reset has to remove. */
import type { CommandTag } from "../../wire/commandTag.ts"
import type { Exchange } from "./exchange.ts"
import type { StartupSettings } from "../pooler/startupSettings.ts"
import { failureIsSoiling, isSoiling } from "../statement/soiling.ts"

/** Commands that prepare a statement in SQL, or run code that may do so. */
const PREPARING_COMMANDS: ReadonlySet<string> = new Set(["PREPARE", "DO", "CALL"])

/** The SQLSTATE of a command that would write in a read-only transaction. */
const READ_ONLY = "25006"

/** A reset that is to be sent before or together with the next request. */
export interface DueReset {
  /** Returns the request together with the reset. */
  together(request: Exchange): Exchange
  /** Sends the reset now, ahead of all requests. */
  alone(): void
}

export class Residue {
  /** Whether settings, locks, tables or the like may have been left behind since the last reset. */
  isSoiled = false
  /**
   * Whether a borrower has run statements since the last reset. They may have called code that left something behind,
   * although nothing shows it.
   */
  isDoubtful = false
  /** The reset that has to come before the next request; undefined if there is none, or if it has been sent. */
  due: DueReset | undefined
  /** Whether a borrower has used LOAD. No reset can undo it: the library stays loaded until the session ends. */
  isBeyondReset = false
  /** Whether SQL may have prepared a statement. Such a statement can be removed only by name, or together with ours. */
  private mayHavePrepared = false
  /** Whether the server has refused to write because a transaction was read-only, as a standby does. */
  hasMetReadOnly = false
  /** The last statement since the session was lent, apart from control statements; undefined if there was none. */
  lastSql: string | undefined
  /** The server process on which the last reset ran. */
  process: number | undefined
  /** What a reset has to go back to; undefined if the startup has set nothing. */
  startup: StartupSettings | undefined

  /** A borrower gets the session. */
  lent(): void {
    this.lastSql = undefined
  }

  /** Something may have been left behind that the client cannot see. */
  soil(): void {
    this.isSoiled = true
  }

  /** A borrower has run statements, of which nothing shows that they left something behind. */
  doubt(): void {
    this.isDoubtful = true
  }

  /** A reset has removed what was left behind. */
  cleaned(): void {
    this.isSoiled = false
    this.isDoubtful = false
  }

  /** Tells whether SQL may have prepared a statement, to the reset that is about to remove it. */
  takeMayHavePrepared(): boolean {
    const { mayHavePrepared } = this
    this.mayHavePrepared = false
    return mayHavePrepared
  }

  /** `changesSession` says that the text of the statement names a function that changes the session. */
  completed(tag: CommandTag, hasColumns: boolean, changesSession: boolean): void {
    if (!changesSession && !isSoiling(tag, hasColumns)) return
    this.isSoiled = true
    if (PREPARING_COMMANDS.has(tag.command)) this.mayHavePrepared = true
    if (tag.command === "LOAD") this.isBeyondReset = true
  }

  failed(sql: string, code: string): void {
    if (code === READ_ONLY) this.hasMetReadOnly = true
    if (!failureIsSoiling(sql)) return
    this.isSoiled = true
    this.mayHavePrepared = true
  }
}
