/**
 * The settings of connections and pools: their names, their defaults, and how they are combined from options, a
 * connection URL, a service file, a password file and the environment, as in libpq.
 *
 * @since 0.1.0
 */
import * as os from "node:os"
import * as Effect from "effect/Effect"
import { TypeCodecs } from "./codec/typeCodec.ts"
import { concealed } from "./config/concealed.ts"
import { defaultPassfile } from "./config/source/files.ts"
import {
  type Given,
  invalid,
  readBoolean,
  readCount,
  readInteger,
  readMillis,
  readMillisOrNoLimit,
  readOr,
  readText
} from "./config/given.ts"
import { resolveHosts } from "./config/hosts.ts"
import { resolveKeepAlive } from "./config/keepAlive.ts"
import type { PoolSettings } from "./config/model/poolSettings.ts"
import type { ResolvedConfig, ResolvedPoolConfig } from "./config/model/resolvedConfig.ts"
import type { Settings } from "./config/model/settings.ts"
import { passwordFromFile } from "./config/source/passfile.ts"
import { readPassword, readToken } from "./config/password.ts"
import { resolveProtocolVersions } from "./config/protocolVersions.ts"
import { resolveAuthentication } from "./config/requireAuth.ts"
import { type Source, environmentOf, sourcesOf } from "./config/source/sources.ts"
import { resolveStatements } from "./config/statements.ts"
import { startupParameters } from "./config/startupParameters.ts"
import { resolveTls } from "./config/tls.ts"
import { readTypes } from "./config/types.ts"
import { resolveObserving } from "./config/observing.ts"
import type * as PgError from "./PgError.ts"

export type { HostAddress, LoadBalanceHosts, TargetSessionAttrs } from "./config/hosts.ts"
export type { PoolSettings } from "./config/model/poolSettings.ts"
export type { ResolvedConfig, ResolvedPoolConfig } from "./config/model/resolvedConfig.ts"
export type { Settings } from "./config/model/settings.ts"
export type { ProtocolVersion } from "./config/protocolVersions.ts"
export type { AuthMethod, ChannelBinding, RequireAuth } from "./config/requireAuth.ts"
export type { SslCertMode, SslMode, SslNegotiation, TlsVersion } from "./config/tls.ts"
export { type CommentedCall, type Observing, type QueryEvent, traceComment } from "./config/observing.ts"
export type { Names, StatementMode } from "./config/statements.ts"

/**
 * Resolves the settings of a connection. Reads the service file and the certificates now, and the password file again
 * for each connection. Fails with an `InvalidConfigError` that names the setting and how to fix it, but never repeats
 * its value.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgConfig } from "effectpg"
 *
 * export const hosts = PgConfig.resolve({ url: "postgres://a,b:5433/app" }).pipe(Effect.map((config) => config.hosts))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const resolve = (
  settings: Settings,
  environment: Readonly<Record<string, string | undefined>> = process.env
): Effect.Effect<ResolvedConfig, PgError.InvalidConfigError> =>
  environmentOf(environment).pipe(
    Effect.flatMap((known) => Effect.flatMap(sourcesOf(settings, known), (source) => resolveFrom(source, known))),
    Effect.map(concealed)
  )

/**
 * Resolves the settings of a pool. Reads the service file and the certificates now, and the password file again for
 * each connection. Fails with an `InvalidConfigError`, as `resolve` does.
 *
 * @category constructors
 * @since 0.1.0
 */
export const resolvePool = Effect.fnUntraced(function* (
  settings: PoolSettings,
  environment: Readonly<Record<string, string | undefined>> = process.env
): Effect.fn.Return<ResolvedPoolConfig, PgError.InvalidConfigError> {
  const known = yield* environmentOf(environment)
  const source = yield* sourcesOf(settings, known)
  const config = yield* resolveFrom(source, known)
  const maxConnections = yield* readOr(source("maxConnections"), readInteger(1, Infinity), 10)
  return concealed({
    ...config,
    maxConnections,
    minConnections: yield* readOr(source("minConnections"), readInteger(0, maxConnections), 1),
    acquireTimeoutMillis: yield* readOr(source("acquireTimeout"), readMillisOrNoLimit, 30_000),
    maxWaiters: yield* readOr(source("maxWaiters"), readCountOrInfinity, Infinity),
    idleTimeoutMillis: yield* readOr(source("idleTimeout"), readMillisOrNoLimit, 300_000),
    maxLifetimeMillis: yield* readOr(source("maxLifetime"), readMillisOrNoLimit, 0),
    maxUses: yield* readOr(source("maxUses"), readCount, 0),
    multiplex: yield* readOr(source("multiplex"), readBoolean, true),
    closeTimeoutMillis: yield* readOr(source("closeTimeout"), readMillis({ infinity: "refused" }), 5000)
  })
})

const readCountOrInfinity = (given: Given): Effect.Effect<number, PgError.InvalidConfigError> =>
  given.value === Infinity ? Effect.succeed(Infinity) : readCount(given)

const resolveFrom = Effect.fnUntraced(function* (
  source: Source,
  environment: Readonly<Record<string, string | undefined>>
): Effect.fn.Return<ResolvedConfig, PgError.InvalidConfigError> {
  const user = yield* readOr(source("user"), readText, undefined).pipe(
    Effect.flatMap((user) => (user === undefined ? systemUser : Effect.succeed(user)))
  )
  const database = yield* readOr(source("database"), readText, user)
  const passfile = yield* readOr(source("passfile"), readText, defaultPassfile(environment))
  const password = yield* readOr(source("password"), readPassword, undefined)
  const { hosts, ...choice } = yield* resolveHosts(source)
  return {
    hosts:
      password === undefined
        ? hosts.map((host) => ({ ...host, password: passwordFromFile(passfile, { host, database, user }) }))
        : hosts,
    ...choice,
    user,
    database,
    password: password ?? Effect.succeed(undefined),
    ...(yield* resolveTls(source, environment, hosts)),
    ...(yield* resolveAuthentication(source)),
    oauthToken: yield* readOr(source("oauthToken"), readToken, Effect.succeed(undefined)),
    ...(yield* resolveProtocolVersions(source)),
    maxScramIterations: yield* readOr(source("maxScramIterations"), readInteger(1, Infinity), 100_000),
    observing: yield* resolveObserving(source),
    connectTimeoutMillis: yield* readOr(source("connectTimeout"), readMillisOrNoLimit, 10_000),
    connectTotalTimeoutMillis: yield* readOr(source("connectTotalTimeout"), readMillisOrNoLimit, 60_000),
    cancelTimeoutMillis: yield* readOr(source("cancelTimeout"), readMillis({ infinity: "refused" }), 5000),
    ...(yield* resolveKeepAlive(source)),
    startupParameters: yield* startupParameters(source, user, database),
    types: yield* readOr(source("types"), readTypes, TypeCodecs.none),
    ...(yield* resolveStatements(source))
  }
})

/** Fails if the process runs under a user ID that has no name. */
const systemUser = Effect.try({
  try: () => os.userInfo().username,
  catch: () =>
    invalid("user", "is not set, and the operating system does not name the current user; set user or PGUSER")
})
