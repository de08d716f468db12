/** Makes the errors with which requests fail when their session ends. */
import * as Effect from "effect/Effect"
import * as PgError from "../../PgError.ts"
import type { ErrorFields } from "../../wire/errorFields.ts"
import { Desynchronised, type Exchange } from "./exchange.ts"
import { mayEnd } from "../statement/outcome.ts"
import { ProtocolViolation, Undecodable } from "../../wire/failure.ts"

/**
 * The error of a session that can read no further, because the server has broken the protocol. What anything else has
 * thrown is a fault of this client, which must not be blamed on the server.
 */
export const violation = (failure: unknown): PgError.ProtocolError => {
  if (failure instanceof Desynchronised) {
    return new PgError.ProtocolError({ received: failure.received, expected: failure.expected })
  }
  return isOfServer(failure)
    ? new PgError.ProtocolError({ received: failure.message, expected: "a message that the protocol allows" })
    : new PgError.ProtocolError({
        received: `a message at which the client failed (${String(failure)})`,
        expected: "to be able to read every message; please report this as a fault of effectpg, with its cause",
        cause: failure
      })
}

/** Node throws a RangeError for a message that is shorter than what it says that it contains. */
const isOfServer = (failure: unknown): failure is Error =>
  failure instanceof ProtocolViolation || failure instanceof Undecodable || failure instanceof RangeError

/** Makes an answer of the server that cannot be read a `ProtocolError`. */
export const wellFormed = <A>(read: () => A): Effect.Effect<A, PgError.PgError> =>
  Effect.try({ try: read, catch: violation })

/** Whether a notice says that the server is going away. At an immediate shutdown or a crash, no error follows it. */
export const isParting = ({ code }: ErrorFields): boolean => code === "57P01" || code === "57P02"

/** The connection broke or was closed by the server. `parting` is the notice of a shutdown, if one came before. */
export const broken = (error: Error | undefined, parting: ErrorFields | undefined): PgError.ConnectionLostError =>
  new PgError.ConnectionLostError({
    reason: error === undefined ? "the server closed the connection" : `the connection broke: ${error.message}`,
    server: parting === undefined ? undefined : PgError.fromServer(parting, { sql: "", outcome: "unknown" }),
    safeToRetry: false,
    outcome: "unknown"
  })

/** The server has sent an error that ends the connection. */
export const farewell = (server: PgError.PostgresError | undefined): PgError.ConnectionLostError =>
  new PgError.ConnectionLostError({
    reason: "the server closed the connection",
    server,
    safeToRetry: false,
    outcome: "none"
  })

/** The client ended the connection, or gave it up. */
export const lostWith = (
  reason: string,
  { outcome = "none", safeToRetry = false }: Partial<Pick<PgError.ConnectionLostError, "outcome" | "safeToRetry">> = {}
): PgError.ConnectionLostError => new PgError.ConnectionLostError({ reason, server: undefined, safeToRetry, outcome })

/** One for all sessions, because its stack says nothing: a call that fails for this reason gets an error of its own. */
export const CLOSED = lostWith("the scope of the connection has closed")

/** For a request that is not yet written. If a part of it has run already, it gets the error of a written one. */
export const lostWaiting = (exchange: Exchange, error: PgError.PgError): PgError.PgError =>
  exchange.hasRun ? lostInFlight(exchange, error) : lostBeforeWrite(error)

/**
 * For a request that was written but not answered. The client cannot know whether it ran, unless it was part of a
 * transaction, which the server rolls back when the connection ends.
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

/** A transaction of the client, which hears of the commands that complete in it. */
export interface OpenTransaction {
  /** Returns whether it is still open, as far as the client can know. */
  completed(command: string, sql: string): boolean
  sessionLost(): void
}

/**
 * Fails all requests that were written, because the session is lost. The oldest fails with the server's error if it has
 * sent one. First, the transaction learns of the requests that may have ended it.
 */
export const tellWritten = (
  written: ReadonlyArray<Exchange>,
  error: PgError.PgError,
  answer: PgError.PgError | undefined,
  transaction: OpenTransaction | undefined
): void => {
  let isRolledBack = transaction !== undefined
  for (const { isControl, sql } of written) {
    // A control statement may be the COMMIT of the client.
    if (isControl === true) isRolledBack = false
    else if (transaction?.completed(mayEnd(sql) ? "COMMIT" : "", sql) === false) isRolledBack = false
  }
  for (const [index, exchange] of written.entries()) {
    if (exchange.abandoned) continue
    exchange.lost((index === 0 && answer) || lostInFlight(exchange, error, isRolledBack))
  }
}

const lostBeforeWrite = (error: PgError.PgError): PgError.ConnectionLostError =>
  new PgError.ConnectionLostError({
    reason: error._tag === "ConnectionLostError" ? error.reason : error.message,
    server: error._tag === "ConnectionLostError" ? error.server : undefined,
    safeToRetry: true,
    outcome: "none"
  })

/** For an unwritten request that is refused, although the session may go on. */
export const refusedWaiting = (exchange: Exchange, error: PgError.PgError): PgError.PgError =>
  error._tag === "ConnectionLostError" ? lostWaiting(exchange, error) : error
