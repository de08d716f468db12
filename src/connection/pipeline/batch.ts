/** Different statements in one round trip, as one or each for itself. */
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

/** One Sync behind all of them. */
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
 * What FETCH, EXECUTE and the like return, and what stands behind a change of the schema, can only be said once those
 * before have run. But once a statement may have committed by itself, as CALL may, nothing is left to be described: if the
 * values of a later statement could not be sent, that commit would stay.
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

/** A Sync behind each: those before and after one that fails are not touched by that. */
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
