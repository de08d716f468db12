/**
 * Settings: what they are called, what they default to, and how they come together from the options, a connection URL,
 * a service file, a password file and the environment, as in libpq.
 *
 * @since 0.1.0
 */
import * as os from "node:os"
import { inspect } from "node:util"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { type TypeCodec, TypeCodecs } from "./codec/typeCodec.ts"
import { defaultPassfile } from "./config/files.ts"
import {
  type Given,
  invalid,
  readBoolean,
  readChoice,
  readInteger,
  readMillis,
  readOr,
  readText
} from "./config/given.ts"
import { type HostAddress, resolveHosts } from "./config/hosts.ts"
import { passwordFromFile } from "./config/passfile.ts"
import { readPassword } from "./config/password.ts"
import { readRequireAuth, type RequireAuth } from "./config/requireAuth.ts"
import { type Source, sourcesOf } from "./config/sources.ts"
import { startupParameters } from "./config/startupParameters.ts"
import { resolveTls, type SslMode } from "./config/tls.ts"
import { readTypes } from "./config/types.ts"
import { type QueryEvent, resolveWatch, type Watch } from "./config/watch.ts"
import type * as PgError from "./PgError.ts"

export type { HostAddress } from "./config/hosts.ts"
export type { RequireAuth } from "./config/requireAuth.ts"
export type { SslMode } from "./config/tls.ts"
export type { QueryEvent, Watch } from "./config/watch.ts"

/**
 * The settings of a connection. Each may be left out: then the URL is asked, its query, the service file, the
 * environment variable that is named here, and last the default.
 *
 * A URL is `postgres://user:password@host:port/database?key=value`, or `postgresql://`. It may name several hosts
 * (`a:5432,b:5433`), none, an IPv6 address in brackets, or the percent-encoded directory of a unix socket. Its user and
 * password are percent-encoded. Its query takes libpq's keys, the same as a service file: `host`, `port`, `user`,
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
  /** A connection URL. What it says goes before the environment, and any other option goes before it. */
  readonly url?: string | Redacted.Redacted | undefined
  /**
   * One host, a list with commas, or an array: each is a name, an IP address, or the directory of a unix socket, which
   * begins with `/`. They are tried in this order. `PGHOST`. By default the socket of this machine's server in
   * `/run/postgresql`, `/var/run/postgresql` or `/tmp`, if there is one, then `localhost`.
   */
  readonly host?: string | ReadonlyArray<string> | undefined
  /** One port for all hosts, or one for each. `PGPORT`, 5432. */
  readonly port?: number | ReadonlyArray<number> | undefined
  /** `PGUSER`, by default the user of the operating system. */
  readonly user?: string | undefined
  /**
   * The password, or an Effect that yields one for each connection, for passwords that expire. If the Effect fails, the
   * connection fails with an `AuthenticationError` that tells the tag of the failure and no more. `PGPASSWORD`, then
   * what the password file has for the host.
   */
  readonly password?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, unknown> | undefined
  /** `PGDATABASE`, by default the name of the user. */
  readonly database?: string | undefined
  /**
   * The path of a password file. A file that group or others may read is ignored, with a warning. `PGPASSFILE`,
   * `~/.pgpass` (Windows: `%APPDATA%\postgresql\pgpass.conf`).
   */
  readonly passfile?: string | undefined
  /** The name of a section in the service file: `PGSERVICEFILE`, `~/.pg_service.conf`. `PGSERVICE`. */
  readonly service?: string | undefined
  /** `PGSSLMODE`, `prefer`; `verify-full` where `sslRootCert` is `system`. */
  readonly sslMode?: SslMode | undefined
  /**
   * The authorities to trust: PEM text, the path of a PEM file, or `system` for those that Node trusts. `PGSSLROOTCERT`,
   * `~/.postgresql/root.crt` if there is one; else `verify-full` trusts what Node trusts, and `verify-ca` is an error.
   */
  readonly sslRootCert?: string | undefined
  /** The client's certificate, PEM text or a path. `PGSSLCERT`, `~/.postgresql/postgresql.crt` if there is one. */
  readonly sslCert?: string | undefined
  /** The key to it, PEM text or a path. `PGSSLKEY`, `~/.postgresql/postgresql.key` if there is one. */
  readonly sslKey?: string | Redacted.Redacted | undefined
  /**
   * The methods of authentication that the server may ask for; an empty list refuses all. `PGREQUIREAUTH` (with commas).
   * By default all, but a password in clear goes over an unencrypted network only if `password` is in the list.
   */
  readonly requireAuth?: ReadonlyArray<RequireAuth> | undefined
  /** What the server shows in `pg_stat_activity` and in its log. `PGAPPNAME`. */
  readonly applicationName?: string | undefined
  /**
   * Run-time parameters of the session, such as `search_path`: what `RESET` goes back to. They go before those of the
   * environment (`PGOPTIONS`, `PGDATESTYLE`, `PGTZ`) and before `applicationName`.
   */
  readonly settings?: Readonly<Record<string, string>> | undefined
  /**
   * How values of types of your choice are read and written: codecs made by `PgTypes.codec` and its kin, and those that
   * `PgTypes` has ready, such as `PgTypes.hstore`. Of several for one type the last one counts. None.
   */
  readonly types?: ReadonlyArray<TypeCodec> | undefined
  /**
   * The time for everything from the first host's name to a session that is ready. `PGCONNECT_TIMEOUT` (seconds),
   * 10 seconds; 0 or `Infinity` is no limit.
   */
  readonly connectTimeout?: Duration.Input | undefined
  /** How long an interrupted query may take to end before its connection is closed. 5 seconds. */
  readonly cancelTimeout?: Duration.Input | undefined
  /** After how long a silence TCP asks whether the server is still there. 30 seconds; 0 or `Infinity` is never. */
  readonly keepAlive?: Duration.Input | undefined
  /**
   * How statements are kept. `cached`: prepared on the server under a name. `unnamed`: only what they take and return is
   * kept, by the client, and each run prepares the unnamed statement anew in its own round trip; so it is safe where a
   * pooler such as PgBouncer gives each transaction another server connection. `cached`.
   */
  readonly statementMode?: StatementMode | undefined
  /** How many statements a connection keeps. 100; 0 keeps none. */
  readonly statementCacheSize?: number | undefined
  /** How long it keeps one. 300 seconds; 0 or `Infinity` is no limit. */
  readonly statementCacheLifetime?: Duration.Input | undefined
  /** The longest SQL text that it keeps. 15,360; 0 is no limit. */
  readonly statementCacheMaxSqlBytes?: number | undefined
  /** The most work that a server may ask for when it checks a SCRAM password. 100,000. */
  readonly maxScramIterations?: number | undefined
  /**
   * Run after each operation, on the fiber that asked for it. What the hook asks of the database is not told to it. None
   * by default.
   */
  readonly onQuery?: ((event: QueryEvent) => Effect.Effect<void>) | undefined
  /** How long an operation takes before it is logged as a warning. By default none is. */
  readonly slowQueryThreshold?: Duration.Input | undefined
  /**
   * Whether operations are measured as `db.client.operation.duration`, a histogram of seconds, and a pool as
   * `db.client.connection.count`, `.pending_requests` and `.timeouts`. `false`.
   */
  readonly metrics?: boolean | undefined
}

/**
 * The settings of a pool, and of the connections in it.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolSettings extends Settings {
  /** How many connections are kept open at least; so many are opened before the pool is there. 1. */
  readonly minConnections?: number | undefined
  /** How many may be open at most. 10. */
  readonly maxConnections?: number | undefined
  /** How long a query waits for a connection. 30 seconds; 0 or `Infinity` is no limit. */
  readonly acquireTimeout?: Duration.Input | undefined
  /** How many may wait for a connection at once; more fail with `TooManyWaitersError`. `Infinity`. */
  readonly maxWaiters?: number | undefined
  /** After how long without use a connection is closed, down to `minConnections`. 5 minutes; 0 or `Infinity` is never. */
  readonly idleTimeout?: Duration.Input | undefined
  /**
   * How long a connection is used before another takes its place; up to a tenth less, so that they do not all end at
   * once. 0, the default, or `Infinity` is no limit.
   */
  readonly maxLifetime?: Duration.Input | undefined
  /** How often a connection is used before another takes its place. 0, the default, is no limit. */
  readonly maxUses?: number | undefined
  /**
   * Whether short statements of many fibers may share a connection: they are sent one behind the other, and their
   * answers come back in that order. A statement is shared once it has shown that it is short; transactions, borrowed
   * connections and whatever may change the session keep a connection to themselves. `false`.
   */
  readonly multiplex?: boolean | undefined
  /**
   * How long the end of the scope waits for connections that are in use, before it cancels what they do. 5 seconds. One
   * second after that every connection is closed, whatever the server does: a pool ends within `closeTimeout` and that.
   */
  readonly closeTimeout?: Duration.Input | undefined
}

/**
 * Whether statements are prepared on the server under a name, or anew for each run.
 *
 * @since 0.1.0
 * @category models
 */
export type StatementMode = "cached" | "unnamed"

/**
 * Settings with every source asked and every default in place.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResolvedConfig {
  /** In the order in which they are tried; never empty. */
  readonly hosts: ReadonlyArray<HostAddress>
  readonly user: string
  readonly database: string
  /** Run for each connection; undefined where no password is known. A host may have its own. */
  readonly password: Effect.Effect<Redacted.Redacted | undefined, PgError.PgError>
  readonly sslMode: SslMode
  /** PEM text; undefined trusts what Node trusts. */
  readonly sslRootCert: string | undefined
  /** PEM text. */
  readonly sslCert: string | undefined
  /** PEM text. It is left out where a resolved configuration is inspected or turned into JSON. */
  readonly sslKey: string | undefined
  /** Undefined allows every method; see `Settings`. */
  readonly requireAuth: ReadonlyArray<RequireAuth> | undefined
  readonly maxScramIterations: number
  readonly watch: Watch
  /** 0 is no limit. */
  readonly connectTimeoutMillis: number
  readonly cancelTimeoutMillis: number
  /** Undefined is never. */
  readonly keepAliveMillis: number | undefined
  /** What the startup message holds: user, database, and run-time parameters. */
  readonly startupParameters: ReadonlyMap<string, string>
  readonly types: TypeCodecs
  readonly statementCache: {
    readonly mode: StatementMode
    readonly size: number
    /** 0 is no limit. */
    readonly lifetimeMillis: number
    /** 0 is no limit. */
    readonly maxSqlBytes: number
  }
}

/**
 * Settings of a pool, with every source asked and every default in place.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResolvedPoolConfig extends ResolvedConfig {
  readonly minConnections: number
  readonly maxConnections: number
  /** 0 is no limit. */
  readonly acquireTimeoutMillis: number
  /** Infinity is no limit. */
  readonly maxWaiters: number
  /** 0 is never. */
  readonly idleTimeoutMillis: number
  /** 0 is no limit. */
  readonly maxLifetimeMillis: number
  /** 0 is no limit. */
  readonly maxUses: number
  readonly multiplex: boolean
  readonly closeTimeoutMillis: number
}

/**
 * Resolves the settings of a connection. Reads the service file and the certificates now, the password file for each
 * connection. Fails with an `InvalidConfigError` that names the setting and what to do; it never repeats a value.
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
  sourcesOf(settings, environment).pipe(
    Effect.flatMap((source) => resolveFrom(source, environment)),
    Effect.map(concealed)
  )

/**
 * Resolves the settings of a pool, as `resolve` does those of a connection.
 *
 * @since 0.1.0
 * @category constructors
 */
export const resolvePool = Effect.fnUntraced(function* (
  settings: PoolSettings,
  environment: Readonly<Record<string, string | undefined>> = process.env
): Effect.fn.Return<ResolvedPoolConfig, PgError.InvalidConfigError> {
  const source = yield* sourcesOf(settings, environment)
  const config = yield* resolveFrom(source, environment)
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

const DEFAULT_STATEMENT_MODE: StatementMode = "cached"
const STATEMENT_MODES: ReadonlyArray<StatementMode> = ["cached", "unnamed"]

const readMillisOrNoLimit = readMillis({ infinity: "zero" })
const readCount = readInteger(0, Infinity)
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
    watch: yield* resolveWatch(source),
    connectTimeoutMillis: yield* readOr(source("connectTimeout"), readMillisOrNoLimit, 10_000),
    cancelTimeoutMillis: yield* readOr(source("cancelTimeout"), readMillis({ infinity: "refused" }), 5000),
    keepAliveMillis: keepAliveMillis === 0 ? undefined : keepAliveMillis,
    startupParameters: yield* startupParameters(source, user, database),
    types: yield* readOr(source("types"), readTypes, TypeCodecs.none),
    statementCache: {
      mode: yield* readOr(source("statementMode"), readChoice(STATEMENT_MODES), DEFAULT_STATEMENT_MODE),
      size: yield* readOr(source("statementCacheSize"), readCount, 100),
      lifetimeMillis: yield* readOr(source("statementCacheLifetime"), readMillisOrNoLimit, 300_000),
      maxSqlBytes: yield* readOr(source("statementCacheMaxSqlBytes"), readCount, 15_360)
    }
  }
})

/** A process may run under a number that has no name. */
const systemUser = Effect.try({
  try: () => os.userInfo().username,
  catch: () => invalid("user", "is not given, and the operating system has no name for this user; set user or PGUSER")
})

/** The key is the one secret that is not `Redacted`: TLS takes it as it is. */
const concealed = <Config extends ResolvedConfig>(config: Config): Config => {
  const shown = () => {
    const { sslKey: _, ...rest } = config
    return rest
  }
  return Object.defineProperties(config, {
    toJSON: { value: shown },
    toString: { value: () => inspect(shown()) },
    [inspect.custom]: { value: shown }
  })
}
