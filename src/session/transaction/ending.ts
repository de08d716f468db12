/** Sends the statements that end a transaction or a savepoint, and decides what is known of its work afterwards. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as PgError from "../../PgError.ts"
import { serverVersionOf } from "../../wire/serverVersion.ts"
import { type EndAnswer, submitControl, submitEnd } from "./control.ts"
import { ControlQuery } from "./controlQuery.ts"
import type { LastCommit } from "./lastCommit.ts"
import { ownTupleRows, send } from "../request/request.ts"
import type { Session } from "../engine/session.ts"
import { lostWith } from "../engine/lostErrors.ts"

/** Commits. `answered` is called at the server's answer, even if the fiber was interrupted and has left before. */
export const commit = (
  session: Session,
  transactionId: string | undefined,
  last: LastCommit | undefined,
  answered: () => void
): Effect.Effect<void, PgError.PgError> =>
  Effect.flatMap(submitEnd(session, "COMMIT", answered, last), (answer) => committed(session, answer, transactionId))

const committed = (
  { lost }: Session,
  answer: EndAnswer,
  transactionId: string | undefined
): Effect.Effect<void, PgError.PgError> => {
  if (answer === undefined) return Effect.interrupt
  if (Exit.isFailure(answer)) {
    return lost === undefined ? answer : Effect.mapError(answer, (error) => commitOutcome(error, transactionId))
  }
  if (answer.value.at(-1)?.command === "COMMIT") return Effect.void
  return Effect.fail(new PgError.TransactionRolledBackError({ reason: "the server answered COMMIT with ROLLBACK" }))
}

/** Without an answer the outcome of the transaction is unknown, unless COMMIT was never written. */
const commitOutcome = (lost: PgError.PgError, transactionId: string | undefined): PgError.PgError =>
  lost._tag === "ConnectionLostError" && lost.safeToRetry
    ? lost
    : new PgError.CommitOutcomeUnknownError({ lost, transactionId })

/** Whether a transaction that was to be committed may have been, although it failed with this exit. */
export const mayBeCommitted = ({ cause }: Exit.Failure<unknown, unknown>): boolean => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  return PgError.isPgError(error) ? error.outcome === "unknown" : Cause.hasInterruptsOnly(cause)
}

/** The server gives a transaction an id when it first writes or locks a row. */
const TRANSACTION_ID = "SELECT pg_catalog.pg_current_xact_id_if_assigned()"

/** Returns undefined for a transaction that has written nothing, because it has no id. */
export const transactionIdOf = (session: Session): Effect.Effect<string | undefined, PgError.PgError> =>
  Effect.map(send(session, ownTupleRows(TRANSACTION_ID)), ([found]) => {
    const id = found?.[0]
    return typeof id === "bigint" ? String(id) : undefined
  })

/** Older servers do not know the function, and an error would abort the transaction. */
const KNOWN_SINCE = 13

/**
 * Asks, ahead of requests that are submitted later, and calls back with the answer. A transaction of which nothing is
 * known counts as one that has written.
 */
export const askWhetherWritten = (session: Session, answered: (hasWritten: boolean) => void): void => {
  if (serverVersionOf(session.parameters).major < KNOWN_SINCE) return answered(true)
  let hasWritten = true
  const read = (_session: Session, [id]: ReadonlyArray<string>): void => void (hasWritten = id !== "")
  const query = new ControlQuery(session, { operation: TRANSACTION_ID, sql: TRANSACTION_ID, read }, (exit) =>
    answered(Exit.isFailure(exit) || hasWritten)
  )
  session.submit(query)
}

/** Releases a savepoint. `answered` is called as in `commit`. */
export const releaseSavepoint = (
  session: Session,
  savepoint: string,
  answered: () => void
): Effect.Effect<void, PgError.PgError> =>
  Effect.flatMap(submitEnd(session, `RELEASE SAVEPOINT ${savepoint}`, answered), (answer) =>
    answer === undefined ? Effect.interrupt : Exit.asVoid(answer)
  )

/**
 * Cancels what still runs, and rolls back the savepoint or the transaction. If that fails, the session is lost, and the
 * transaction with it. A session that is closing refuses the ROLLBACK; it is left to close, because it cancels what
 * runs.
 */
export const undo = (session: Session, savepoint: string | undefined, done: () => void): void => {
  if (!session.isQuiet) session.abandonAll(closed("it has been rolled back"))
  const sql =
    savepoint === undefined ? "ROLLBACK" : `ROLLBACK TO SAVEPOINT ${savepoint}; RELEASE SAVEPOINT ${savepoint}`
  submitControl(session, { operation: sql, sql }, (exit) => {
    if (Exit.isFailure(exit) && session.lost === undefined && session.closing === undefined) {
      session.die(lostWith(`the client closed it, because a rollback failed: ${String(Cause.squash(exit.cause))}`))
    }
    done()
  })
}

/** The failure of a body that is rolled back by hand. It is not reported. */
export const BY_HAND = "rolled back by hand"

export const closed = (reason: string, outcome: PgError.Outcome = "none"): PgError.TransactionClosedError =>
  new PgError.TransactionClosedError({ reason, outcome })

/** The error if the body ended the transaction in SQL, or may have: the connection was lost before the answer. */
export const endedInSql = ({ lost }: Session, outcome?: PgError.Outcome): PgError.TransactionClosedError =>
  closed(
    lost === undefined
      ? "SQL in its body ended it"
      : `SQL in its body ended it, or may have ended it, because the answer was lost with the connection: ${lost.message}`,
    outcome
  )

/** The error if a statement of the transaction has failed, but its body has succeeded. */
export const failedInside = (): PgError.TransactionRolledBackError =>
  new PgError.TransactionRolledBackError({
    reason:
      "a statement failed, and the body caught the error; to go on after an error, catch it around a nested " +
      "withTransaction"
  })

/** The error if the session was lost before COMMIT was sent. The server has rolled the transaction back. */
export const lostBeforeCommit = (lost: PgError.PgError): PgError.ConnectionLostError =>
  lostWith(`it ended before COMMIT was sent, so the server rolls back the transaction: ${lost.message}`)
