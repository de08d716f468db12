/**
 * The fence around a cancelled query. PostgreSQL cancels whatever its backend runs when the signal arrives, so between
 * the decision to cancel and the proof that the signal has been spent, nothing may be written:
 *
 * - it is raised when the last request in flight is abandoned, which leaves nothing live behind it;
 * - a CancelRequest goes out once everything in flight is abandoned, and another for the next one if there are several;
 * - a signal that arrives before its query has no effect, so one that stays without an answer is repeated;
 * - it falls when the cancel connection has been closed by the server and ReadyForQuery has come for all in flight;
 * - where that takes longer than the bound, the session is over.
 */
import * as PgError from "../../PgError.ts"

const REPEAT_AFTER_MILLIS = 250

/** What the fence has to know of its session, and what it does to it. */
export interface Fenced {
  /** Whether everything in flight has been abandoned. */
  readonly onlyAbandoned: boolean
  /** Whether nothing is in flight. */
  readonly answered: boolean
  /** What the server works on. */
  readonly oldest: object | undefined
  schedulePump(): void
  die(error: PgError.PgError): void
}

export class Fence {
  raised = false
  private readonly session: Fenced
  private readonly cancel: (closed: () => void) => void
  private readonly timeoutMillis: number
  private cancelling = false
  /** What the last CancelRequest was meant for. */
  private target: object | undefined
  private bound: ReturnType<typeof setTimeout> | undefined
  private repetition: ReturnType<typeof setTimeout> | undefined

  constructor(session: Fenced, cancel: (closed: () => void) => void, timeoutMillis: number) {
    this.session = session
    this.cancel = cancel
    this.timeoutMillis = timeoutMillis
  }

  raise(): void {
    this.raised = true
  }

  /** Does the next step, after anything that may allow one. */
  advance(): void {
    if (!this.raised || this.cancelling) return
    if (this.session.answered) this.lower()
    else if (this.session.onlyAbandoned && this.session.oldest !== this.target) this.begin()
  }

  private begin(): void {
    this.cancelling = true
    this.target = this.session.oldest
    clearTimeout(this.repetition)
    this.bound ??= setTimeout(this.giveUp, this.timeoutMillis)
    this.cancel(() => {
      this.cancelling = false
      this.advance()
      if (this.raised && !this.cancelling) this.repetition = setTimeout(this.repeat, REPEAT_AFTER_MILLIS)
    })
  }

  private readonly repeat = (): void => {
    this.target = undefined
    this.advance()
  }

  private lower(): void {
    this.drop()
    this.session.schedulePump()
  }

  /** Forgets the fence, where it has done its work or the session is over. */
  drop(): void {
    this.raised = false
    this.target = undefined
    clearTimeout(this.bound)
    this.bound = undefined
    clearTimeout(this.repetition)
  }

  private readonly giveUp = (): void => {
    this.session.die(
      new PgError.ConnectionLostError({
        reason: `a cancelled query was not answered within ${this.timeoutMillis} ms`,
        server: undefined,
        safeToRetry: true,
        outcome: "none"
      })
    )
  }
}
