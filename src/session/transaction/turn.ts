/**
 * Who may go on at a level, and when. A level serves those who ask in their order: while a transaction is open above it,
 * or one of those who asked has it, all others wait behind.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Inspectable from "effect/Inspectable"
import type * as PgError from "../../PgError.ts"
import type { Exchange } from "../engine/exchange.ts"
import { ask, type Request } from "../request/request.ts"
import type { Session } from "../engine/session.ts"

/** Somebody who waits at a level. Exactly one of the two is called, unless they leave before. */
export interface Waiter {
  start(): void
  refuse(error: PgError.PgError): void
}

/** What serves one at a time. It travels in the context of fibers, which loggers and debuggers print. */
export abstract class Served extends Inspectable.Class {
  readonly session: Session
  /** Whether somebody has it to themselves. */
  protected isTaken = false
  /** Made for the first: most have nobody to wait for them. */
  private waiting: Set<Waiter> | undefined

  constructor(session: Session) {
    super()
    this.session = session
  }

  toJSON(): unknown {
    return { _id: "effectpg/TransactionLevel", session: this.session }
  }

  /** Why a fiber may not ask for anything now. */
  protected abstract refusalFor(fiber: Fiber.Fiber<unknown, unknown>): PgError.PgError | undefined

  /** Starts at once where nobody is before them. */
  enqueue(waiter: Waiter): void {
    if (this.isTaken) (this.waiting ??= new Set()).add(waiter)
    else waiter.start()
  }

  leave(waiter: Waiter): void {
    this.waiting?.delete(waiter)
  }

  take(): void {
    this.isTaken = true
  }

  /** Serves those who wait, in their order, until one of them takes it. */
  handOn(): void {
    this.isTaken = false
    if (this.waiting === undefined) return
    for (const waiter of this.waiting) {
      if (this.isTaken) return
      this.waiting.delete(waiter)
      waiter.start()
    }
  }

  protected refuseWaiting(error: () => PgError.PgError): void {
    if (this.waiting === undefined) return
    const refused = this.waiting
    this.waiting = undefined
    for (const waiter of refused) waiter.refuse(error())
  }

  /** Sends a request when those before it have been served. */
  protected sendInTurn<A>(
    fiber: Fiber.Fiber<unknown, unknown>,
    request: Request<A>
  ): Effect.Effect<A, PgError.PgError> {
    return Effect.callback((resume) => {
      let exchange: Exchange | undefined
      const refuse = (error: PgError.PgError): void => resume(Effect.fail(error))
      const start = (): void => {
        const refusal = this.refusalFor(fiber)
        if (refusal !== undefined) return refuse(refusal)
        exchange = ask(this.session, request, resume)
      }
      const waiter: Waiter = { start, refuse }
      this.enqueue(waiter)
      return Effect.sync(() => {
        if (exchange === undefined) this.leave(waiter)
        else this.session.abandon(exchange)
      })
    })
  }
}

/**
 * The turn of somebody who needs a level for themselves. `wait` completes when it has come and what was asked before is
 * answered; then the level is theirs until they `giveBack`.
 */
export class Turn implements Waiter {
  private readonly level: Served
  private readonly isReady: (session: Session) => boolean
  private resume: ((answer: Effect.Effect<void, PgError.PgError>) => void) | undefined
  private forget = (): void => {}
  private hasLevel = false

  constructor(level: Served, isReady: (session: Session) => boolean) {
    this.level = level
    this.isReady = isReady
  }

  /** If a fiber is interrupted in it or just behind it, the fiber has to give the turn back. */
  readonly wait: Effect.Effect<void, PgError.PgError> = Effect.callback((resume) => {
    this.resume = resume
    this.level.enqueue(this)
    return Effect.sync(() => this.giveBack())
  })

  start(): void {
    const { level } = this
    this.hasLevel = true
    level.take()
    const forgetStall = level.session.stalled.add((error) => this.refuse(error))
    const look = (): void => {
      const { session } = level
      if (session.lost === undefined && !this.isReady(session)) {
        const forgetIdle = session.onIdle(look)
        this.forget = () => {
          forgetStall()
          forgetIdle()
        }
        return
      }
      forgetStall()
      this.forget = () => {}
      this.resume?.(Effect.void)
    }
    look()
  }

  refuse(error: PgError.PgError): void {
    this.giveBack()
    this.resume?.(Effect.fail(error))
  }

  /** The next in the queue has the level; nothing happens where it is theirs already. */
  giveBack(): void {
    this.forget()
    if (this.hasLevel) this.level.handOn()
    else this.level.leave(this)
    this.hasLevel = false
  }
}
