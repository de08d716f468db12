/** Reports a statement of an SQL file that failed: where, why, and what of the file stays done. */
import * as Predicate from "effect/Predicate"
import type { SqlError } from "effect/sql/SqlError"
import { indexOfPosition, positionInWhole, renderSql } from "../error/report.ts"
import { PgMigrationError, type RanStatement, StatementFailedError } from "./migrationError.ts"
import { lineBreaks } from "./splitStatements.ts"
import type { SqlFile } from "./sqlFile.ts"

/** `index` is that of the failed statement. */
export const statementFailure = (file: SqlFile, index: number, cause: SqlError): PgMigrationError => {
  const statement = file.statements[index]
  const { sql = "", start = 0 } = statement ?? {}
  const told = toldBy(cause)
  const position = String(positionInWhole(file.text, start, told.position))
  const line = 1 + lineBreaks(file.text.slice(0, indexOfPosition(file.text, position)))
  const ran = file.isTransactional ? [] : ranBefore(file, index)
  const parts = [
    `${file.file} failed at line ${line}, in statement ${index + 1} of ${file.statements.length}: ${told.message}`,
    told.code === undefined ? undefined : `SQLSTATE: ${told.code}`,
    hintFor(file, told),
    renderSql(file.file, file.text.trimEnd(), position),
    afterwards(file, ran, cause)
  ]
  return new PgMigrationError({
    reason: new StatementFailedError({
      file: file.file,
      line,
      statement: index + 1,
      sql,
      ran,
      isTransactional: file.isTransactional,
      cause,
      message: parts.filter((part) => part !== undefined).join("\n")
    })
  })
}

/** The SQLSTATE of what the server said. */
export const sqlStateOf = (error: SqlError): string | undefined => toldBy(error).code

interface Told {
  readonly message: string
  readonly code: string | undefined
  readonly hint: string | undefined
  /** In characters of the statement, from 1. */
  readonly position: string | undefined
}

/** What the server said, which is in the native error of whatever driver there is. */
const toldBy = (error: SqlError): Told => {
  const native = error.reason.cause
  const field = (name: string): string | undefined => {
    const value = Predicate.hasProperty(native, name) ? native[name] : undefined
    return typeof value === "string" && value !== "" ? value : undefined
  }
  const position = field("position")
  return {
    message: field("message") ?? error.message,
    code: field("code"),
    hint: field("hint"),
    position: position !== undefined && /^[1-9]\d*$/.test(position) ? position : undefined
  }
}

const ACTIVE_TRANSACTION = "25001"

const hintFor = ({ isTransactional }: SqlFile, { code, hint }: Told): string | undefined => {
  if (code === ACTIVE_TRANSACTION && isTransactional) {
    return "HINT: Make `-- no transaction` the first line of the file, and give the statement a file of its own."
  }
  return hint === undefined ? undefined : `HINT: ${hint.replaceAll("\n", "\n  ")}`
}

const ranBefore = ({ statements }: SqlFile, index: number): ReadonlyArray<RanStatement> =>
  statements.slice(0, index).map(({ line, sql }, at) => ({ statement: at + 1, line, sql }))

const afterwards = ({ isTransactional }: SqlFile, ran: ReadonlyArray<RanStatement>, { reason }: SqlError): string => {
  if (isTransactional) return "The file was rolled back as a whole. The migrations before it stay applied."
  const stays =
    ran.length === 0
      ? "No statement of the file has run before."
      : `These statements of the file have run and stay done: ${ran.map(named).join(", ")}.`
  const isOpen = reason._tag === "ConnectionError" ? " Whether the failed one has run is unknown." : ""
  return `${stays}${isOpen} The file is not recorded as applied, and the next run begins with its first statement.`
}

const MAX_SHOWN = 60

const named = ({ line, sql, statement }: RanStatement): string => {
  const text = sql.replaceAll(/\s+/g, " ")
  return `${statement} (line ${line}: ${text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text})`
}
