/**
 * Random programs of transactions, and a model that says in a few lines what a program must leave. The model knows nothing
 * of savepoints, protocols or fibers; it only knows what a transaction is.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

/**
 * A step of a transaction. `Nested` is a transaction inside of it, `Parallel` are steps at the same time.
 *
 * @category programs
 * @since 0.1.0
 */
export type Step =
  | { readonly _tag: "Insert"; readonly n: number }
  /** Adds `CHANGE` to all numbers that are there. */
  | { readonly _tag: "Update" }
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
  /** A statement that takes too long, by the option or by Effect's own timeout. */
  | { readonly _tag: "TimedOut"; readonly isCaught: boolean; readonly byOption: boolean }

/**
 * The steps of one transaction.
 *
 * @category programs
 * @since 0.1.0
 */
export type Program = ReadonlyArray<Step>

/**
 * What a step `Update` adds to every number. A program has fewer steps than that, and no number is inserted twice, so the
 * rest of a division by it tells which insert a number comes from.
 *
 * @category programs
 * @since 0.1.0
 */
export const CHANGE = 1_000

// ------------------------------------------------------------------------------------------------------ generating

const MAX_DEPTH = 4

/** The step for a number; lower numbers stand for an insert. */
const Code = {
  update: 4,
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

/**
 * How large programs are.
 *
 * @category programs
 * @since 0.1.0
 */
export interface ProgramOptions {
  /**
   * How many steps a program has at most, below 1,000.
   *
   * @default 20
   */
  readonly maxSteps?: number | undefined
}

/**
 * Generates programs of nested transactions for property tests. If a property fails, smaller programs are tried: with fewer
 * and with simpler steps.
 *
 * @example
 * ```ts
 * import { assert, layer } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { PgClient } from "effectpg"
 * import * as PgTest from "effectpg/PgTest"
 *
 * layer(PgTest.layer())("a program of transactions", (it) => {
 *   it.effect.prop("ends and stores as the model says", [PgTest.programs()], ([program]) =>
 *     Effect.gen(function* () {
 *       const pg = yield* PgClient.PgClient
 *       yield* pg.executeScript("DROP TABLE IF EXISTS numbers; CREATE TABLE numbers (n int4)")
 *       const subject = PgTest.subjectOf(pg, {
 *         insert: (n) => pg.execute("INSERT INTO numbers VALUES ($1)", [n]),
 *         update: pg.execute("UPDATE numbers SET n = n + $1", [PgTest.CHANGE])
 *       })
 *       const exit = yield* Effect.exit(PgTest.runProgram(subject, program))
 *       const expected = PgTest.expectedOf(program)
 *       assert.include(expected.endings, PgTest.endingOf(exit))
 *       const rows = yield* pg.fetch("SELECT n FROM numbers ORDER BY n")
 *       assert.deepStrictEqual(rows, expected.numbers.map((n) => ({ n })))
 *     })
 *   )
 * })
 * ```
 * @category programs
 * @since 0.1.0
 */
export const programs = ({ maxSteps = 20 }: ProgramOptions = {}): Arbitrary.Arbitrary<Program> => {
  const code = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Code.timedOutAndCaught })))
  return Arbitrary.array(code, { maxLength: maxSteps }).pipe(Arbitrary.map(programOf))
}

/** Turns numbers into a program, so that a shorter list of smaller numbers is a simpler one. */
const programOf = (numbers: ReadonlyArray<number>): Program => {
  let at = 0
  const stepsAt = (depth: number, isAlone: boolean): ReadonlyArray<Step> => {
    const steps: Array<Step> = []
    const inside = (alone = isAlone): ReadonlyArray<Step> => (depth < MAX_DEPTH ? stepsAt(depth + 1, alone) : [])
    while (at < numbers.length) {
      const n = at
      switch (numbers[at++]) {
        case Code.update:
          // What an update sees of the branches beside it would be a matter of time.
          steps.push(isAlone ? { _tag: "Update" } : { _tag: "Insert", n })
          break
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
          steps.push({ _tag: "Parallel", branches: inside(false).map(branchOf) })
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
  return stepsAt(0, true)
}

/**
 * A step that could fail the surrounding transaction would make the fate of the other branches a matter of time: it
 * gets a transaction of its own.
 */
const branchOf = (step: Step): Step =>
  step._tag === "Insert" || step._tag === "Nested" ? step : { _tag: "Nested", steps: [step], isCaught: true }

// ------------------------------------------------------------------------------------------------------ the model

export const SUCCESS = "success"
export const FAILURE = "failure"
export const DEFECT = "defect"
export const INTERRUPTION = "interruption"
/** By the option of the call, and by Effect. */
const timeoutOf = (byOption: boolean): string => (byOption ? "QueryTimeoutError" : "TimeoutError")
const DIVISION_BY_ZERO = "DivisionByZeroError"
/** PostgreSQL's answer to everything after a statement of the transaction has failed. */
const IN_FAILED_TRANSACTION = "InFailedSQLTransactionError"
const ROLLED_BACK = "TransactionRolledBackError"

/**
 * How a program must end, and what it must leave.
 *
 * @category programs
 * @since 0.1.0
 */
export interface Expected {
  /** The possible ends, as `endingOf` names them: one, or two that race. */
  readonly endings: ReadonlyArray<string>
  /** The numbers that are stored afterwards, in order. */
  readonly numbers: ReadonlyArray<number>
}

/**
 * Says how a program must end, and what it must leave in a table that was empty before.
 *
 * @category programs
 * @since 0.1.0
 */
export const expectedOf = (program: Program): Expected => {
  const { endings, numbers } = after(program, [])
  return { endings, numbers: numbers.toSorted((a, b) => a - b) }
}

/** What a transaction with those steps makes of the numbers that are there. */
const after = (steps: ReadonlyArray<Step>, before: ReadonlyArray<number>): Expected => {
  const undone = (...endings: ReadonlyArray<string>): Expected => ({ endings, numbers: before })
  let numbers = before
  let hasFailed = false
  for (const step of steps) {
    switch (step._tag) {
      case "Insert":
        if (hasFailed) return undone(IN_FAILED_TRANSACTION)
        numbers = [...numbers, step.n]
        break
      case "Update":
        if (hasFailed) return undone(IN_FAILED_TRANSACTION)
        numbers = numbers.map((n) => n + CHANGE)
        break
      case "Nested": {
        const inner = hasFailed ? undone(IN_FAILED_TRANSACTION) : after(step.steps, numbers)
        if (!inner.endings.includes(SUCCESS)) {
          if (!step.isCaught) return undone(...inner.endings)
          break
        }
        numbers = inner.numbers
        break
      }
      case "NestedTimedOut":
        break
      case "Parallel":
        if (!hasFailed) numbers = after(step.branches.map(caught), numbers).numbers
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
  return hasFailed ? undone(ROLLED_BACK) : { endings: [SUCCESS], numbers }
}

const caught = (step: Step): Step => (step._tag === "Nested" ? { ...step, isCaught: true } : step)
