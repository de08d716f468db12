/** Different statements with one Sync behind them. They are encoded as a whole before a byte of them is written. */
import type { ObjectRow } from "../../codec/rowReader.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import { Pipeline } from "../exchange/pipeline.ts"
import type { Outcome } from "../exchange/pipelinePlan.ts"
import { objects, type Request } from "./request.ts"
import { type PreparedStatement, unnamed } from "../statement/preparedStatement.ts"
import type { Statements } from "../statement/statements.ts"

/** One of the statements, and its values. */
export interface Run {
  readonly statement: PreparedStatement
  readonly values: ReadonlyArray<unknown>
}

/** What one of them has done and returned. */
export interface RunResult extends CommandTag {
  readonly rows: ReadonlyArray<ObjectRow>
}

export const batch = (
  statements: Statements,
  ...given: readonly [Run, ...ReadonlyArray<Run>]
): Request<Outcome<ReadonlyArray<RunResult>>> => {
  const [first] = given
  return {
    sql: first.statement.sql,
    params: undefined,
    exchange: (session, resume) => {
      const results: Array<RunResult> = []
      let runs: Array<Run> = [...given]
      let next = 0
      return new Pipeline<ObjectRow, ReadonlyArray<RunResult>>(
        session,
        {
          next: () => runs[next++]?.values,
          statement: (index) => (runs[index] ?? first).statement,
          form: objects,
          beforeFirst: () => {
            runs = runs.map(({ statement, values }) => ({ statement: unlessKept(statements, statement), values }))
          },
          learned: (index, statement) => {
            const { values } = runs[index] ?? first
            runs[index] = { statement, values }
          },
          started: () => {},
          completed: (rows, { command, rowCount }) => results.push({ command, rowCount, rows }),
          result: () => results,
          offset: 0,
          blockBytes: Infinity
        },
        resume
      )
    }
  }
}

/** Another request may have taken the place of a statement since it was prepared: then the pipeline prepares it. */
export const unlessKept = (statements: Statements, statement: PreparedStatement): PreparedStatement =>
  statements.has(statement) ? statement : unnamed(statement)
