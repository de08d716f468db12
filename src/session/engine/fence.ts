/**
 * The fence around a canceled query. PostgreSQL cancels whatever its backend runs when the signal arrives. So nothing
 * may be written between the decision to cancel and the proof that the signal can hit nothing else:
 *
 * - The fence is raised when the last request in flight is abandoned.
 * - A CancelRequest goes out once everything in flight is abandoned, and another one for each further request in
 *   flight.
 * - If a canceled query is not answered, the CancelRequest is repeated, because a signal that arrives before its query
 *   has no effect.
 * - The fence falls when the server has closed the cancel connection and has answered everything in flight.
 * - If that takes longer than `cancelTimeout`, the session ends.
 */
import type * as PgError from "../../PgError.ts"
import type { Fifo } from "./fifo.ts"
import { lostWith } from "./lostErrors.ts"

const REPEAT_AFTER_MILLIS = 250

/** What the fence needs of its session. */
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
  /** The exchange for which the last CancelRequest was sent. */
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

  /** Takes the next step if there is one. The session calls this after every event that may allow one. */
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

  /** Removes the fence, because it has done its work or the session has ended. */
  drop(): void {
    this.raised = false
    this.target = undefined
    clearTimeout(this.bound)
    this.bound = undefined
    clearTimeout(this.repetition)
  }

  private readonly giveUp = (): void => {
    const reason = `the server did not answer a canceled query within ${this.timeoutMillis} ms`
    this.session.die(lostWith(reason, { safeToRetry: true }))
  }
}
