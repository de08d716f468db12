/**
 * Knows whether the servers for reads can be reached at all. As long as no connection to them is open and the last
 * attempt to open one has failed, no read waits for them: one attempt after another is made, and the primary reads.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as PgError from "../PgError.ts"
import type { OptionalPool } from "../pool/openPool.ts"
import type { OpenMember } from "../pool/opening/opener.ts"
import { isTransient } from "../pool/opening/reconnect.ts"
import type { SessionPool } from "../pool/sessionPool.ts"
import { realTimers } from "../pool/timers.ts"

/** A pool that is asked for nothing does not try by itself, unless it has a minimum of connections. */
const RETRY_MILLIS = 1000

export class Reachability implements OptionalPool {
  readonly purpose = "reads"
  private sessions: SessionPool | undefined
  private hasFailed = false
  private triedAt = -Infinity

  /**
   * Whether no connection is open, although one was asked for: the last attempt has failed, or is taking so long that a
   * caller has given up waiting.
   */
  get isCutOff(): boolean {
    return this.hasFailed && this.sessions?.counts.size === 0
  }

  /** Told of each failure to get a connection. */
  refused(error: unknown): void {
    if (PgError.isPgError(error) && error._tag === "AcquireTimeoutError" && this.sessions?.counts.size === 0)
      this.hasFailed = true
  }

  readonly watch = (open: OpenMember, sessions: () => SessionPool): OpenMember => {
    return (done) => {
      this.sessions = sessions()
      open((opened) => {
        this.triedAt = realTimers.now()
        const cause = Exit.isFailure(opened) && mayPass(opened.cause) ? opened.cause : undefined
        this.hasFailed = cause !== undefined
        done(opened)
        // Those who wait need not wait for the next attempt, because the primary answers them.
        if (cause !== undefined && this.isCutOff) this.sessions?.refuseAll(cause)
      })
    }
  }

  /** Reads go to the primary until a connection is open. */
  readonly notWarm = (error: PgError.PgError): Effect.Effect<void, PgError.PgError> =>
    isTransient(error) ? Effect.void : Effect.fail(error)

  /** Makes another attempt in the background, if it is time for one. */
  tryAgain(): void {
    const { sessions } = this
    if (sessions === undefined || sessions.counts.connecting > 0) return
    if (realTimers.now() - this.triedAt < RETRY_MILLIS) return
    sessions.open(() => {})
  }
}

const mayPass = (cause: Cause.Cause<PgError.PgError>): boolean =>
  Option.exists(Cause.findErrorOption(cause), isTransient)
