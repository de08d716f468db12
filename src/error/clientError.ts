/** The errors that the client itself raises for work on a connection or a pool. */
import type {
  AuthenticationError,
  ConnectError,
  ConnectionLostError,
  InvalidConfigError,
  ProtocolError
} from "./connectionError.ts"
import { countHint } from "./hints/countHint.ts"
import type { Outcome, PostgresError } from "./postgresError.ts"
import type { ReplicationSetupError, ReplicationSlotLostError } from "./replicationError.ts"
import { TaggedError } from "./taggedError.ts"

/**
 * A value cannot be sent as the type that the statement expects there. Nothing was run, and the connection stays
 * usable.
 *
 * @category errors
 * @since 0.1.0
 */
export class EncodeError extends TaggedError("EncodeError")<{
  /** The number of the parameter, or of the column in COPY, from 1; 0 means the statement or the row as a whole. */
  readonly parameter: number
  /** PostgreSQL's name of the type. */
  readonly type: string
  /** The reason, without the value. */
  readonly reason: string
  readonly sql: string
  /** The number of the row, from 1, if the call takes many rows. */
  readonly row?: number | undefined
  /** The name of the column, in COPY. */
  readonly column?: string | undefined
  /** What to do, if the client knows it. */
  readonly hint: string | undefined
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
    readonly hint?: string | undefined
    readonly thrown?: unknown
  }) {
    const { hint, thrown, ...shown } = fields
    super({ ...shown, hint, message: `cannot send ${refusedPart(fields)}: ${fields.reason}` })
    this.#thrown = thrown
  }

  /** What the user's iterable of rows threw. It may contain a value, so it is never printed. */
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
 * A value in the result does not match its type, or has no JavaScript equivalent. The statement has run; the call
 * fails, and the connection stays usable.
 *
 * @category errors
 * @since 0.1.0
 */
export class DecodeError extends TaggedError("DecodeError")<{
  readonly column: string
  /** PostgreSQL's name of the type. */
  readonly type: string
  /** The reason, without the value. */
  readonly reason: string
  readonly sql: string
  /** What to do, if the client knows it. */
  readonly hint: string | undefined
  readonly message: string
}> {
  readonly outcome = "unknown"

  constructor(fields: {
    readonly column: string
    readonly type: string
    readonly reason: string
    readonly sql: string
    readonly hint?: string | undefined
  }) {
    const { column, hint, type, reason } = fields
    super({ ...fields, hint, message: `cannot read column "${column}" as ${type}: ${reason}` })
  }
}

/**
 * The call gave another number of parameters than the statement has. Nothing was run.
 *
 * @category errors
 * @since 0.1.0
 */
export class ParameterCountError extends TaggedError("ParameterCountError")<{
  /** The number of parameters that the statement has. */
  readonly expected: number
  /** The number of parameters that were given. */
  readonly actual: number
  readonly sql: string
  /** The number of the offending row, from 1, if the call takes many rows. */
  readonly row?: number | undefined
  /** What to do, if the client knows it. */
  readonly hint: string | undefined
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
    super({
      ...fields,
      hint: countHint(fields),
      message: `${ofRow(row)}the statement takes ${count(expected, "parameter")}, but the call gives ${actual}`
    })
  }
}

/**
 * The text contains no statement: it is empty, or only comments.
 *
 * @category errors
 * @since 0.1.0
 */
export class EmptyQueryError extends TaggedError("EmptyQueryError")<{
  readonly sql: string
  /** `unknown` if other statements of the same request have run. */
  readonly outcome: Outcome
  /** What to do, if the client knows it. */
  readonly hint: string | undefined
  readonly message: string
}> {
  constructor(fields: { readonly sql: string; readonly outcome?: Outcome }) {
    const hint = "Check how the program makes the text. It is empty, or consists only of comments."
    super({ outcome: "none", ...fields, hint, message: "the text contains no statement" })
  }
}

/**
 * The result has another number of rows than the call requires. The statement has run.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnexpectedRowCountError extends TaggedError("UnexpectedRowCountError")<{
  /** The required number in words: `exactly one row`. */
  readonly expected: string
  /** The number of rows: 0, 1, or 2 if there is more than one. */
  readonly actual: number
  readonly sql: string
  /** What to do, if the client knows it. */
  readonly hint: string | undefined
  readonly message: string
}> {
  readonly outcome = "unknown"

  constructor(fields: { readonly expected: string; readonly actual: number; readonly sql: string }) {
    const { expected, actual } = fields
    // The call requests at most two rows, so "more than one" is all that is known.
    const given = actual === 0 ? "no row" : actual === 1 ? "one row" : "more than one row"
    const hint =
      actual === 0
        ? "If there may be no row, use fetchRow, which returns an Option. An INSERT, UPDATE or DELETE needs RETURNING."
        : "If there may be several rows, use fetch for all of them, or fetchRow for the first one."
    super({ ...fields, hint, message: `the call expects ${expected}, but the statement returned ${given}` })
  }
}

/**
 * The call cannot run a statement of this kind; another call can.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnsupportedError extends TaggedError("UnsupportedError")<{
  readonly feature: string
  /** What to do instead, such as `call copyIn`. */
  readonly instead: string
  readonly sql: string
  /** `unknown` if the server ran the statement before its kind was known. */
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
 * No connection of the pool became available in time. The numbers show why: if all connections are in use, the pool is
 * too small or connections leak; if some are connecting, the pool waits for the server.
 *
 * @category errors
 * @since 0.1.0
 */
export class AcquireTimeoutError extends TaggedError("AcquireTimeoutError")<{
  readonly waitedMillis: number
  /** The number of other callers that were waiting. */
  readonly waiting: number
  readonly inUse: number
  readonly connecting: number
  /** What to do, if the client knows it. */
  readonly hint: string | undefined
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
      hint:
        inUse === 0
          ? undefined
          : "Within withConnection, use its connection instead of the pool. Otherwise hold connections for a " +
            "shorter time, or raise maxConnections.",
      message:
        `no connection became available within ${waitedMillis} ms: ${inUse} in use, ${connecting} connecting, ` +
        `${waiting} other ${waiting === 1 ? "call" : "calls"} waiting`
    })
  }
}

/**
 * The queue of the pool is full: `maxWaiters` calls already wait for a connection. Nothing was sent.
 *
 * @category errors
 * @since 0.1.0
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
      message:
        `${waiting} calls already wait for a connection, and ${inUse} are in use; ` +
        "try again later, or raise maxWaiters"
    })
  }
}

/**
 * The pool is closed or closing, and provides no more connections.
 *
 * @category errors
 * @since 0.1.0
 */
export class PoolClosedError extends TaggedError("PoolClosedError")<{ readonly message: string }> {
  readonly outcome = "none"

  constructor(_fields: {} = {}) {
    super({ message: "the pool is closed" })
  }
}

/**
 * The server answered COMMIT with ROLLBACK: a statement of the transaction had failed, and the program caught its error
 * without a savepoint. Nothing in the transaction took effect.
 *
 * @category errors
 * @since 0.1.0
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
 * The transaction has ended, and something still tried to use it.
 *
 * @category errors
 * @since 0.1.0
 */
export class TransactionClosedError extends TaggedError("TransactionClosedError")<{
  readonly reason: string
  /**
   * `unknown` if the body ended the transaction with SQL, or may have done so before the connection was lost: the
   * transaction may be committed.
   */
  readonly outcome: Outcome
  readonly message: string
}> {
  constructor(fields: { readonly reason: string; readonly outcome?: Outcome }) {
    super({ outcome: "none", ...fields, message: `the transaction is over: ${fields.reason}` })
  }
}

/**
 * An operation took longer than its `timeout` allows. The server may already have done the work.
 *
 * @category errors
 * @since 0.1.0
 */
export class QueryTimeoutError extends TaggedError("QueryTimeoutError")<{
  /** The method that was called: `fetch`, `withAdvisoryLock`... */
  readonly operation: string
  readonly durationMillis: number
  /** The statement; if there are several, the first one. */
  readonly sql: string | undefined
  /** What to do, if the client knows it. */
  readonly hint: string | undefined
  readonly message: string
}> {
  readonly outcome = "unknown"

  constructor(fields: {
    readonly operation: string
    readonly durationMillis: number
    readonly sql: string | undefined
  }) {
    const hint =
      "The server may have done the work. Raise the timeout, or find out what the call waited for: a lock, or a " +
      "connection of the pool."
    super({ ...fields, hint, message: `${fields.operation} did not end within ${fields.durationMillis} ms` })
  }
}

/**
 * COMMIT was sent but its answer never arrived, so the transaction may or may not have been committed. Check before you
 * run it again, or it may take effect twice.
 *
 * @category errors
 * @since 0.1.0
 */
export class CommitOutcomeUnknownError extends TaggedError("CommitOutcomeUnknownError")<{
  /** The error that occurred instead of the answer. */
  readonly lost: PostgresError | ClientErrors
  /** The server's ID of the transaction, if `trackOutcome` is set and the transaction has an ID. */
  readonly transactionId: string | undefined
  readonly message: string
}> {
  readonly outcome = "unknown"

  constructor(fields: { readonly lost: PostgresError | ClientErrors; readonly transactionId: string | undefined }) {
    super({
      ...fields,
      message: `the client does not know whether the transaction was committed: ${fields.lost.message}`
    })
  }
}

/**
 * Every error that the client itself raises.
 *
 * @category errors
 * @since 0.1.0
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
  | QueryTimeoutError
  | CommitOutcomeUnknownError
  | ReplicationSetupError
  | ReplicationSlotLostError

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`

const ofRow = (row: number | undefined): string => (row === undefined ? "" : `row ${row}: `)
