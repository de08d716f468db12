/** The clock of a pool. It measures the outer world, so a test that stops Effect's clock does not stop it. */

export interface Timers {
  /** In milliseconds. */
  now(): number
  /** Calls back once after so many milliseconds. Returns how to call it off. */
  after(millis: number, callback: () => void): () => void
}

/** The longest that a timer of the platform can wait. */
const MAX_DELAY_MILLIS = 2 ** 31 - 1

export const realTimers: Timers = {
  now: () => performance.now(),
  after: (millis, callback) => {
    const timer = setTimeout(callback, Math.min(millis, MAX_DELAY_MILLIS))
    return () => clearTimeout(timer)
  }
}
