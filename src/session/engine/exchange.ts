/**
 * One request and all that it must receive, as one value. The session writes it, hands it the messages that answer it
 * and tells it when the server is ready again; an exchange never sees another's messages, an ErrorResponse, a
 * ReadyForQuery, or the messages that the server sends of its own accord.
 */
import type { Buffer } from "node:buffer"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as PgError from "../../PgError.ts"
import { backendMessageName, type TransactionStatus } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { ProtocolViolation } from "../../wire/failure.ts"
import type { Progress } from "../statement/outcome.ts"

/** Tells the answer to its caller. */
export type Resume<A> = (exit: Exit.Exit<A, PgError.PgError>) => void

export interface Exchange extends Progress {
  /** The statement, for errors. */
  readonly sql: string
  /** Set by the session if the caller has left: the answer is still read, but reported to nobody. */
  abandoned: boolean
  /** Whether it begins, ends or cleans up other work. Such a request goes on even if its caller has left. */
  readonly isControl?: boolean
  /** Whether nothing may be written behind this request before it is answered. Asked after `encode`. */
  readonly exclusive: boolean
  /** Appends the whole request. What it throws rewinds the writer and goes to `refused`. */
  encode(writer: ByteWriter): void
  /** `encode` threw: nothing of the request was written. */
  refused(failure: unknown): void
  /**
   * Takes the row that begins at `at`, with its header, and as many as it likes of those that lie whole before `limit`
   * behind it; returns where the last that it took ends.
   */
  dataRows(bytes: Buffer, at: number, limit: number): number
  /** Takes any other message, or throws `Desynchronised`. */
  message(type: number, bytes: Buffer, start: number, end: number): void
  /** The first ErrorResponse has come. For a request that is still being written: the server skips what follows. */
  errorArrived?(): void
  /** The socket can take more again. For a request that is still being written, and so exclusive. */
  drained?(): void
  /** Why a fiber may not ask for anything meanwhile: where the end of this request waits for that fiber. */
  refusalOf?(fiber: Fiber.Fiber<unknown, unknown>): PgError.PgError | undefined
  /** ReadyForQuery. `error` is the first ErrorResponse since the request was written. */
  ready(status: TransactionStatus, error: ErrorFields | undefined): void
  /** Called if the caller has left before the request, or its next part, was written. */
  withdrawn?(): void
  /** The session was lost, or ErrorResponse was its last word. */
  lost(error: PgError.PgError): void
}

/** The conversation with the server has come apart: a message that cannot stand where it came. */
export class Desynchronised extends ProtocolViolation {
  readonly received: string
  readonly expected: string

  constructor(type: number, expected: string) {
    const received = backendMessageName(type)
    super(`received ${received}, expected ${expected}`)
    this.received = received
    this.expected = expected
  }
}
