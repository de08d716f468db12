/** What takes a session that somebody had back to the state in which its pool opened it. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as PgError from "../PgError.ts"
import { preparedInSql, resetBetweenBorrowers } from "../session/reset.ts"
import type { Session } from "../session/session.ts"
import { submitControl } from "../session/control.ts"
import { type Hooks, runHook } from "./hooks.ts"
import type { Member } from "./member.ts"

/** Resets a session that nobody has, and tells whether it may be lent again. */
export type Reset = (member: Member, done: (isClean: boolean) => void) => void

/**
 * How a pool with these hooks resets. Its own script takes the session back to where its startup left it, and then
 * `init` runs again: what it made is more than settings, and not all of that can be read back from the server.
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

/** The codecs that it gives are those that the session has already, with what is known of their types. */
const initAgain = ({ catalogue, session }: Member, init: NonNullable<Hooks["init"]>) =>
  Effect.onExit(runHook(session, "init", init), () => Effect.sync(() => void (session.catalogue = catalogue)))

/** Nothing else is written meanwhile: who comes next never meets a session whose reset has failed. */
export const resetByScript: Reset = ({ session }, done) => {
  const { mayHavePrepared } = session.residue
  session.residue.mayHavePrepared = false
  submitControl(session, resetBetweenBorrowers(mayHavePrepared), (exit) => {
    if (Exit.isFailure(exit) || !mayHavePrepared || preparedInSql(exit.value) === 0) return done(Exit.isSuccess(exit))
    deallocateAll(session, done)
  })
}

/** Ours go too, and are prepared again when they are asked for. */
const deallocateAll = (session: Session, done: (isClean: boolean) => void): void =>
  submitControl(session, { operation: "the reset", sql: "DEALLOCATE ALL" }, (exit) => {
    session.statements.clear()
    done(Exit.isSuccess(exit))
  })
