/**
 * Many short statements on few connections: each connection that is held here takes a statement while others are still
 * unanswered on it. An idle connection of the pool goes first, then the held one that has least to do; one whose answer
 * is late takes no more, and so does one whose last statement may have to wait for a lock. What finds no place waits, and
 * brings the wait before the pool, where it takes its turn with those who want a connection for themselves.
 *
 * Nothing here waits for ever on another's statement: what has not been written leaves a connection that has fallen
 * silent, and what has been written gives up after `acquireTimeout`. These times are those of the outer world.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as PgError from "../PgError.ts"
import { Fifo } from "../session/fifo.ts"
import type { Request } from "../session/request.ts"
import type { Session } from "../session/session.ts"
import type { Member } from "./member.ts"
import { call, type Stopwatch } from "./pooledCall.ts"
import { RoundTrips } from "./roundTrips.ts"
import { Seat } from "./seat.ts"
import type { Borrower } from "./borrower.ts"
import type { SessionPool } from "./sessionPool.ts"
import { type Seating, SharedCall, type Waiting } from "./sharedCall.ts"
import { type ShareableStatement, ShortStatements } from "./shortStatements.ts"

/** How often is looked for connections that have fallen silent, and for calls whose time is up. */
const WATCH_MILLIS = 20

export interface MultiplexLimits {
  readonly maxConnections: number
  /** How many statements may wait for a place; Infinity is no limit. */
  readonly maxWaiters: number
  /** 0 waits for ever. */
  readonly acquireTimeoutMillis: number
}

export class Multiplexer implements Seating, Stopwatch {
  private readonly pool: SessionPool
  private readonly limits: MultiplexLimits
  private readonly short = new ShortStatements()
  private readonly roundTrips = new RoundTrips()
  private readonly seats = new Set<Seat>()
  private readonly waiting = new Fifo<Waiting>()
  /** How many of the pool's sessions are on their way here. */
  private expected = 0
  private watch: ReturnType<typeof setTimeout> | undefined

  constructor(pool: SessionPool, limits: MultiplexLimits) {
    this.pool = pool
    this.limits = limits
  }

  call<A>(request: Request<A>): Effect.Effect<A, PgError.PgError> {
    const statement = this.short.find(request.sql, request.params)
    return statement === undefined ? call(this.pool, request, this) : this.shared(request, statement)
  }

  private shared<A>(request: Request<A>, statement: ShareableStatement): Effect.Effect<A, PgError.PgError> {
    return Effect.callback((resume) => {
      const shared = new SharedCall(this, request, statement, resume)
      this.place(shared)
      return Effect.sync(() => shared.interrupt())
    })
  }

  // ------------------------------------------------------------------------------------------------- time

  /** A session was lent for one statement, which is to be timed. */
  lent(session: Session): void {
    this.roundTrips.measure(session)
  }

  ran(session: Session, sql: string, millis: number | undefined): void {
    if (session.residue.isSoiled) return this.short.soils(sql)
    if (millis === undefined) return
    this.roundTrips.saw(session, millis)
    const roundTrip = this.roundTrips.of(session)
    this.short.ran(sql, millis - roundTrip, roundTrip)
  }

  // ------------------------------------------------------------------------------------------------- places

  private place(shared: Waiting): void {
    const seat = this.pool.hasIdle || this.othersWait ? undefined : this.freest
    if (seat !== undefined) return this.seat(shared, seat)
    const waiting = this.waiting.length + this.othersWaiting
    if (waiting >= this.limits.maxWaiters && !this.pool.lendsSoon) {
      return shared.refuse(Cause.fail(new PgError.TooManyWaitersError({ waiting, inUse: this.seats.size })))
    }
    this.waiting.push(shared)
    this.expect()
    this.keepWatch()
  }

  private seat(shared: Waiting, seat: Seat): void {
    shared.start(seat)
    if (seat.isShared) this.keepWatch()
  }

  /** How many wait in the pool who want a session for themselves. */
  private get othersWaiting(): number {
    return Math.max(0, this.pool.waitingCount - this.expected)
  }

  /** Where there are some, what is held drains for them. */
  private get othersWait(): boolean {
    return this.pool.waitingCount > this.expected
  }

  /** The held connection with the least to do that can take more. */
  private get freest(): Seat | undefined {
    const now = performance.now()
    let freest: Seat | undefined
    for (const seat of this.seats) {
      if (seat.canTakeMore(now) && (freest === undefined || seat.running < freest.running)) freest = seat
    }
    return freest
  }

  /** Asks the pool for sessions while calls have no place: for no more than it can have, since each serves many. */
  private expect(): void {
    while (this.expected < Math.min(this.waiting.length, this.limits.maxConnections)) {
      this.expected++
      this.pool.acquire(new Agent(this))
    }
  }

  /** A session of the pool has come; it takes what waits, and goes back at once if that is nothing. */
  take(member: Member): void {
    this.expected--
    this.roundTrips.measure(member.session)
    const seat = new Seat(member, this.roundTrips)
    this.seats.add(seat)
    this.serve(seat)
  }

  /** The pool has no session for us: no longer, after a wait, or not at all, which is the answer to all who wait. */
  refused(cause: Cause.Cause<PgError.PgError>, timeIsUp: boolean): void {
    this.expected--
    if (timeIsUp) this.refuseLate()
    else for (const shared of this.waiting.drain()) shared.refuse(cause)
    this.expect()
  }

  withdraw(shared: Waiting): void {
    this.waiting.remove(shared)
  }

  moved(shared: Waiting): void {
    this.waiting.unshift(shared)
  }

  finished(seat: Seat, sql: string, millis: number | undefined): void {
    if (seat.member.session.residue.isSoiled) this.short.soils(sql)
    else if (millis !== undefined) this.short.ran(sql, millis, seat.roundTrip)
    this.serve(seat)
  }

  private serve(seat: Seat): void {
    const now = performance.now()
    while (this.waiting.length > 0 && seat.canTakeMore(now) && !this.othersWait) {
      const shared = this.waiting.shift()
      if (shared !== undefined) this.seat(shared, seat)
    }
    if (seat.running === 0 && this.seats.delete(seat)) {
      if (this.seats.size === 0) this.stopWatch()
      this.pool.release(seat.member)
    }
    // It may have gone to somebody who wants it for themselves; what still waits here stands behind them.
    this.expect()
  }

  // ------------------------------------------------------------------------------------------------- watch

  private keepWatch(): void {
    this.watch ??= setTimeout(this.look, WATCH_MILLIS)
  }

  /** With no seat left there is nothing to look for but the time of those who wait. */
  private stopWatch(): void {
    if (this.waiting.length > 0) return
    clearTimeout(this.watch)
    this.watch = undefined
  }

  private readonly look = (): void => {
    this.watch = undefined
    const now = performance.now()
    for (const seat of this.seats) {
      if (!seat.isShared || !seat.isSilent(now)) continue
      seat.moveUnwritten()
      seat.giveUpBehind(this.askedTooLongAgo(now))
    }
    this.refuseLate()
    this.expect()
    if (this.waiting.length > 0 || this.hasShared) this.keepWatch()
  }

  private get hasShared(): boolean {
    for (const seat of this.seats) if (seat.isShared) return true
    return false
  }

  /** The time before which a call must have been asked for to be late now. */
  private askedTooLongAgo(now: number): number {
    const { acquireTimeoutMillis } = this.limits
    return acquireTimeoutMillis === 0 ? -Infinity : now - acquireTimeoutMillis
  }

  private refuseLate(): void {
    const askedUntil = this.askedTooLongAgo(performance.now())
    for (let next = this.waiting.peek(); next !== undefined && next.askedAt <= askedUntil; next = this.waiting.peek()) {
      this.waiting.shift()
      next.refuse(this.pool.timeIsUp())
    }
  }
}

/** Waits in the pool's queue for a session to share. Those it waits for have been counted. */
class Agent implements Borrower {
  readonly isCounted = true
  private readonly multiplexer: Multiplexer

  constructor(multiplexer: Multiplexer) {
    this.multiplexer = multiplexer
  }

  lend(member: Member): void {
    this.multiplexer.take(member)
  }

  refuse(cause: Cause.Cause<PgError.PgError>, timeIsUp: boolean): void {
    this.multiplexer.refused(cause, timeIsUp)
  }
}
