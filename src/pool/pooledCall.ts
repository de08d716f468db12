/**
 * One statement on whichever session of a pool is free: it waits for a session, runs and gives the session back, in one
 * object and one suspension of the fiber.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as PgError from "../PgError.ts"
import type { Exchange } from "../session/exchange.ts"
import { ask, type Request, type Resume } from "../session/request.ts"
import type { Member } from "./member.ts"
import type { Borrower, SessionPool } from "./sessionPool.ts"

/** Is told how long a statement ran on its session; Infinity for one that has changed it. */
export type TakeNote = (sql: string, millis: number) => void

export const call = <A>(
  pool: SessionPool,
  request: Request<A>,
  takeNote?: TakeNote | undefined
): Effect.Effect<A, PgError.PgError> =>
  Effect.callback((resume) => {
    const pooled = new PooledCall(pool, request, resume, takeNote)
    const giveUp = pool.acquire(pooled)
    return Effect.sync(() => pooled.interrupt(giveUp))
  })

class PooledCall<A> implements Borrower {
  private readonly pool: SessionPool
  private readonly request: Request<A>
  private readonly resume: Resume<A>
  private readonly takeNote: TakeNote | undefined
  private lentAt = 0
  private member: Member | undefined
  private exchange: Exchange | undefined

  constructor(pool: SessionPool, request: Request<A>, resume: Resume<A>, takeNote: TakeNote | undefined) {
    this.pool = pool
    this.request = request
    this.resume = resume
    this.takeNote = takeNote
  }

  lend(member: Member): void {
    this.member = member
    if (this.takeNote !== undefined) this.lentAt = performance.now()
    this.exchange = ask(member.session, this.request, this.done)
  }

  refuse(cause: Cause.Cause<PgError.PgError>): void {
    this.resume(Exit.failCause(cause))
  }

  /** The session goes back first: what the fiber asks next may have it. */
  private readonly done: Resume<A> = (exit) => {
    const { member } = this
    this.member = undefined
    if (member !== undefined) {
      // What has changed the session is to share one with nobody.
      this.takeNote?.(this.request.sql, member.session.residue.isSoiled ? Infinity : performance.now() - this.lentAt)
      this.pool.release(member)
    }
    this.resume(exit)
  }

  /**
   * The answer to a request in flight still comes; by then the session is no longer ours to give back. Nor is it where
   * the answer has come and the fiber is interrupted before it goes on.
   */
  interrupt(giveUp: () => void): void {
    const { exchange, member } = this
    if (exchange === undefined) return giveUp()
    if (member === undefined) return
    this.member = undefined
    member.session.abandon(exchange)
    this.pool.release(member)
  }
}
