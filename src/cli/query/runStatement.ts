/** Runs one statement on a session, and returns everything that a format of output may want to know of its result. */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { RowColumn, TupleRow } from "../../codec/rowReader.ts"
import type * as PgError from "../../PgError.ts"
import type { Session } from "../../session/engine/session.ts"
import { query, send } from "../../session/request/request.ts"
import { allTuples } from "../../session/statement/wanted.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import { TEXT_TYPES } from "./textTypes.ts"

export interface Result {
  readonly tag: CommandTag
  /** Whether it has rows, even if there is none now. */
  readonly returnsRows: boolean
  readonly columns: ReadonlyArray<RowColumn>
  readonly rows: ReadonlyArray<TupleRow>
}

/** `values` says whether they are decoded as the session decodes them, or are the server's texts and nulls. */
export const runStatement = (
  session: Session,
  sql: string,
  params: ReadonlyArray<string>,
  values: "decoded" | "text"
): Effect.Effect<Result, PgError.PgError> =>
  send(
    session,
    query(sql, params, {
      form: allTuples.form,
      maxRows: allTuples.maxRows,
      types: values === "text" ? TEXT_TYPES : undefined,
      result: ({ columns, rows, statement, tag }): Exit.Exit<Result, PgError.PgError> =>
        Exit.succeed({ tag: tag ?? NO_COMMAND, returnsRows: statement?.rowShape !== undefined, columns, rows })
    })
  )

/** The answer to a text without a statement. */
const NO_COMMAND: CommandTag = { command: "", rowCount: 0 }
