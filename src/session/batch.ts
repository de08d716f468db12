/** Different statements with one Sync behind them. They are encoded as a whole before a byte of them is written. */
import type { ObjectRow } from "../codec/rowReader.ts"
import type { CommandTag } from "../wire/commandTag.ts"
import { Pipeline } from "./pipeline.ts"
import type { Outcome } from "./plan.ts"
import { objects, type Request } from "./request.ts"
import type { PreparedStatement } from "./statementCache.ts"

/** One of the statements, and its values. */
export interface Run {
  readonly statement: PreparedStatement
  readonly values: ReadonlyArray<unknown>
}

/** What one of them has done and returned. */
export interface RunResult extends CommandTag {
  readonly rows: ReadonlyArray<ObjectRow>
}

export const batch = (first: Run, ...others: ReadonlyArray<Run>): Request<Outcome<ReadonlyArray<RunResult>>> => {
  const runs = [first, ...others]
  return {
    sql: first.statement.sql,
    params: undefined,
    exchange: (session, resume) => {
      const results: Array<RunResult> = []
      let next = 0
      return new Pipeline<ObjectRow, ReadonlyArray<RunResult>>(
        session,
        {
          next: () => runs[next++]?.values,
          statement: (index) => (runs[index] ?? first).statement,
          form: objects,
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
