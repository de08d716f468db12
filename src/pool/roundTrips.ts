/**
 * How long the line to each session of a pool takes there and back. An empty query, sent ahead of the first statement
 * that is timed there, shows it; a quicker answer to anything else later shows it better.
 */
import * as Exit from "effect/Exit"
import type { Session } from "../session/session.ts"
import { submitControl } from "../session/control.ts"

/** Its answer proves that a session is alive, and takes no longer than the line. */
export const EMPTY_QUERY = ""

export class RoundTrips {
  private readonly millis = new WeakMap<Session, number>()

  /** Sends the empty query, unless that has been done; what is asked of the session next is written with it. */
  measure(session: Session): void {
    if (this.millis.has(session)) return
    this.millis.set(session, Infinity)
    const began = performance.now()
    submitControl(session, { operation: "the measure of the line", sql: EMPTY_QUERY }, (exit) => {
      if (Exit.isSuccess(exit)) this.saw(session, performance.now() - began)
    })
  }

  /** Takes note of how long something took that nothing stood before. */
  saw(session: Session, millis: number): void {
    if (millis < (this.millis.get(session) ?? Infinity)) this.millis.set(session, millis)
  }

  /** 0 where it is not known yet. */
  of(session: Session): number {
    const millis = this.millis.get(session)
    return millis === undefined || millis === Infinity ? 0 : millis
  }
}
