/** The errors of a connection itself: when its settings are wrong, when it cannot be opened, and when it is lost. */
import { atPlace, type ConnectPlace, type ConnectStage, describePlace } from "./connectPlace.ts"
import type { Outcome, PostgresError } from "./postgresError.ts"
import { TaggedError } from "./taggedError.ts"

export type { ConnectPlace, ConnectStage } from "./connectPlace.ts"

/**
 * A setting is missing, malformed, or inconsistent with another. No connection was attempted.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidConfigError extends TaggedError("InvalidConfigError")<{
  /** The name of the setting, if one setting causes the error. */
  readonly setting: string | undefined
  /** What is wrong and what would be right; never the value of a secret. */
  readonly reason: string
  readonly message: string
}> {
  readonly outcome = "none"

  constructor(fields: { readonly setting: string | undefined; readonly reason: string }) {
    const { setting, reason } = fields
    super({ ...fields, message: setting === undefined ? reason : `${setting}: ${reason}` })
  }
}

/**
 * One address that was tried, and the reason it failed.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectAttempt extends ConnectPlace {
  /** For a server that was reached, but has not the role of `targetSessionAttrs`, it begins with what the server is. */
  readonly reason: string
  /** Whether the server has closed the connection while TLS was negotiated, as one does that is going away. */
  readonly wasClosed?: boolean | undefined
  /** The protocol of the server that answered, such as `HTTP`, if it was recognized and is not PostgreSQL's. */
  readonly protocol?: string | undefined
}

/**
 * No connection could be opened. Nothing was run.
 *
 * If the server answers with an error, the call fails with that error instead, such as `InvalidCatalogNameError` or
 * `InvalidPasswordError`. Only if several hosts were tried without success does such an error appear among the
 * attempts.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConnectError extends TaggedError("ConnectError")<{
  /** The stage of the last attempt. */
  readonly stage: ConnectStage
  /** Every address that was tried, in the order of the attempts. */
  readonly attempts: ReadonlyArray<ConnectAttempt>
  readonly message: string
}> {
  readonly outcome = "none"

  constructor(fields: { readonly stage: ConnectStage; readonly attempts: ReadonlyArray<ConnectAttempt> }) {
    super({ ...fields, message: describeAttempts(fields.attempts) })
  }
}

const describeAttempts = (attempts: ReadonlyArray<ConnectAttempt>): string => {
  const [first, ...more] = attempts.map(describeAttempt)
  if (first === undefined) return "cannot connect: there is no host to try"
  if (more.length === 0) return `cannot connect to ${first}`
  return ["cannot connect to any host", first, ...more].join("\n  ")
}

const describeAttempt = (attempt: ConnectAttempt): string => `${describePlace(attempt)}: ${attempt.reason}`

/**
 * Client and server did not agree on authentication: the server requires a method that is unsupported or not allowed,
 * the password is missing, or the server could not prove that it knows the password. If the server rejects the
 * password, the error is its own `InvalidPasswordError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthenticationError extends TaggedError("AuthenticationError")<{
  /** PostgreSQL's name of the method: `scram-sha-256`, `md5`, `password`, ... */
  readonly method: string | undefined
  readonly reason: string
  /** Which server it was. */
  readonly place?: ConnectPlace | undefined
  readonly message: string
}> {
  readonly outcome = "none"

  constructor(fields: {
    readonly method: string | undefined
    readonly reason: string
    readonly place?: ConnectPlace | undefined
  }) {
    const { method, place, reason } = fields
    const how = method === undefined ? "" : ` with ${method}`
    super({ ...fields, message: `cannot authenticate${how}: ${reason}${atPlace(place)}` })
  }
}

/**
 * The connection is gone: it broke, or the server or the client closed it.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConnectionLostError extends TaggedError("ConnectionLostError")<{
  readonly reason: string
  /** The error that the server sent before it closed the connection, if it sent one: `AdminShutdownError`, ... */
  readonly server: PostgresError | undefined
  /** True only if no byte of the request was sent, so that sending it on another connection cannot run it twice. */
  readonly safeToRetry: boolean
  readonly outcome: Outcome
  /** Which server it was, if the connection was lost while it was being opened. */
  readonly place?: ConnectPlace | undefined
  readonly message: string
}> {
  constructor(fields: {
    readonly reason: string
    readonly server: PostgresError | undefined
    readonly safeToRetry: boolean
    readonly outcome: Outcome
    readonly place?: ConnectPlace | undefined
  }) {
    const { place, reason, server } = fields
    const told = server === undefined ? "" : ` (the server said: ${server.message})`
    super({ ...fields, message: `the connection is lost: ${reason}${told}${atPlace(place)}` })
  }
}

/**
 * The server sent something that the protocol does not allow at this point. The connection is closed, because nothing
 * that follows can be trusted. This is a bug in the server, in something between, or in effectpg: please report it.
 *
 * @category errors
 * @since 0.1.0
 */
export class ProtocolError extends TaggedError("ProtocolError")<{
  readonly received: string
  readonly expected: string
  /** Which server it was, if the connection was being opened. */
  readonly place?: ConnectPlace | undefined
  /** What the client itself threw, if it failed at a message that the protocol may well allow. */
  readonly cause?: unknown
  readonly message: string
}> {
  readonly outcome = "unknown"

  constructor(fields: {
    readonly received: string
    readonly expected: string
    readonly place?: ConnectPlace | undefined
    readonly cause?: unknown
  }) {
    const { expected, place, received } = fields
    super({ ...fields, message: `the server sent ${received}, but the client expected ${expected}${atPlace(place)}` })
  }
}
