/**
 * Many runs of prepared statements behind each other, with one Sync at the end: outside of a transaction they are one,
 * and the first error ends them all. What is to be run is asked for as the socket takes it, and no more once the server
 * has failed.
 *
 * ```
 * (Close...) ([Parse] Bind [Describe] Execute)... Sync  ->  (CloseComplete...)
 *                ([ParseComplete] BindComplete [RowDescription | NoData] DataRow... CommandComplete)... ReadyForQuery
 * ```
 * The unnamed statement is parsed where its runs begin, and described once more. Behind what may be a COPY comes a
 * Flush, and nothing more before the answer: while a COPY runs, the server would read the next run as its data. Where
 * the client has to give up amid its requests, a ROLLBACK takes the place of what would have come, since a Sync alone
 * would commit.
 */
import type { Buffer } from "node:buffer"
import * as Exit from "effect/Exit"
import { bareValues } from "../codec/typedParameter.ts"
import * as PgError from "../PgError.ts"
import { Backend, type ColumnDescription, TransactionStatus } from "../wire/backendMessage.ts"
import type { ByteWriter } from "../wire/byteWriter.ts"
import { decodeRowDescription } from "../wire/coldMessages.ts"
import { type CommandTag, readCommandTag } from "../wire/commandTag.ts"
import type { ErrorFields } from "../wire/errorFields.ts"
import { Unencodable } from "../wire/failure.ts"
import {
  type BoundStatement,
  encodeResultFormats,
  writeBind,
  writeBindExecute,
  writeCloseStatement,
  writeDescribePortal,
  writeExecute,
  writeFlush,
  writeParse,
  writeSync
} from "../wire/frontendEncoder.ts"
import { NO_COPY, refuseCopyInAndSync } from "./copyGuard.ts"
import { Desynchronised, type Exchange } from "./exchange.ts"
import { isCommitting, mayOutlastError } from "./outcome.ts"
import { type AnsweredRun, type Outcome, type Plan, Stale, unreadOf } from "./plan.ts"
import { ALL, type Resume } from "./request.ts"
import { RowCollector } from "./rowCollector.ts"
import { returnsSame } from "./preparedStatement.ts"
import { requestRefused, serverError, valueRefused } from "./serverError.ts"
import type { Session } from "./session.ts"
import { isMisdescribed, isStale } from "./stalePlan.ts"
import type { PreparedStatement } from "./statementCache.ts"
import { undecodable } from "./undecodable.ts"

/** What has to come next. */
const Awaiting = {
  parseComplete: "ParseComplete",
  bindComplete: "BindComplete",
  portalDescription: "RowDescription or NoData of the portal",
  rows: "DataRow, CommandComplete or EmptyQueryResponse",
  copyData: "CopyData or CopyDone",
  error: "ErrorResponse, after CopyFail",
  nothing: "nothing, since no run is under way",
  ready: "ReadyForQuery"
} as const
type Awaiting = (typeof Awaiting)[keyof typeof Awaiting]

/** A block ends with the run that goes beyond its size. */
const BLOCK_SLACK_BYTES = 4_096

const ROLLBACK: BoundStatement = {
  nameBytes: Uint8Array.of(0),
  parameters: [],
  resultFormats: encodeResultFormats([])
}

export class Pipeline<Row, A> implements Exchange {
  exclusive = true
  private readonly session: Session
  private readonly plan: Plan<Row, A>
  private readonly resume: Resume<Outcome<A>>
  private isAbandoned = false
  private closesAwaited = 0
  /** How many runs have been written. */
  private written = 0
  private begun = false
  /** Whether the Sync has been written. */
  private ended = false
  private rollsBack = false
  /** Whether a run has done anything, and whether one has committed what was done before it. */
  private hasCompleted = false
  private hasCommitted = false
  /** The first text that holds no statement. Those around it run all the same. */
  private empty: string | undefined
  /** Whether the last run that was written may be a COPY, and is not answered yet. */
  private holds = false
  private isScheduled = false
  private parsed: PreparedStatement | undefined
  /** The runs, by index, that begin with Parse and are not answered yet. */
  private readonly parses: Array<number> = []
  /** Whether the run whose answer is being read is described. */
  private describes = false
  /** The run whose answer is being read. */
  private index = 0
  private awaiting: Awaiting = Awaiting.nothing
  /** The rows of the run whose answer is being read. */
  private collector = new RowCollector<Row>()
  /** The runs from the first on whose rows cannot be read yet. */
  private readonly unread: Array<AnsweredRun<Row>> = []
  private failure: Exit.Exit<never, PgError.PgError> | undefined

  constructor(session: Session, plan: Plan<Row, A>, resume: Resume<Outcome<A>>) {
    this.session = session
    this.plan = plan
    this.resume = resume
  }

  get sql(): string {
    return this.written === 0 ? "" : this.current.sql
  }

  /** The one that is being answered, or the last. */
  private get current(): PreparedStatement {
    return this.plan.statement(Math.min(this.index, this.written - 1))
  }

  get hasRun(): boolean {
    return this.index > 0
  }

  get row(): number {
    return this.rowNumber(this.index)
  }

  /** What is behind the first Bind is one transaction, unless a statement commits by itself. */
  get mayOutlastError(): boolean {
    return this.hasCommitted || (this.session.isAutocommit && this.hasBegunWhatOutlasts)
  }

  private get hasBegunWhatOutlasts(): boolean {
    if (this.isUnrun) return false
    for (let index = 0; index <= this.index && index < this.written; index++) {
      const statement = this.plan.statement(index)
      if (index > 0 && statement === this.plan.statement(index - 1)) continue
      if (mayOutlastError(statement.sql)) return true
    }
    return false
  }

  get abandoned(): boolean {
    return this.isAbandoned
  }

  /** A server that waits for more does not look at a CancelRequest. */
  set abandoned(isAbandoned: boolean) {
    this.isAbandoned = isAbandoned
    if (isAbandoned) this.giveUp()
  }

  // ---------------------------------------------------------------------------------------------------- request

  encode(writer: ByteWriter): void {
    const { evictions } = this.session.statements
    for (const name of evictions) writeCloseStatement(writer, name)
    this.writeBlock(writer)
    this.closesAwaited = evictions.length
    this.session.statements.evictionsWritten()
    this.begun = true
    this.exclusive = !this.ended
    this.continueSoon()
  }

  private writeBlock(writer: ByteWriter): void {
    const { blockBytes } = this.plan
    const limit = writer.length + blockBytes
    if (this.written > 0 && Number.isFinite(blockBytes)) writer.reserve(blockBytes + BLOCK_SLACK_BYTES)
    while (writer.length < limit && !this.holds) {
      const values = this.plan.next()
      if (values === undefined) {
        writeSync(writer)
        this.ended = true
        break
      }
      this.writeRun(writer, bareValues(values))
    }
    if (this.awaiting === Awaiting.nothing) this.awaitRun()
  }

  private writeRun(writer: ByteWriter, values: ReadonlyArray<unknown>): void {
    const statement = this.plan.statement(this.written)
    const { length } = statement.parameters
    if (values.length !== length) {
      throw new PgError.ParameterCountError({
        expected: length,
        actual: values.length,
        sql: statement.sql,
        row: this.rowNumber(this.written)
      })
    }
    const parses = statement.name === "" && statement !== this.parsed
    if (parses) {
      writeParse(writer, "", statement.sql, statement.parameterOids)
      writeBind(writer, statement, values)
      writeDescribePortal(writer)
      writeExecute(writer, ALL)
      this.parsed = statement
      this.parses.push(this.written)
    } else {
      writeBindExecute(writer, statement, values)
    }
    this.written++
    if (!statement.mayCopy) return
    writeFlush(writer)
    this.holds = true
  }

  private rowNumber(index: number): number {
    return this.plan.offset + index + 1
  }

  /** The event loop gets a turn between two blocks, so that an error of the server is seen however fast the socket is. */
  private continueSoon(): void {
    if (this.ended || this.holds || this.isScheduled) return
    this.isScheduled = true
    setImmediate(this.more)
  }

  private readonly more = (): void => {
    this.isScheduled = false
    if (this.ended || this.holds || this.session.lost !== undefined || this.session.isSocketFull) return
    this.session.writeMore((writer) => {
      const mark = writer.length
      const { written } = this
      try {
        this.writeBlock(writer)
      } catch (failure) {
        this.failure = this.refusal(failure)
        writer.rewind(mark)
        this.written = written
      }
    })
    if (this.failure !== undefined) this.giveUp()
    else this.continueSoon()
  }

  drained(): void {
    this.continueSoon()
  }

  /** Ends what is being written so that nothing of it stays, as far as that is ours to say. */
  private giveUp(): void {
    if (!this.begun || this.ended || this.holds || this.session.lost !== undefined) return
    this.ended = true
    this.rollsBack = this.session.transactionStatus === TransactionStatus.idle
    this.session.writeMore((writer) => {
      if (this.rollsBack) {
        writeParse(writer, "", "ROLLBACK", [])
        writeBindExecute(writer, ROLLBACK, [])
      }
      writeSync(writer)
    })
    if (this.awaiting === Awaiting.nothing) this.awaitRun()
  }

  refused(failure: unknown): void {
    this.finish(this.refusal(failure))
  }

  private refusal(failure: unknown): Exit.Exit<never, PgError.PgError> {
    const statement = this.plan.statement(this.written)
    if (failure instanceof Unencodable) {
      return Exit.fail(valueRefused(failure, statement, this.rowNumber(this.written)))
    }
    return Exit.fail(requestRefused(failure, statement.sql))
  }

  // ---------------------------------------------------------------------------------------------------- answer

  /** What the next run has to be answered with. */
  private awaitRun(): void {
    if (this.index < this.written) {
      this.awaiting = this.parses[0] === this.index ? Awaiting.parseComplete : Awaiting.bindComplete
    } else if (!this.ended) {
      this.awaiting = Awaiting.nothing
    } else if (this.rollsBack && this.index === this.written) {
      this.awaiting = Awaiting.parseComplete
    } else {
      this.awaiting = Awaiting.ready
    }
  }

  dataRows(bytes: Buffer, at: number, limit: number): number {
    if (this.awaiting !== Awaiting.rows) throw new Desynchronised(Backend.DataRow, this.expected)
    return this.collector.addAll(bytes, at, limit)
  }

  message(type: number, bytes: Buffer, start: number, end: number): void {
    const { awaiting } = this
    switch (type) {
      case Backend.BindComplete:
        if (awaiting !== Awaiting.bindComplete || this.closesAwaited > 0) break
        if (this.index === 0) this.plan.started()
        if (this.describes) this.awaiting = Awaiting.portalDescription
        else this.bound()
        return
      case Backend.RowDescription:
        if (awaiting !== Awaiting.portalDescription) break
        this.described(decodeRowDescription(bytes, start, end))
        return
      case Backend.NoData:
        if (awaiting !== Awaiting.portalDescription) break
        this.described(undefined)
        return
      case Backend.CommandComplete: {
        if (awaiting !== Awaiting.rows) break
        const tag = readCommandTag(bytes, start, end)
        this.session.commandCompleted(tag, this.current.rowShape !== undefined, this.current.changesSession)
        this.hasCompleted = true
        if (isCommitting(tag.command)) this.hasCommitted = true
        if (this.index < this.written && this.failure === undefined) this.answered(tag)
        this.runEnded()
        return
      }
      case Backend.EmptyQueryResponse:
        if (awaiting !== Awaiting.rows) break
        this.empty ??= this.current.sql
        this.runEnded()
        return
      case Backend.CopyInResponse:
        if (awaiting !== Awaiting.rows || !this.holds) break
        this.failure ??= Exit.fail(NO_COPY.in(this.current.sql, this.mayOutlastError))
        this.ended = true
        this.session.writeMore(refuseCopyInAndSync)
        this.awaiting = Awaiting.error
        return
      case Backend.CopyOutResponse:
        if (awaiting !== Awaiting.rows || !this.holds) break
        this.failure ??= Exit.fail(NO_COPY.out(this.current.sql))
        this.awaiting = Awaiting.copyData
        return
      case Backend.CopyData:
        if (awaiting !== Awaiting.copyData) break
        return
      case Backend.CopyDone:
        if (awaiting !== Awaiting.copyData) break
        this.awaiting = Awaiting.rows
        return
      case Backend.ParseComplete:
        if (awaiting !== Awaiting.parseComplete || this.closesAwaited > 0) break
        this.describes = this.parses[0] === this.index
        if (this.describes) this.parses.shift()
        this.awaiting = Awaiting.bindComplete
        return
      case Backend.CloseComplete:
        if (this.closesAwaited === 0) break
        this.closesAwaited--
        return
      default:
        break
    }
    throw new Desynchronised(type, this.expected)
  }

  private bound(): void {
    this.awaiting = Awaiting.rows
    const { rowShape } = this.current
    const reader = rowShape === undefined || this.failure !== undefined ? undefined : this.plan.form(rowShape)
    if (reader !== undefined || this.collector.refused !== undefined) this.collector = new RowCollector()
    this.collector.readWith(reader)
  }

  private answered(tag: CommandTag): void {
    const { collector, current: statement } = this
    const { refused } = collector
    if (refused !== undefined && refused.unresolved === undefined) {
      this.failure = Exit.fail(undecodable(refused, statement))
    } else if (refused !== undefined || this.unread.length > 0) {
      this.unread.push({ collector, statement, tag })
    } else {
      this.plan.completed(collector.rows, tag)
    }
  }

  /** The unnamed statement was prepared anew, and the rows have been asked for as they were known to be. */
  private described(columns: ReadonlyArray<ColumnDescription> | undefined): void {
    this.describes = false
    this.bound()
    const { sql } = this.current
    if (returnsSame(this.current, columns)) return
    this.session.statements.evict(this.current)
    if (!this.collector.isReading) return
    this.collector.readWith(undefined)
    const { name = "" } = columns?.[0] ?? {}
    const reason = "the statement returns other columns than when it was described; ask again"
    this.failure ??= Exit.fail(new PgError.DecodeError({ column: name, type: "row", reason, sql }))
  }

  private runEnded(): void {
    this.index++
    this.awaitRun()
    if (!this.holds || this.index < this.written) return
    this.holds = false
    if (this.failure !== undefined || this.isAbandoned) this.giveUp()
    else this.continueSoon()
  }

  private get expected(): string {
    return this.closesAwaited > 0 ? "CloseComplete" : this.awaiting
  }

  /** The server skips all that follows: no more is asked for. */
  errorArrived(): void {
    if (this.ended) return
    this.ended = true
    if (this.session.lost === undefined) this.session.writeMore(writeSync)
  }

  ready(status: TransactionStatus, error: ErrorFields | undefined): void {
    if (error === undefined && this.awaiting !== Awaiting.ready) {
      throw new Desynchronised(Backend.ReadyForQuery, this.expected)
    }
    if (this.failure !== undefined) this.finish(this.failure)
    else if (error !== undefined) this.rejected(status, error)
    else if (this.empty !== undefined) {
      const outcome = this.hasCompleted ? "unknown" : "none"
      this.finish(Exit.fail(new PgError.EmptyQueryError({ sql: this.empty, outcome })))
    } else this.finish(Exit.succeed(unreadOf(this.plan, this.unread) ?? this.plan.result()))
  }

  private rejected(status: TransactionStatus, fields: ErrorFields): void {
    const { current } = this
    const error = serverError(fields, current.sql, this)
    if (!this.isUnrun || !this.isOutOfDate(fields, current)) return this.finish(Exit.fail(error))
    this.finish(status === TransactionStatus.idle ? Exit.succeed(new Stale(error)) : Exit.fail(error))
  }

  private get isUnrun(): boolean {
    return this.index === 0 && (this.awaiting === Awaiting.bindComplete || this.awaiting === Awaiting.parseComplete)
  }

  private isOutOfDate(fields: ErrorFields, statement: PreparedStatement): boolean {
    if (!isStale(fields, statement, [])) return statement.name === "" && isMisdescribed(fields)
    if (statement.types !== undefined) this.session.catalogue.outdate(statement.types)
    return true
  }

  lost(error: PgError.PgError): void {
    this.finish(Exit.fail(error))
  }

  private finish(exit: Exit.Exit<Outcome<A>, PgError.PgError>): void {
    if (!this.isAbandoned) this.resume(exit)
  }
}
