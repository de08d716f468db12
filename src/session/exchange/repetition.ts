/**
 * Decides what happens after a statement has failed before it ran. If its description was out of date, it is described
 * again and run; otherwise the error stands. Nothing that has run is run again.
 */
import * as Exit from "effect/Exit"
import { DatabaseTypes } from "../../codec/databaseTypes.ts"
import type * as PgError from "../../PgError.ts"
import { TransactionStatus } from "../../wire/backendMessage.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import type { Unencodable } from "../../wire/failure.ts"
import { valueRefused } from "../engine/serverError.ts"
import type { Exchange } from "../engine/exchange.ts"
import type { PreparedStatement, StatementDescription } from "../statement/preparedStatement.ts"
import { findOutFirst, findOutLater } from "../engine/asking/lostName.ts"
import type { Session } from "../engine/session.ts"
import { concernsName, mayComeOfPlan, type Verdict } from "../statement/stalePlan.ts"
import type { StatementInUse } from "../statement/statementInUse.ts"

/** A limit, in case the schema never stops changing. */
export const MAX_REPETITIONS = 4

/** A request that can be sent again. */
export interface Repeatable extends Exchange {
  readonly session: Session
  readonly inUse: StatementInUse
  part: Exchange | undefined
  /** Has the server describe the statement again, ahead of all waiting requests. */
  askAgain(): void
  /** Looks types up, and adds them to `types`. */
  lookUp(
    types: DatabaseTypes,
    oids: ReadonlyArray<number>,
    done: (exit: Exit.Exit<unknown, PgError.PgError>) => void
  ): void
}

/** `isTooLate` says that the error has aborted a transaction. */
interface Rejection {
  readonly error: PgError.PgError
  readonly isTooLate: boolean
}

export class Repetition {
  private count = 0
  /** The error to report if the server describes the statement as before. */
  private doubt: PgError.PgError | undefined
  /** The type that could not encode a value, and that may have changed on the server. */
  private refusedType: number | undefined
  private hasAskedForType = false
  private readonly request: Repeatable

  constructor(request: Repeatable) {
    this.request = request
  }

  /** Handles a value that could not be encoded. The type of its parameter may have changed on the server. */
  valueRefused(failure: Unencodable, statement: PreparedStatement): void {
    const { inUse, session } = this.request
    const error = valueRefused(failure, statement)
    if (session.transactionStatus === TransactionStatus.failed) return this.request.lost(error)
    const refusedType = statement.parameterOids[(failure.parameter ?? 0) - 1]
    if (!inUse.isRemembered) return this.askForType(statement, refusedType, error)
    this.refusedType = refusedType
    this.askWhether(statement, error)
  }

  /** Handles an error from before the run. If the description was out of date, the statement is run once more. */
  rejected(statement: PreparedStatement, verdict: Verdict, fields: ErrorFields, { error, isTooLate }: Rejection): void {
    const { inUse, session } = this.request
    const hasChanged = verdict === "right" ? mayComeOfPlan(fields) : verdict === "wrong" && !concernsName(fields)
    if (hasChanged) session.catalogue.outdateStatements(statement)
    const isMisplaced = session.statements.isMisplaced(fields, statement.name)
    if (verdict === "right") {
      this.request.lost(error)
    } else if (isTooLate || this.count === MAX_REPETITIONS) {
      inUse.giveUp(statement)
      if (isMisplaced) findOutLater(session, statement.name)
      this.request.lost(error)
    } else if (verdict === "wrong") {
      inUse.giveUp(statement)
      if (isMisplaced) this.elsewhere(statement.name)
      else this.again()
    } else {
      this.askWhether(statement, error)
    }
  }

  /** Handles an error of a statement that was being described. If its name is taken, it is described without one. */
  undescribed(fields: ErrorFields, { error, isTooLate }: Rejection): void {
    const { inUse, session } = this.request
    if (!session.statements.isMisplaced(fields, inUse.name)) return this.request.lost(error)
    if (!isTooLate && this.count < MAX_REPETITIONS) return this.elsewhere(inUse.name)
    findOutLater(session, inUse.name)
    this.request.lost(error)
  }

  /** A pooler may have moved the session to a server process with other statements. */
  private elsewhere(name: string): void {
    const { request } = this
    findOutFirst(request.session, request, name, () => this.again())
  }

  /** Handles a new description. Returns true if the statement is to be run now. */
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

  /** Looks up the type that could not encode a value. If the type has not changed, `error` stands. */
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

  /** Has the statement described again, and run if its parameters have changed. If not, `error` stands. */
  private askWhether(statement: PreparedStatement, error: PgError.PgError): void {
    this.request.inUse.doubt(statement)
    this.doubt = error
    this.again()
  }

  private again(): void {
    this.count++
    this.request.askAgain()
  }

  /** Called when the description of the statement, or of one of its types, has changed. */
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
