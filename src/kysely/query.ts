/** Runs the queries that Kysely has compiled, and answers in Kysely's form. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { CompiledQuery, QueryResult } from "kysely"
import type { ObjectRow } from "../codec/rowReader.ts"
import type { Router } from "../connection/router.ts"
import type * as PgError from "../PgError.ts"
import * as Request from "../session/request/request.ts"
import { ALL } from "../session/statement/wanted.ts"
import { passing } from "../sqlClient/answers.ts"
import { typedCall } from "../sqlClient/typedCall.ts"
import { withoutQuoted } from "../wire/sqlText.ts"

export type Answer = QueryResult<ObjectRow>

/** Runs a query where `router` says. A text of several statements has no parameters, and answers without rows. */
export const answerOf = (
  router: Router,
  { parameters, sql }: Pick<CompiledQuery, "parameters" | "sql">
): Effect.Effect<Answer, PgError.PgError> =>
  parameters.length === 0 && hasSeveral(sql)
    ? Effect.map(router.run("executeScript", Request.script(sql), undefined), noRows)
    : typedCall(router, "execute", request, sql, parameters)

export const noRows = (): Answer => ({ rows: [] })

/** Whether something follows a semicolon that stands outside of quotes, comments and function bodies. */
const hasSeveral = (sql: string): boolean => sql.includes(";") && /;\s*\S/.test(withoutQuoted(sql))

/** The commands whose count is that of the rows they have changed. */
const CHANGES: ReadonlySet<string> = new Set(["INSERT", "UPDATE", "DELETE", "MERGE"])

/** Lists of values and inserts of many rows make many texts, so a text is kept only if it comes again. */
const request = passing<ObjectRow, Answer>({
  form: Request.objects,
  maxRows: ALL,
  result: ({ rows, tag }) =>
    Exit.succeed(
      tag !== undefined && CHANGES.has(tag.command)
        ? { numAffectedRows: BigInt(tag.rowCount), rows: [...rows] }
        : { rows: [...rows] }
    )
})
