/** How the end of a session is told to those who asked something of it. */
import * as PgError from "../PgError.ts"
import type { ErrorFields } from "../wire/errorFields.ts"
import { Desynchronised } from "./exchange.ts"

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

/** For a request that was written and not answered: nobody knows what became of it. */
export const lostInFlight = (error: PgError.PgError): PgError.PgError =>
  error._tag === "ConnectionLostError"
    ? new PgError.ConnectionLostError({
        reason: error.reason,
        server: error.server,
        safeToRetry: false,
        outcome: "unknown"
      })
    : error

/** For a request of which no byte was written. */
export const lostBeforeWrite = (error: PgError.PgError): PgError.ConnectionLostError =>
  new PgError.ConnectionLostError({
    reason: error._tag === "ConnectionLostError" ? error.reason : error.message,
    server: error._tag === "ConnectionLostError" ? error.server : undefined,
    safeToRetry: true,
    outcome: "none"
  })

/** The same where the session goes on, and the error says what has ended instead. */
export const unwritten = (error: PgError.PgError): PgError.PgError =>
  error._tag === "ConnectionLostError" ? lostBeforeWrite(error) : error
