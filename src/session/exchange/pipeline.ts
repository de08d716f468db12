/**
 * Runs many prepared statements in one request, with one Sync at the end. Outside a transaction the server treats them
 * as one transaction, and the first error ends them all. The pipeline asks for more runs only as fast as the socket
 * takes them, and stops asking after an error.
 *
 * ```
 * (Close...) ([Parse] Bind [Describe] Execute)... Sync  ->  (CloseComplete...)
 *                ([ParseComplete] BindComplete [RowDescription | NoData] DataRow... CommandComplete)... ReadyForQuery
 * ```
 * A run of an unnamed statement that differs from the one before begins with Parse, and describes the statement once
 * more. Some statements can be described only after the runs before them are done. They take two steps:
 *
 * ```
 * Parse Describe Flush  ->  ParseComplete ParameterDescription RowDescription | NoData
 * Bind Execute
 * ```
 * Its unknown types are looked up, which takes the place of the unnamed statement: it is parsed and described again.
 * Types that only the rows show to be unknown are looked up behind the Sync. A run that may be a COPY also ends with
 * Flush, and nothing is written behind it before its answer, because the server would read it as data of the COPY. If
 * the client gives up in the middle and outside a transaction, it writes a ROLLBACK before the Sync, which would commit.
 */
import type { Buffer } from "node:buffer"
import * as Exit from "effect/Exit"
import type { DatabaseTypes } from "../../codec/databaseTypes.ts"
import type { UndecodableColumn } from "../../codec/rowReader.ts"
import * as PgError from "../../PgError.ts"
import { Backend, type ColumnDescription, TransactionStatus } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import { decodeParameterDescription, decodeRowDescription } from "../../wire/coldMessages.ts"
import { type CommandTag, readCommandTag } from "../../wire/commandTag.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { writeCloseStatements, writeCommand, writeSync } from "../../wire/frontendEncoder.ts"
import { Awaiting } from "./awaiting.ts"
import { afterSkipped, NO_COPY, refuseCopyInAndSync } from "./copyRefusal.ts"
import { Desynchronised, type Exchange, type Resume } from "../engine/exchange.ts"
import { isCommitting } from "../statement/outcome.ts"
import { lookUpTypes } from "./extendedQuery.ts"
import { type Outcome, type Plan, Stale } from "./pipelinePlan.ts"
import { RowCollector } from "./rowCollector.ts"
import { RunWriter } from "./runWriter.ts"
import {
  type PreparedStatement,
  preparedStatement,
  redescribed,
  returnsSame,
  typeOids
} from "../statement/preparedStatement.ts"
import { serverError } from "../engine/serverError.ts"
import type { Session } from "../engine/session.ts"
import { concernsName, mayComeOfPlan, verdictOn } from "../statement/stalePlan.ts"
import { TypeLookup } from "./typeLookup.ts"
import { UnreadRuns } from "./unreadRuns.ts"
import { missingTypes, unanswered, undecodable } from "../types/missingTypes.ts"

/** A block ends with the run that exceeds its size, so it needs some more room. */
const BLOCK_SLACK_BYTES = 4_096

export class Pipeline<Row, A> implements Exchange {
  exclusive = true
  readonly session: Session
  private readonly plan: Plan<Row, A>
  private readonly resume: Resume<Outcome<A>>
  private isAbandoned = false
  private closesAwaited = 0
  private readonly runs: RunWriter
  private begun = false
  private ended = false
  private rollsBack = false
  /** Whether a run has completed, and whether one has committed the work before it. */
  private hasCompleted = false
  private hasCommitted = false
  /** The first text without a statement in it. It fails the call, although the others are run. */
  private empty: string | undefined
  private isScheduled = false
  /** Whether the answer that is being read includes a description of the run's statement. */
  private describes = false
  /** The parameter types of the statement that is being described. */
  private parameterOids: ReadonlyArray<number> = []
  /** The lookup of its types while one is under way, and all types that have been looked up. */
  private lookup: TypeLookup | undefined
  private readonly lookedUp = new Set<number>()
  /** The index of the run whose answer is being read. */
  private index = 0
  private awaiting: Awaiting = Awaiting.nothing
  /** The statement of the run whose answer is being read, and its rows. */
  private running: PreparedStatement | undefined
  private collector = new RowCollector<Row>()
  private readonly unread: UnreadRuns<Row>
  /** The query for the types of unread rows, while it runs. */
  part: Exchange | undefined
  private failure: Exit.Exit<Stale, PgError.PgError> | undefined

  constructor(session: Session, plan: Plan<Row, A>, resume: Resume<Outcome<A>>) {
    this.session = session
    this.plan = plan
    this.runs = new RunWriter(plan)
    this.unread = new UnreadRuns(plan)
    this.resume = resume
  }

  get sql(): string {
    return this.runs.begun === 0 ? "" : this.current.sql
  }

  /** The statement of the run that is being answered, or of the last run. */
  private get current(): PreparedStatement {
    return this.plan.statement(Math.min(this.index, this.runs.begun - 1))
  }

  get hasRun(): boolean {
    return this.index > 0
  }

  get row(): number {
    return this.runs.number(this.index)
  }

  /** Outside a transaction all runs are one, unless a statement commits by itself. A lookup follows their commit. */
  get mayOutlastError(): boolean {
    if (this.hasCommitted || !this.session.isAutocommit) return this.hasCommitted
    if (this.index === 0 && this.isUnbound) return false
    return this.part !== undefined || this.runs.mayOutlastError(this.index)
  }

  get abandoned(): boolean {
    return this.isAbandoned
  }

  /** Also ends the request, because a server that waits for more of it does not notice a CancelRequest. */
  set abandoned(isAbandoned: boolean) {
    this.isAbandoned = isAbandoned
    if (isAbandoned) this.giveUp()
  }

  // ---------------------------------------------------------------------------------------------------- request

  encode(writer: ByteWriter): void {
    const { evictions } = this.session.statements
    writeCloseStatements(writer, evictions)
    this.plan.beforeFirst()
    this.writeBlock(writer)
    this.closesAwaited = evictions.length
    this.session.statements.evictionsWritten()
    this.begun = true
    this.exclusive = !this.ended
    this.continueSoon()
  }

  private writeBlock(writer: ByteWriter): void {
    const { runs } = this
    const { blockBytes } = this.plan
    const limit = writer.length + blockBytes
    if (runs.written > 0 && Number.isFinite(blockBytes)) writer.reserve(blockBytes + BLOCK_SLACK_BYTES)
    while (writer.length < limit && !runs.holds) {
      const values = runs.nextValues()
      if (values === undefined) {
        writeSync(writer)
        this.ended = true
        break
      }
      runs.write(writer, values)
    }
    if (this.awaiting === Awaiting.nothing) this.awaitRun()
  }

  /** Lets the event loop run between two blocks, so that an error is noticed even if the socket never fills. */
  private continueSoon(): void {
    if (this.ended || this.runs.holds || this.isScheduled) return
    this.isScheduled = true
    setImmediate(this.more)
  }

  private readonly more = (): void => {
    this.isScheduled = false
    if (this.ended || this.runs.holds || this.session.lost !== undefined || this.session.isSocketFull) return
    this.session.writeMore((writer) => {
      const mark = writer.length
      const { written } = this.runs
      try {
        this.writeBlock(writer)
      } catch (failure) {
        this.failure = this.runs.refusal(failure, false)
        writer.rewind(mark)
        this.runs.written = written
      }
    })
    if (this.failure !== undefined) this.giveUp()
    else this.continueSoon()
  }

  drained(): void {
    this.continueSoon()
  }

  /** Ends an unfinished request, and has the server undo its work if the request began outside a transaction. */
  private giveUp(): void {
    if (!this.begun || this.ended || this.runs.holds || this.session.lost !== undefined) return
    this.ended = true
    this.runs.giveUp()
    this.rollsBack = this.session.transactionStatus === TransactionStatus.idle
    this.session.writeMore((writer) => {
      if (this.rollsBack) writeCommand(writer, "ROLLBACK")
      writeSync(writer)
    })
    if (this.awaiting === Awaiting.nothing) this.awaitRun()
  }

  refused(failure: unknown): void {
    this.finish(this.runs.refusal(failure, true))
  }

  // ---------------------------------------------------------------------------------------------------- answer

  /** Sets which message must come next when no run is being answered. */
  private awaitRun(): void {
    const { runs } = this
    if (this.index < runs.written) {
      this.awaiting = runs.parses[0] === this.index ? Awaiting.parseComplete : Awaiting.bindComplete
    } else if (runs.isDescribing) {
      this.awaiting = Awaiting.parseComplete
    } else if (!this.ended) {
      this.awaiting = Awaiting.nothing
    } else if (this.rollsBack && this.index === runs.written) {
      this.awaiting = Awaiting.parseComplete
    } else {
      this.awaiting = Awaiting.ready
    }
  }

  dataRows(bytes: Buffer, at: number, limit: number): number {
    if (this.lookup !== undefined) return this.lookup.dataRows(bytes, at, limit)
    if (this.awaiting !== Awaiting.rows) throw new Desynchronised(Backend.DataRow, this.expected)
    return this.collector.addAll(bytes, at, limit)
  }

  message(type: number, bytes: Buffer, start: number, end: number): void {
    const { awaiting, lookup } = this
    if (lookup !== undefined) {
      if (lookup.message(type, bytes, start, end)) this.typesFound()
      return
    }
    switch (type) {
      case Backend.BindComplete:
        if (awaiting !== Awaiting.bindComplete || this.closesAwaited > 0) break
        if (this.index === 0) this.plan.started()
        if (this.describes) this.awaiting = Awaiting.portalDescription
        else this.bound(this.current)
        return
      case Backend.ParameterDescription:
        if (awaiting !== Awaiting.parameterDescription) break
        this.parameterOids = decodeParameterDescription(bytes, start, end)
        this.awaiting = Awaiting.rowDescription
        return
      case Backend.RowDescription:
      case Backend.NoData:
        if (awaiting !== Awaiting.portalDescription && awaiting !== Awaiting.rowDescription) break
        this.described(type === Backend.NoData ? undefined : decodeRowDescription(bytes, start, end))
        return
      case Backend.CommandComplete: {
        if (awaiting !== Awaiting.rows) break
        const tag = readCommandTag(bytes, start, end)
        this.session.commandCompleted(tag, this.current.rowShape !== undefined, this.current.changesSession)
        this.hasCompleted = true
        if (isCommitting(tag.command)) this.hasCommitted = true
        if (this.index < this.runs.written && this.failure === undefined) this.answered(tag)
        this.runEnded()
        return
      }
      case Backend.EmptyQueryResponse:
        if (awaiting !== Awaiting.rows) break
        this.empty ??= this.current.sql
        this.runEnded()
        return
      case Backend.CopyInResponse:
        if (awaiting !== Awaiting.rows || !this.runs.holds) break
        this.failure ??= Exit.fail(NO_COPY.in(this.current.sql, this.mayOutlastError))
        this.ended = true
        this.session.writeMore(refuseCopyInAndSync)
        this.awaiting = Awaiting.error
        return
      case Backend.CopyOutResponse:
        if (awaiting !== Awaiting.rows || !this.runs.holds) break
        this.failure ??= Exit.fail(NO_COPY.out(this.current.sql))
        this.awaiting = Awaiting.copyData
        return
      case Backend.ParseComplete:
        if (awaiting !== Awaiting.parseComplete || this.closesAwaited > 0) break
        this.describes = this.runs.parses[0] === this.index
        if (this.describes) this.runs.parses.shift()
        this.awaiting = this.isDescribing ? Awaiting.parameterDescription : Awaiting.bindComplete
        return
      case Backend.CloseComplete:
        if (this.closesAwaited === 0) break
        this.closesAwaited--
        return
      default:
        break
    }
    const skipped = awaiting === Awaiting.copyData ? afterSkipped(type, awaiting, Awaiting.rows) : undefined
    if (skipped !== undefined) return void (this.awaiting = skipped)
    throw new Desynchronised(type, this.expected)
  }

  /** Whether the next answer describes the statement of the next run, which cannot be written before that. */
  private get isDescribing(): boolean {
    return this.runs.isDescribing && this.index === this.runs.written
  }

  private bound(statement: PreparedStatement, unknown?: UndecodableColumn): void {
    this.awaiting = Awaiting.rows
    this.running = statement
    const { rowShape } = statement
    const reader = rowShape === undefined || this.failure !== undefined ? undefined : this.plan.form(rowShape)
    if (reader !== undefined || !this.collector.isUnused) this.collector = new RowCollector()
    this.collector.reader = reader
    if (unknown !== undefined && reader !== undefined) this.collector.refuse(unknown, rowShape?.columns.length ?? 0)
  }

  private answered(tag: CommandTag): void {
    const { collector, running: statement = this.current } = this
    const { refused } = collector
    if (refused !== undefined && refused.unresolved === undefined) {
      this.failure = Exit.fail(undecodable(refused, statement))
    } else if (refused !== undefined || !this.unread.isEmpty) {
      this.unread.push({ collector, statement, tag })
    } else {
      this.plan.completed(collector.rows, tag)
    }
  }

  private described(columns: ReadonlyArray<ColumnDescription> | undefined): void {
    if (this.awaiting === Awaiting.rowDescription) return this.learned(columns)
    this.describes = false
    const { current, session } = this
    if (returnsSame(current, columns)) return this.bound(current)
    session.statements.evict(current)
    const how = { asked: current.rowShape?.resultFormats ?? [], types: session.catalogue.types }
    const { readable, unknown } = redescribed(session, current, columns, how)
    this.bound(readable, unknown)
  }

  /** Takes the description of the next run's statement. The runs before it are done. */
  private learned(columns: ReadonlyArray<ColumnDescription> | undefined): void {
    const { current, isGivenUp, lookedUp, parameterOids, runs, session } = this
    const { types } = session.catalogue
    const unknown = types.unknownAmong(typeOids({ parameterOids, columns })).filter((oid) => !lookedUp.has(oid))
    if (unknown.length > 0 && !isGivenUp) return this.lookUp(types, unknown)
    const statement = preparedStatement(session, current, { parameterOids, columns }, types)
    this.plan.learned(this.index, statement)
    runs.described(statement)
    this.awaiting = Awaiting.nothing
    this.goOn()
  }

  private lookUp(types: DatabaseTypes, oids: ReadonlyArray<number>): void {
    const lookup = (this.lookup = new TypeLookup(types, oids))
    for (const oid of oids) this.lookedUp.add(oid)
    this.session.writeMore((writer) => lookup.write(writer, this.session.parameters))
  }

  private typesFound(): void {
    this.lookup = undefined
    this.session.writeMore((writer) => this.runs.describeAgain(writer))
    this.awaiting = Awaiting.parseComplete
  }

  private runEnded(): void {
    this.index++
    this.awaitRun()
    if (!this.runs.holds || this.index < this.runs.written || this.isDescribing) return
    this.runs.holds = false
    this.goOn()
  }

  /** Goes on writing once the answer has come for which the pipeline had to wait. */
  private goOn(): void {
    if (this.isGivenUp) this.giveUp()
    else this.continueSoon()
  }

  private get isGivenUp(): boolean {
    return this.failure !== undefined || this.isAbandoned
  }

  private get expected(): string {
    return this.closesAwaited > 0 ? "CloseComplete" : this.awaiting
  }

  /** Stops asking for runs, because the server skips everything up to the Sync. */
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
    } else this.conclude([])
  }

  /** Everything has run. Looks up the types that some rows still need, and then ends. */
  private conclude(lookedUp: ReadonlyArray<number>): void {
    const { obstacle } = this.unread
    if (obstacle === undefined) {
      this.unread.complete()
      return this.finish(Exit.succeed(this.plan.result()))
    }
    const { column, statement } = obstacle
    const missing = missingTypes(this.session.catalogue, statement, column, lookedUp)
    if (missing === undefined) return this.lost(undecodable(column, statement))
    this.part = lookUpTypes(this, missing.types, missing.unknown, (exit) => {
      this.part = undefined
      if (Exit.isFailure(exit)) return this.lost(unanswered(column, statement))
      this.unread.read(missing.types)
      this.conclude([...lookedUp, ...missing.unknown])
    })
  }

  private rejected(status: TransactionStatus, fields: ErrorFields): void {
    const { current, session } = this
    const verdict = this.isUnbound ? verdictOn(fields, current, []) : "right"
    const error = (isDropped: boolean): PgError.PgError => serverError(fields, current.sql, this, { isDropped })
    const isCertain = verdict === "wrong"
    const hasChanged = isCertain && !concernsName(fields)
    if (hasChanged || (verdict === "right" && mayComeOfPlan(fields))) session.catalogue.outdateStatements(current)
    if (verdict === "right") return this.finish(Exit.fail(error(false)))
    const mayRepeat = this.index === 0 && status === TransactionStatus.idle
    this.finish(Exit.succeed(new Stale({ statement: current, error, isCertain, mayRepeat })))
  }

  /** Whether the run that is being answered has not begun on the server. */
  private get isUnbound(): boolean {
    return this.isDescribing || this.awaiting === Awaiting.bindComplete || this.awaiting === Awaiting.parseComplete
  }

  lost(error: PgError.PgError): void {
    this.finish(Exit.fail(error))
  }

  private finish(exit: Exit.Exit<Outcome<A>, PgError.PgError>): void {
    if (!this.isAbandoned) this.resume(exit)
  }
}
