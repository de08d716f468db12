/** What fails of the work on a connection, on our side of it. */
import type {
  AuthenticationError,
  ConnectError,
  ConnectionLostError,
  InvalidConfigError,
  ProtocolError
} from "./connectionError.ts"
import type { Outcome, PostgresErrors } from "./postgresError.ts"
import { TaggedError } from "./taggedError.ts"

/**
 * A value cannot be sent as the type that the statement has there. Nothing was done; the connection goes on.
 *
 * @since 0.1.0
 * @category errors
 */
export class EncodeError extends TaggedError("EncodeError")<{
  /** The number of the parameter, or of the column that is copied, from 1; 0 is the statement, or the row, as a whole. */
  readonly parameter: number
  /** PostgreSQL's name of the type. */
  readonly type: string
  /** Why, without the value. */
  readonly reason: string
  readonly sql: string
  /** The number of the row, from 1, where many were given. */
  readonly row?: number | undefined
  /** The name of the column, in COPY. */
  readonly column?: string | undefined
  readonly message: string
}> {
  readonly outcome = "none"
  readonly #thrown: unknown

  constructor(fields: {
    readonly parameter: number
    readonly type: string
    readonly reason: string
    readonly sql: string
    readonly row?: number | undefined
    readonly column?: string | undefined
    readonly thrown?: unknown
  }) {
    const { thrown, ...shown } = fields
    super({ ...shown, message: `cannot send ${refusedPart(fields)}: ${fields.reason}` })
    this.#thrown = thrown
  }

  /** What an iterable of the user threw, which was the source of the rows. It can hold a value, and is never printed. */
  get thrown(): unknown {
    return this.#thrown
  }
}

const refusedPart = (fields: {
  readonly parameter: number
  readonly type: string
  readonly row?: number | undefined
  readonly column?: string | undefined
}): string => {
  const { column, parameter, row, type } = fields
  if (parameter === 0) return row === undefined ? "the statement" : `row ${row}`
  const place = column === undefined ? `parameter $${parameter}` : `column "${column}"`
  return `${place}${row === undefined ? "" : ` of row ${row}`} as ${type}`
}

/**
 * A value of the result is not what its type says, or JavaScript has no room for it. This query fails; the connection
 * goes on. The statement has run.
 *
 * @since 0.1.0
 * @category errors
 */
export class DecodeError extends TaggedError("DecodeError")<{
  readonly column: string
  /** PostgreSQL's name of the type. */
  readonly type: string
  /** Why, without the value. */
  readonly reason: string
  readonly sql: string
  readonly message: string
}> {
  readonly outcome = "unknown"

  constructor(fields: {
    readonly column: string
    readonly type: string
    readonly reason: string
    readonly sql: string
  }) {
    const { column, type, reason } = fields
    super({ ...fields, message: `cannot read column "${column}" as ${type}: ${reason}` })
  }
}

/**
 * The statement has another number of parameters than were given. Nothing was run.
 *
 * @since 0.1.0
 * @category errors
 */
export class ParameterCountError extends TaggedError("ParameterCountError")<{
  /** How many the statement has. */
  readonly expected: number
  /** How many were given. */
  readonly actual: number
  readonly sql: string
  /** Of many rows, the number of the one that is to blame, from 1. */
  readonly row?: number | undefined
  readonly message: string
}> {
  readonly outcome = "none"

  constructor(fields: {
    readonly expected: number
    readonly actual: number
    readonly sql: string
    readonly row?: number | undefined
  }) {
    const { actual, expected, row } = fields
    super({ ...fields, message: `${ofRow(row)}the statement takes ${count(expected, "parameter")}, ${actual} came` })
  }
}

/**
 * The text holds no statement: it is empty, or only comments.
 *
 * @since 0.1.0
 * @category errors
 */
export class EmptyQueryError extends TaggedError("EmptyQueryError")<{
  readonly sql: string
  /** `unknown` where other statements of the same request have run. */
  readonly outcome: Outcome
  readonly message: string
}> {
  constructor(fields: { readonly sql: string; readonly outcome?: Outcome }) {
    super({ outcome: "none", ...fields, message: "the text holds no statement" })
  }
}

/**
 * The result has another number of rows than the call asks for. The statement has run.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnexpectedRowCountError extends TaggedError("UnexpectedRowCountError")<{
  /** In words: `exactly one row`. */
  readonly expected: string
  /** How many rows came: 0, 1, or 2 if there are more than one. */
  readonly actual: number
  readonly sql: string
  readonly message: string
}> {
  readonly outcome = "unknown"

  constructor(fields: { readonly expected: string; readonly actual: number; readonly sql: string }) {
    const { expected, actual } = fields
    // The server is asked for no more than two, so that more than one is all that is known of their number.
    const given = actual === 0 ? "no row" : actual === 1 ? "one row" : "more than one row"
    super({ ...fields, message: `expected ${expected}, but the statement returned ${given}` })
  }
}

/**
 * A statement of a kind that the call cannot run. Another call can.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnsupportedError extends TaggedError("UnsupportedError")<{
  readonly feature: string
  /** What to do, such as `call copyIn`. */
  readonly instead: string
  readonly sql: string
  /** `unknown` where the server had run it before it was seen to be of that kind. */
  readonly outcome: Outcome
  readonly message: string
}> {
  constructor(fields: {
    readonly feature: string
    readonly instead: string
    readonly sql: string
    readonly outcome?: Outcome
  }) {
    super({ outcome: "none", ...fields, message: `${fields.feature} is not supported here: ${fields.instead}` })
  }
}

/**
 * No connection of the pool came free in time. The numbers say why: a pool that is all in use is too small or leaks,
 * and one that is connecting waits for the server.
 *
 * @since 0.1.0
 * @category errors
 */
export class AcquireTimeoutError extends TaggedError("AcquireTimeoutError")<{
  readonly waitedMillis: number
  /** How many others were waiting. */
  readonly waiting: number
  readonly inUse: number
  readonly connecting: number
  readonly message: string
}> {
  readonly outcome = "none"

  constructor(fields: {
    readonly waitedMillis: number
    readonly waiting: number
    readonly inUse: number
    readonly connecting: number
  }) {
    const { waitedMillis, waiting, inUse, connecting } = fields
    super({
      ...fields,
      message:
        `no connection came free in ${waitedMillis} ms: ${inUse} in use, ${connecting} connecting, ` +
        `${waiting} more waiting`
    })
  }
}

/**
 * The pool has as many waiting for a connection as may wait (`maxWaiters`). Nothing was sent.
 *
 * @since 0.1.0
 * @category errors
 */
export class TooManyWaitersError extends TaggedError("TooManyWaitersError")<{
  readonly waiting: number
  readonly inUse: number
  readonly message: string
}> {
  readonly outcome = "none"

  constructor(fields: { readonly waiting: number; readonly inUse: number }) {
    const { waiting, inUse } = fields
    super({
      ...fields,
      message: `${waiting} wait for a connection already, with ${inUse} in use; try later, or raise maxWaiters`
    })
  }
}

/**
 * The pool is closed, or closing, and gives no more connections.
 *
 * @since 0.1.0
 * @category errors
 */
export class PoolClosedError extends TaggedError("PoolClosedError")<{ readonly message: string }> {
  readonly outcome = "none"

  constructor(_fields: {} = {}) {
    super({ message: "the pool is closed" })
  }
}

/**
 * COMMIT was answered by ROLLBACK: a statement of the transaction had failed, and its error was caught without a
 * savepoint. Nothing of the transaction happened.
 *
 * @since 0.1.0
 * @category errors
 */
export class TransactionRolledBackError extends TaggedError("TransactionRolledBackError")<{
  readonly reason: string
  readonly message: string
}> {
  readonly outcome = "none"

  constructor(fields: { readonly reason: string }) {
    super({ ...fields, message: `the transaction was rolled back: ${fields.reason}` })
  }
}

/**
 * The transaction is over, and what still wants to use it comes too late.
 *
 * @since 0.1.0
 * @category errors
 */
export class TransactionClosedError extends TaggedError("TransactionClosedError")<{
  readonly reason: string
  /** `unknown` where its body has ended it by SQL, or may have as the connection was lost: it may be committed. */
  readonly outcome: Outcome
  readonly message: string
}> {
  constructor(fields: { readonly reason: string; readonly outcome?: Outcome }) {
    super({ outcome: "none", ...fields, message: `the transaction is over: ${fields.reason}` })
  }
}

/**
 * An operation took longer than its option allows. What the server was told to do, it may have done.
 *
 * @since 0.1.0
 * @category errors
 */
export class TimeoutError extends TaggedError("TimeoutError")<{
  /** What was called: `fetch`, `withAdvisoryLock`... */
  readonly operation: string
  readonly durationMillis: number
  /** The statement, or of several the first one. */
  readonly sql: string | undefined
  readonly message: string
}> {
  readonly outcome = "unknown"

  constructor(fields: {
    readonly operation: string
    readonly durationMillis: number
    readonly sql: string | undefined
  }) {
    super({ ...fields, message: `${fields.operation} did not end within ${fields.durationMillis} ms` })
  }
}

/**
 * COMMIT was sent and its answer never came: nobody knows whether the transaction happened. To repeat it may do it
 * twice; look first.
 *
 * @since 0.1.0
 * @category errors
 */
export class CommitOutcomeUnknownError extends TaggedError("CommitOutcomeUnknownError")<{
  /** What came instead of the answer. */
  readonly lost: PostgresErrors | ClientErrors
  /** The server's id of the transaction, if it was asked for (`trackOutcome`) and there is one. */
  readonly transactionId: string | undefined
  readonly message: string
}> {
  readonly outcome = "unknown"

  constructor(fields: { readonly lost: PostgresErrors | ClientErrors; readonly transactionId: string | undefined }) {
    super({ ...fields, message: `whether the transaction was committed is unknown: ${fields.lost.message}` })
  }
}

/**
 * Every error that is the client's own.
 *
 * @since 0.1.0
 * @category errors
 */
export type ClientErrors =
  | InvalidConfigError
  | ConnectError
  | AuthenticationError
  | ConnectionLostError
  | ProtocolError
  | EncodeError
  | DecodeError
  | ParameterCountError
  | EmptyQueryError
  | UnexpectedRowCountError
  | UnsupportedError
  | AcquireTimeoutError
  | TooManyWaitersError
  | PoolClosedError
  | TransactionRolledBackError
  | TransactionClosedError
  | TimeoutError
  | CommitOutcomeUnknownError

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`

const ofRow = (row: number | undefined): string => (row === undefined ? "" : `row ${row}: `)
