/** The clock of a pool. It follows the system's clock, so a test that stops Effect's clock does not stop it. */
import { MAX_DELAY_MILLIS } from "../call/realTime.ts"

export interface Timers {
  /** The current time in milliseconds. */
  now(): number
  /** Calls back once after that many milliseconds. Returns a function that cancels the call. */
  after(millis: number, callback: () => void): () => void
}

export const realTimers: Timers = {
  now: () => performance.now(),
  after: (millis, callback) => {
    const timer = setTimeout(callback, Math.min(millis, MAX_DELAY_MILLIS))
    return () => clearTimeout(timer)
  }
}
