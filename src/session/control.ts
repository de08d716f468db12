/**
 * Statements that begin, end or clean up. They are simple queries, which depend on no prepared statement and no cache,
 * and the server has nothing to think about: a session that does not answer one within the bound is lost.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PgError from "../PgError.ts"
import type { CommandTag } from "../wire/commandTag.ts"
import type { Exchange } from "./exchange.ts"
import type { Resume } from "./request.ts"
import type { Session } from "./session.ts"
import { SimpleQuery } from "./simpleQuery.ts"

/**
 * How long a fiber waits for the end of its transaction when that has failed or was interrupted. What takes longer is
 * settled by the session, behind which everything that is asked later has to wait.
 */
export const GRACE_MILLIS = 200

export interface Control {
  /** In words, for the error where it is not answered: the statement may carry values of the user. */
  readonly operation: string
  readonly sql: string
}

/** Submits such a statement, and calls back when it has been answered or the session is lost. */
export const submitControl = (
  session: Session,
  { operation, sql }: Control,
  done: Resume<ReadonlyArray<CommandTag>>
): void => {
  const query = countedQuery(session, sql, (exit) => {
    unwatch()
    done(exit)
  })
  const unwatch = dieUnlessAnswered(session, query, operation)
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
export const submitEnd = (session: Session, sql: string, answered: () => void): Effect.Effect<EndAnswer> =>
  Effect.suspend(() => {
    let answer: EndAnswer
    let wake = nothing
    let unwatch = nothing
    const query = countedQuery(session, sql, (exit) => {
      answer = exit
      unwatch()
      answered()
      wake()
    })
    session.submit(query)
    const answerCame = Effect.callback<void>((resume) => {
      if (answer !== undefined) return resume(Effect.void)
      wake = () => resume(Effect.void)
    })
    return Effect.flatMap(Effect.exit(Effect.interruptible(answerCame)), () => {
      if (answer !== undefined) return Effect.succeed(answer)
      unwatch = dieUnlessAnswered(session, query, sql)
      return Effect.map(
        withinGrace(session, (done) => (wake = done)),
        () => answer
      )
    })
  })

/** The session counts them, to know whether anything is asked that may take long. */
const countedQuery = (session: Session, sql: string, done: Resume<ReadonlyArray<CommandTag>>): SimpleQuery => {
  session.controls++
  const settle: Resume<ReadonlyArray<CommandTag>> = (exit) => {
    session.controls--
    done(exit)
  }
  return new SimpleQuery(session, sql, settle, { isControl: true })
}

/**
 * Ends the session where the bound has passed without an answer; the returned function calls that off. The server is
 * silent only when nothing else stands before the statement, so time is not counted until then.
 */
const dieUnlessAnswered = (session: Session, query: Exchange, operation: string): (() => void) => {
  const { cancelTimeoutMillis } = session
  const isNext = (): boolean => session.settled || session.oldest === query
  let wasNext = isNext()
  let timer: ReturnType<typeof setTimeout>
  const look = (): void => {
    if (wasNext) return session.die(notAnswered(operation, cancelTimeoutMillis))
    wasNext = isNext()
    timer = setTimeout(look, cancelTimeoutMillis)
  }
  timer = setTimeout(look, cancelTimeoutMillis)
  return () => clearTimeout(timer)
}

const notAnswered = (operation: string, millis: number): PgError.ConnectionLostError =>
  new PgError.ConnectionLostError({
    reason: `${operation} was not answered within ${millis} ms`,
    server: undefined,
    safeToRetry: false,
    outcome: "unknown"
  })

const nothing = (): void => {}
