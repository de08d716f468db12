/**
 * When a statement that has failed before it ran is described once more, and what comes of that: it is run as it is by
 * now, or its error stands. Nothing that has run is run again.
 */
import * as Exit from "effect/Exit"
import { DatabaseTypes } from "../../codec/databaseTypes.ts"
import type * as PgError from "../../PgError.ts"
import { TransactionStatus } from "../../wire/backendMessage.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import type { Unencodable } from "../../wire/failure.ts"
import { valueRefused } from "../engine/serverError.ts"
import type { PreparedStatement, StatementDescription } from "../statement/preparedStatement.ts"
import type { Session } from "../engine/session.ts"
import { isForgotten, mayComeOfPlan, type Verdict } from "../statement/stalePlan.ts"
import type { StatementInUse } from "../statement/statementInUse.ts"

/** A schema that changes all the time is not run after for ever. */
export const MAX_REPETITIONS = 4

/** A request that can be asked again. */
export interface Repeatable {
  readonly session: Session
  readonly inUse: StatementInUse
  /** Has the server describe the statement, before anything else is written. */
  askAgain(): void
  /** Looks types up, and adds them to `types`. */
  lookUp(
    types: DatabaseTypes,
    oids: ReadonlyArray<number>,
    done: (exit: Exit.Exit<unknown, PgError.PgError>) => void
  ): void
  lost(error: PgError.PgError): void
}

export class Repetition {
  /** How often the statement has been described again. */
  private count = 0
  /** The error that stands if the server describes the statement as it was. */
  private doubt: PgError.PgError | undefined
  /** The type that a value was refused for, which may be known as it no longer is. */
  private refusedType: number | undefined
  private hasAskedForType = false
  private readonly request: Repeatable

  constructor(request: Repeatable) {
    this.request = request
  }

  /** A value could not be encoded. The type of the parameter may have changed since the statement was described. */
  valueRefused(failure: Unencodable, statement: PreparedStatement): void {
    const { inUse, session } = this.request
    const error = valueRefused(failure, statement)
    if (session.transactionStatus === TransactionStatus.failed) return this.request.lost(error)
    const refusedType = statement.parameterOids[(failure.parameter ?? 0) - 1]
    if (!inUse.isRemembered) return this.askForType(statement, refusedType, error)
    this.refusedType = refusedType
    this.askWhether(statement, error)
  }

  /** The server has refused the statement. If what was known of it is wrong, it has not run, and it is run once more. */
  rejected(
    statement: PreparedStatement,
    verdict: Verdict,
    fields: ErrorFields,
    { error, isTooLate }: { readonly error: PgError.PgError; readonly isTooLate: boolean }
  ): void {
    const { inUse, session } = this.request
    const hasChanged = verdict === "right" ? mayComeOfPlan(fields) : verdict === "wrong" && !isForgotten(fields)
    if (hasChanged) session.catalogue.outdateStatements(statement)
    if (verdict === "right") {
      this.request.lost(error)
    } else if (isTooLate || this.count === MAX_REPETITIONS) {
      inUse.giveUp(statement)
      this.request.lost(error)
    } else if (verdict === "wrong") {
      inUse.giveUp(statement)
      this.again()
    } else {
      this.askWhether(statement, error)
    }
  }

  /** The server has described the statement. True if that is to be run; if not, the error stands, or more is asked. */
  described(description: StatementDescription): boolean {
    const { doubt, request } = this
    const { doubted } = request.inUse
    if (doubt === undefined || doubted === undefined) return true
    this.doubt = undefined
    if (takesSame(doubted, description)) {
      this.askForType(doubted, this.refusedType, doubt)
      return false
    }
    this.changed(doubted)
    return true
  }

  /** Has the type looked up that a value was refused for. If it is as it was, `error` stands. */
  private askForType(statement: PreparedStatement, oid: number | undefined, error: PgError.PgError): void {
    const { request } = this
    const { types } = statement
    const isKnown = oid === undefined || types === undefined || types.isFixed(oid)
    if (isKnown || this.hasAskedForType) return request.lost(error)
    this.hasAskedForType = true
    request.inUse.doubt(statement)
    const now = new DatabaseTypes(types.chosen)
    request.lookUp(now, [oid], (exit) => {
      if (Exit.isFailure(exit) || types.agreesWith(now, oid)) return request.lost(error)
      this.changed(statement)
      this.again()
    })
  }

  /** Has the statement described, and run if that is another description; or else `error` stands. */
  private askWhether(statement: PreparedStatement, error: PgError.PgError): void {
    this.request.inUse.doubt(statement)
    this.doubt = error
    this.again()
  }

  private again(): void {
    this.count++
    this.request.askAgain()
  }

  /** The server describes the statement, or a type of it, otherwise than before. */
  private changed(statement: PreparedStatement): void {
    const { inUse, session } = this.request
    inUse.giveUp(statement)
    session.catalogue.outdateStatements(statement)
  }
}

const takesSame = (
  { parameterOids }: Pick<PreparedStatement, "parameterOids">,
  description: StatementDescription
): boolean => parameterOids.join() === description.parameterOids.join()
