/**
 * Has the sessions of a pool reset between two borrowers.
 *
 * If a borrower has left something behind, the reset is sent at once, and nobody gets the session before it has succeeded.
 * If nothing shows that it has, a lease that begins in the same tick may get the session before that: then the reset
 * travels with the first request of the lease. What is not lent by the end of the tick is reset at once, too.
 */
import { DueReset, mayTravel } from "../../session/transaction/dueReset.ts"
import type { Borrower } from "../borrower.ts"
import type { Member } from "../member.ts"
import type { Reset } from "./memberReset.ts"

/** What this class needs of its pool. */
interface Returns {
  awaitReturn(): void
  returned(member: Member, isUsable: boolean): void
  release(member: Member): void
}

export class Cleaning {
  private readonly reset: Reset
  private readonly pool: Returns
  private resetting = 0
  /** The sessions that came back in this tick and can be lent before they are reset. */
  private kept: Array<Member> = []

  constructor(reset: Reset, pool: Returns) {
    this.reset = reset
    this.pool = pool
  }

  /** How many sessions nobody has, although they are not clean yet. */
  get count(): number {
    return this.resetting + this.kept.length
  }

  /** How many of these are not being reset yet. */
  get keptCount(): number {
    return this.kept.length
  }

  /** Resets a session at once, awaited or not, because what a borrower left behind must not stay for long. */
  clean(member: Member): void {
    this.resetting++
    this.pool.awaitReturn()
    const done = (isClean: boolean): void => {
      this.resetting--
      member.earlyReset = undefined
      member.session.residue.cleaned()
      this.pool.returned(member, isClean)
    }
    if (member.earlyReset === undefined) this.reset(member, done)
    else member.earlyReset.onAnswer(done)
  }

  /** Whether a session may be lent to this borrower before it is reset. */
  mayLend({ isSuspect, session }: Member, { takesReset }: Pick<Borrower, "takesReset"> = ANYBODY): boolean {
    return takesReset === true && isSuspect !== true && mayTravel(session)
  }

  /** Keeps a session for a lease that begins in this tick. */
  keep(member: Member): void {
    if (this.kept.push(member) === 1) queueMicrotask(this.cleanKept)
  }

  /** The session that came back last, if the borrower may get it before it is reset. Otherwise resets them all. */
  take({ takesReset }: Borrower): Member | undefined {
    if (this.kept.length === 0) return undefined
    if (takesReset === true) return this.kept.pop()
    this.cleanKept()
    return undefined
  }

  private readonly cleanKept = (): void => {
    const { kept } = this
    this.kept = []
    for (const member of kept) {
      member.session.residue.soil()
      this.pool.release(member)
    }
  }
}

/** The borrower that may still come in this tick. */
const ANYBODY = { takesReset: true }

/** Call it as a session is lent, before its borrower can ask for anything. */
export const lendUnclean = ({ session }: Member): void => {
  if (session.residue.isDoubtful) DueReset.await(session)
}
