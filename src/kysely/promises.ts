/** Runs the effects of one driver as promises, until a scope ends: then those that still run are interrupted. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as PgError from "../PgError.ts"

export interface Run<A> {
  readonly context: Context.Context<never>
  /** Interrupts the effect. */
  readonly signal?: AbortSignal | undefined
  /** Makes the result if the effect was interrupted by somebody who no longer wants the real one. */
  readonly whenInterrupted?: () => A
  readonly onStart?: ((fiber: Fiber.Fiber<unknown, unknown>) => void) | undefined
}

export class Promises {
  /** The scope of everything that the driver holds. */
  readonly scope: Scope.Closeable = Scope.makeUnsafe()
  readonly #fibers = new Set<Fiber.Fiber<unknown, unknown>>()
  #isOver = false

  constructor(until: Scope.Scope) {
    Effect.runSync(Scope.addFinalizer(until, this.end))
  }

  /** Runs an effect. The promise is rejected with the error itself. */
  run<A>(effect: Effect.Effect<A, PgError.PgError>, { context, onStart, signal, whenInterrupted }: Run<A>): Promise<A> {
    if (this.#isOver) return Promise.reject(over())
    return new Promise((resolve, reject) => {
      const fiber = Effect.runForkWith(context)(effect, { signal })
      this.#fibers.add(fiber)
      onStart?.(fiber)
      fiber.addObserver((exit) => {
        this.#fibers.delete(fiber)
        if (Exit.isSuccess(exit)) resolve(exit.value)
        else if (!Cause.hasInterruptsOnly(exit.cause)) reject(Cause.squash(exit.cause))
        else if (this.#isOver) reject(over())
        else if (whenInterrupted !== undefined) resolve(whenInterrupted())
        else reject(Cause.squash(exit.cause))
      })
    })
  }

  /** Interrupts what runs, and gives back what is held. From then on nothing is run. */
  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    this.#isOver = true
    return Effect.andThen(Fiber.interruptAll(this.#fibers), Scope.close(this.scope, Exit.void))
  })
}

const over = (): PgError.UnsupportedError =>
  new PgError.UnsupportedError({
    feature: "a query with a Kysely whose scope has ended",
    instead: "run it within the scope, or make another Kysely with PgKysely.make",
    sql: ""
  })
