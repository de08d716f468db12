/** Runs the callbacks of `afterCommit` and `afterRollback`, once the connection has gone back to where it came from. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { GRACE_MILLIS } from "./control.ts"

export class AfterEnd {
  private effects: ReadonlyArray<Effect.Effect<unknown>> = []

  add(effects: ReadonlyArray<Effect.Effect<unknown>>): void {
    this.effects = [...this.effects, ...effects]
  }

  /**
   * Runs a transaction, and then the callbacks that were added by its end. They can be interrupted. If the fiber was
   * interrupted before, they run nevertheless.
   */
  following<A, E, R>(transaction: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.exit(restore(transaction)), (exit) => {
        if (this.effects.length === 0) return exit
        const isInterrupted = Effect.map(Effect.exit(restore(Effect.void)), Exit.isFailure)
        const behind = Effect.flatMap(isInterrupted, (already) => (already ? this.runAtTheEnd : restore(this.run)))
        return Effect.andThen(behind, exit)
      })
    )
  }

  /** Runs the callbacks in an uninterruptible region. The fiber waits for them no longer than the grace. */
  get runAtTheEnd(): Effect.Effect<void> {
    return Effect.suspend(() => (this.effects.length === 0 ? Effect.void : inBackground(this.run)))
  }

  /** Runs each callback by itself. The transaction is over, so a failing one neither undoes it nor stops the others. */
  private get run(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { effects } = this
      this.effects = []
      return Effect.forEach(effects, runAlone, { discard: true })
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
