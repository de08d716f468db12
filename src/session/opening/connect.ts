/**
 * Opens a session from settings: TCP, TLS, startup and the role of the server, at one address after the other until one
 * will do, all within `connectTotalTimeout`. If that fails, is interrupted or takes too long, everything that was opened
 * is closed.
 */
import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { timeoutOption, timeoutOrElse } from "../../call/realTime.ts"
import type { ResolvedConfig } from "../../PgConfig.ts"
import * as PgError from "../../PgError.ts"
import { MAX_MESSAGE_BYTES } from "../../wire/limits.ts"
import { encodeTerminate } from "../../wire/coldMessages.ts"
import { sendCancel } from "./cancelRequest.ts"
import { inOrderOfEncryption } from "./encryptionOrder.ts"
import { firstHost, late, Misfit, type Search } from "./hostLoop.ts"
import { KnownHosts } from "./knownHosts.ts"
import type { Candidate } from "./place.ts"
import { checkRole, misfitOf, type Role } from "./role.ts"
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
import { open, type Restore, type Transport, type TransportOptions } from "../engine/transport.ts"

/** A check that a session must pass before it is used. Its time counts as connecting. */
export type Check = (
  session: Session,
  codecs: ResolvedConfig["types"],
  databases: KnownDatabases
) => Effect.Effect<void, PgError.PgError>

/** What the sessions of a pool share. */
interface Shared {
  readonly databases: KnownDatabases
  readonly hosts: KnownHosts
}

/**
 * Opens a session that lives as long as the scope. At the end of the scope, running queries are canceled and the server
 * gets a Terminate message. Sessions that may be connected to the same database should share `databases` and `hosts`.
 */
export const connect = (
  config: ResolvedConfig,
  databases = KnownDatabases.of(config),
  check: Check = () => Effect.void,
  hosts = new KnownHosts()
): Effect.Effect<Session, PgError.PgError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(traced(config, connectWithin(config, { databases, hosts }, check, restore)), (session) =>
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
  shared: Shared,
  check: Check,
  restore: Restore
): Effect.Effect<Session, PgError.PgError> =>
  Effect.suspend(() => {
    const progress: Progress = {
      attempts: [],
      place: { host: "", port: undefined, address: undefined, stage: "resolve" },
      waitingFor: "the first host",
      transport: undefined,
      passwordAsked: false
    }
    const closed = Effect.sync(() => progress.transport?.destroy())
    const everyHost = firstHost(config, shared.hosts, progress, (candidate, role) =>
      oneHost(config, shared, { ...candidate, role }, progress).pipe(
        Effect.tap((found) => (found instanceof Misfit ? Effect.void : check(found, config.types, shared.databases))),
        Effect.onError(() => closed)
      )
    )
    const millis = config.connectTotalTimeoutMillis
    const bounded =
      millis === 0 ? everyHost : timeoutOrElse(everyHost, millis, () => Effect.fail(allTooLate(progress, millis)))
    return Effect.onExit(restore(bounded), (exit) => (Exit.isSuccess(exit) ? Effect.void : closed))
  })

/** What is open, and what a failure or a timeout has to report. */
interface Progress extends Search {
  transport: Transport | undefined
  passwordAsked: boolean
}

/** What is tried: an address, and what its server has to be. */
interface Target extends Candidate {
  readonly role: Role
}

const oneHost = (
  config: ResolvedConfig,
  shared: Shared,
  target: Target,
  progress: Progress
): Effect.Effect<Session | Misfit, PgError.PgError> =>
  inOrderOfEncryption(
    target.address._tag === "Unix" ? "disable" : config.sslMode,
    (sslMode) => oneTransport(config, shared, target, { ...config, sslMode }, progress),
    () => ({ encrypted: progress.transport?.encrypted === true, passwordAsked: progress.passwordAsked })
  )

const oneTransport = Effect.fnUntraced(function* (
  config: ResolvedConfig,
  { databases, hosts }: Shared,
  { address, host, role }: Target,
  options: TransportOptions,
  progress: Progress
): Effect.fn.Return<Session | Misfit, PgError.PgError> {
  progress.transport = undefined
  progress.passwordAsked = false
  reach(progress, "tcp", "the network")
  const reachedTls = (): void => reach(progress, "tls", "the server's part of the TLS negotiation")
  const transport = yield* Effect.uninterruptibleMask((restore) =>
    Effect.map(open(address, options, restore, reachedTls), (opened) => (progress.transport = opened))
  )
  reach(progress, "startup", "the server's answer to the startup message")
  const inbox = new Inbox(transport)
  const noted = <A>(secret: Effect.Effect<A, PgError.PgError>): Effect.Effect<A, PgError.PgError> =>
    Effect.suspend(() => {
      progress.passwordAsked = true
      return secret
    })
  const { key, parameters: reported } = yield* startup(transport, inbox, {
    ...config,
    parameters: config.startupParameters,
    password: noted(host.password ?? config.password),
    oauthToken: noted(config.oauthToken)
  })
  const parameters = new Map(reported)
  if (!(yield* checkRole(role, transport, inbox, parameters))) {
    yield* leave(transport)
    return new Misfit(misfitOf(role, config.targetSessionAttrs, parameters))
  }
  inbox.decoder.maxMessageBytes = MAX_MESSAGE_BYTES
  const context = yield* Effect.context<never>()
  const catalogue = TypeCatalogue.open(config.types, databases)
  const cancel = sendCancel(transport, options, key)
  const session = new Session(transport, inbox.decoder, {
    catalogue,
    statementCache: config.statementCache,
    pooler: databases.pooler,
    // Node draws the bytes of many UUIDs at once, so this costs a hundredth of what `randomBytes` does.
    namespace: randomUUID().slice(0, 8),
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
  hosts.arrived(session, address, role)
  return session
})

const reach = (progress: Progress, stage: PgError.ConnectStage, waitingFor: string): void => {
  progress.place = { ...progress.place, stage }
  progress.waitingFor = waitingFor
}

/** The whole time is over. */
const allTooLate = (progress: Progress, millis: number): PgError.ConnectError =>
  new PgError.ConnectError({ stage: progress.place.stage, attempts: [...progress.attempts, late(progress, millis)] })

/** How long a server that is not wanted may take to close the connection after our Terminate message. */
const LEAVE_MILLIS = 1000

/** Says goodbye to a server, and waits until it has closed the connection. */
const leave = (transport: Transport): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    transport.events = { data: () => {}, drain: () => {}, closed: () => resume(Effect.void) }
    transport.end(encodeTerminate())
  }).pipe((left) => timeoutOption(left, LEAVE_MILLIS), Effect.andThen(Effect.sync(() => transport.destroy())))

const close = (session: Session): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    session.onEnd(() => resume(Effect.void))
    session.close()
  })
