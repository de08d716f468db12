/**
 * An exchange is one request together with everything that it must receive. The session writes it, gives it the
 * messages that answer it, and tells it when the server is ready again. The session itself reads ErrorResponse,
 * ReadyForQuery, and the messages that the server sends of its own accord. An exchange never sees the messages of
 * another one.
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

export type Resume<A> = (exit: Exit.Exit<A, PgError.PgError>) => void

export interface Exchange extends Progress {
  /** The SQL that errors quote. */
  readonly sql: string
  /** Set by the session when the caller has gone. The answer is then read and dropped. */
  abandoned: boolean
  /** Whether this is a control statement, which goes on even if its caller has gone. */
  readonly isControl?: boolean
  /** Whether it may be written behind other messages under one Sync. The server skips it if one of them fails. */
  readonly mayShareSync?: boolean
  /** Whether nothing may be written behind this request before it is answered. The session asks after `encode`. */
  readonly exclusive: boolean
  /** An exchange that stands for this one in the queues of the session, as a part of the same conversation. */
  readonly part?: Exchange | undefined
  /** The exchange of which this one is a part. If the session is lost, that one is told. */
  readonly whole?: Exchange | undefined
  /** Appends the whole request. If it throws, the session rewinds the writer and passes the failure to `refused`. */
  encode(writer: ByteWriter): void
  /** Called if `encode` threw. Nothing of the request was written. */
  refused(failure: unknown): void
  /**
   * Takes the row that begins at `at`, with its header, and any number of rows behind it that lie whole before `limit`.
   * Returns where the last taken row ends.
   */
  dataRows(bytes: Buffer, at: number, limit: number): number
  /** Takes a message of any other type, or throws `Desynchronised`. */
  message(type: number, bytes: Buffer, start: number, end: number): void
  /** Called at the first ErrorResponse. A request that is still being written can stop: the server skips the rest. */
  errorArrived?(): void
  /** Called when the socket can take more. Only an exclusive request, which may still be writing, hears of it. */
  drained?(): void
  /** Returns an error if the fiber may not send another request now, because this exchange waits for that fiber. */
  refusalOf?(fiber: Fiber.Fiber<unknown, unknown>): PgError.PgError | undefined
  /** Called at ReadyForQuery, with the first ErrorResponse since the request was written. */
  ready(status: TransactionStatus, error: ErrorFields | undefined): void
  /** Called if the caller has gone before the request, or its next part, was written. */
  withdrawn?(): void
  /** Called if the session was lost. `error` says what became of the request. */
  lost(error: PgError.PgError): void
}

export const isNoControl = ({ isControl }: Exchange): boolean => isControl !== true

/** Returns the exchange that is told of a loss. */
export const wholeOf = (exchange: Exchange): Exchange => exchange.whole ?? exchange

/** Thrown if a message comes that cannot come at this point of the conversation. */
export class Desynchronised extends ProtocolViolation {
  readonly received: string
  readonly expected: string

  constructor(type: number, expected: string) {
    const received = backendMessageName(type)
    super(`the server sent ${received}, but the client expected ${expected}`)
    this.received = received
    this.expected = expected
  }
}

/** The failure if a message comes although no request waits for one. */
export const unasked = (type: number): Desynchronised =>
  new Desynchronised(type, "no message, because no request is waiting for an answer")
