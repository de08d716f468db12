/**
 * Programs of transactions: what they are, how they run on PostgreSQL, and, in a few lines, what they must leave. The
 * model knows nothing of savepoints, protocols or fibers; it only knows what a transaction is.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { isSqlError } from "effect/sql/SqlError"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"

/** The steps of a body. */
export type Step =
  | { readonly _tag: "Insert"; readonly n: number }
  | { readonly _tag: "Nested"; readonly steps: ReadonlyArray<Step>; readonly isCaught: boolean }
  /** A nested transaction that takes too long, and whose failure is caught. */
  | { readonly _tag: "NestedTimedOut"; readonly steps: ReadonlyArray<Step> }
  /** Inserts and transactions at the same time, whose failures are caught. */
  | { readonly _tag: "Parallel"; readonly branches: ReadonlyArray<Step> }
  | { readonly _tag: "Fail" }
  | { readonly _tag: "Die" }
  | { readonly _tag: "Interrupt" }
  /** A statement that the server refuses. */
  | { readonly _tag: "Refused"; readonly isCaught: boolean }
  /** A statement that takes too long, by the option or by Effect's own. */
  | { readonly _tag: "TimedOut"; readonly isCaught: boolean; readonly byOption: boolean }

// ------------------------------------------------------------------------------------------------------ programs

const MAX_DEPTH = 4

/** The step for a number; lower numbers stand for an insert. */
const Code = {
  caughtNested: 5,
  uncaughtNested: 6,
  timedOutNested: 7,
  parallel: 8,
  end: 9,
  alsoEnd: 10,
  fail: 11,
  die: 12,
  interrupt: 13,
  refused: 14,
  refusedAndCaught: 15,
  timedOut: 16,
  timedOutAndCaught: 17
} as const

export const MAX_CODE = Code.timedOutAndCaught

/** Turns numbers into a program, so that a shorter list of smaller numbers is a simpler one. */
export const programOf = (numbers: ReadonlyArray<number>): ReadonlyArray<Step> => {
  let at = 0
  const stepsAt = (depth: number): ReadonlyArray<Step> => {
    const steps: Array<Step> = []
    const inside = (): ReadonlyArray<Step> => (depth < MAX_DEPTH ? stepsAt(depth + 1) : [])
    while (at < numbers.length) {
      const n = at
      switch (numbers[at++]) {
        case Code.caughtNested:
          steps.push({ _tag: "Nested", steps: inside(), isCaught: true })
          break
        case Code.uncaughtNested:
          steps.push({ _tag: "Nested", steps: inside(), isCaught: false })
          break
        case Code.timedOutNested:
          steps.push({ _tag: "NestedTimedOut", steps: inside() })
          break
        case Code.parallel:
          steps.push({ _tag: "Parallel", branches: inside().map(branchOf) })
          break
        case Code.end:
        case Code.alsoEnd:
          if (depth > 0) return steps
          break
        case Code.fail:
          steps.push({ _tag: "Fail" })
          break
        case Code.die:
          steps.push({ _tag: "Die" })
          break
        case Code.interrupt:
          steps.push({ _tag: "Interrupt" })
          break
        case Code.refused:
          steps.push({ _tag: "Refused", isCaught: false })
          break
        case Code.refusedAndCaught:
          steps.push({ _tag: "Refused", isCaught: true })
          break
        case Code.timedOut:
          steps.push({ _tag: "TimedOut", isCaught: false, byOption: n % 2 === 0 })
          break
        case Code.timedOutAndCaught:
          steps.push({ _tag: "TimedOut", isCaught: true, byOption: n % 2 === 0 })
          break
        default:
          steps.push({ _tag: "Insert", n })
      }
    }
    return steps
  }
  return stepsAt(0)
}

/**
 * A step that could fail the surrounding transaction would make the fate of the other branches a matter of time: it
 * gets a transaction of its own.
 */
const branchOf = (step: Step): Step =>
  step._tag === "Insert" || step._tag === "Nested" ? step : { _tag: "Nested", steps: [step], isCaught: true }

// ------------------------------------------------------------------------------------------------------ the model

const SUCCESS = "success"
const FAILURE = "failure"
const DEFECT = "defect"
const INTERRUPTION = "interruption"
/** By the option of the call, and by `Effect.timeout`. */
const timeoutOf = (byOption: boolean): string => (byOption ? "QueryTimeoutError" : "TimeoutError")
const DIVISION_BY_ZERO = "DivisionByZeroError"
/** PostgreSQL's answer to everything after a statement of the transaction has failed. */
const IN_FAILED_TRANSACTION = "InFailedSQLTransactionError"
const ROLLED_BACK = "TransactionRolledBackError"

export interface Outcome {
  /** The possible ends: one, or two that race. */
  readonly endings: ReadonlyArray<string>
  /** The numbers that are stored afterwards. */
  readonly numbers: ReadonlyArray<number>
}

const undone = (...endings: ReadonlyArray<string>): Outcome => ({ endings, numbers: [] })

/** What a transaction with that body leaves. */
export const model = (steps: ReadonlyArray<Step>): Outcome => {
  const numbers: Array<number> = []
  let hasFailed = false
  for (const step of steps) {
    switch (step._tag) {
      case "Insert":
        if (hasFailed) return undone(IN_FAILED_TRANSACTION)
        numbers.push(step.n)
        break
      case "Nested": {
        const { endings, numbers: inner } = hasFailed ? undone(IN_FAILED_TRANSACTION) : model(step.steps)
        if (!endings.includes(SUCCESS) && !step.isCaught) return undone(...endings)
        numbers.push(...inner)
        break
      }
      case "NestedTimedOut":
        break
      case "Parallel":
        if (!hasFailed) numbers.push(...model(step.branches.map(caught)).numbers)
        break
      case "Fail":
        return undone(FAILURE)
      case "Die":
        return undone(DEFECT)
      case "Interrupt":
        return undone(INTERRUPTION)
      case "Refused":
        if (!step.isCaught) return undone(hasFailed ? IN_FAILED_TRANSACTION : DIVISION_BY_ZERO)
        hasFailed = true
        break
      case "TimedOut":
        if (!step.isCaught) {
          const timeout = timeoutOf(step.byOption)
          return hasFailed ? undone(IN_FAILED_TRANSACTION, timeout) : undone(timeout)
        }
        hasFailed = true
        break
    }
  }
  return hasFailed ? undone(ROLLED_BACK) : { endings: [SUCCESS], numbers: numbers.toSorted((a, b) => a - b) }
}

const caught = (step: Step): Step => (step._tag === "Nested" ? { ...step, isCaught: true } : step)

// ------------------------------------------------------------------------------------------------------ PostgreSQL

/** What a program runs on. Each of its calls may be one of another API than the call before. */
export interface Subject {
  readonly insert: (n: number) => Effect.Effect<unknown, unknown>
  /** A statement that the server refuses. */
  readonly refused: Effect.Effect<unknown, unknown>
  /** A statement that takes too long, and has the option `timeout` if that is given. */
  readonly sleep: (timeoutMillis?: number) => Effect.Effect<unknown, unknown>
  readonly transaction: (body: Effect.Effect<unknown, unknown>) => Effect.Effect<unknown, unknown>
}

export const REFUSED = "SELECT 1 / 0"
const SLEEP = "SELECT pg_sleep($1)"
const TOO_LONG_SECONDS = 60
const TIMEOUT_MILLIS = 2

/** A statement has surely begun when its time is over only if it needs no preparation. */
export const warmUp = (pg: PgConnection.Queryable): Effect.Effect<unknown, PgError.PgError> => pg.execute(SLEEP, [0])

export const subjectOf = (pg: PgConnection.Queryable, insert: Subject["insert"]): Subject => ({
  insert,
  refused: pg.execute(REFUSED),
  sleep: (timeout) => pg.execute(SLEEP, [TOO_LONG_SECONDS], { timeout }),
  transaction: (body) => pg.withTransaction(body)
})

export const run = (subject: Subject, steps: ReadonlyArray<Step>): Effect.Effect<unknown, unknown> => {
  const { insert, refused, sleep, transaction } = subject
  const perform = (step: Step): Effect.Effect<unknown, unknown> => {
    switch (step._tag) {
      case "Insert":
        return insert(step.n)
      case "Nested":
        return step.isCaught ? Effect.exit(run(subject, step.steps)) : run(subject, step.steps)
      case "NestedTimedOut": {
        const body = Effect.andThen(Effect.forEach(step.steps, perform), sleep())
        return Effect.exit(Effect.timeout(transaction(body), TIMEOUT_MILLIS))
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
        const late = step.byOption ? sleep(TIMEOUT_MILLIS) : Effect.timeout(sleep(), TIMEOUT_MILLIS)
        return step.isCaught ? Effect.ignore(late) : late
      }
    }
  }
  return transaction(Effect.forEach(steps, perform, { discard: true }))
}

/** The name of an exit in the model. */
export const endingOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return SUCCESS
  if (Cause.hasDies(exit.cause)) return DEFECT
  if (Cause.hasInterruptsOnly(exit.cause)) return INTERRUPTION
  const failure = Cause.squash(exit.cause)
  const error = isSqlError(failure) ? failure.reason.cause : failure
  if (typeof error === "object" && error !== null && "_tag" in error) return String(error._tag)
  return String(error)
}
