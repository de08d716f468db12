/**
 * Sends control statements. They are simple queries, which depend on no prepared statement and no cache, and a server
 * can answer them at once. If it does not answer one within `cancelTimeout`, the session is lost.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as PgError from "../../PgError.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import { type Control, ControlQuery } from "./controlQuery.ts"
import type { LastCommit } from "./lastCommit.ts"
import type { Resume } from "../engine/exchange.ts"
import type { Session } from "../engine/session.ts"

/**
 * How long a fiber that failed or was interrupted waits for the end of its transaction. After that the session ends it
 * alone, and all later requests wait behind.
 */
export const GRACE_MILLIS = 200

/** Submits a control statement, and calls back when it is answered or the session is lost. */
export const submitControl = (session: Session, control: Control, done: Resume<ReadonlyArray<CommandTag>>): void => {
  const query = new ControlQuery(session, control, done)
  session.liveness.watch(query)
  session.submit(query)
}

export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** What to do if a statement that begins something fails, or its fiber is interrupted. */
export interface Revocation {
  /** Called if nothing has begun: with the error of the statement, or without one if it was not sent. */
  readonly failed: (error?: PgError.PgError) => void
  /** Called at once if the fiber is interrupted before the answer. */
  readonly givenUp: () => void
  /** Undoes what has begun after the fiber was interrupted, and calls back. */
  readonly revoke: (done: () => void) => void
}

/**
 * Runs a statement that begins something. If the fiber is interrupted, the statement is revoked as soon as it has
 * begun, and the fiber waits for that no longer than the grace. Call it in an uninterruptible region, with what
 * restores interruption.
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
      if (Exit.isFailure(exit)) failed(Option.getOrUndefined(Exit.findErrorOption(exit)))
      if (!isGivenUp) return resume(Exit.asVoid(exit))
      if (Exit.isSuccess(exit)) revoke(revoked)
      else revoked()
    })
  })
  return Effect.onExit(restore(begun), (exit) =>
    Effect.suspend(() => {
      if (Exit.isSuccess(exit) || state === "failed") return Effect.void
      if (state === "not sent") return Effect.sync(() => failed())
      givenUp()
      if (state === "begun") return withinGrace(session, revoke)
      state = "given up"
      return withinGrace(session, (done) => (revoked = done))
    })
  )
}

/**
 * Sessions whose server has not answered within one grace. Until it does, no fiber waits for it again, because the
 * waits would add up.
 */
const silent = new WeakSet<Session>()

/**
 * Waits for an answer, but no longer than the grace; after that the session goes on without the fiber. Call it in an
 * uninterruptible region. `submit` receives the function to call at the answer.
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

/** The answer to COMMIT or RELEASE; undefined if the fiber was interrupted and left before it came. */
export type EndAnswer = Exit.Exit<ReadonlyArray<CommandTag>, PgError.PgError> | undefined

/**
 * Submits COMMIT or RELEASE. These may take long for good reasons, so a fiber waits for them without a bound, but after
 * an interruption no longer than the grace. An answer that comes in time counts, even after an interruption. `answered`
 * is called at the answer, however late it comes.
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
