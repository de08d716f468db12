/** What the server says of a statement, as a person reads it: the message, and the statement with a caret. */
import { PostgresError } from "../../error/postgresError.ts"
import { indexOfPosition, positionInWhole, renderReport, renderSql } from "../../error/report.ts"
import type * as PgError from "../../PgError.ts"
import { lineBreaks, type SqlStatement } from "../../migrator/splitStatements.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { describeError } from "../terminal/report.ts"

/** Where statements come from. */
export interface Script {
  readonly text: string
  /** The name of the file; undefined for an argument and the standard input. */
  readonly file: string | undefined
}

export const describeFailure = (error: PgError.PgError, { file, text }: Script, statement: SqlStatement): string => {
  if (error._tag === "UnsupportedError" && COPY.test(statement.sql)) return COPY_HINT
  if (!PostgresError.isOne(error)) return describeError(error)
  const position = String(positionInWhole(text, statement.start, error.position))
  const line = 1 + lineBreaks(text.slice(0, indexOfPosition(text, position)))
  const report = renderReport({
    ...error,
    ...confidential(error),
    _tag: error._tag,
    message: error.message,
    sql: undefined
  })
  const place = `${file ?? "SQL"}:${line}: `
  const shown = renderSql(file ?? "SQL", text.trimEnd(), error.position === undefined ? "" : position)
  return `${file === undefined && statement.line === 1 ? "" : place}${report}\n${shown}`
}

const COPY = /^COPY\b/i
const COPY_HINT =
  "COPY ... FROM STDIN and TO STDOUT are not for effectpg query. To get rows as CSV, run the query with --csv; to put rows " +
  "into a table, use psql, or copyIn in a program."

/** These are no properties of the error itself, so that nothing prints them by accident. */
const confidential = ({ detail, internalQuery, where }: PostgresError) => ({ detail, internalQuery, where })

export const describeNotice = ({ detail, hint, message, severityUnlocalized }: ErrorFields): string =>
  [
    `${severityUnlocalized}: ${message}`,
    detail === undefined ? undefined : `DETAIL: ${detail}`,
    hint === undefined ? undefined : `HINT: ${hint}`
  ]
    .filter((part) => part !== undefined)
    .join("\n")
