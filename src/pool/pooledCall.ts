/**
 * Runs one statement on any free session of a pool: it waits for a session, runs, and gives the session back, with a
 * single object and a single suspension of the fiber.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as PgError from "../PgError.ts"
import type { Exchange, Resume } from "../session/engine/exchange.ts"
import { ask, type Request } from "../session/request/request.ts"
import type { Session } from "../session/engine/session.ts"
import type { Member } from "./member.ts"
import type { Borrower } from "./borrower.ts"
import type { SessionPool } from "./sessionPool.ts"

/**
 * Learns which session is lent for a statement, before the statement is sent, and how long the statement took there if
 * it succeeded.
 */
export interface Stopwatch {
  lent(session: Session): void
  ran(session: Session, sql: string, millis: number | undefined): void
}

export const call = <A>(
  pool: SessionPool,
  request: Request<A>,
  stopwatch?: Stopwatch | undefined
): Effect.Effect<A, PgError.PgError> =>
  Effect.callback((resume) => {
    const pooled = new PooledCall(pool, request, resume, stopwatch)
    pooled.wait()
    return Effect.sync(() => pooled.interrupt())
  })

export class PooledCall<A> implements Borrower {
  readonly request: Request<A>
  protected readonly resume: Resume<A>
  private readonly pool: SessionPool
  private readonly stopwatch: Stopwatch | undefined
  private lentAt = 0
  private member: Member | undefined
  private exchange: Exchange | undefined
  protected leavePool = nothing

  constructor(pool: SessionPool, request: Request<A>, resume: Resume<A>, stopwatch: Stopwatch | undefined) {
    this.pool = pool
    this.request = request
    this.resume = resume
    this.stopwatch = stopwatch
  }

  /** Asks the pool for a session. */
  wait(): void {
    this.leavePool = this.pool.acquire(this)
  }

  lend(member: Member): void {
    this.member = member
    if (this.stopwatch !== undefined) {
      this.stopwatch.lent(member.session)
      this.lentAt = performance.now()
    }
    this.exchange = ask(member.session, this.request, this.done)
  }

  refuse(cause: Cause.Cause<PgError.PgError>, _timeIsUp: boolean): void {
    this.resume(Exit.failCause(cause))
  }

  /** The session is returned first, so that the fiber's next call may get it. */
  private readonly done: Resume<A> = (exit) => {
    const { member } = this
    this.member = undefined
    if (member !== undefined) {
      if (this.stopwatch !== undefined) {
        const millis = Exit.isSuccess(exit) ? performance.now() - this.lentAt : undefined
        this.stopwatch.ran(member.session, this.request.sql, millis)
      }
      this.pool.release(member)
    }
    this.resume(exit)
  }

  /**
   * The answer to a request in flight still arrives, but by then the session is no longer ours to return. The same is
   * true if the answer has arrived and the fiber is interrupted before it continues.
   */
  interrupt(): void {
    const { exchange, member } = this
    if (exchange === undefined) return this.leavePool()
    if (member === undefined) return
    this.member = undefined
    member.session.abandon(exchange)
    this.pool.release(member)
  }
}

const nothing = (): void => {}
