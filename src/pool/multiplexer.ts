/**
 * Many short statements on few connections: each connection that is held here takes a statement while others are still
 * unanswered on it. An idle connection of the pool goes first, then the held one that has least to do; one whose answer
 * is late takes no more. What finds no place waits, and brings the wait before the pool, where it takes its turn with
 * those who want a connection for themselves.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PgError from "../PgError.ts"
import type { Exchange } from "../session/exchange.ts"
import { Fifo } from "../session/fifo.ts"
import { ask, type Request, type Resume } from "../session/request.ts"
import type { Member } from "./member.ts"
import type { Borrower, SessionPool } from "./sessionPool.ts"
import { ShortStatements } from "./shortStatements.ts"
import { call } from "./pooledCall.ts"

/** How many statements may be unanswered on one connection. */
const MAX_RUNNING = 64
/** A connection that has not answered for so long takes no more statements. */
const MAX_SILENCE_MILLIS = 20

export interface MultiplexLimits {
  readonly maxConnections: number
  /** How many statements may wait for a place; Infinity is no limit. */
  readonly maxWaiters: number
  /** 0 waits for ever. */
  readonly acquireTimeoutMillis: number
}

export class Multiplexer {
  private readonly pool: SessionPool
  private readonly limits: MultiplexLimits
  private readonly short = new ShortStatements()
  private readonly seats = new Set<Seat>()
  private readonly queued = new Fifo<Queued>()
  /** How many of the pool's sessions are on their way here. */
  private expected = 0

  constructor(pool: SessionPool, limits: MultiplexLimits) {
    this.pool = pool
    this.limits = limits
  }

  call<A>(request: Request<A>): Effect.Effect<A, PgError.PgError> {
    return this.short.has(request.sql, request.params) ? this.shared(request) : call(this.pool, request, this.takeNote)
  }

  private readonly takeNote = (sql: string, millis: number): void => this.short.ran(sql, millis)

  private shared<A>(request: Request<A>): Effect.Effect<A, PgError.PgError> {
    return Effect.callback((resume) => {
      const shared = new SharedCall(this, request, resume)
      this.place(shared)
      return Effect.sync(() => shared.interrupt())
    })
  }

  private place(shared: Queued): void {
    const seat = this.pool.hasIdle || this.othersWait ? undefined : this.freest
    if (seat !== undefined) return shared.start(seat)
    const waiting = this.queued.length
    if (waiting >= this.limits.maxWaiters && !this.pool.lendsSoon) {
      return shared.refuse(Cause.fail(new PgError.TooManyWaitersError({ waiting, inUse: this.seats.size })))
    }
    this.queued.push(shared)
    this.expect()
  }

  /** Whether the pool has those waiting who want a session for themselves: then what is held drains for them. */
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
    while (this.expected < Math.min(this.queued.length, this.limits.maxConnections)) {
      this.expected++
      this.pool.acquire(new Agent(this))
    }
  }

  /** A session of the pool has come; it takes what waits, and goes back at once where that is nothing. */
  take(member: Member): void {
    this.expected--
    const seat = new Seat(member)
    this.seats.add(seat)
    this.serve(seat)
  }

  /** The pool has no session for us: where time is up, for nobody who has waited as long; else for nobody. */
  refused(cause: Cause.Cause<PgError.PgError>, timeIsUp: boolean): void {
    this.expected--
    const since = performance.now() - this.limits.acquireTimeoutMillis
    const refused = this.queued.drain().filter((shared) => {
      const isOver = !timeIsUp || shared.askedAt <= since
      if (!isOver) this.queued.push(shared)
      return isOver
    })
    for (const shared of refused) shared.refuse(cause)
    this.expect()
  }

  withdraw(shared: Queued): void {
    this.queued.remove(shared)
  }

  /** One statement of a seat is done with. */
  finished(seat: Seat, sql: string, millis: number): void {
    this.short.ran(sql, millis)
    this.serve(seat)
  }

  private serve(seat: Seat): void {
    const now = performance.now()
    while (this.queued.length > 0 && seat.canTakeMore(now) && !this.othersWait) this.queued.shift()?.start(seat)
    if (seat.running > 0) return
    this.seats.delete(seat)
    this.pool.release(seat.member)
    // It may have gone to somebody who wants it for themselves; what still waits here stands behind them.
    this.expect()
  }
}

/** A call that waits for a place. */
interface Queued {
  readonly askedAt: number
  start(seat: Seat): void
  refuse(cause: Cause.Cause<PgError.PgError>): void
}

/** A session that is held for sharing. */
class Seat {
  readonly member: Member
  running = 0
  /** When the statement that the server now works on could begin. */
  private headSince = 0

  constructor(member: Member) {
    this.member = member
  }

  canTakeMore(now: number): boolean {
    const { session } = this.member
    if (session.lost !== undefined || session.isFenced || session.residue.isSoiled || this.running >= MAX_RUNNING)
      return false
    return this.running === 0 || now - this.headSince <= MAX_SILENCE_MILLIS
  }

  began(now: number): void {
    if (this.running === 0) this.headSince = now
    this.running++
  }

  /** Tells how long the server had it. */
  ended(now: number): number {
    const millis = now - this.headSince
    this.headSince = now
    this.running--
    return millis
  }
}

/** Waits in the pool's queue for a session to share. */
class Agent implements Borrower {
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

class SharedCall<A> implements Queued {
  readonly askedAt = performance.now()
  private readonly multiplexer: Multiplexer
  private readonly request: Request<A>
  private readonly resume: Resume<A>
  private seat: Seat | undefined
  private exchange: Exchange | undefined

  constructor(multiplexer: Multiplexer, request: Request<A>, resume: Resume<A>) {
    this.multiplexer = multiplexer
    this.request = request
    this.resume = resume
  }

  start(seat: Seat): void {
    this.seat = seat
    seat.began(performance.now())
    this.exchange = ask(seat.member.session, this.request, this.done)
  }

  refuse(cause: Cause.Cause<PgError.PgError>): void {
    this.resume(Exit.failCause(cause))
  }

  private readonly done: Resume<A> = (exit) => {
    this.leave()
    this.resume(exit)
  }

  interrupt(): void {
    const { exchange, seat } = this
    if (seat === undefined || exchange === undefined) return this.multiplexer.withdraw(this)
    seat.member.session.abandon(exchange)
    this.leave()
  }

  private leave(): void {
    const { seat } = this
    if (seat === undefined) return
    this.seat = undefined
    this.multiplexer.finished(seat, this.request.sql, seat.ended(performance.now()))
  }
}
