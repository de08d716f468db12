/**
 * Knows what the pool for reads can reach.
 *
 * As long as no connection is open and the last attempt to open one has failed, no read waits for that pool: the primary
 * reads, and attempts go on. Where the pool has connected to a primary in place of a standby, it looks for a standby from
 * time to time, and moves there.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as PgError from "../PgError.ts"
import type { Member } from "../pool/member.ts"
import type { OptionalPool } from "../pool/opening/openPool.ts"
import type { OpenMember } from "../pool/opening/opener.ts"
import { isTransient } from "../pool/opening/reconnect.ts"
import type { SessionPool } from "../pool/sessionPool.ts"
import { realTimers } from "../pool/timers.ts"

/** A pool that is asked for nothing does not try by itself, unless it has a minimum of connections. */
const RETRY_MILLIS = 1000
/** How often the pool looks for a standby while a primary stands in for one. */
const LOOK_MILLIS = 5000

/** A session at a primary in place of a standby. */
interface Substitute extends Omit<Member, "expiresAt"> {
  expiresAt: number
}

export class Reachability implements OptionalPool {
  readonly purpose = "reads"
  private readonly prefersStandbys: boolean
  private readonly substitutes = new Set<Substitute>()
  private sessions: SessionPool | undefined
  private hasFailed = false
  private triedAt = -Infinity
  private isLooking = false
  private cancelLook: (() => void) | undefined

  constructor(prefersStandbys: boolean) {
    this.prefersStandbys = prefersStandbys
  }

  readonly watch = (open: OpenMember, sessions: () => SessionPool): OpenMember => {
    return (done) => {
      this.sessions = sessions()
      const isOnlyLook = this.isLooking
      open((opened) => {
        this.triedAt = realTimers.now()
        const cause = Exit.isFailure(opened) && mayPass(opened.cause) ? opened.cause : undefined
        this.hasFailed = cause !== undefined
        done(Exit.isSuccess(opened) ? Exit.succeed(this.arrived(opened.value, isOnlyLook)) : opened)
        // Those who wait need not wait for the next attempt, because the primary answers them.
        if (cause !== undefined && this.isCutOff) this.sessions?.refuseAll(cause)
      })
    }
  }

  /** Reads go to the primary until a connection is open. */
  readonly notWarm = (error: PgError.PgError): Effect.Effect<void, PgError.PgError> =>
    isTransient(error) ? Effect.void : Effect.fail(error)

  // ------------------------------------------------------------------------------------------------- no server

  /**
   * Whether no connection is open, although one was asked for: the last attempt has failed, or is taking so long that a
   * caller has given up waiting.
   */
  get isCutOff(): boolean {
    return this.hasFailed && this.sessions?.counts.size === 0
  }

  /** A call has got no connection. */
  refused(error: unknown): void {
    const hasWaited = PgError.isPgError(error) && error._tag === "AcquireTimeoutError"
    if (hasWaited && this.sessions?.counts.size === 0) this.hasFailed = true
  }

  /** Makes another attempt in the background, if it is time for one. */
  tryAgain(): void {
    const { sessions } = this
    if (sessions === undefined || sessions.counts.connecting > 0) return
    if (realTimers.now() - this.triedAt >= RETRY_MILLIS) sessions.open(() => {})
  }

  // ------------------------------------------------------------------------------------------------- no standby

  private lookLater(): void {
    this.cancelLook ??= realTimers.after(LOOK_MILLIS, () => {
      this.cancelLook = undefined
      if (this.substitutes.size === 0) return
      this.look()
      this.lookLater()
    })
  }

  /** Does nothing any more by itself. */
  stop(): void {
    this.cancelLook?.()
    this.cancelLook = () => {}
  }

  private look(): void {
    const { sessions, substitutes } = this
    const [substitute] = substitutes
    if (sessions === undefined || substitute === undefined || sessions.counts.connecting > 0) return
    if (!sessions.hasRoom) {
      // The session that takes its place shows whether there is a standby.
      substitute.expiresAt = 0
      return
    }
    this.isLooking = true
    sessions.open(() => {})
    this.isLooking = false
  }

  /** A second session at a primary would be of no use if only a standby was looked for. */
  private arrived(member: Member, isOnlyLook: boolean): Member {
    const { session } = member
    if (!this.prefersStandbys || member.place?.role !== "any") {
      for (const substitute of this.substitutes) substitute.expiresAt = 0
      return member
    }
    const substitute: Substitute = { ...member, expiresAt: isOnlyLook ? 0 : member.expiresAt }
    this.substitutes.add(substitute)
    this.lookLater()
    session.onEnd(() => this.substitutes.delete(substitute))
    return substitute
  }
}

const mayPass = (cause: Cause.Cause<PgError.PgError>): boolean =>
  Option.exists(Cause.findErrorOption(cause), isTransient)
