/** How the end of a session is told to those who asked something of it. */
import * as PgError from "../../PgError.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { Desynchronised, type Exchange } from "./exchange.ts"
import { mayEnd } from "../statement/outcome.ts"

/** What broke the protocol, as an error of the session. */
export const violation = (failure: unknown): PgError.ProtocolError =>
  failure instanceof Desynchronised
    ? new PgError.ProtocolError({ received: failure.received, expected: failure.expected })
    : new PgError.ProtocolError({
        received: failure instanceof Error ? failure.message : String(failure),
        expected: "a message that the protocol allows"
      })

/** A server that is shut down at once, or after a crash, says so in a notice, and then no more. */
export const isParting = ({ code }: ErrorFields): boolean => code === "57P01" || code === "57P02"

/** The transport has ended, by an error or without a word; `parting` is the last one that came before. */
export const broken = (error: Error | undefined, parting: ErrorFields | undefined): PgError.ConnectionLostError =>
  new PgError.ConnectionLostError({
    reason: error === undefined ? "the server closed the connection" : `the connection broke: ${error.message}`,
    server: parting === undefined ? undefined : PgError.fromServer(parting, { sql: "", outcome: "unknown" }),
    safeToRetry: false,
    outcome: "unknown"
  })

/** The server has said why it ends the connection. */
export const farewell = (server: PgError.PostgresError | undefined): PgError.ConnectionLostError =>
  new PgError.ConnectionLostError({
    reason: "the server closed the connection",
    server,
    safeToRetry: false,
    outcome: "none"
  })

/** The connection was closed from our side. */
export const closed = (reason: string): PgError.ConnectionLostError =>
  new PgError.ConnectionLostError({ reason, server: undefined, safeToRetry: false, outcome: "none" })

/** For a request that waits to be written: whole, or the next part of one that may have run already. */
export const lostWaiting = (exchange: Exchange, error: PgError.PgError): PgError.PgError =>
  exchange.hasRun ? lostInFlight(exchange, error) : lostBeforeWrite(error)

/**
 * For a request that was written and not answered: the client cannot know what became of what was to be run, unless it
 * was a part of a transaction that the server rolls back with the connection.
 */
export const lostInFlight = (
  { asksOnly = false }: Pick<Exchange, "asksOnly">,
  error: PgError.PgError,
  isRolledBack = false
): PgError.PgError =>
  error._tag === "ConnectionLostError"
    ? new PgError.ConnectionLostError({
        reason: error.reason,
        server: error.server,
        safeToRetry: false,
        outcome: asksOnly || isRolledBack ? "none" : "unknown"
      })
    : error

/** A transaction of the client's, which is told of the commands in it that complete. */
export interface OpenTransaction {
  /** Returns whether it is still open for all that is known. */
  completed(command: string, sql: string): boolean
}

/**
 * Tells all whose requests were written that the session is lost; the oldest has its own error where the server has
 * answered it. First of all the transaction that they are a part of learns that one of them may have ended it.
 */
export const tellWritten = (
  written: ReadonlyArray<Exchange>,
  error: PgError.PgError,
  answer: PgError.PgError | undefined,
  transaction: OpenTransaction | undefined
): void => {
  let isRolledBack = transaction !== undefined
  for (const { isControl, sql } of written) {
    // One of those that begin and end is our own, which may be COMMIT.
    if (isControl === true) isRolledBack = false
    else if (transaction?.completed(mayEnd(sql) ? "COMMIT" : "", sql) === false) isRolledBack = false
  }
  for (const [index, exchange] of written.entries()) {
    if (exchange.abandoned) continue
    exchange.lost((index === 0 && answer) || lostInFlight(exchange, error, isRolledBack))
  }
}

/** For a request of which no byte was written. */
const lostBeforeWrite = (error: PgError.PgError): PgError.ConnectionLostError =>
  new PgError.ConnectionLostError({
    reason: error._tag === "ConnectionLostError" ? error.reason : error.message,
    server: error._tag === "ConnectionLostError" ? error.server : undefined,
    safeToRetry: true,
    outcome: "none"
  })

/** For a request that waits to be written, where the session goes on and an error says what has ended instead. */
export const refusedWaiting = (exchange: Exchange, error: PgError.PgError): PgError.PgError =>
  error._tag === "ConnectionLostError" ? lostWaiting(exchange, error) : error
