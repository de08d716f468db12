/**
 * Writes the runs of a pipeline. It knows which have been written, and which must wait until their statement is
 * described.
 */
import * as Exit from "effect/Exit"
import { bareValues, namedTypes } from "../../codec/typedParameter.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import {
  writeBind,
  writeBindExecute,
  writeDescribePortal,
  writeDescribeStatement,
  writeExecute,
  writeFlush,
  writeParse
} from "../../wire/frontendEncoder.ts"
import { Unencodable } from "../../wire/failure.ts"
import type * as PgError from "../../PgError.ts"
import { type Plan, Stale } from "./pipelinePlan.ts"
import { mayOutlastError } from "../statement/outcome.ts"
import { ALL } from "../statement/wanted.ts"
import { requestRefused, valueRefused } from "../engine/serverError.ts"
import type { PreparedStatement } from "../statement/preparedStatement.ts"

type RunSource = Pick<Plan<never, never>, "next" | "offset" | "statement">

export class RunWriter {
  written = 0
  /** Whether nothing may be written before the answer: to a description, or to a run that may be a COPY. */
  holds = false
  /** The indexes of the unanswered runs that begin with Parse. */
  readonly parses: Array<number> = []
  /** The values of the next run, while its statement is being described. */
  private undescribed: ReadonlyArray<unknown> | undefined
  private parsed: PreparedStatement | undefined
  private readonly plan: RunSource

  constructor(plan: RunSource) {
    this.plan = plan
  }

  /** How many runs have been written, including one whose statement is being described. */
  get begun(): number {
    return this.written + (this.isDescribing ? 1 : 0)
  }

  get isDescribing(): boolean {
    return this.undescribed !== undefined
  }

  /** The number of a run within the whole call, from 1. */
  number(index: number): number {
    return this.plan.offset + index + 1
  }

  /** Whether a statement of the runs up to this one may stay in part although an error ends it. */
  mayOutlastError(last: number): boolean {
    for (let index = 0; index <= last && index < this.written; index++) {
      const statement = this.plan.statement(index)
      if (index > 0 && statement === this.plan.statement(index - 1)) continue
      if (mayOutlastError(statement.sql)) return true
    }
    return false
  }

  /** Returns undefined at the end. */
  nextValues(): ReadonlyArray<unknown> | undefined {
    const values = this.undescribed ?? this.plan.next()
    this.undescribed = undefined
    return values
  }

  write(writer: ByteWriter, given: ReadonlyArray<unknown>): void {
    const statement = this.plan.statement(this.written)
    if (!statement.isDescribed) return this.describe(writer, statement, given)
    const values = bareValues(given)
    if (statement.name === "" && statement !== this.parsed) {
      writeParse(writer, "", statement.sql, statement.parameterOids)
      writeBind(writer, statement, values)
      writeDescribePortal(writer)
      writeExecute(writer, ALL)
      this.parsed = statement
      this.parses.push(this.written)
    } else {
      writeBindExecute(writer, statement, values)
    }
    this.written++
    if (statement.mayCopy) this.hold(writer)
  }

  /** Describes the statement of the next run again, because a lookup of types has replaced the unnamed statement. */
  describeAgain(writer: ByteWriter): void {
    if (this.undescribed !== undefined) this.describe(writer, this.plan.statement(this.written), this.undescribed)
  }

  private describe(writer: ByteWriter, { sql }: PreparedStatement, values: ReadonlyArray<unknown>): void {
    writeParse(writer, "", sql, namedTypes(values))
    writeDescribeStatement(writer, "")
    this.undescribed = values
    this.hold(writer)
  }

  private hold(writer: ByteWriter): void {
    writeFlush(writer)
    this.holds = true
  }

  /** Called when the statement of the next run has been described. */
  described(statement: PreparedStatement): void {
    this.parsed = statement
    this.holds = false
  }

  /** Decides how the pipeline ends if the next run could not be written. */
  refusal(failure: unknown, mayRepeat: boolean): Exit.Exit<Stale, PgError.PgError> {
    const statement = this.plan.statement(this.written)
    if (!(failure instanceof Unencodable))
      return Exit.fail(requestRefused(failure, statement.sql, this.number(this.written)))
    const error = valueRefused(failure, statement, this.number(this.written))
    const refusedType = statement.parameterOids[(failure.parameter ?? 0) - 1]
    if (refusedType === undefined) return Exit.fail(error)
    return Exit.succeed(new Stale({ statement, error: () => error, isCertain: false, mayRepeat, refusedType }))
  }

  /** Called when no further run will be written. */
  giveUp(): void {
    this.undescribed = undefined
  }
}
