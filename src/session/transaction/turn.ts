/**
 * Decides who may use a level, and when. A level serves its callers in the order in which they asked. While a
 * transaction is open above it, or one caller has the level to itself, all others wait.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Inspectable from "effect/Inspectable"
import type * as PgError from "../../PgError.ts"
import type { Exchange } from "../engine/exchange.ts"
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

  constructor(session: Session) {
    super()
    this.session = session
  }

  toJSON(): unknown {
    return { _id: "effectpg/TransactionLevel", session: this.session }
  }

  /** The error if a fiber may not ask for anything now. */
  protected abstract refusalFor(fiber: Fiber.Fiber<unknown, unknown>): PgError.PgError | undefined

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
