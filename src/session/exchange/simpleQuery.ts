/**
 * Runs one or more statements in one text, by the simple protocol: no parameters, no prepared statement, one round
 * trip. Rows are skipped. Scripts and control statements use it; control statements must not depend on a cache.
 *
 * ```
 * Query  ->  (RowDescription DataRow... CommandComplete | CommandComplete | EmptyQueryResponse)...  ReadyForQuery
 * ```
 */
import type { Buffer } from "node:buffer"
import * as Exit from "effect/Exit"
import type * as PgError from "../../PgError.ts"
import { dataRowEnd } from "../../wire/backendDecoder.ts"
import { Backend, type TransactionStatus } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import { type CommandTag, readCommandTag } from "../../wire/commandTag.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { writeQuery } from "../../wire/frontendEncoder.ts"
import { mayCopy } from "../statement/mayCopy.ts"
import { afterSkipped, NO_COPY, refuseCopyIn } from "./copyRefusal.ts"
import { Desynchronised, type Exchange } from "../engine/exchange.ts"
import { isCommitting, mayBeSeveral, mayScriptOutlastError } from "../statement/outcome.ts"
import { requestRefused, serverError } from "../engine/serverError.ts"
import type { Session } from "../engine/session.ts"
import { namesSessionState } from "../statement/soiling.ts"

/** The messages that can come next, in the words of the error if another one comes. */
const Awaiting = {
  statement: "RowDescription, CommandComplete, EmptyQueryResponse or ReadyForQuery",
  rows: "DataRow or CommandComplete",
  copyData: "CopyData or CopyDone",
  error: "ErrorResponse after CopyFail"
} as const
type Awaiting = (typeof Awaiting)[keyof typeof Awaiting]

export class SimpleQuery implements Exchange {
  readonly sql: string
  abandoned = false
  exclusive: boolean
  readonly isControl: boolean
  protected readonly session: Session
  private readonly resume: (exit: Exit.Exit<ReadonlyArray<CommandTag>, PgError.PgError>) => void
  private readonly tags: Array<CommandTag> = []
  private awaiting: Awaiting = Awaiting.statement
  private failure: PgError.PgError | undefined
  private readonly changesSession: boolean

  constructor(
    session: Session,
    sql: string,
    resume: (exit: Exit.Exit<ReadonlyArray<CommandTag>, PgError.PgError>) => void,
    isControl = false
  ) {
    this.isControl = isControl
    this.session = session
    this.sql = sql
    this.resume = resume
    this.exclusive = !isControl && mayCopy(sql)
    this.changesSession = !isControl && namesSessionState(sql)
  }

  get hasRun(): boolean {
    return this.tags.length > 0
  }

  /** A script may commit a part before another part fails. A lone statement commits before CommandComplete. */
  get mayOutlastError(): boolean {
    const { hasRun, session, sql, tags } = this
    if (tags.some(({ command }) => isCommitting(command))) return true
    return session.isAutocommit && ((hasRun && !mayBeSeveral(sql)) || mayScriptOutlastError(sql))
  }

  encode(writer: ByteWriter): void {
    writeQuery(writer, this.sql)
  }

  refused(failure: unknown): void {
    this.lost(requestRefused(failure, this.sql))
  }

  /** Skips rows, because a script does not return them. */
  dataRows(bytes: Buffer, at: number, limit: number): number {
    if (this.awaiting !== Awaiting.rows) throw new Desynchronised(Backend.DataRow, this.awaiting)
    return dataRowEnd(bytes, at, limit)
  }

  message(type: number, bytes: Buffer, start: number, end: number): void {
    const { awaiting } = this
    switch (type) {
      case Backend.RowDescription:
        if (awaiting !== Awaiting.statement) break
        this.awaiting = Awaiting.rows
        return
      case Backend.CommandComplete: {
        if (awaiting !== Awaiting.statement && awaiting !== Awaiting.rows) break
        const tag = readCommandTag(bytes, start, end)
        // A text has no more statements than characters. The check keeps a faulty server from filling the memory.
        if (this.tags.length > this.sql.length) break
        this.tags.push(tag)
        if (!this.isControl) this.session.commandCompleted(tag, awaiting === Awaiting.rows, this.changesSession)
        this.awaiting = Awaiting.statement
        return
      }
      case Backend.EmptyQueryResponse:
        if (awaiting !== Awaiting.statement) break
        return
      case Backend.CopyInResponse:
        if (awaiting !== Awaiting.statement || !this.exclusive) break
        this.failure ??= NO_COPY.in(this.sql, this.mayOutlastError)
        this.session.writeMore(refuseCopyIn)
        this.awaiting = Awaiting.error
        return
      case Backend.CopyOutResponse:
        if (awaiting !== Awaiting.statement) break
        this.failure ??= NO_COPY.out(this.sql)
        this.awaiting = Awaiting.copyData
        return
      default:
        break
    }
    const skipped = awaiting === Awaiting.copyData ? afterSkipped(type, awaiting, Awaiting.statement) : undefined
    if (skipped !== undefined) return void (this.awaiting = skipped)
    throw new Desynchronised(type, awaiting)
  }

  ready(_status: TransactionStatus, error: ErrorFields | undefined): void {
    if (error === undefined && this.awaiting !== Awaiting.statement) {
      throw new Desynchronised(Backend.ReadyForQuery, this.awaiting)
    }
    if (this.failure !== undefined) this.lost(this.failure)
    else if (error !== undefined) this.lost(serverError(error, this.sql, this))
    else this.finish(Exit.succeed(this.tags))
  }

  lost(error: PgError.PgError): void {
    this.finish(Exit.fail(error))
  }

  protected finish(exit: Exit.Exit<ReadonlyArray<CommandTag>, PgError.PgError>): void {
    if (!this.abandoned) this.resume(exit)
  }
}
