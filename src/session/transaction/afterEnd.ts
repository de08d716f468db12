/** Runs the callbacks of `afterCommit` and `afterRollback`, once the connection has gone back to where it came from. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { GRACE_MILLIS } from "./control.ts"

export interface Callback {
  readonly effect: Effect.Effect<unknown>
  /** By default it can be interrupted. */
  readonly isUninterruptible?: boolean
}

export class AfterEnd {
  private readonly callbacks: Array<Callback> = []

  add(callbacks: ReadonlyArray<Callback>): void {
    for (const callback of callbacks) this.callbacks.push(callback)
  }

  /**
   * Runs a transaction, and then the callbacks that were added by its end. An interruption reaches the callback that is
   * running, if that can be interrupted. The others run nevertheless, because the work that they follow is done.
   */
  following<A, E, R>(transaction: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.exit(restore(transaction)), (exit) => {
        if (this.callbacks.length === 0) return exit
        const behind = Effect.flatMap(Effect.exit(restore(this.run())), () => this.runAtTheEnd)
        return Effect.andThen(behind, exit)
      })
    )
  }

  /** Runs the callbacks in an uninterruptible region. The fiber waits for them no longer than the grace. */
  get runAtTheEnd(): Effect.Effect<void> {
    return Effect.suspend(() => (this.callbacks.length === 0 ? Effect.void : inBackground(this.run())))
  }

  /** Runs each callback by itself. The transaction is over, so a failing one neither undoes it nor stops the others. */
  private run(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const [next] = this.callbacks
      if (next === undefined) return Effect.void
      // An interruption before it has begun leaves it to those that run nevertheless.
      const taken = Effect.suspend(() => {
        this.callbacks.shift()
        return next.effect
      })
      const whole = next.isUninterruptible === true ? Effect.uninterruptible(taken) : taken
      return Effect.andThen(runAlone(whole), () => this.run())
    })
  }
}

const runAlone = (effect: Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.flatMap(Effect.exit(effect), (exit) =>
    Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)
      ? Effect.void
      : Effect.logError("a callback of afterCommit or afterRollback failed", exit.cause)
  )

/** Waits for an effect, but no longer than the grace; after that it goes on in the background. */
const inBackground = (effect: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true, uninterruptible: false }), (fiber) =>
    Effect.callback((resume) => {
      const leave = (): void => resume(Effect.void)
      const bound = setTimeout(leave, GRACE_MILLIS)
      fiber.addObserver(() => {
        clearTimeout(bound)
        leave()
      })
    })
  )
