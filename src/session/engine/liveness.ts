/**
 * Ends a session whose server does not answer a control statement within `cancelTimeout`. The time counts from when the
 * statement is the next to be answered. All statements of a session share one timer, because a timer for each would
 * make up a good part of their cost.
 */
import type * as PgError from "../../PgError.ts"
import { lostWith } from "./lostErrors.ts"

/** A statement whose answer is awaited. */
export interface Watched {
  /** What the statement does, for the error. The SQL itself may contain values of the user. */
  readonly operation: string
  /** Since when it has been the next to be answered, as `performance.now()` counts. */
  nextSince: number | undefined
}

/** What this class needs of a session. */
interface Watchable {
  readonly cancelTimeoutMillis: number
  readonly settled: boolean
  readonly oldest: object | undefined
  onEnd(listener: () => void): unknown
  die(error: PgError.PgError): void
}

/** A timer may fire this much earlier than the clock says. */
const TIMER_SLACK_MILLIS = 1

export class Liveness {
  private readonly session: Watchable
  private readonly watched: Array<Watched> = []
  private timer: ReturnType<typeof setTimeout> | undefined
  private isBegun = false
  private isOver = false

  constructor(session: Watchable) {
    this.session = session
  }

  /** Call it just before the statement is submitted, or at any time after that. */
  watch(statement: Watched): void {
    if (this.isNext(statement)) statement.nextSince = performance.now()
    this.watched.push(statement)
    if (this.timer === undefined) this.begin()
  }

  /** Call it when the statement is answered or its answer is no longer awaited. */
  forget(statement: Watched): void {
    const at = this.watched.indexOf(statement)
    if (at >= 0) this.watched.splice(at, 1)
  }

  private isNext(statement: Watched): boolean {
    return this.session.settled || this.session.oldest === statement
  }

  private begin(): void {
    if (!this.isBegun) {
      this.isBegun = true
      this.session.onEnd(() => {
        this.isOver = true
        clearTimeout(this.timer)
      })
    }
    if (!this.isOver) this.lookAfter(this.session.cancelTimeoutMillis)
  }

  private lookAfter(millis: number): void {
    this.timer = setTimeout(this.look, millis)
  }

  private readonly look = (): void => {
    this.timer = undefined
    const { cancelTimeoutMillis } = this.session
    const now = performance.now()
    let wait = cancelTimeoutMillis
    for (const statement of this.watched) {
      if (statement.nextSince === undefined && this.isNext(statement)) statement.nextSince = now
      if (statement.nextSince === undefined) continue
      const rest = statement.nextSince + cancelTimeoutMillis - now
      if (rest <= TIMER_SLACK_MILLIS) return this.session.die(notAnswered(statement, cancelTimeoutMillis))
      wait = Math.min(wait, rest)
    }
    if (this.watched.length > 0) this.lookAfter(wait)
  }
}

const notAnswered = ({ operation }: Watched, millis: number): PgError.ConnectionLostError =>
  lostWith(`the server did not answer ${operation} within ${millis} ms`, { outcome: "unknown" })
