/**
 * A statement with parameters, by the extended protocol. The first run of a text takes two round trips, because
 * parameters are encoded for the types that the server describes and columns are asked for in the formats that we can
 * read; later runs take one:
 *
 * ```
 * first run : (Close...) Parse Describe Sync   ->  (CloseComplete...) ParseComplete ParameterDescription
 *                                                   RowDescription | NoData  ReadyForQuery
 * every run : (Close...) Bind Execute Sync     ->  (CloseComplete...) BindComplete DataRow...
 *                                                   CommandComplete | PortalSuspended | EmptyQueryResponse  ReadyForQuery
 * ```
 * Types that nobody has met before are looked up in between, by a query of the same kind that this one sends and reads
 * as a part of its own conversation. Where they show in the data only, or turn out to have changed, the rows are kept
 * as they came and read once the types are known.
 */
import { Buffer } from "node:buffer"
import * as Exit from "effect/Exit"
import type { DatabaseTypes } from "../codec/databaseTypes.ts"
import { makeRowShape, type RowReader, type RowShape, type TupleRow, UndecodableColumn } from "../codec/rowReader.ts"
import * as PgError from "../PgError.ts"
import { Backend, TransactionStatus } from "../wire/backendMessage.ts"
import type { ByteWriter } from "../wire/byteWriter.ts"
import { decodeParameterDescription, decodeRowDescription } from "../wire/coldMessages.ts"
import { type CommandTag, readCommandTag } from "../wire/commandTag.ts"
import type { ErrorFields } from "../wire/errorFields.ts"
import { Unencodable } from "../wire/failure.ts"
import {
  writeBind,
  writeBindExecuteSync,
  writeCloseStatement,
  writeDescribeStatement,
  writeExecute,
  writeParse,
  writeSync
} from "../wire/frontendEncoder.ts"
import { MAX_COUNT } from "../wire/limits.ts"
import { OWN_TYPES, readDescriptions, typeQuery } from "./catalogue.ts"
import { NO_COPY, refuseCopyInAndSync } from "./copyGuard.ts"
import { Desynchronised, type Exchange } from "./exchange.ts"
import { preparedStatement, type StatementDescription, typeOids } from "./preparedStatement.ts"
import { requestRefused, serverError } from "./serverError.ts"
import { serverVersionOf } from "./serverVersion.ts"
import type { Session } from "./session.ts"
import { isForgotten, isStale } from "./stalePlan.ts"
import type { PreparedStatement, Statements } from "./statementCache.ts"
import type { Answer, NamedPortal, Wanted } from "./wanted.ts"

/** What has to come next. */
const Awaiting = {
  parseComplete: "ParseComplete",
  parameterDescription: "ParameterDescription",
  rowDescription: "RowDescription or NoData",
  bindComplete: "BindComplete",
  rows: "DataRow, CommandComplete, EmptyQueryResponse or PortalSuspended",
  copyData: "CopyData or CopyDone",
  ready: "ReadyForQuery",
  types: "the types that were asked for"
} as const
type Awaiting = (typeof Awaiting)[keyof typeof Awaiting]

export class ExtendedQuery<Row, A> implements Exchange, Answer<Row> {
  readonly sql: string
  readonly values: ReadonlyArray<unknown>
  readonly rows: Array<Row> = []
  tag: CommandTag | undefined
  abandoned = false
  exclusive = true
  statement: PreparedStatement | undefined
  private readonly session: Session
  private readonly wanted: Wanted<Row, A>
  private readonly resume: (exit: Exit.Exit<A, PgError.PgError>) => void
  private readonly statements: Statements
  /** What it was prepared as, if it was here. */
  private name = ""
  private reader: RowReader<Row> | undefined
  private awaiting: Awaiting = Awaiting.parseComplete
  private closesAwaited = 0
  private description: StatementDescription = UNDESCRIBED
  private failure: PgError.PgError | undefined
  private reprepared = false
  /** The query for types that are not known, while it runs. */
  private lookup: ExtendedQuery<TupleRow, ReadonlyArray<TupleRow>> | undefined
  /** What the session knows of: this, or the query that this one looks types up for. */
  private exchange: Exchange = this
  private lookedUp: ReadonlyArray<number> = NONE
  /** A column that can be read when its types are known, and the rows since then as they came. */
  private unresolved: UndecodableColumn | undefined
  private kept: Array<Buffer> | undefined

  constructor(
    session: Session,
    sql: string,
    values: ReadonlyArray<unknown>,
    wanted: Wanted<Row, A>,
    resume: (exit: Exit.Exit<A, PgError.PgError>) => void
  ) {
    this.session = session
    this.sql = sql
    this.values = values
    this.wanted = wanted
    this.resume = resume
    this.statements = wanted.statements ?? session.statements
  }

  get completed(): boolean {
    return this.tag !== undefined
  }

  get columns(): RowShape["columns"] {
    return this.statement?.rowShape?.columns ?? []
  }

  // ---------------------------------------------------------------------------------------------------- request

  encode(writer: ByteWriter): void {
    if (this.lookup !== undefined) return this.lookup.encode(writer)
    const { session } = this
    const { portal } = this.wanted
    if (portal?.statement !== undefined) return this.encodePage(writer, portal, portal.statement)
    const statement = (this.statement ??= this.cached())
    const { evictions } = session.statements
    for (const name of evictions) writeCloseStatement(writer, name)
    if (statement === undefined) this.encodePrepare(writer)
    else this.encodeRun(writer, statement)
    this.closesAwaited = evictions.length
    session.statements.evictionsWritten()
  }

  /** The statement as it was prepared before, unless the types that it was prepared for have changed. */
  private cached(): PreparedStatement | undefined {
    const {
      session: { catalogue },
      statements
    } = this
    const found = statements.get(this.sql, this.session.now())
    if (found === undefined || catalogue.isCurrent(found)) return found
    statements.evict(found)
    return undefined
  }

  private encodePrepare(writer: ByteWriter): void {
    const { length } = this.values
    // The server would parse it, and describe it with a count that does not hold so many.
    if (length > MAX_COUNT) throw new Unencodable(`${length} parameters; a statement takes at most ${MAX_COUNT}`)
    const name = (this.name = this.statements.nameFor(this.sql))
    writeParse(writer, name, this.sql, [])
    writeDescribeStatement(writer, name)
    writeSync(writer)
    this.exclusive = true
    this.awaiting = Awaiting.parseComplete
  }

  private encodePage(writer: ByteWriter, { nameBytes }: NamedPortal, statement: PreparedStatement): void {
    const { form, maxRows } = this.wanted
    writeExecute(writer, nameBytes, maxRows)
    writeSync(writer)
    this.statement = statement
    this.reader = statement.rowShape === undefined ? undefined : form(statement.rowShape)
    this.exclusive = false
    this.awaiting = Awaiting.rows
  }

  private encodeRun(writer: ByteWriter, statement: PreparedStatement): void {
    const { values } = this
    const { form, maxRows, portal, until } = this.wanted
    this.exclusive = statement.mayCopy
    if (until === "prepared") {
      writeSync(writer)
      this.awaiting = Awaiting.ready
      return
    }
    if (values.length !== statement.parameters.length) {
      throw new PgError.ParameterCountError({
        expected: statement.parameters.length,
        actual: values.length,
        sql: this.sql
      })
    }
    if (portal === undefined) {
      writeBindExecuteSync(writer, statement, values, maxRows)
    } else {
      writeBind(writer, statement, values, portal.nameBytes)
      if (until !== "bound") writeExecute(writer, portal.nameBytes, maxRows)
      writeSync(writer)
    }
    this.reader = statement.rowShape === undefined ? undefined : form(statement.rowShape)
    this.awaiting = Awaiting.bindComplete
  }

  refused(failure: unknown): void {
    if (this.lookup !== undefined) return this.lookup.refused(failure)
    if (failure instanceof Unencodable && failure.parameter !== undefined) {
      this.lost(
        new PgError.EncodeError({
          parameter: failure.parameter,
          type: this.statement?.parameters[failure.parameter - 1]?.typeName ?? "unknown",
          reason: failure.message,
          sql: this.sql
        })
      )
    } else {
      this.lost(requestRefused(failure, this.sql))
    }
  }

  // ---------------------------------------------------------------------------------------------------- answer

  dataRow(bytes: Buffer, start: number, end: number): void {
    if (this.awaiting !== Awaiting.rows || this.statement?.rowShape === undefined) {
      if (this.lookup !== undefined) return this.lookup.dataRow(bytes, start, end)
      throw new Desynchronised(Backend.DataRow, this.expected)
    }
    if (this.reader === undefined) {
      this.kept?.push(Buffer.from(bytes.subarray(start, end)))
      return
    }
    try {
      this.rows.push(this.reader(bytes, start, end))
    } catch (failure) {
      if (!(failure instanceof UndecodableColumn)) throw failure
      this.reader = undefined
      if (failure.unresolved === undefined) {
        this.failure = this.undecodable(failure, failure.message)
      } else {
        this.unresolved = failure
        this.kept = [Buffer.from(bytes.subarray(start, end))]
      }
    }
  }

  private undecodable({ column, typeName }: UndecodableColumn, reason: string): PgError.DecodeError {
    return new PgError.DecodeError({ column, type: typeName, reason, sql: this.sql })
  }

  message(type: number, bytes: Buffer, start: number, end: number): void {
    const { awaiting } = this
    switch (type) {
      case Backend.CloseComplete:
        if (this.closesAwaited === 0) break
        this.closesAwaited--
        return
      case Backend.BindComplete:
        if (awaiting !== Awaiting.bindComplete || this.closesAwaited > 0) break
        this.awaiting = this.wanted.until === "bound" ? Awaiting.ready : Awaiting.rows
        return
      case Backend.CommandComplete:
        if (awaiting !== Awaiting.rows) break
        this.tag = readCommandTag(bytes, start, end)
        this.awaiting = Awaiting.ready
        this.session.commandCompleted(this.tag)
        return
      case Backend.PortalSuspended:
        if (awaiting !== Awaiting.rows || this.wanted.maxRows === 0) break
        this.awaiting = Awaiting.ready
        return
      case Backend.EmptyQueryResponse:
        if (awaiting !== Awaiting.rows) break
        this.failure = new PgError.EmptyQueryError({ sql: this.sql })
        this.awaiting = Awaiting.ready
        return
      case Backend.ParseComplete:
        if (awaiting !== Awaiting.parseComplete || this.closesAwaited > 0) break
        this.awaiting = Awaiting.parameterDescription
        return
      case Backend.ParameterDescription:
        if (awaiting !== Awaiting.parameterDescription) break
        this.description = { parameterOids: decodeParameterDescription(bytes, start, end), columns: undefined }
        this.awaiting = Awaiting.rowDescription
        return
      case Backend.RowDescription:
        if (awaiting !== Awaiting.rowDescription) break
        this.description = { ...this.description, columns: decodeRowDescription(bytes, start, end) }
        this.awaiting = Awaiting.ready
        return
      case Backend.NoData:
        if (awaiting !== Awaiting.rowDescription) break
        this.awaiting = Awaiting.ready
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
      case Backend.CopyData:
        if (awaiting !== Awaiting.copyData) break
        return
      case Backend.CopyDone:
        if (awaiting !== Awaiting.copyData) break
        this.awaiting = Awaiting.rows
        return
      default:
        break
    }
    if (this.lookup !== undefined) return this.lookup.message(type, bytes, start, end)
    throw new Desynchronised(type, this.expected)
  }

  private get expected(): string {
    return this.closesAwaited > 0 ? "CloseComplete" : this.awaiting
  }

  ready(status: TransactionStatus, error: ErrorFields | undefined): void {
    if (this.lookup !== undefined) this.lookup.ready(status, error)
    else if (error !== undefined) this.rejected(status, error)
    else if (this.awaiting !== Awaiting.ready) throw new Desynchronised(Backend.ReadyForQuery, this.expected)
    else if (this.statement === undefined) this.prepared()
    else if (this.failure !== undefined) this.lost(this.failure)
    else if (this.unresolved !== undefined) this.resolve(this.statement, this.unresolved)
    else this.succeed()
  }

  // ---------------------------------------------------------------------------------------------------- types

  /** Looks types up as the next part of this conversation. What the catalogue does not know is not asked again. */
  private lookUp(
    types: DatabaseTypes,
    oids: ReadonlyArray<number>,
    done: (exit: Exit.Exit<unknown, PgError.PgError>) => void
  ): void {
    const { session } = this
    this.lookedUp = [...this.lookedUp, ...oids]
    const sql = typeQuery(serverVersionOf(session.parameters).major)
    this.lookup = new ExtendedQuery(session, sql, [oids], allTuples, (exit) => {
      this.lookup = undefined
      if (Exit.isSuccess(exit)) types.add(readDescriptions(exit.value))
      done(exit)
    })
    this.lookup.exchange = this
    this.exclusive = true
    this.awaiting = Awaiting.types
    session.submitFirst(this.exchange)
  }

  /** ParseComplete, both descriptions and ReadyForQuery have come: the statement is known, and its run goes first. */
  private prepared(): void {
    const { session } = this
    const types = this.wanted.types ?? session.catalogue.types
    const unknown = types.unknownAmong(typeOids(this.description)).filter((oid) => !this.lookedUp.includes(oid))
    if (unknown.length === 0) return this.run(types)
    this.lookUp(types, unknown, (exit) => {
      if (Exit.isSuccess(exit) && this.name !== "") return this.run(types)
      // Either way the server has a statement that nobody will run: the unnamed one is by now that of the lookup.
      session.statements.close(this.name)
      if (Exit.isFailure(exit)) return this.finish(Exit.failCause(exit.cause))
      session.submitFirst(this.exchange)
    })
  }

  private run(types: DatabaseTypes): void {
    const { name, sql, statements } = this
    const statement = preparedStatement(this.session, sql, name, this.description, types)
    statements.add(statement)
    this.statement = statement
    if (this.wanted.until === "prepared") return this.succeed()
    this.session.submitFirst(this.exchange)
  }

  /** All rows are there, and some of them wait for types that have to be looked up first. */
  private resolve(statement: PreparedStatement, column: UndecodableColumn): void {
    const { catalogue } = this.session
    const { isOutdated = false, oids = [] } = column.unresolved ?? {}
    const isNews = oids.some((oid) => !this.lookedUp.includes(oid))
    if (!isNews) return this.lost(this.undecodable(column, column.message))
    if (isOutdated && statement.types !== undefined) catalogue.outdate(statement.types)
    const { types } = catalogue
    const unknown = types.unknownAmong([...oids, ...this.columns.map(({ typeOid }) => typeOid)])
    this.lookUp(types, unknown, (exit) => {
      if (Exit.isFailure(exit)) {
        return this.lost(this.undecodable(column, `${column.message}, and the catalogue could not be asked`))
      }
      this.readAgain(statement, types)
    })
  }

  private readAgain(statement: PreparedStatement, types: DatabaseTypes): void {
    const { kept = [], unresolved } = this
    const rowShape = makeRowShape(this.columns, types)
    if (unresolved !== undefined && !isSameForm(rowShape, statement.rowShape)) {
      return this.lost(this.undecodable(unresolved, "the form that its values come in has changed; ask again"))
    }
    this.statement = { ...statement, rowShape }
    this.reader = this.wanted.form(rowShape)
    this.unresolved = undefined
    this.kept = undefined
    this.awaiting = Awaiting.rows
    for (const row of kept) this.dataRow(row, 0, row.length)
    this.awaiting = Awaiting.ready
    this.ready(this.session.transactionStatus, undefined)
  }

  /**
   * An error before BindComplete proves that nothing ran. Where it says that the plan is stale, the statement is
   * prepared anew and run once more; inside a transaction that cannot be, since the error has ended the transaction.
   */
  private rejected(status: TransactionStatus, error: ErrorFields): void {
    const { session, statement } = this
    if (this.awaiting !== Awaiting.parseComplete) this.withdrawn()
    if (statement !== undefined && this.awaiting === Awaiting.bindComplete && isStale(error, statement, this.values)) {
      this.statements.evict(statement)
      if (statement.types !== undefined && !isForgotten(error)) session.catalogue.outdate(statement.types)
      this.statement = undefined
      this.lookedUp = NONE
      if (status === TransactionStatus.idle && !this.reprepared) {
        this.reprepared = true
        session.submitFirst(this.exchange)
        return
      }
    }
    this.lost(this.failure ?? serverError(error, this.sql, this))
  }

  /** What was prepared here and is not kept would stand in the way of whoever prepares the same text. */
  withdrawn(): void {
    if (this.statement === undefined) this.session.statements.close(this.name)
  }

  private succeed(): void {
    if (this.wanted.portal !== undefined) this.wanted.portal.statement = this.statement
    this.finish(this.wanted.result(this))
  }

  lost(error: PgError.PgError): void {
    this.finish(Exit.fail(error))
  }

  private finish(exit: Exit.Exit<A, PgError.PgError>): void {
    if (!this.abandoned) this.resume(exit)
  }
}

const NONE: ReadonlyArray<never> = []
const UNDESCRIBED: StatementDescription = { parameterOids: NONE, columns: undefined }

const isSameForm = (one: RowShape, other: RowShape | undefined): boolean =>
  one.resultFormats.every((format, index) => format === other?.resultFormats[index])

const allTuples: Wanted<TupleRow, ReadonlyArray<TupleRow>> = {
  form: (shape) => shape.tuple,
  maxRows: 0,
  result: ({ rows }) => Exit.succeed(rows),
  types: OWN_TYPES
}
