/** Makes the request that runs different statements with one Sync. All are encoded before the first byte is written. */
import type { ObjectRow } from "../../codec/rowReader.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import { Pipeline } from "../exchange/pipeline.ts"
import type { Outcome } from "../exchange/pipelinePlan.ts"
import { objects, type Request } from "./request.ts"
import { type PreparedStatement, unnamed } from "../statement/preparedStatement.ts"
import type { Session } from "../engine/session.ts"
import type { Statements } from "../statement/statements.ts"

/** One statement and its values. */
export interface Run {
  readonly statement: PreparedStatement
  readonly values: ReadonlyArray<unknown>
}

/** What one statement did, and its rows. */
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
            runs = runs.map((run) => {
              const statement = named(session, statements, run.statement)
              return statement === run.statement ? run : { statement, values: run.values }
            })
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

/**
 * Another request may have evicted the statement since it was prepared, and behind a pooler it may be somewhere else. The
 * pipeline then prepares it.
 */
export const named = (
  session: Pick<Session, "statements">,
  statements: Statements,
  statement: PreparedStatement
): PreparedStatement =>
  statements.has(statement) && !session.statements.isWaryOfNames ? statement : unnamed(statement)
