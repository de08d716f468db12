/** Runs one statement that shares a connection with others, from its wait for a place to its answer. */
import type * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as PgError from "../../PgError.ts"
import type { Exchange, Resume } from "../../session/engine/exchange.ts"
import { ask, type Request } from "../../session/request/request.ts"
import type { Seat, Seated } from "./seat.ts"
import type { ShareableStatement } from "./shortStatements.ts"

/** A call that waits for a place, or waits for one again. */
export interface Waiting {
  readonly askedAt: number
  start(seat: Seat): void
  refuse(cause: Cause.Cause<PgError.PgError>): void
}

/** Assigns places to calls. */
export interface Seating {
  /** A waiting call has given up. */
  withdraw(call: Waiting): void
  /** A call that had a place looks for another one. */
  moved(call: Waiting): void
  /** A call of a seat is done; `millis` is how long the server took for it, if known. */
  finished(seat: Seat, sql: string, millis: number | undefined): void
}

export class SharedCall<A> implements Waiting, Seated {
  readonly askedAt: number
  readonly locksRows: boolean
  seatedAt = 0
  isAbandoned = false
  private readonly seating: Seating
  private readonly request: Request<A>
  private readonly resume: Resume<A>
  private seat: Seat | undefined
  private exchange: Exchange | undefined

  constructor(
    seating: Seating,
    request: Request<A>,
    { locksRows }: ShareableStatement,
    resume: Resume<A>,
    askedAt = performance.now()
  ) {
    this.askedAt = askedAt
    this.seating = seating
    this.request = request
    this.locksRows = locksRows
    this.resume = resume
  }

  start(seat: Seat): void {
    this.seat = seat
    this.seatedAt = performance.now()
    seat.add(this)
    this.exchange = ask(seat.member.session, this.request, this.done)
  }

  refuse(cause: Cause.Cause<PgError.PgError>): void {
    this.resume(Exit.failCause(cause))
  }

  private readonly done: Resume<A> = (exit) => {
    const { seat } = this
    if (seat !== undefined) {
      this.seat = undefined
      const millis = seat.answered(this, performance.now())
      this.seating.finished(seat, this.request.sql, Exit.isSuccess(exit) ? millis : undefined)
    }
    this.resume(exit)
  }

  interrupt(): void {
    if (this.seat === undefined) return this.seating.withdraw(this)
    this.abandon()
  }

  moveAway(): boolean {
    const { exchange, seat } = this
    if (exchange === undefined || seat === undefined || !seat.member.session.withdraw(exchange)) return false
    this.seat = undefined
    seat.left(this)
    this.seating.moved(this)
    return true
  }

  /** The server may still run the statement later. */
  giveUp(): void {
    const durationMillis = Math.round(performance.now() - this.askedAt)
    const operation = "the wait behind another call on a shared connection"
    this.abandon()
    this.resume(Exit.fail(new PgError.QueryTimeoutError({ operation, durationMillis, sql: this.request.sql })))
  }

  private abandon(): void {
    const { exchange, seat } = this
    if (exchange === undefined || seat === undefined) return
    this.seat = undefined
    const { session } = seat.member
    if (session.withdraw(exchange)) {
      seat.left(this)
    } else {
      this.isAbandoned = true
      session.abandon(exchange)
      seat.abandoned()
    }
    this.seating.finished(seat, this.request.sql, undefined)
  }
}
