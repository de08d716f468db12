/** What fails of a connection: before there is one, and when it ends. */
import type { Outcome, PostgresErrors } from "./postgresError.ts"
import { TaggedError } from "./taggedError.ts"

/**
 * A setting is missing, malformed, or at odds with another. Nothing was connected.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidConfigError extends TaggedError("InvalidConfigError")<{
  /** The name of the setting, where one is to blame. */
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
 * How far an attempt to connect had come: looking up the host's name, opening the connection, agreeing on TLS, or the
 * conversation that ends with a session that is ready.
 *
 * @since 0.1.0
 * @category models
 */
export type ConnectStage = "resolve" | "tcp" | "tls" | "startup"

/**
 * One address that was tried, and why it came to nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectAttempt {
  /** A name or an address as configured, or the path of a Unix socket. */
  readonly host: string
  readonly port: number | undefined
  /** The address that the host's name stands for, where it was looked up. */
  readonly address: string | undefined
  readonly stage: ConnectStage
  readonly reason: string
}

/**
 * No connection could be made. Nothing ran.
 *
 * An error that the server answered with is that error, such as `InvalidCatalogNameError` or `InvalidPasswordError`. Only
 * where several hosts were tried in vain is it among the attempts.
 *
 * @since 0.1.0
 * @category errors
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

const describeAttempt = ({ host, port, address, stage, reason }: ConnectAttempt): string => {
  const place = port === undefined ? host : `${host}:${port}`
  const resolved = address === undefined || address === host ? place : `${place} (${address})`
  return `${resolved}, ${stage}: ${reason}`
}

/**
 * Client and server did not agree on who is there: the server wants a method that is not supported or not allowed, a
 * password is missing, or the server could not prove that it knows it. A password that the server refuses is its own
 * `InvalidPasswordError`.
 *
 * @since 0.1.0
 * @category errors
 */
export class AuthenticationError extends TaggedError("AuthenticationError")<{
  /** PostgreSQL's name of the method: `scram-sha-256`, `md5`, `password`, ... */
  readonly method: string | undefined
  readonly reason: string
  readonly message: string
}> {
  readonly outcome = "none"

  constructor(fields: { readonly method: string | undefined; readonly reason: string }) {
    const { method, reason } = fields
    super({ ...fields, message: `cannot authenticate${method === undefined ? "" : ` by ${method}`}: ${reason}` })
  }
}

/**
 * The connection is gone: broken, closed by the server, or closed by us.
 *
 * @since 0.1.0
 * @category errors
 */
export class ConnectionLostError extends TaggedError("ConnectionLostError")<{
  readonly reason: string
  /** The error that the server sent before it closed, where one came: `AdminShutdownError`, ... */
  readonly server: PostgresErrors | undefined
  /** True only if no byte of the request left the process: the same request on another connection cannot run twice. */
  readonly safeToRetry: boolean
  readonly outcome: Outcome
  readonly message: string
}> {
  constructor(fields: {
    readonly reason: string
    readonly server: PostgresErrors | undefined
    readonly safeToRetry: boolean
    readonly outcome: Outcome
  }) {
    const { reason, server } = fields
    const told = server === undefined ? "" : ` (the server said: ${server.message})`
    super({ ...fields, message: `the connection is lost: ${reason}${told}` })
  }
}

/**
 * The server sent what the protocol does not allow at this point. The connection is closed, since nothing that comes
 * after can be trusted. It is a defect of the server, of something between, or of effectpg: please report it.
 *
 * @since 0.1.0
 * @category errors
 */
export class ProtocolError extends TaggedError("ProtocolError")<{
  readonly received: string
  readonly expected: string
  readonly message: string
}> {
  readonly outcome = "unknown"

  constructor(fields: { readonly received: string; readonly expected: string }) {
    super({ ...fields, message: `the server sent ${fields.received}, expected was ${fields.expected}` })
  }
}
