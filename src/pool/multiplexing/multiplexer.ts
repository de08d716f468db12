/**
 * Runs many short statements on few connections. While a connection of the pool is idle, a statement has it to itself.
 * Otherwise it joins the connection with the fewest statements among those that the multiplexer holds. Such a connection
 * accepts no more if an answer is late, or if its last statement may have to wait for a lock. A statement for which there
 * is no room waits, and the multiplexer then queues in the pool with the callers that want a connection to themselves.
 * Statements that are not known to be short wait there too, until their text proves to be short.
 *
 * No statement waits forever for another one. A statement that has not been written leaves a connection that has fallen
 * silent; one that has been written gives up after `acquireTimeout`. These times are measured by the system's clock,
 * not by Effect's.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as PgError from "../../PgError.ts"
import { Fifo } from "../../session/engine/fifo.ts"
import type { Request } from "../../session/request/request.ts"
import type { Session } from "../../session/engine/session.ts"
import type { Member } from "../member.ts"
import { call } from "../pooledCall.ts"
import { RoundTrips } from "../roundTrips.ts"
import { Seat } from "./seat.ts"
import type { Borrower } from "../borrower.ts"
import type { SessionPool } from "../sessionPool.ts"
import { SharedCall, type Waiting } from "./sharedCall.ts"
import { MAX_SHORT_MILLIS, type ShareableStatement, ShortStatements } from "./shortStatements.ts"
import { type Deciding, type Undecided, UndecidedCall } from "./undecidedCall.ts"

/** Of the statements that have a connection to themselves because one is idle, one in so many is timed. */
export const TIMED_EACH = 8

/** How often to look for silent connections, and for calls whose time is up. */
const WATCH_MILLIS = 20

export interface MultiplexLimits {
  readonly maxConnections: number
  /** How many statements may wait for a place; Infinity means no limit. */
  readonly maxWaiters: number
  /** 0 waits forever. */
  readonly acquireTimeoutMillis: number
}

export class Multiplexer implements Deciding {
  private readonly pool: SessionPool
  private readonly limits: MultiplexLimits
  private readonly short = new ShortStatements()
  private readonly roundTrips = new RoundTrips()
  private readonly seats = new Set<Seat>()
  /** In the order in which they came. */
  private readonly waiting = new Fifo<Waiting>()
  /** By their texts, the calls that wait in the pool because their texts are not known to be short. */
  private readonly undecided = new Map<string, Set<Undecided>>()
  /** How many of the pool's sessions have been requested and not yet received. */
  private expected = 0
  private watch: ReturnType<typeof setTimeout> | undefined
  /** How many statements have had a connection to themselves because one was idle. */
  private alone = 0

  constructor(pool: SessionPool, limits: MultiplexLimits) {
    this.pool = pool
    this.limits = limits
  }

  call<A>(request: Request<A>): Effect.Effect<A, PgError.PgError> {
    // While a connection is idle, nothing is gained by sharing one.
    if (this.pool.hasIdle) return call(this.pool, request, ++this.alone % TIMED_EACH === 0 ? this : undefined)
    const statement = this.short.find(request.sql, request.params)
    return statement === undefined ? this.unshared(request) : this.shared(request, statement)
  }

  private unshared<A>(request: Request<A>): Effect.Effect<A, PgError.PgError> {
    return Effect.callback((resume) => {
      const undecided = new UndecidedCall(this, this.pool, request, resume)
      this.doubt(undecided)
      undecided.wait()
      return Effect.sync(() => undecided.interrupt())
    })
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
    this.roundTrips.measureIfNeeded(session)
  }

  ran(session: Session, sql: string, millis: number | undefined): void {
    if (session.residue.isSoiled) return this.short.soils(sql)
    if (millis === undefined) return
    if (millis > MAX_SHORT_MILLIS) this.roundTrips.isNeeded = true
    this.roundTrips.saw(session, millis)
    const roundTrip = this.roundTrips.of(session)
    this.learn(session, sql, millis - roundTrip, roundTrip)
  }

  private learn(session: Session, sql: string, millis: number, roundTrip: number): void {
    if (millis > MAX_SHORT_MILLIS) this.roundTrips.doubt(session)
    if (this.short.ran(sql, millis, roundTrip)) this.reconsider(sql)
  }

  // ------------------------------------------------------------------------------------------------- doubts

  private doubt(call: Undecided): void {
    const { sql } = call.request
    const calls = this.undecided.get(sql)
    if (calls === undefined) this.undecided.set(sql, new Set([call]))
    else calls.add(call)
  }

  decided(call: Undecided): void {
    const { sql } = call.request
    const calls = this.undecided.get(sql)
    if (calls?.delete(call) === true && calls.size === 0) this.undecided.delete(sql)
  }

  /**
   * A text has proved to be short, so the calls that wait with it share connections. The first of them keep their places
   * in the queue of the pool for all, because callers that came later must not overtake them.
   */
  private reconsider(sql: string): void {
    const calls = this.undecided.get(sql)
    if (calls === undefined) return
    const shared = this.waiting.drain()
    for (const call of calls) {
      const statement = this.short.find(sql, call.request.params)
      if (statement === undefined) continue
      this.decided(call)
      const passesPlaceOn = this.expected < this.limits.maxConnections
      if (passesPlaceOn) this.expected++
      shared.push(call.share(statement, passesPlaceOn))
    }
    for (const call of shared.toSorted((one, other) => one.askedAt - other.askedAt)) this.waiting.push(call)
    if (shared.length > 0) this.keepWatch()
  }

  // ------------------------------------------------------------------------------------------------- places

  private place(shared: Waiting): void {
    const seat = this.othersWait ? undefined : this.freest
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
    seat.measure()
    shared.start(seat)
    if (seat.isShared) this.keepWatch()
  }

  /** How many callers wait in the pool for a session of their own. */
  private get othersWaiting(): number {
    return Math.max(0, this.pool.waitingCount - this.expected)
  }

  /** Whether there are such callers. If so, the held connections are drained and returned for them. */
  private get othersWait(): boolean {
    return this.pool.waitingCount > this.expected
  }

  /** The held connection with the fewest statements that can take more. */
  private get freest(): Seat | undefined {
    const now = performance.now()
    let freest: Seat | undefined
    for (const seat of this.seats) {
      if (seat.canTakeMore(now) && (freest === undefined || seat.running < freest.running)) freest = seat
    }
    return freest
  }

  /**
   * Requests sessions from the pool while calls have no place, but no more than the pool can have, because each serves
   * many.
   */
  private expect(): void {
    while (this.expected < Math.min(this.waiting.length, this.limits.maxConnections)) {
      this.expected++
      this.pool.acquire(new Agent(this))
    }
  }

  /** Receives a session from the pool. It takes the waiting calls; if there are none, it goes back at once. */
  take(member: Member): void {
    this.expected--
    const seat = new Seat(member, this.roundTrips)
    this.seats.add(seat)
    this.serve(seat)
  }

  /** The pool provides no session, because it is closed, its queue is full, or the time is up. */
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
    const { session } = seat.member
    if (session.residue.isSoiled) this.short.soils(sql)
    else if (millis !== undefined) this.learn(session, sql, millis, seat.roundTrip)
    this.serve(seat)
  }

  /**
   * Seats waiting calls on a session that may have room. If others wait for a session to themselves, it is the turn of
   * those calls that waited when the session came.
   */
  private serve(seat: Seat): void {
    const now = performance.now()
    const askedUntil = this.othersWait ? seat.since : now
    for (let next = this.waiting.peek(); next !== undefined && next.askedAt <= askedUntil; next = this.waiting.peek()) {
      if (!seat.canTakeMore(now)) break
      this.waiting.shift()
      this.seat(next, seat)
    }
    if (seat.running === 0 && this.seats.delete(seat)) {
      if (this.seats.size === 0) this.stopWatch()
      this.pool.release(seat.member)
    }
    // The session may have gone to a caller that wants one to itself; calls still waiting here queue behind it.
    this.expect()
  }

  // ------------------------------------------------------------------------------------------------- watch

  private keepWatch(): void {
    this.watch ??= setTimeout(this.look, WATCH_MILLIS)
  }

  /** Without a seat, only the deadlines of the waiting calls have to be watched. */
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
      // The calls that are left may all be abandoned: then nobody else gives the session back.
      this.serve(seat)
    }
    this.refuseLate()
    this.expect()
    if (this.waiting.length > 0 || this.hasShared) this.keepWatch()
  }

  private get hasShared(): boolean {
    for (const seat of this.seats) if (seat.isShared) return true
    return false
  }

  /** A call requested before this time is late now. */
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

/** Waits in the pool's queue for a session to share, on behalf of calls that have already been counted. */
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
