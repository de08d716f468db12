/**
 * Measures the network round trip to each session of a pool, once something has taken so long that it matters. An empty
 * query, written together with the next statement, measures it; a faster answer to anything else later improves the
 * measurement.
 */
import * as Exit from "effect/Exit"
import type { Session } from "../session/engine/session.ts"
import { submitControl } from "../session/transaction/control.ts"

/** Its answer proves that a session is alive, and takes the server no time. */
export const EMPTY_QUERY = ""

export class RoundTrips {
  /** Whether round trips have to be told from the time that the server takes. */
  isNeeded = false
  /** Only of sessions that are measured: anything else may have taken the server any time. */
  private readonly millis = new WeakMap<Session, number>()

  /** Sends the empty query, unless it has been sent before. */
  measureIfNeeded(session: Session): void {
    if (!this.isNeeded || this.millis.has(session)) return
    this.millis.set(session, Infinity)
    const began = performance.now()
    submitControl(session, { operation: "the query that measures the round trip", sql: EMPTY_QUERY }, (exit) => {
      if (Exit.isSuccess(exit)) this.saw(session, performance.now() - began)
    })
  }

  /** Records how long something took that did not have to wait for anything before it. */
  saw(session: Session, millis: number): void {
    if (millis < (this.millis.get(session) ?? 0)) this.millis.set(session, millis)
  }

  /** 0 if it is not yet known. */
  of(session: Session): number {
    const millis = this.millis.get(session)
    return millis === undefined || millis === Infinity ? 0 : millis
  }
}
