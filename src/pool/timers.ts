/** The clock of a pool. It follows the system's clock, so a test that stops Effect's clock does not stop it. */
import { after } from "../call/realTime.ts"

export interface Timers {
  /** The current time in milliseconds. */
  now(): number
  /** Calls back once after that many milliseconds. Returns a function that cancels the call. */
  after(millis: number, callback: () => void): () => void
}

export const realTimers: Timers = { now: () => performance.now(), after }
