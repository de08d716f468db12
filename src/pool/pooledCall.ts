/**
 * One statement on whichever session of a pool is free: it waits for a session, runs and gives the session back, in one
 * object and one suspension of the fiber.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as PgError from "../PgError.ts"
import type { Exchange } from "../session/exchange.ts"
import type { Request, Resume } from "../session/request.ts"
import type { Session } from "../session/session.ts"
import type { Member } from "./member.ts"
import type { Borrower, SessionPool } from "./sessionPool.ts"

/** Is told which session is lent for a statement, before that is sent, and how long it took there, if it succeeded. */
export interface Stopwatch {
  lent(session: Session): void
  ran(session: Session, sql: string, millis: number): void
}

export const call = <A>(
  pool: SessionPool,
  request: Request<A>,
  stopwatch?: Stopwatch | undefined
): Effect.Effect<A, PgError.PgError> =>
  Effect.callback((resume) => {
    const pooled = new PooledCall(pool, request, resume, stopwatch)
    const giveUp = pool.acquire(pooled)
    return Effect.sync(() => pooled.interrupt(giveUp))
  })

class PooledCall<A> implements Borrower {
  private readonly pool: SessionPool
  private readonly request: Request<A>
  private readonly resume: Resume<A>
  private readonly stopwatch: Stopwatch | undefined
  private lentAt = 0
  private member: Member | undefined
  private exchange: Exchange | undefined

  constructor(pool: SessionPool, request: Request<A>, resume: Resume<A>, stopwatch: Stopwatch | undefined) {
    this.pool = pool
    this.request = request
    this.resume = resume
    this.stopwatch = stopwatch
  }

  lend(member: Member): void {
    try {
      this.exchange = this.request.exchange(member.session, this.done)
    } catch (defect) {
      this.pool.release(member)
      return this.refuse(Cause.die(defect))
    }
    this.member = member
    if (this.stopwatch !== undefined) {
      this.stopwatch.lent(member.session)
      this.lentAt = performance.now()
    }
    member.session.submit(this.exchange)
  }

  refuse(cause: Cause.Cause<PgError.PgError>): void {
    this.resume(Exit.failCause(cause))
  }

  /** The session goes back first: what the fiber asks next may have it. */
  private readonly done: Resume<A> = (exit) => {
    const { member } = this
    if (member !== undefined) {
      if (this.stopwatch !== undefined && Exit.isSuccess(exit)) {
        this.stopwatch.ran(member.session, this.request.sql, performance.now() - this.lentAt)
      }
      this.pool.release(member)
    }
    this.resume(exit)
  }

  /** The answer to a request in flight still comes; by then the session is no longer ours to give back. */
  interrupt(giveUp: () => void): void {
    const { exchange, member } = this
    if (member === undefined || exchange === undefined) return giveUp()
    this.member = undefined
    member.session.abandon(exchange)
    this.pool.release(member)
  }
}
