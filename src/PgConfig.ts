/**
 * The settings of connections and pools: their names, their defaults, and how they are combined from options, a
 * connection URL, a service file, a password file and the environment, as in libpq.
 *
 * @since 0.1.0
 */
import * as os from "node:os"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { type TypeCodec, TypeCodecs } from "./codec/typeCodec.ts"
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
import { type HostAddress, resolveHosts } from "./config/hosts.ts"
import { passwordFromFile } from "./config/source/passfile.ts"
import { readPassword } from "./config/password.ts"
import { readRequireAuth, type RequireAuth } from "./config/requireAuth.ts"
import { type Source, environmentOf, sourcesOf } from "./config/source/sources.ts"
import { type Names, resolveStatements, type StatementCacheSettings, type StatementMode } from "./config/statements.ts"
import { startupParameters } from "./config/startupParameters.ts"
import { resolveTls, type SslMode } from "./config/tls.ts"
import { readTypes } from "./config/types.ts"
import { type CommentedCall, type Observing, type QueryEvent, resolveObserving } from "./config/observing.ts"
import type * as PgError from "./PgError.ts"

export type { HostAddress } from "./config/hosts.ts"
export type { RequireAuth } from "./config/requireAuth.ts"
export type { SslMode } from "./config/tls.ts"
export { type CommentedCall, type Observing, type QueryEvent, traceComment } from "./config/observing.ts"
export type { Names, StatementMode } from "./config/statements.ts"

/**
 * The settings of a connection. All are optional: a setting that you leave out is taken from the URL, the URL's query,
 * the service file, or the environment variable that is named here, in this order; otherwise it has its default.
 *
 * A URL is `postgres://user:password@host:port/database?key=value`, or `postgresql://`. It may name several hosts
 * (`a:5432,b:5433`), no host, an IPv6 address in brackets, or the percent-encoded directory of a Unix socket. Its user
 * and password are percent-encoded. Its query accepts libpq's keys, as a service file does: `host`, `port`, `user`,
 * `password`, `dbname`, `passfile`, `service`, `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `require_auth`,
 * `application_name`, `connect_timeout` (seconds), `options`.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import type { PgConfig } from "effectpg"
 *
 * export const settings: PgConfig.Settings = {
 *   url: Redacted.make("postgres://app:secret@db.example.com/app?sslmode=verify-full"),
 *   applicationName: "billing",
 *   settings: { search_path: "billing", statement_timeout: "30s" },
 *   connectTimeout: "5 seconds"
 * }
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Settings {
  /** A connection URL. It takes precedence over the environment, and the other options take precedence over it. */
  readonly url?: string | Redacted.Redacted | undefined
  /**
   * The hosts, which are tried in order: one host, a list with commas, or an array. Each is a name, an IP address, or
   * the directory of a Unix socket, which begins with `/`. Environment: `PGHOST`.
   * @default a local server's socket in `/run/postgresql`, `/var/run/postgresql` or `/tmp` if any, then `localhost`
   */
  readonly host?: string | ReadonlyArray<string> | undefined
  /**
   * One port for all hosts, or one for each host. Environment: `PGPORT`.
   * @default 5432
   */
  readonly port?: number | ReadonlyArray<number> | undefined
  /**
   * The user. Environment: `PGUSER`.
   * @default the user of the operating system
   */
  readonly user?: string | undefined
  /**
   * The password, or an Effect that yields one for each connection, for passwords that expire. If the Effect fails, the
   * connection fails with an `AuthenticationError` that contains only the tag of the failure. Environment:
   * `PGPASSWORD`.
   * @default the password that the password file has for the host
   */
  readonly password?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, unknown> | undefined
  /**
   * The database. Environment: `PGDATABASE`.
   * @default the name of the user
   */
  readonly database?: string | undefined
  /**
   * The path of a password file. A file that group or others can access is ignored, with a warning. Environment:
   * `PGPASSFILE`.
   * @default `~/.pgpass`, on Windows `%APPDATA%\postgresql\pgpass.conf`
   */
  readonly passfile?: string | undefined
  /**
   * The name of a section in the service file, which is `PGSERVICEFILE` or `~/.pg_service.conf`. Environment:
   * `PGSERVICE`.
   */
  readonly service?: string | undefined
  /**
   * How the connection is encrypted and the server verified; see `SslMode`. Environment: `PGSSLMODE`.
   * @default "prefer", or "verify-full" if `sslRootCert` is "system"
   */
  readonly sslMode?: SslMode | undefined
  /**
   * The authorities to trust: PEM text, the path of a PEM file, or `system` for those that Node trusts. Environment:
   * `PGSSLROOTCERT`.
   * @default `~/.postgresql/root.crt` if it exists; otherwise `verify-full` trusts what Node trusts, and `verify-ca`
   * fails
   */
  readonly sslRootCert?: string | undefined
  /**
   * The client's certificate, as PEM text or a path. Environment: `PGSSLCERT`.
   * @default `~/.postgresql/postgresql.crt` if it exists
   */
  readonly sslCert?: string | undefined
  /**
   * The private key of the client's certificate, as PEM text or a path. Environment: `PGSSLKEY`.
   * @default `~/.postgresql/postgresql.key` if it exists
   */
  readonly sslKey?: string | Redacted.Redacted | undefined
  /**
   * The authentication methods that the server may use; an empty list refuses all. Environment: `PGREQUIREAUTH`, with
   * commas.
   * @default all, but the password is sent in clear over an unencrypted network only if the list contains `password`
   */
  readonly requireAuth?: ReadonlyArray<RequireAuth> | undefined
  /** The name that the server shows in `pg_stat_activity` and in its log. Environment: `PGAPPNAME`. */
  readonly applicationName?: string | undefined
  /**
   * Run-time parameters of the session, such as `search_path`. `RESET` returns to these values. They take precedence
   * over the environment (`PGOPTIONS`, `PGDATESTYLE`, `PGTZ`) and over `applicationName`.
   * @default {}
   */
  readonly settings?: Readonly<Record<string, string>> | undefined
  /**
   * Codecs that change how types are read and written: your own, made with `PgTypes.codec` and `PgTypes.composite`, and
   * ready-made ones such as `PgTypes.hstore`. If several are for the same type, the last one wins.
   * @default []
   */
  readonly types?: ReadonlyArray<TypeCodec> | undefined
  /**
   * How the columns of rows are named. With `camelCase` the column `user_id` is the property `userId`, in all rows that
   * are objects, and a property `userId` given to `copyInRows` or to the helpers of `PgSql` is written to `user_id`. A
   * name with a capital letter, an underscore before a digit, and underscores at the beginning stay as they are. So do
   * the keys of composite types and of JSON. If two columns would be one property, the rows fail with `DecodeError`.
   * @default "unchanged"
   */
  readonly names?: Names | undefined
  /**
   * The time limit from looking up the first host until the session is ready; 0 or `Infinity` means no limit.
   * Environment: `PGCONNECT_TIMEOUT`, in seconds.
   * @default "10 seconds"
   */
  readonly connectTimeout?: Duration.Input | undefined
  /**
   * How long the server may take to end an interrupted query before the connection is closed.
   * @default "5 seconds"
   */
  readonly cancelTimeout?: Duration.Input | undefined
  /**
   * After this much silence, TCP checks whether the server is still there; 0 or `Infinity` disables the check.
   * @default "30 seconds"
   */
  readonly keepAlive?: Duration.Input | undefined
  /**
   * How statements are prepared. `cached`: on the server, under a name. `unnamed`: each run prepares the unnamed
   * statement again in the same round trip, and only the client remembers its types. `unnamed` is safe with a pooler
   * such as PgBouncer, which may give each transaction another server connection.
   * @default "cached"
   */
  readonly statementMode?: StatementMode | undefined
  /**
   * How many statements a connection caches; 0 disables the cache.
   * @default 100
   */
  readonly statementCacheSize?: number | undefined
  /**
   * How long a statement stays in the cache; 0 or `Infinity` means no limit.
   * @default "300 seconds"
   */
  readonly statementCacheLifetime?: Duration.Input | undefined
  /**
   * The longest SQL text that is cached, in bytes; 0 means no limit.
   * @default 15_360
   */
  readonly statementCacheMaxSqlBytes?: number | undefined
  /**
   * The maximum number of iterations that a server may demand for SCRAM authentication.
   * @default 100_000
   */
  readonly maxScramIterations?: number | undefined
  /**
   * A hook that runs after each operation, on the fiber that called it. Queries of the hook itself are not reported to
   * it.
   */
  readonly onQuery?: ((event: QueryEvent) => Effect.Effect<void>) | undefined
  /** An operation that takes longer than this is logged as a warning. Without it nothing is logged. */
  readonly slowQueryThreshold?: Duration.Input | undefined
  /**
   * Whether to record metrics of operations, connections, retries and prepared statements, under OpenTelemetry's names.
   * @default false
   */
  readonly metrics?: boolean | undefined
  /**
   * A hook that makes a comment for each statement of `fetch` and its variants, `execute` and `executeScript`, in the
   * format of sqlcommenter. A comment that is new makes the server plan the statement again; see `traceComment`.
   */
  readonly comment?: ((call: CommentedCall) => Effect.Effect<Readonly<Record<string, string>>>) | undefined
}

/**
 * The settings of a pool, and of the connections in it.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolSettings extends Settings {
  /**
   * The minimum number of open connections. The pool opens this many before it becomes available.
   * @default 1
   */
  readonly minConnections?: number | undefined
  /**
   * The maximum number of open connections.
   * @default 10
   */
  readonly maxConnections?: number | undefined
  /**
   * How long a call waits for a connection; 0 or `Infinity` means no limit.
   * @default "30 seconds"
   */
  readonly acquireTimeout?: Duration.Input | undefined
  /**
   * How many calls may wait for a connection at once; further calls fail with `TooManyWaitersError`.
   * @default Infinity
   */
  readonly maxWaiters?: number | undefined
  /**
   * An unused connection is closed after this time, down to `minConnections`; 0 or `Infinity` means never.
   * @default "5 minutes"
   */
  readonly idleTimeout?: Duration.Input | undefined
  /**
   * How long a connection is used before the pool replaces it; 0 or `Infinity` means no limit. The actual time is up to
   * a tenth shorter, so that connections do not all end at once.
   * @default 0
   */
  readonly maxLifetime?: Duration.Input | undefined
  /**
   * How often a connection is used before the pool replaces it; 0 means no limit.
   * @default 0
   */
  readonly maxUses?: number | undefined
  /**
   * Whether fibers may share a connection for short statements, which are pipelined on it. A statement is shared once
   * it has proved to be short. Transactions, borrowed connections and statements that may change the session always
   * have a connection of their own.
   * @default false
   */
  readonly multiplex?: boolean | undefined
  /**
   * When the scope ends, how long the pool waits for connections in use. It then cancels their queries and logs a
   * warning. One second later it closes every connection, whatever the server does.
   * @default "5 seconds"
   */
  readonly closeTimeout?: Duration.Input | undefined
}

/**
 * The settings of a connection after all sources and defaults have been applied. In `connectTimeoutMillis`,
 * `lifetimeMillis` and `maxSqlBytes`, 0 means no limit.
 *
 * @category models
 * @since 0.1.0
 */
export interface ResolvedConfig {
  /** In the order in which they are tried; never empty. */
  readonly hosts: ReadonlyArray<HostAddress>
  readonly user: string
  readonly database: string
  /** Run for each connection; undefined if no password is known. A host may have its own password. */
  readonly password: Effect.Effect<Redacted.Redacted | undefined, PgError.PgError>
  readonly sslMode: SslMode
  /** PEM text; undefined to trust what Node trusts. */
  readonly sslRootCert: string | undefined
  /** PEM text. */
  readonly sslCert: string | undefined
  /** PEM text. It is omitted if a resolved configuration is printed or turned into JSON. */
  readonly sslKey: string | undefined
  /** Undefined allows every method; see `Settings`. */
  readonly requireAuth: ReadonlyArray<RequireAuth> | undefined
  readonly maxScramIterations: number
  readonly observing: Observing
  readonly connectTimeoutMillis: number
  readonly cancelTimeoutMillis: number
  /** Undefined means never. */
  readonly keepAliveMillis: number | undefined
  /** The content of the startup message: user, database, and run-time parameters. */
  readonly startupParameters: ReadonlyMap<string, string>
  readonly types: TypeCodecs
  readonly names: Names
  readonly statementCache: StatementCacheSettings
}

/**
 * The settings of a pool after all sources and defaults have been applied. In `acquireTimeoutMillis`,
 * `maxLifetimeMillis` and `maxUses`, 0 means no limit.
 *
 * @category models
 * @since 0.1.0
 */
export interface ResolvedPoolConfig extends ResolvedConfig {
  readonly minConnections: number
  readonly maxConnections: number
  readonly acquireTimeoutMillis: number
  /** Infinity means no limit. */
  readonly maxWaiters: number
  /** 0 means never. */
  readonly idleTimeoutMillis: number
  readonly maxLifetimeMillis: number
  readonly maxUses: number
  readonly multiplex: boolean
  readonly closeTimeoutMillis: number
}

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
    multiplex: yield* readOr(source("multiplex"), readBoolean, false),
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
  const hosts = yield* resolveHosts(source("host"), source("port"))
  const keepAliveMillis = yield* readOr(source("keepAlive"), readMillisOrNoLimit, 30_000)
  return {
    hosts:
      password === undefined
        ? hosts.map((host) => ({ ...host, password: passwordFromFile(passfile, { host, database, user }) }))
        : hosts,
    user,
    database,
    password: password ?? Effect.succeed(undefined),
    ...(yield* resolveTls(source, environment)),
    requireAuth: yield* readOr(source("requireAuth"), readRequireAuth, undefined),
    maxScramIterations: yield* readOr(source("maxScramIterations"), readInteger(1, Infinity), 100_000),
    observing: yield* resolveObserving(source),
    connectTimeoutMillis: yield* readOr(source("connectTimeout"), readMillisOrNoLimit, 10_000),
    cancelTimeoutMillis: yield* readOr(source("cancelTimeout"), readMillis({ infinity: "refused" }), 5000),
    keepAliveMillis: keepAliveMillis === 0 ? undefined : keepAliveMillis,
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
