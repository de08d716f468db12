/**
 * Runs one statement with parameters, by the extended protocol. The first run of a text takes two round trips, because
 * the client must know the types of the parameters and columns before it can encode values and choose formats. Later
 * runs take one:
 *
 * ```
 * first run : (Close...) Parse Describe Sync   ->  (CloseComplete...) ParseComplete ParameterDescription
 *                                                   RowDescription | NoData  ReadyForQuery
 * every run : (Close...) Bind Execute Sync     ->  (CloseComplete...) BindComplete DataRow...
 *                                                   CommandComplete | PortalSuspended | EmptyQueryResponse  ReadyForQuery
 * ```
 * An unnamed statement is prepared again for each run, with the types and formats that are known from before. A
 * statement is presumed, and runs at once even for the first time, if the types of its parameters are known and no rows
 * have to be read, or if it is a passing one, whose rows are all asked for in binary form:
 *
 * ```
 * (Close...) Parse Bind Describe Execute Sync  ->  (CloseComplete...) ParseComplete BindComplete
 *                                                   RowDescription | NoData  DataRow... and so on
 * ```
 * If the description proves out of date before anything has run, the statement is described again. It then runs in the
 * round trip that prepares it, so that little time is left for another change. See `Repetition`.
 *
 * Types that the session does not know are looked up in between, as a part of this conversation. If a run shows such a
 * type, or one that has changed, the rows are kept as bytes until they can be read; see `readLater`.
 */
import type { Buffer } from "node:buffer"
import * as Exit from "effect/Exit"
import type { DatabaseTypes } from "../../codec/databaseTypes.ts"
import type { RowShape, TupleRow } from "../../codec/rowReader.ts"
import { bareValues, namedTypes } from "../../codec/typedParameter.ts"
import * as PgError from "../../PgError.ts"
import { Backend, type ColumnDescription, TransactionStatus } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import { decodeParameterDescription, decodeRowDescription } from "../../wire/coldMessages.ts"
import { type CommandTag, readCommandTag } from "../../wire/commandTag.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { ProtocolViolation, Unencodable } from "../../wire/failure.ts"
import {
  writeBind,
  writeBindExecuteSync,
  writeCloseStatements,
  writeDescribePortal,
  writeDescribeStatement,
  writeExecute,
  writeParse,
  writeSync
} from "../../wire/frontendEncoder.ts"
import { MAX_COUNT } from "../../wire/limits.ts"
import { readDescriptions, typeQuery } from "../types/typeQuery.ts"
import { OWN_TYPES } from "../types/typeCatalogue.ts"
import { Awaiting } from "./awaiting.ts"
import { afterSkipped, NO_COPY, refuseCopyInAndSync } from "./copyRefusal.ts"
import { Desynchronised, type Exchange } from "../engine/exchange.ts"
import { mayOutlastError } from "../statement/outcome.ts"
import { type PreparedStatement, type StatementDescription, typeOids } from "../statement/preparedStatement.ts"
import { type Repeatable, Repetition } from "./repetition.ts"
import { RowCollector } from "./rowCollector.ts"
import { requestRefused, serverError } from "../engine/serverError.ts"
import type { Session } from "../engine/session.ts"
import { hasNoBinaryForm, type Verdict, verdictOn } from "../statement/stalePlan.ts"
import { BINARY, StatementInUse } from "../statement/statementInUse.ts"
import { type HasUnreadRows, readLater } from "./unreadRows.ts"
import { allTuples, type Answer, type NamedPortal, type Wanted } from "../statement/wanted.ts"

export class ExtendedQuery<Row, A> implements HasUnreadRows, Answer<Row>, Repeatable {
  readonly sql: string
  readonly values: ReadonlyArray<unknown>
  readonly rows: ReadonlyArray<Row>
  tag: CommandTag | undefined
  abandoned = false
  readonly mayShareSync = true
  exclusive = true
  readonly session: Session
  readonly inUse: StatementInUse
  private readonly wanted: Wanted<Row, A>
  private readonly resume: (exit: Exit.Exit<A, PgError.PgError>) => void
  /** Whether the run prepares its statement, and describes it once more. */
  private parses = false
  private readonly collector: RowCollector<Row>
  private readonly afterBind: Awaiting
  private awaiting: Awaiting = Awaiting.parseComplete
  private isSuspended = false
  private closesAwaited = 0
  private description: StatementDescription = UNDESCRIBED
  private failure: PgError.PgError | undefined
  private repetition: Repetition | undefined
  /** The query for unknown types, while it runs. If this is one, `whole` is the exchange that needs the types. */
  part: Exchange | undefined
  whole: Exchange | undefined
  lookedUp: ReadonlyArray<number> = NONE

  constructor(
    session: Session,
    sql: string,
    values: ReadonlyArray<unknown>,
    wanted: Wanted<Row, A>,
    resume: (exit: Exit.Exit<A, PgError.PgError>) => void
  ) {
    this.session = session
    this.sql = sql
    const types = values.length === 0 ? NONE : namedTypes(values)
    this.values = types.length === 0 ? values : bareValues(values)
    this.inUse = new StatementInUse(session, sql, types, wanted)
    this.wanted = wanted
    this.collector = new RowCollector(wanted.portal === undefined ? Infinity : wanted.maxRows || Infinity)
    this.rows = this.collector.rows
    this.afterBind = wanted.until === "bound" ? Awaiting.ready : Awaiting.rows
    this.resume = resume
  }

  get rowBytes(): number {
    return this.collector.bytes
  }

  get completed(): boolean {
    return this.tag !== undefined
  }

  /** A suspended portal may have done all its work, too. */
  get hasRun(): boolean {
    return this.completed || this.isSuspended
  }

  get asksOnly(): boolean {
    return this.statement === undefined
  }

  /** Outside a transaction, a statement whose rows wait for a lookup of types is already committed. */
  get mayOutlastError(): boolean {
    if (this.asksOnly || this.isUnrun || !this.session.isAutocommit) return false
    return this.part !== undefined || mayOutlastError(this.sql)
  }

  get statement(): PreparedStatement | undefined {
    return this.inUse.known
  }

  get columns(): RowShape["columns"] {
    return this.statement?.rowShape?.columns ?? NONE
  }

  // ---------------------------------------------------------------------------------------------------- request

  encode(writer: ByteWriter): void {
    const { session } = this
    const { portal } = this.wanted
    if (portal?.statement !== undefined) return this.encodePage(writer, portal, portal.statement)
    let statement = this.inUse.find()
    if (this.repetition === undefined) {
      const { transaction, transactionStatus } = session
      const isInTransaction = transaction !== undefined || transactionStatus !== TransactionStatus.idle
      statement ??= this.inUse.presumed(this.values.length, this.wanted, this.types, isInTransaction)
    }
    const { evictions } = session.statements
    if (evictions.length > 0) writeCloseStatements(writer, evictions)
    if (statement === undefined) this.encodePrepare(writer)
    else this.encodeRun(writer, statement)
    this.closesAwaited = evictions.length
    if (evictions.length > 0) session.statements.evictionsWritten()
  }

  private encodePrepare(writer: ByteWriter): void {
    const { length } = this.values
    // The server would parse it, and describe it with a count that has overflowed.
    if (length > MAX_COUNT)
      throw new Unencodable(`the call gives ${length} parameters, but a statement takes at most ${MAX_COUNT}`)
    const name = this.repetition !== undefined ? this.inUse.leaveUnnamed() : this.inUse.nameIt()
    this.parses = false
    writeParse(writer, name, this.sql, this.inUse.namedTypes)
    writeDescribeStatement(writer, name)
    writeSync(writer)
    this.exclusive = true
    this.awaiting = Awaiting.parseComplete
  }

  private encodePage(writer: ByteWriter, { nameBytes }: NamedPortal, statement: PreparedStatement): void {
    writeExecute(writer, this.wanted.maxRows, nameBytes)
    writeSync(writer)
    this.inUse.known = statement
    this.inUse.asked = statement.rowShape?.resultFormats ?? NONE
    this.readAs(statement.rowShape)
    this.exclusive = false
    this.awaiting = Awaiting.rows
  }

  private encodeRun(writer: ByteWriter, statement: PreparedStatement): void {
    const { inUse, values, wanted } = this
    // Otherwise another run of the text could prepare it under the same name.
    this.exclusive = statement.mayCopy || wanted.isExclusive === true || (inUse.isPresumed && statement.name !== "")
    if (wanted.until === "prepared") {
      writeSync(writer)
      this.awaiting = Awaiting.ready
      return
    }
    this.parses = statement.name === "" || inUse.isPresumed
    if (this.parses || wanted.portal !== undefined) this.encodeParts(writer, statement)
    else writeBindExecuteSync(writer, statement, values, wanted.maxRows)
    inUse.asked = inUse.asksForBinary ? BINARY : (statement.rowShape?.resultFormats ?? NONE)
    this.collector.reader = statement.rowShape && wanted.form(statement.rowShape)
    this.awaiting = this.parses ? Awaiting.parseComplete : Awaiting.bindComplete
  }

  /** Encodes a run that prepares its statement, which is then described once more, or that has a portal with a name. */
  private encodeParts(writer: ByteWriter, statement: PreparedStatement): void {
    const { maxRows, portal, until } = this.wanted
    if (this.parses) writeParse(writer, statement.name, statement.sql, statement.parameterOids)
    writeBind(writer, statement, this.values, portal?.nameBytes)
    if (this.parses) writeDescribePortal(writer, portal?.nameBytes)
    if (until !== "bound") writeExecute(writer, maxRows, portal?.nameBytes)
    writeSync(writer)
  }

  refused(failure: unknown): void {
    const { statement } = this
    const isOfValue = failure instanceof Unencodable && failure.parameter !== undefined
    if (isOfValue && statement !== undefined) this.again.valueRefused(failure, statement)
    else this.lost(requestRefused(failure, this.sql))
  }

  // ---------------------------------------------------------------------------------------------------- answer

  dataRows(bytes: Buffer, at: number, limit: number): number {
    const isRow = this.awaiting === Awaiting.rows && this.inUse.known?.rowShape !== undefined
    if (isRow) return this.collector.addAll(bytes, at, limit)
    throw new Desynchronised(Backend.DataRow, this.expected)
  }

  message(type: number, bytes: Buffer, start: number, end: number): void {
    const { awaiting } = this
    const { known } = this.inUse
    switch (type) {
      case Backend.CloseComplete:
        if (this.closesAwaited === 0) break
        this.closesAwaited--
        return
      case Backend.BindComplete:
        if (awaiting !== Awaiting.bindComplete || this.closesAwaited > 0) break
        this.awaiting = this.parses ? Awaiting.portalDescription : this.afterBind
        return
      case Backend.CommandComplete:
        if (awaiting !== Awaiting.rows) break
        this.tag = readCommandTag(bytes, start, end)
        this.awaiting = Awaiting.ready
        this.session.commandCompleted(this.tag, known?.rowShape !== undefined, known?.changesSession)
        return
      case Backend.PortalSuspended:
        if (awaiting !== Awaiting.rows || this.wanted.maxRows === 0) break
        this.isSuspended = true
        this.awaiting = Awaiting.ready
        return
      case Backend.EmptyQueryResponse:
        if (awaiting !== Awaiting.rows) break
        this.failure = new PgError.EmptyQueryError({ sql: this.sql })
        this.awaiting = Awaiting.ready
        return
      case Backend.ParseComplete:
        if (awaiting !== Awaiting.parseComplete || this.closesAwaited > 0) break
        this.awaiting = this.parses ? Awaiting.bindComplete : Awaiting.parameterDescription
        return
      case Backend.ParameterDescription:
        if (awaiting !== Awaiting.parameterDescription) break
        this.description = { parameterOids: decodeParameterDescription(bytes, start, end), columns: undefined }
        this.awaiting = Awaiting.rowDescription
        return
      case Backend.RowDescription:
      case Backend.NoData:
        if (awaiting !== Awaiting.rowDescription && awaiting !== Awaiting.portalDescription) break
        this.described(type === Backend.NoData ? undefined : decodeRowDescription(bytes, start, end))
        return
      case Backend.CopyInResponse:
        if (awaiting !== Awaiting.rows || !this.exclusive) break
        this.failure = NO_COPY.in(this.sql)
        this.session.writeMore(refuseCopyInAndSync)
        this.awaiting = Awaiting.ready
        return
      case Backend.CopyOutResponse:
        if (awaiting !== Awaiting.rows) break
        this.failure = NO_COPY.out(this.sql)
        this.awaiting = Awaiting.copyData
        return
    }
    const skipped = awaiting === Awaiting.copyData ? afterSkipped(type, awaiting, Awaiting.rows) : undefined
    if (skipped !== undefined) return void (this.awaiting = skipped)
    throw new Desynchronised(type, this.expected)
  }

  private get expected(): string {
    return this.closesAwaited > 0 ? "CloseComplete" : this.awaiting
  }

  ready(status: TransactionStatus, error: ErrorFields | undefined): void {
    if (error !== undefined) this.rejected(status, error)
    else if (this.awaiting !== Awaiting.ready) throw new Desynchronised(Backend.ReadyForQuery, this.expected)
    else if (this.inUse.known === undefined) this.prepared()
    else if (this.failure !== undefined) this.lost(this.failure)
    else if (this.collector.refused !== undefined) readLater(this, this.inUse.known, this.collector.refused)
    else this.succeed()
  }

  // ---------------------------------------------------------------------------------------------------- types

  private get types(): DatabaseTypes {
    return this.wanted.types ?? this.session.catalogue.types
  }

  /** Looks up types as the next part of this conversation. Types without an answer are not looked up again. */
  lookUp(
    types: DatabaseTypes,
    oids: ReadonlyArray<number>,
    done: (exit: Exit.Exit<unknown, PgError.PgError>) => void
  ): void {
    // The query for types must need no lookup itself, or there would be no end.
    if (this.wanted.types === OWN_TYPES)
      throw new ProtocolViolation("an answer with a user-defined type to the query for types")
    this.lookedUp = [...this.lookedUp, ...oids]
    this.part = lookUpTypes(this, types, oids, (exit) => {
      this.part = undefined
      done(exit)
    })
  }

  /** Called when the statement has been described. Looks up types if that is needed, and then goes on to the run. */
  private prepared(): void {
    const { types } = this
    const unknown = types.unknownAmong(typeOids(this.description)).filter((oid) => !this.lookedUp.includes(oid))
    if (unknown.length === 0) return this.run(types)
    this.lookUp(types, unknown, (exit) => {
      if (Exit.isSuccess(exit)) return this.run(types)
      this.withdrawn()
      if (!this.abandoned) this.resume(Exit.failCause(exit.cause))
    })
  }

  private run(types: DatabaseTypes): void {
    const { description, inUse } = this
    if (this.repetition?.described(description) === false) return
    if (this.repetition !== undefined) inUse.presume(description, types)
    else inUse.learn(description, types)
    if (this.wanted.until === "prepared") return this.succeed()
    this.session.submitFirst(this)
  }

  /** Takes the columns, either of a statement that is being prepared or of a portal that is about to run. */
  private described(columns: ReadonlyArray<ColumnDescription> | undefined): void {
    const { inUse, statement } = this
    if (statement === undefined) {
      this.description = { ...this.description, columns }
      this.awaiting = Awaiting.ready
      return
    }
    this.awaiting = this.afterBind
    const unreadable = inUse.described(statement, columns, this.types)
    if (unreadable !== undefined) this.collector.refuse(unreadable, columns?.length ?? 0)
    else if (inUse.known !== statement) this.readAs(inUse.known?.rowShape)
  }

  private readAs(shape: RowShape | undefined): void {
    this.collector.reader = shape && this.wanted.form(shape)
  }

  get keptRows(): ReadonlyArray<Buffer> {
    return this.collector.keptRows
  }

  readKept(rows?: ReadonlyArray<Buffer>): void {
    this.readAs(this.statement?.rowShape)
    this.collector.readKept(rows)
    this.awaiting = Awaiting.ready
    this.ready(this.session.transactionStatus, undefined)
  }

  /**
   * Handles an error of the server. Before BindComplete nothing has run. If such an error shows that the description
   * was out of date, the statement is described again and run once more, except in a transaction, which the error has
   * aborted.
   */
  private rejected(status: TransactionStatus, fields: ErrorFields): void {
    const { statement } = this
    if (this.awaiting !== Awaiting.parseComplete) this.withdrawn()
    const verdict = statement === undefined ? "right" : this.verdictOn(fields, statement)
    const isTooLate = status !== TransactionStatus.idle
    const isDropped = isTooLate && verdict !== "right"
    const error = this.failure ?? serverError(fields, this.sql, this, { isDropped })
    if (statement === undefined) return this.again.undescribed(fields, { error, isTooLate })
    if (isDropped && this.wanted.portal !== undefined) this.wanted.portal.isOutOfDate = true
    this.again.rejected(statement, verdict, fields, { error, isTooLate })
  }

  private get again(): Repetition {
    return (this.repetition ??= new Repetition(this))
  }

  private verdictOn(fields: ErrorFields, statement: PreparedStatement): Verdict {
    if (this.inUse.asksForBinary && hasNoBinaryForm(fields)) return "wrong"
    if (!this.isUnrun) return "right"
    if (this.session.statements.isMisplaced(fields, statement.name)) return "wrong"
    const verdict = verdictOn(fields, statement, this.values)
    if (verdict !== "doubtful" || this.inUse.isRemembered) return verdict
    // The server described it in this request, and now refuses to prepare it for those very types.
    return this.awaiting === Awaiting.parseComplete && this.description !== UNDESCRIBED ? "wrong" : "right"
  }

  private get isUnrun(): boolean {
    return this.awaiting === Awaiting.bindComplete || (this.parses && this.awaiting === Awaiting.parseComplete)
  }

  askAgain(): void {
    this.lookedUp = NONE
    this.collector.startAgain()
    this.session.submitFirst(this)
  }

  withdrawn(): void {
    this.inUse.withdraw()
  }

  private succeed(): void {
    const { portal, result } = this.wanted
    if (portal !== undefined) portal.statement = this.statement
    const exit = result(this)
    if (!this.abandoned) this.resume(exit)
  }

  lost(error: PgError.PgError): void {
    if (!this.abandoned) this.resume(Exit.fail(error))
  }
}

/** Looks up types as the next part of a conversation, before all waiting requests. Adds them to `types`. */
export const lookUpTypes = (
  whole: Exchange & { readonly session: Session },
  types: DatabaseTypes,
  oids: ReadonlyArray<number>,
  done: (exit: Exit.Exit<unknown, PgError.PgError>) => void
): Exchange | undefined => {
  const { session } = whole
  if (whole.abandoned) return void whole.withdrawn?.()
  const lookup = new ExtendedQuery(session, typeQuery(session.parameters), [oids], ownTuples, (exit) => {
    if (Exit.isSuccess(exit)) types.add(readDescriptions(exit.value))
    done(exit)
  })
  lookup.whole = whole
  session.submitFirst(lookup)
  return lookup
}

const NONE: ReadonlyArray<never> = []
const UNDESCRIBED: StatementDescription = { parameterOids: NONE, columns: undefined }
const ownTuples: Wanted<TupleRow, ReadonlyArray<TupleRow>> = { ...allTuples, types: OWN_TYPES, isExclusive: true }
