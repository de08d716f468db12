/** The clock of a pool. It follows the system's clock, so a test that stops Effect's clock does not stop it. */

export interface Timers {
  /** The current time in milliseconds. */
  now(): number
  /** Calls back once after that many milliseconds. Returns a function that cancels the call. */
  after(millis: number, callback: () => void): () => void
}

/** The longest time that a timer of the platform can wait. */
const MAX_DELAY_MILLIS = 2 ** 31 - 1

export const realTimers: Timers = {
  now: () => performance.now(),
  after: (millis, callback) => {
    const timer = setTimeout(callback, Math.min(millis, MAX_DELAY_MILLIS))
    return () => clearTimeout(timer)
  }
}
