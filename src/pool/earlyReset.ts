/**
 * A reset that is on its way before its session comes back: it is written together with the COMMIT that ends what its
 * borrower had it for, and costs no round trip of its own. Nothing else is written behind it before it has succeeded.
 */
import type { Member, PendingReset } from "./member.ts"
import { resetByScript } from "./memberReset.ts"

export class EarlyReset implements PendingReset {
  private isClean: boolean | undefined
  private done: ((isClean: boolean) => void) | undefined

  /** Resets a session that is to be asked nothing more, behind what it was asked before. It ends where that fails. */
  static begin(member: Member): EarlyReset {
    const reset = new EarlyReset()
    member.session.residue.isUsed = false
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
