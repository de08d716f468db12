/** Remembers which statement made a transaction fail, so that the errors of those behind it can name it. */
import * as PgError from "../../PgError.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"

/** The server refuses every statement of a failed transaction with this code. */
const IN_FAILED_TRANSACTION = "25P02"

interface Failure {
  readonly fields: ErrorFields
  readonly sql: string
}

const MAX_SQL_LENGTH = 300

export class FirstFailure {
  private first: Failure | undefined

  /** Called for each error of the session. The last one that had a reason of its own made the transaction fail. */
  noted(fields: ErrorFields, sql: string): ErrorFields {
    if (fields.code !== IN_FAILED_TRANSACTION) {
      this.first = { fields, sql }
      return fields
    }
    return this.first === undefined || fields.hint !== undefined ? fields : { ...fields, hint: hintOf(this.first) }
  }
}

const hintOf = ({ fields, sql }: Failure): string => {
  const { _tag } = PgError.fromServer(fields, { sql: undefined, outcome: "none" })
  const shown = sql.length > MAX_SQL_LENGTH ? `${sql.slice(0, MAX_SQL_LENGTH)}…` : sql
  return (
    `The transaction had already failed, with ${_tag} (${fields.code}) in this statement:\n${shown}\n` +
    "To go on after an error, run the statement that may fail in a nested withTransaction, which is a savepoint."
  )
}
