/**
 * Opens a session from settings: tries each host in turn, with TCP, TLS and startup, all within `connectTimeout`. If
 * that fails, is interrupted or takes too long, everything that was opened is closed.
 */
import { randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { HostAddress, ResolvedConfig } from "../../PgConfig.ts"
import * as PgError from "../../PgError.ts"
import { MAX_MESSAGE_BYTES } from "../../wire/limits.ts"
import { sendCancel } from "./cancelRequest.ts"
import { TypeCatalogue } from "../types/typeCatalogue.ts"
import { Inbox } from "./startupInbox.ts"
import { KnownDatabases } from "../types/knownDatabase.ts"
import { Session } from "../engine/session.ts"
import { statementCounter } from "../observing/metrics.ts"
import { Observer } from "../observing/observer.ts"
import { isTraced, within } from "../observing/spans.ts"
import { describeTarget, targetOf } from "../observing/target.ts"
import { StartupSettings } from "../pooler/startupSettings.ts"
import { startup } from "./startup.ts"
import { type Address, open, type Restore, type Transport, type TransportOptions } from "../engine/transport.ts"

/** A check that a session must pass before it is used. Its time counts as connecting. */
export type Check = (
  session: Session,
  codecs: ResolvedConfig["types"],
  databases: KnownDatabases
) => Effect.Effect<void, PgError.PgError>

/**
 * Opens a session that lives as long as the scope. At the end of the scope, running queries are canceled and the server
 * gets a Terminate message. Sessions that may be connected to the same database should share `databases`.
 */
export const connect = (
  config: ResolvedConfig,
  databases = KnownDatabases.of(config),
  check: Check = () => Effect.void
): Effect.Effect<Session, PgError.PgError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(traced(config, connectWithin(config, databases, check, restore)), (session) =>
      Effect.as(
        Effect.addFinalizer(() => close(session)),
        session
      )
    )
  )

/** Reports the connecting as a span. The session tells which host it is connected to. */
const traced = (
  config: ResolvedConfig,
  connected: Effect.Effect<Session, PgError.PgError>
): Effect.Effect<Session, PgError.PgError> =>
  Effect.withFiber((fiber) => {
    if (!isTraced(fiber)) return connected
    return within(`connect ${config.database}`, { kind: "client" }, (span) => {
      describeTarget(span, targetOf(config, config.hosts[0]))
      return Effect.tap(connected, ({ observer }) => Effect.sync(() => describeTarget(span, observer.target)))
    })
  })

/** Connects. If it is interrupted, it closes what it has opened. Call it in an uninterruptible region. */
const connectWithin = (
  config: ResolvedConfig,
  databases: KnownDatabases,
  check: Check,
  restore: Restore
): Effect.Effect<Session, PgError.PgError> =>
  Effect.suspend(() => {
    const progress: Progress = {
      transport: undefined,
      waitingFor: "the first host",
      passwordAsked: false,
      attempts: []
    }
    const everyHost = Effect.tap(firstHost(config, databases, progress), (session) =>
      check(session, config.types, databases)
    )
    const bounded =
      config.connectTimeoutMillis === 0
        ? everyHost
        : Effect.timeoutOrElse(everyHost, {
            duration: config.connectTimeoutMillis,
            orElse: () => Effect.fail(tooLate(config, progress))
          })
    return Effect.onExit(restore(bounded), (exit) =>
      Exit.isSuccess(exit) ? Effect.void : Effect.sync(() => progress.transport?.destroy())
    )
  })

/** What is open, and what a failure or a timeout has to report. */
interface Progress {
  transport: Transport | undefined
  waitingFor: string
  address?: Address
  passwordAsked: boolean
  /** The hosts that were tried in vain. */
  readonly attempts: Array<PgError.ConnectAttempt>
}

const firstHost = Effect.fnUntraced(function* (
  config: ResolvedConfig,
  databases: KnownDatabases,
  progress: Progress
): Effect.fn.Return<Session, PgError.PgError> {
  const { attempts } = progress
  let last: PgError.PgError | undefined
  for (const host of config.hosts) {
    const exit = yield* Effect.result(oneHost(config, databases, host, progress))
    if (exit._tag === "Success") return exit.success
    last = exit.failure
    progress.transport?.destroy()
    if (!anotherHostMayDo(last)) return yield* last
    attempts.push(...attemptsOf(host, last))
  }
  if (config.hosts.length === 1 && last !== undefined) return yield* last
  return yield* new PgError.ConnectError({ stage: attempts.at(-1)?.stage ?? "resolve", attempts })
})

/** As in libpq, a host that cannot be reached or refuses to serve is skipped, but a wrong password is final. */
const anotherHostMayDo = (error: PgError.PgError): boolean =>
  error._tag === "ConnectError" ||
  error._tag === "ConnectionLostError" ||
  error._tag === "CannotConnectNowError" ||
  error._tag === "TooManyConnectionsError"

const attemptsOf = (host: HostAddress, error: PgError.PgError): ReadonlyArray<PgError.ConnectAttempt> =>
  error._tag === "ConnectError"
    ? error.attempts
    : [{ host: nameOf(host), port: host.port, address: undefined, stage: "startup", reason: error.message }]

const nameOf = (host: HostAddress): string => (host._tag === "Tcp" ? host.host : host.path)

const oneHost = Effect.fnUntraced(function* (
  config: ResolvedConfig,
  databases: KnownDatabases,
  host: HostAddress,
  progress: Progress
): Effect.fn.Return<Session, PgError.PgError> {
  const encrypted = yield* Effect.result(oneTransport(config, databases, host, transportOptions(config), progress))
  if (encrypted._tag === "Success") return encrypted.success
  if (!mayRetryInClear(config, progress, encrypted.failure)) return yield* encrypted.failure
  return yield* oneTransport(config, databases, host, { ...transportOptions(config), sslMode: "disable" }, progress)
})

const addressOf = (host: HostAddress): Address =>
  host._tag === "Unix"
    ? { _tag: "Unix", path: host.path }
    : { _tag: "Tcp", name: host.host, host: host.address ?? host.host, port: host.port }

/**
 * Whether to try again without TLS, as libpq does for `prefer`: if TLS fails, or if pg_hba.conf has no entry for an
 * encrypted connection. It is never tried after the server has asked for a password.
 */
const mayRetryInClear = (config: ResolvedConfig, progress: Progress, error: PgError.PgError): boolean =>
  config.sslMode === "prefer" &&
  ((error._tag === "ConnectError" && error.stage === "tls") ||
    (error._tag === "InvalidAuthorizationSpecificationError" &&
      progress.transport?.encrypted === true &&
      !progress.passwordAsked))

const transportOptions = (config: ResolvedConfig): TransportOptions => ({
  sslMode: config.sslMode,
  sslRootCert: config.sslRootCert,
  sslCert: config.sslCert,
  sslKey: config.sslKey,
  keepAliveMillis: config.keepAliveMillis
})

const oneTransport = Effect.fnUntraced(function* (
  config: ResolvedConfig,
  databases: KnownDatabases,
  host: HostAddress,
  options: TransportOptions,
  progress: Progress
): Effect.fn.Return<Session, PgError.PgError> {
  const address = addressOf(host)
  progress.address = address
  progress.transport = undefined
  progress.passwordAsked = false
  progress.waitingFor = "the network"
  const transport = yield* Effect.uninterruptibleMask((restore) =>
    Effect.map(open(address, options, restore), (opened) => (progress.transport = opened))
  )
  progress.waitingFor = "the server's answer to the startup message"
  const inbox = new Inbox(transport)
  const { key, parameters } = yield* startup(transport, inbox, {
    parameters: config.startupParameters,
    user: config.user,
    password: Effect.suspend(() => {
      progress.passwordAsked = true
      return host.password ?? config.password
    }),
    requireAuth: config.requireAuth,
    allowCleartextPassword: config.allowCleartextPassword,
    maxScramIterations: config.maxScramIterations
  })
  inbox.decoder.maxMessageBytes = MAX_MESSAGE_BYTES
  const context = yield* Effect.context<never>()
  const catalogue = TypeCatalogue.open(config.types, databases)
  const cancel = sendCancel(transport, { ...options, sslMode: cancelSslMode(transport, options) }, key)
  const session = new Session(transport, inbox.decoder, {
    catalogue,
    statementCache: config.statementCache,
    pooler: databases.pooler,
    namespace: randomBytes(4).toString("hex"),
    cancelTimeoutMillis: config.cancelTimeoutMillis,
    cancel: (closed) => {
      const cancelling = Effect.runForkWith(context)(Effect.onExit(cancel, () => Effect.sync(closed)))
      cancelling.addObserver(session.onEnd(() => cancelling.interruptUnsafe()))
    },
    parameters,
    processId: key.processId,
    observer: new Observer(config.observing, targetOf(config, host)),
    counter: config.observing.metrics ? statementCounter(config.database, context) : undefined
  })
  session.residue.startup = StartupSettings.of(config.startupParameters, parameters, databases.pooler.ignored)
  databases.pooler.logWith((line) => void Effect.runForkWith(context)(Effect.logWarning(line)))
  session.onEnd(() => catalogue.close())
  session.takeOver(inbox.handOver(session), inbox.broken)
  return session
})

/** The key of a CancelRequest is never sent unencrypted if the session itself is encrypted. */
const cancelSslMode = (transport: Transport, options: TransportOptions): TransportOptions["sslMode"] => {
  if (!transport.encrypted) return "disable"
  return options.sslMode === "prefer" ? "require" : options.sslMode
}

const tooLate = (config: ResolvedConfig, progress: Progress): PgError.ConnectError => {
  const { address, attempts, transport } = progress
  const stage = transport === undefined ? "tcp" : "startup"
  return new PgError.ConnectError({
    stage,
    attempts: [
      ...attempts,
      {
        host: address === undefined ? "" : address._tag === "Unix" ? address.path : address.name,
        port: address?._tag === "Tcp" ? address.port : undefined,
        address: undefined,
        stage,
        reason: `the client got no answer within ${config.connectTimeoutMillis} ms while it waited for ${progress.waitingFor}`
      }
    ]
  })
}

const close = (session: Session): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    session.onEnd(() => resume(Effect.void))
    session.close()
  })
