/** Resets a session that was used to the state in which its pool opened it. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as PgError from "../../PgError.ts"
import { preparedInSql, resetBetweenBorrowers } from "../../session/transaction/reset.ts"
import type { Session } from "../../session/engine/session.ts"
import { submitControl } from "../../session/transaction/control.ts"
import { findLost, restore } from "../../session/transaction/startupCheck.ts"
import { type Hooks, runHook } from "../hooks.ts"
import type { Member } from "../member.ts"

/** Resets a session that nobody is using, and reports whether it may be lent again. */
export type Reset = (member: Member, done: (isClean: boolean) => void) => void

/**
 * Chooses how a pool with these hooks resets. Without a `reset` hook, a script restores the state after startup, and
 * then `init` runs again, because what `init` creates is more than settings, and not all of it can be read back from
 * the server.
 */
export const resetWith = ({ init, reset }: Pick<Hooks, "init" | "reset">): Effect.Effect<Reset> =>
  Effect.map(Effect.context<never>(), (context): Reset => {
    const run = Effect.runForkWith(context)
    const report = (hooked: Effect.Effect<void, PgError.PgError>, done: (isClean: boolean) => void): void => {
      run(hooked).addObserver((exit) => done(Exit.isSuccess(exit)))
    }
    if (reset !== undefined) return ({ session }, done) => report(runHook(session, "reset", reset), done)
    if (init === undefined) return resetByScript
    return (member, done) =>
      resetByScript(member, (isClean) => {
        if (!isClean) return done(false)
        report(initAgain(member, init), done)
      })
  })

/**
 * The session keeps the codecs that it already has, with what is known of their types; `init` would set the same ones.
 */
const initAgain = ({ catalogue, session }: Member, init: NonNullable<Hooks["init"]>) =>
  Effect.onExit(runHook(session, "init", init), () => Effect.sync(() => void (session.catalogue = catalogue)))

/** Resets by SQL. Nothing else is written meanwhile, so the next borrower never gets a session whose reset failed. */
export const resetByScript: Reset = ({ session }, done) => {
  const mayHavePrepared = session.residue.takeMayHavePrepared()
  submitControl(session, resetBetweenBorrowers(session, mayHavePrepared), (exit) => {
    if (Exit.isFailure(exit)) return done(false)
    const mustDeallocate = mayHavePrepared && preparedInSql(exit.value) > 0
    const whole = mustDeallocate ? () => deallocateAll(session, done) : () => done(true)
    const { startup } = session.residue
    if (startup === undefined) return whole()
    findLost(session, startup, (isLost) => {
      if (!isLost) return whole()
      // The first time that a session loses them costs a round trip of its own; later resets set them again themselves.
      restore(session, startup, (restored) => (Exit.isSuccess(restored) ? whole() : done(false)))
    })
  })
}

/** This also removes the client's own statements; they are prepared again on demand. */
const deallocateAll = (session: Session, done: (isClean: boolean) => void): void =>
  submitControl(session, { operation: "the reset", sql: "DEALLOCATE ALL" }, (exit) => {
    session.statements.clear()
    done(Exit.isSuccess(exit))
  })
