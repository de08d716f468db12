/**
 * Decides who may use a level, and when. A level serves its callers in the order in which they asked. While a
 * transaction is open above it, or one caller has the level to itself, all others wait.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Inspectable from "effect/Inspectable"
import type * as PgError from "../../PgError.ts"
import type { Exchange, Resume } from "../engine/exchange.ts"
import { Listeners } from "../engine/listeners.ts"
import { ask, type Request } from "../request/request.ts"
import type { Session } from "../engine/session.ts"

/** A caller that waits for a level. Either `start` or `refuse` is called, once, unless the caller leaves first. */
export interface Waiter {
  start(): void
  refuse(error: PgError.PgError): void
}

/** Serves one caller at a time. It has `toJSON` because loggers and debuggers print it with the context of a fiber. */
export abstract class Served extends Inspectable.Class {
  readonly session: Session
  /** Whether one caller has it to itself. */
  protected isTaken = false
  /** Created with the first waiter, because most levels never have one. */
  private waiting: Set<Waiter> | undefined
  private endListeners: Listeners<PgError.PgError> | undefined

  constructor(session: Session) {
    super()
    this.session = session
  }

  toJSON(): unknown {
    return { _id: "effectpg/TransactionLevel", session: this.session }
  }

  /** The error for all further requests, once the level has ended. */
  protected abstract get ended(): PgError.PgError | undefined

  /** Submits a request, as the function `ask` does. */
  protected ask<A>(request: Request<A>, resume: Resume<A>): Exchange | undefined {
    return ask(this.session, request, resume)
  }

  /** The error if a fiber may not ask for anything now. */
  protected abstract refusalFor(fiber: Fiber.Fiber<unknown, unknown>): PgError.PgError | undefined

  /** Calls back when this level or its session ends, at once if it has ended. Returns a function that unsubscribes. */
  onEnd(listener: (error: PgError.PgError) => void): () => void {
    const over = this.ended ?? this.session.lost
    if (over !== undefined) {
      listener(over)
      return () => {}
    }
    const end = (error: PgError.PgError): void => {
      forget()
      listener(error)
    }
    const forgetLevel = (this.endListeners ??= new Listeners()).add(end)
    const forgetSession = this.session.onEnd(end)
    const forget = (): void => {
      forgetLevel()
      forgetSession()
    }
    return forget
  }

  protected tellEnd(error: () => PgError.PgError): void {
    this.endListeners?.tell(error())
  }

  /** Starts the waiter at once if nothing is before it. */
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

  /** Starts the waiters in order, until one of them takes the level. */
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

  /** Sends a request once the earlier waiters have been served. */
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
        exchange = this.ask(request, resume)
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
 * The turn of a caller that needs a level to itself. `wait` completes when the turn has come and all earlier requests
 * are answered. The caller then has the level until `giveBack`.
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

  /** A fiber that is interrupted here, or right after it, has to give the turn back. */
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

  /** Gives the level to the next waiter, or leaves the queue. Does nothing if the turn was given back before. */
  giveBack(): void {
    this.forget()
    if (this.hasLevel) this.level.handOn()
    else this.level.leave(this)
    this.hasLevel = false
  }
}
