/**
 * Statements that begin, end or clean up. They are simple queries, which depend on no prepared statement and no cache,
 * and the server has nothing to think about: a session that does not answer one within the bound is lost.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as PgError from "../../PgError.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import { type Control, ControlQuery } from "./controlQuery.ts"
import type { LastCommit } from "./lastCommit.ts"
import type { Resume } from "../engine/exchange.ts"
import type { Session } from "../engine/session.ts"

/**
 * How long a fiber waits for the end of its transaction when that has failed or was interrupted. What takes longer is
 * settled by the session, behind which everything that is asked later has to wait.
 */
export const GRACE_MILLIS = 200

/** Submits such a statement, and calls back when it has been answered or the session is lost. */
export const submitControl = (session: Session, control: Control, done: Resume<ReadonlyArray<CommandTag>>): void => {
  const query = new ControlQuery(session, control, done)
  session.liveness.watch(query)
  session.submit(query)
}

export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** What is to be done where something that was to begin has not, or is not wanted any more. */
export interface Revocation {
  /** It has not begun, however that came. */
  readonly failed: () => void
  /** The fiber was interrupted before the answer: called at once. */
  readonly givenUp: () => void
  /** Undoes what has begun all the same, and calls back. */
  readonly revoke: (done: () => void) => void
}

/**
 * Runs a statement that begins something, and can be interrupted: then it is revoked as soon as it has begun, and the
 * fiber waits for that no longer than the grace. Call it where nothing can interrupt, with what restores interruption.
 */
export const revocable = (
  session: Session,
  sql: string,
  restore: Restore,
  { failed, givenUp, revoke }: Revocation
): Effect.Effect<void, PgError.PgError> => {
  let state: "not sent" | "sent" | "given up" | "begun" | "failed" = "not sent"
  let revoked = nothing
  const begun = Effect.callback<void, PgError.PgError>((resume) => {
    state = "sent"
    submitControl(session, { operation: sql, sql }, (exit) => {
      const isGivenUp = state === "given up"
      state = Exit.isSuccess(exit) ? "begun" : "failed"
      if (Exit.isFailure(exit)) failed()
      if (!isGivenUp) return resume(Exit.asVoid(exit))
      if (Exit.isSuccess(exit)) revoke(revoked)
      else revoked()
    })
  })
  return Effect.onExit(restore(begun), (exit) =>
    Effect.suspend(() => {
      if (Exit.isSuccess(exit) || state === "failed") return Effect.void
      if (state === "not sent") return Effect.sync(failed)
      givenUp()
      if (state === "begun") return withinGrace(session, revoke)
      state = "given up"
      return withinGrace(session, (done) => (revoked = done))
    })
  )
}

/** Those whose server has let a grace pass. While it owes an answer nobody gives it another: many waits would add up. */
const silent = new WeakSet<Session>()

/**
 * Waits for the answer, but no longer than the grace: then the session goes on without the fiber. Call it where nothing
 * can interrupt. `submit` is given what to call at the answer.
 */
export const withinGrace = (session: Session, submit: (answered: () => void) => void): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (silent.has(session)) {
      submit(nothing)
      return resume(Effect.void)
    }
    const bound = setTimeout(() => {
      silent.add(session)
      session.onIdle(() => silent.delete(session))
      resume(Effect.void)
    }, GRACE_MILLIS)
    submit(() => {
      clearTimeout(bound)
      resume(Effect.void)
    })
  })

/** What COMMIT or RELEASE was answered with: undefined where the fiber was interrupted and has left before the answer came. */
export type EndAnswer = Exit.Exit<ReadonlyArray<CommandTag>, PgError.PgError> | undefined

/**
 * What ends a transaction may take long for good reasons, so it is waited for without a bound; once the fiber is
 * interrupted, no longer than the grace. Where the answer came in time it counts, interrupted or not. `answered` is called
 * at the answer, however late that comes.
 */
export const submitEnd = (
  session: Session,
  sql: string,
  answered: () => void,
  last?: LastCommit
): Effect.Effect<EndAnswer> =>
  Effect.suspend(() => {
    let answer: EndAnswer
    let wake = nothing
    const query = new ControlQuery(session, { operation: sql, sql }, (exit) => {
      answer = exit
      if (Exit.isFailure(exit)) last?.failed()
      answered()
      wake()
    })
    session.submit(query)
    if (answer === undefined) last?.submitted()
    const answerCame = Effect.callback<void>((resume) => {
      if (answer !== undefined) return resume(Effect.void)
      wake = () => resume(Effect.void)
    })
    return Effect.flatMap(Effect.exit(Effect.interruptible(answerCame)), () => {
      if (answer !== undefined) return Effect.succeed(answer)
      session.liveness.watch(query)
      return Effect.map(
        withinGrace(session, (done) => (wake = done)),
        () => answer
      )
    })
  })

const nothing = (): void => {}
