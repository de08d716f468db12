/**
 * The part of COPY that both directions share. COPY uses the simple protocol, in which an error needs no Sync: the
 * server drops the rest of the data and is ready again. Nothing else may be written while it runs, so it is exclusive.
 *
 * A COPY is answered twice: when the data may begin to flow, which resumes the caller, and at its end, for which the
 * caller waits with `ended`.
 */
import type { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PgError from "../../PgError.ts"
import { Backend, type TransactionStatus } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import { type CommandTag, readCommandTag } from "../../wire/commandTag.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { writeQuery } from "../../wire/frontendEncoder.ts"
import { Desynchronised, type Exchange } from "../engine/exchange.ts"
import { requestRefused, serverError } from "../engine/serverError.ts"
import type { Session } from "../engine/session.ts"

/** The error of a fiber that would wait for the end of a COPY that itself waits for that fiber. */
export const circular = (sql: string): PgError.UnsupportedError =>
  new PgError.UnsupportedError({
    feature: "a statement on the connection of a COPY, by the fiber that sends or reads its rows,",
    instead: "use another connection for it, or collect the rows first",
    sql
  })

type Answer = Exit.Exit<CommandTag, PgError.PgError>

export abstract class CopyExchange implements Exchange {
  readonly sql: string
  abandoned = false
  readonly exclusive = true
  protected readonly session: Session
  private readonly started: (refusal: Exit.Exit<never, PgError.PgError>) => void
  /** Whether the server has ended the COPY, so that nothing more may be written for it. */
  protected isAnswered = false
  private tag: CommandTag | undefined
  private answer: Answer | undefined
  private readonly waiting = new Set<() => void>()

  constructor(session: Session, sql: string, started: (refusal: Exit.Exit<never, PgError.PgError>) => void) {
    this.session = session
    this.sql = sql
    this.started = started
  }

  /** What must come next, for errors. */
  protected abstract readonly awaiting: string
  protected abstract readonly hasStarted: boolean
  abstract message(type: number, bytes: Buffer, start: number, end: number): void

  get hasRun(): boolean {
    return this.tag !== undefined
  }

  /** The single statement of a simple query commits before CommandComplete. */
  get mayOutlastError(): boolean {
    return this.hasRun && this.session.isAutocommit
  }

  /** Whether the COPY has ended. */
  get isOver(): boolean {
    return this.answer !== undefined
  }

  /** Waits until the COPY has ended: the server is ready again, or the session is lost. */
  readonly ended: Effect.Effect<CommandTag, PgError.PgError> = Effect.suspend(() =>
    Effect.andThen(
      this.until(() => this.isOver),
      () => this.answer ?? this.ended
    )
  )

  encode(writer: ByteWriter): void {
    writeQuery(writer, this.sql)
  }

  refused(failure: unknown): void {
    this.lost(requestRefused(failure, this.sql))
  }

  dataRows(): never {
    throw new Desynchronised(Backend.DataRow, this.awaiting)
  }

  protected complete(bytes: Buffer, start: number, end: number): void {
    this.tag = readCommandTag(bytes, start, end)
    this.session.commandCompleted(this.tag)
  }

  ready(_status: TransactionStatus, error: ErrorFields | undefined): void {
    this.isAnswered = true
    if (error !== undefined) return this.finish(Exit.fail(serverError(error, this.sql, this)))
    if (this.tag === undefined) throw new Desynchronised(Backend.ReadyForQuery, this.awaiting)
    this.finish(Exit.succeed(this.tag))
  }

  lost(error: PgError.PgError): void {
    this.finish(Exit.fail(error))
  }

  abandon(): void {
    if (!this.isOver) this.session.abandon(this)
  }

  protected finish(answer: Answer): void {
    if (this.answer !== undefined) return
    this.answer = answer
    if (!this.hasStarted && Exit.isFailure(answer)) this.started(Exit.failCause(answer.cause))
    this.wake()
  }

  /** Waits until `holds` returns true. It is called at once, and again after each event. */
  protected until(holds: () => boolean): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (holds()) return resume(Effect.void)
      const look = () => {
        if (!holds()) return
        this.waiting.delete(look)
        resume(Effect.void)
      }
      this.waiting.add(look)
      return Effect.sync(() => this.waiting.delete(look))
    })
  }

  protected readonly wake = (): void => {
    for (const look of this.waiting) look()
  }
}
