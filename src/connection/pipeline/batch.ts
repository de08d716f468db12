/** Runs different statements in one round trip, which succeed or fail together or each on its own. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as PgError from "../../PgError.ts"
import { batch as batchOf, type Run } from "../../session/request/batchRequest.ts"
import { ALL } from "../../session/statement/wanted.ts"
import { objects, query, type Request } from "../../session/request/request.ts"
import { mayEnd, mayOutlastError } from "../../session/statement/outcome.ts"
import { changesSchema, kindOf } from "../../session/statement/statementKind.ts"
import type { Router } from "../router.ts"
import type { BarrierResult, BatchResult, BatchStatement } from "../../call/call.ts"
import { type StatementText, whilePrepared } from "./whilePrepared.ts"

type Answer<A> = Effect.Effect<A, PgError.PgError>

/** Runs the statements with one Sync behind all of them, so that they succeed or fail together. */
export const batch = (
  router: Router,
  statements: ReadonlyArray<BatchStatement>
): Answer<ReadonlyArray<BatchResult>> => {
  const [first, ...others] = statements
  if (first === undefined) return Effect.succeed([])
  return router.onLevel((level) => {
    const kept = level.session.statements
    const isAutocommit = !level.isTransaction && !level.isBegunInSql
    return whilePrepared(level, inTurn([first, ...others], isAutocommit), kept, ([head, ...tail]) =>
      batchOf(
        kept,
        { statement: head, values: first.params ?? [] },
        ...tail.map((statement, index): Run => ({ statement, values: others[index]?.params ?? [] }))
      )
    )
  })
}

/**
 * Decides which statements are described only after the ones before have run. FETCH, EXECUTE and similar ones need
 * that, and so does every statement behind a change of the schema. Behind a statement that may commit by itself, such
 * as CALL, all are described before: otherwise the values of a later one could prove wrong after that commit.
 */
const inTurn = (
  [first, ...others]: readonly [BatchStatement, ...ReadonlyArray<BatchStatement>],
  isAutocommit: boolean
): readonly [StatementText, ...ReadonlyArray<StatementText>] => {
  let mayCommit = isAutocommit
  let isCommitted = false
  let isChanged = false
  const pass = (sql: string): void => {
    isCommitted ||= mayCommit && mayOutlastError(sql)
    isChanged ||= changesSchema(sql)
    mayCommit ||= mayEnd(sql)
  }
  pass(first.sql)
  const later = others.map(({ params, sql }): StatementText => {
    const isLate = !isCommitted && (isChanged || kindOf(sql) === "told")
    pass(sql)
    return { sql, params, isLate }
  })
  return [first, ...later]
}

/** Runs the statements with a Sync behind each, so that a failure does not affect the others. */
export const batchWithBarriers = (
  router: Router,
  statements: ReadonlyArray<BatchStatement>
): Answer<ReadonlyArray<BarrierResult>> =>
  router.onLevel((level) =>
    Effect.forEach(statements, (statement) => Effect.result(level.run(alone(statement))), { concurrency: "unbounded" })
  )

const alone = ({ params = [], sql }: BatchStatement): Request<BatchResult> =>
  query(sql, params, {
    form: objects,
    maxRows: ALL,
    result: ({ rows, tag }) => Exit.succeed({ command: "", rowCount: 0, ...tag, rows })
  })
