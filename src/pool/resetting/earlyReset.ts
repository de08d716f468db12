/**
 * Resets a session early, before its borrower gives it back. The reset is written together with the borrower's COMMIT
 * and so costs no round trip of its own. Nothing else is written behind it before it has succeeded.
 */
import type { Member, PendingReset } from "../member.ts"
import { resetByScript } from "./memberReset.ts"

export class EarlyReset implements PendingReset {
  private isClean: boolean | undefined
  private done: ((isClean: boolean) => void) | undefined

  /** Sends the reset behind the borrower's last request. If the reset fails, the session ends. */
  static begin(member: Member): EarlyReset {
    const reset = new EarlyReset()
    member.session.residue.lent()
    resetByScript(member, (isClean) => {
      if (!isClean) member.session.terminate()
      reset.isClean = isClean
      reset.done?.(isClean)
    })
    return reset
  }

  onAnswer(done: (isClean: boolean) => void): void {
    if (this.isClean === undefined) this.done = done
    else done(this.isClean)
  }
}
