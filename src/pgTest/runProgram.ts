/** Runs a program of transactions on PostgreSQL, and names how it ended. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { isSqlError } from "effect/sql/SqlError"
import { timeoutOrElse } from "../call/realTime.ts"
import type { Queryable } from "../PgConnection.ts"
import { DEFECT, FAILURE, INTERRUPTION, type Program, type Step, SUCCESS } from "./program.ts"

/**
 * What a program runs on. Write one by hand to test something that has transactions of its own, or to mix APIs.
 *
 * @category programs
 * @since 0.1.0
 */
export interface Subject {
  /** Stores a number. */
  readonly insert: (n: number) => Effect.Effect<unknown, unknown>
  /** Adds `CHANGE` to all numbers of the program. */
  readonly update: Effect.Effect<unknown, unknown>
  /** A statement that the server refuses: a division by zero. */
  readonly refused: Effect.Effect<unknown, unknown>
  /** A statement that takes that long, with the option `timeout` if it is given. The text is always the same. */
  readonly sleep: (seconds: number, timeoutMillis?: number) => Effect.Effect<unknown, unknown>
  /** Runs the body in a transaction, or in a savepoint if there is one already. */
  readonly transaction: (body: Effect.Effect<unknown, unknown>) => Effect.Effect<unknown, unknown>
}

/**
 * Makes the subject of a connection, a pool or a client, which needs to be told only how numbers are stored.
 *
 * @category programs
 * @since 0.1.0
 */
export const subjectOf = (pg: Queryable, { insert, update }: Pick<Subject, "insert" | "update">): Subject => ({
  insert,
  update,
  refused: pg.execute("SELECT 1 / 0"),
  sleep: (seconds, timeout) => pg.execute("SELECT pg_catalog.pg_sleep($1)", [seconds], { timeout }),
  transaction: (body) => pg.withTransaction(body)
})

const TOO_LONG_SECONDS = 60
const TIMEOUT_MILLIS = 2

/**
 * Runs a program in one transaction of the subject. Fails, dies or is interrupted as the program says.
 *
 * @category programs
 * @since 0.1.0
 */
export const runProgram = (subject: Subject, program: Program): Effect.Effect<unknown, unknown> => {
  const { insert, refused, sleep, transaction, update } = subject
  const perform = (step: Step): Effect.Effect<unknown, unknown> => {
    switch (step._tag) {
      case "Insert":
        return insert(step.n)
      case "Update":
        return update
      case "Nested":
        return step.isCaught ? Effect.exit(runProgram(subject, step.steps)) : runProgram(subject, step.steps)
      case "NestedTimedOut": {
        const body = Effect.andThen(Effect.forEach(step.steps, perform), sleep(TOO_LONG_SECONDS))
        return Effect.exit(soon(transaction(body)))
      }
      case "Parallel":
        return Effect.all(
          step.branches.map((branch) => Effect.exit(perform(branch))),
          { concurrency: "unbounded" }
        )
      case "Fail":
        return Effect.fail(FAILURE)
      case "Die":
        return Effect.die(DEFECT)
      case "Interrupt":
        return Effect.interrupt
      case "Refused":
        return step.isCaught ? Effect.ignore(refused) : refused
      case "TimedOut": {
        const late = step.byOption ? sleep(TOO_LONG_SECONDS, TIMEOUT_MILLIS) : soon(sleep(TOO_LONG_SECONDS))
        // The statement has surely begun when its time is over only if it needs no preparation.
        const prepared = Effect.andThen(Effect.ignore(sleep(0)), late)
        return step.isCaught ? Effect.ignore(prepared) : prepared
      }
    }
  }
  return transaction(Effect.forEach(program, perform, { discard: true }))
}

/** As `Effect.timeout`, in real time. */
const soon = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | Cause.TimeoutError> =>
  timeoutOrElse(effect, TIMEOUT_MILLIS, () => Effect.fail(new Cause.TimeoutError()))

/**
 * Names how a program ended: `success`, `failure` (a step `Fail`), `defect`, `interruption`, or the tag of the error.
 *
 * @category programs
 * @since 0.1.0
 */
export const endingOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return SUCCESS
  if (Cause.hasDies(exit.cause)) return DEFECT
  if (Cause.hasInterruptsOnly(exit.cause)) return INTERRUPTION
  const failure = Cause.squash(exit.cause)
  const error = isSqlError(failure) ? failure.reason.cause : failure
  if (typeof error === "object" && error !== null && "_tag" in error) return String(error._tag)
  return String(error)
}
