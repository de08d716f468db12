/**
 * Decides whether a session of a pool is still at a server of the right role. A standby may be promoted, and a primary
 * may be made read-only; what the server reports about that comes with the answer to a statement.
 */
import * as Exit from "effect/Exit"
import type * as PgError from "../../PgError.ts"
import { hasRole, isForWriting, questionOf } from "../../session/opening/role.ts"
import { submitControl } from "../../session/transaction/control.ts"
import type { Member } from "../member.ts"
import { EMPTY_QUERY } from "../roundTrips.ts"
import type { Timers } from "../timers.ts"

/** Whether a session may be lent: as far as is known, its server has the role for which the session was opened. */
export const isFit = ({ place, session }: Member): boolean => {
  if (place === undefined || place.role === "any") return true
  if (session.residue.hasMetReadOnly && isForWriting(place.role)) return false
  return hasRole(place.role, session.parameters) !== false
}

/** A session that has been idle for longer than this is checked before it is lent. */
const CHECK_AFTER_IDLE_MILLIS = 30_000

/** Whether an idle session has to be checked before it is lent. */
export const isInDoubt = ({ idleSince, isSuspect }: Member, now: number): boolean =>
  isSuspect === true || now - idleSince > CHECK_AFTER_IDLE_MILLIS

/** A session whose server may be gone is given up if it does not answer a check within this time. */
const DOUBT_MILLIS = 2000

/** Checks a session, and calls back with whether it may be lent. */
export const check = (member: Member, timers: Timers, done: (isUsable: boolean) => void): void => {
  const giveUp = (): void => member.session.terminate()
  const answered = member.isSuspect === true ? timers.after(DOUBT_MILLIS, giveUp) : undefined
  ask(member, (isUsable) => {
    answered?.()
    member.isSuspect = false
    done(isUsable)
  })
}

/** Asks a server whether it is still there, and also for its role if it does not report that by itself. */
const ask = ({ place, session }: Member, done: (isUsable: boolean) => void): void => {
  const role = place?.role ?? "any"
  if (role === "any" || hasRole(role, session.parameters) !== undefined) {
    const control = { operation: "the check of an idle connection", sql: EMPTY_QUERY }
    return submitControl(session, control, (exit) => done(Exit.isSuccess(exit)))
  }
  const control = { operation: "the question for the role of the server", sql: questionOf(role) }
  submitControl(session, control, (exit) => done(Exit.isSuccess(exit) && exit.value[0]?.rowCount === 1))
}

/** Whether two sessions are at the same server. */
export const isBeside = (member: Member, other: Member): boolean =>
  member !== other && member.place !== undefined && member.place.server === other.place?.server

/** The errors with which a server ends a session because it is going away itself. */
const GOING_AWAY: ReadonlySet<string> = new Set(["57P01", "57P02", "57P03"])

/** Whether the loss of a session says that its server may be gone, and not just this session. */
export const isSuspicious = (error: PgError.PgError): boolean =>
  error._tag === "ConnectionLostError" && (error.server === undefined || GOING_AWAY.has(error.server.code))
