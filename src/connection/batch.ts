/** Different statements in one round trip, as one or each for itself. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as PgError from "../PgError.ts"
import { batch as batchOf, type Run } from "../session/batch.ts"
import { ALL, objects, query, type Request } from "../session/request.ts"
import { whilePrepared } from "./many.ts"
import type { Place } from "./place.ts"
import type { BarrierResult, BatchResult, BatchStatement } from "./vocabulary.ts"

type Answer<A> = Effect.Effect<A, PgError.PgError>

/** One Sync behind all of them. */
export const batch = (place: Place, statements: ReadonlyArray<BatchStatement>): Answer<ReadonlyArray<BatchResult>> => {
  const [first, ...others] = statements
  if (first === undefined) return Effect.succeed([])
  return place.onLevel((level) =>
    whilePrepared(level, [first, ...others], level.session.statements, ([head, ...tail]) =>
      batchOf(
        { statement: head, values: first.params ?? [] },
        ...tail.map((statement, index): Run => ({ statement, values: others[index]?.params ?? [] }))
      )
    )
  )
}

/** A Sync behind each: those before and after one that fails are not touched by that. */
export const batchWithBarriers = (
  place: Place,
  statements: ReadonlyArray<BatchStatement>
): Answer<ReadonlyArray<BarrierResult>> =>
  place.onLevel((level) =>
    Effect.forEach(statements, (statement) => Effect.result(level.run(alone(statement))), { concurrency: "unbounded" })
  )

const alone = ({ params = [], sql }: BatchStatement): Request<BatchResult> =>
  query(sql, params, {
    form: objects,
    maxRows: ALL,
    result: ({ rows, tag }) => Exit.succeed({ command: "", rowCount: 0, ...tag, rows })
  })
