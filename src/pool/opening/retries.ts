/**
 * Decides when a pool tries again to open a session after it could not. A failure that may pass is waited out, with
 * pauses that grow; while a caller waits they stay short, because the server may have a successor any moment. A refusal
 * is an answer, and calls do not wait for a pause: the next one asks the server again, at a bounded rate.
 */
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import type * as PgError from "../../PgError.ts"
import type { Timers } from "../timers.ts"
import { isTransient, reconnectDelay } from "./reconnect.ts"

/** The longest pause while a caller waits. */
const AWAITED_MILLIS = 1000

/** After so many refusals one after the other, a refusal is the answer to all calls of this time. */
const REFUSALS = 3
const REFUSED_MILLIS = 100

export class Retries {
  private readonly timers: Timers
  private readonly retry: () => void
  /** How many attempts have failed one after the other, each after its pause. */
  private failures = 0
  private refusals = 0
  private last: Cause.Cause<PgError.PgError> | undefined
  private failedAt = 0
  private dueAt = 0
  private cancel: (() => void) | undefined

  constructor(timers: Timers, retry: () => void) {
    this.timers = timers
    this.retry = retry
  }

  get isFailing(): boolean {
    return this.failures > 0
  }

  /** The last failure, if no attempt has succeeded since. */
  get lastFailure(): Cause.Cause<PgError.PgError> | undefined {
    return this.last
  }

  /** The refusal that is the answer to a call at this moment. */
  get standingRefusal(): Cause.Cause<PgError.PgError> | undefined {
    return this.refusals > REFUSALS && this.timers.now() < this.failedAt + REFUSED_MILLIS ? this.last : undefined
  }

  mayTry(isAwaited: boolean): boolean {
    if (this.cancel === undefined) return true
    return isAwaited && this.refusals > 0 && this.standingRefusal === undefined
  }

  succeeded(): void {
    this.failures = 0
    this.refusals = 0
    this.last = undefined
    this.stop()
  }

  /** Returns whether the failure is a refusal, such as a wrong password. */
  failed(cause: Cause.Cause<PgError.PgError>): boolean {
    const isRefused = !Option.exists(Cause.findErrorOption(cause), isTransient)
    this.last = cause
    this.failedAt = this.timers.now()
    this.refusals = isRefused ? this.refusals + 1 : 0
    return isRefused
  }

  /** Begins the pause after a failure, if there is none yet. */
  pause(isAwaited: boolean): void {
    if (this.cancel !== undefined) return
    this.failures++
    this.after(reconnectDelay(this.failures))
    if (isAwaited) this.hurry()
  }

  /** A caller waits: the pause must not be long. */
  hurry(): void {
    if (this.cancel === undefined || this.refusals > 0) return
    const due = this.failedAt + AWAITED_MILLIS
    if (due >= this.dueAt) return
    this.cancel()
    this.after(due - this.timers.now())
  }

  private after(millis: number): void {
    this.dueAt = this.timers.now() + millis
    this.cancel = this.timers.after(Math.max(1, millis), () => {
      this.cancel = undefined
      this.retry()
    })
  }

  stop(): void {
    this.cancel?.()
    this.cancel = undefined
  }
}
