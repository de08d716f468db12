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
import type { Fifo } from "./fifo.ts"

const REPEAT_AFTER_MILLIS = 250

/** What the fence has to know of its session, and what it does to it. */
export interface Fenced {
  schedulePump(): void
  die(error: PgError.PgError): void
}

/** A request in flight; it is `abandoned` if its caller has gone. */
interface Abandonable {
  readonly abandoned: boolean
}

export class Fence {
  raised = false
  private readonly session: Fenced
  private readonly inFlight: Fifo<Abandonable>
  private readonly cancel: (closed: () => void) => void
  private readonly timeoutMillis: number
  private cancelling = false
  /** What the last CancelRequest was meant for. */
  private target: Abandonable | undefined
  private bound: ReturnType<typeof setTimeout> | undefined
  private repetition: ReturnType<typeof setTimeout> | undefined

  constructor(
    session: Fenced,
    inFlight: Fifo<Abandonable>,
    cancel: (closed: () => void) => void,
    timeoutMillis: number
  ) {
    this.session = session
    this.inFlight = inFlight
    this.cancel = cancel
    this.timeoutMillis = timeoutMillis
  }

  raise(): void {
    this.raised = true
  }

  /** Does the next step, after anything that may allow one. */
  advance(): void {
    if (!this.raised || this.cancelling) return
    const oldest = this.inFlight.peek()
    if (oldest === undefined) this.lower()
    // A cancel hits only abandoned requests, if there are no others.
    else if (oldest !== this.target && !this.inFlight.some(({ abandoned }) => !abandoned)) this.begin(oldest)
  }

  private begin(target: Abandonable): void {
    this.cancelling = true
    this.target = target
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
