/**
 * Measures the network round trip to each session of a pool, once something has taken so long that it matters. An empty
 * query, written together with the next statement, measures it; a faster answer to anything else later improves the
 * measurement. The line may become slower, or may have been measured at a lucky moment: whatever takes longer than it
 * should puts the measurement in doubt, and the line is measured anew.
 */
import * as Exit from "effect/Exit"
import type { Session } from "../session/engine/session.ts"
import { submitControl } from "../session/transaction/control.ts"

/** Its answer proves that a session is alive, and takes the server no time. */
export const EMPTY_QUERY = ""

interface Measurement {
  /** Infinity until the first answer. */
  millis: number
  /** What the empty query took the last time. A longer round trip is believed if it is measured twice in a row. */
  lastMillis: number
  isDoubtful: boolean
}

export class RoundTrips {
  /** Whether round trips have to be told from the time that the server takes. */
  isNeeded = false
  /** Only of sessions that are measured: anything else may have taken the server any time. */
  private readonly measurements = new WeakMap<Session, Measurement>()

  /** Sends the empty query to a session that has nothing to answer, unless its round trip is known. */
  measureIfNeeded(session: Session): void {
    if (!this.isNeeded) return
    const measurement = this.measurements.get(session) ?? { millis: Infinity, lastMillis: Infinity, isDoubtful: true }
    if (!measurement.isDoubtful) return
    measurement.isDoubtful = false
    this.measurements.set(session, measurement)
    const began = performance.now()
    submitControl(session, { operation: "the query that measures the round trip", sql: EMPTY_QUERY }, (exit) => {
      if (Exit.isFailure(exit)) return
      const millis = performance.now() - began
      measurement.millis = Math.min(millis, measurement.lastMillis)
      measurement.lastMillis = millis
    })
  }

  /** Records how long something took that did not have to wait for anything before it. */
  saw(session: Session, millis: number): void {
    if (!this.isNeeded) return
    const measurement = this.measurements.get(session)
    if (measurement !== undefined && millis < measurement.millis) measurement.millis = millis
  }

  /** Has the round trip measured again before it is relied on for long. */
  doubt(session: Session): void {
    const measurement = this.measurements.get(session)
    if (measurement !== undefined) measurement.isDoubtful = true
  }

  /** 0 if it is not yet known. */
  of(session: Session): number {
    if (!this.isNeeded) return 0
    const millis = this.measurements.get(session)?.millis
    return millis === undefined || millis === Infinity ? 0 : millis
  }
}
