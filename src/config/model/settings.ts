/** The settings of a connection, as a program gives them. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { TypeCodec } from "../../codec/typeCodec.ts"
import type { LoadBalanceHosts, TargetSessionAttrs } from "../hosts.ts"
import type { CommentedCall, QueryEvent } from "../observing.ts"
import type { ProtocolVersion } from "../protocolVersions.ts"
import type { ChannelBinding, RequireAuth } from "../requireAuth.ts"
import type { Names, StatementMode } from "../statements.ts"
import type { SslCertMode, SslMode, SslNegotiation, TlsVersion } from "../tls.ts"

/**
 * The settings of a connection. All are optional: a setting that you leave out is taken from the URL, the URL's query,
 * the service file, or the environment variable that is named here, in this order; otherwise it has its default.
 *
 * A URL is `postgres://user:password@host:port/database?key=value`, or `postgresql://`. It may name several hosts
 * (`a:5432,b:5433`), no host, an IPv6 address in brackets, or the percent-encoded directory of a Unix socket. Its user
 * and password are percent-encoded. Its query accepts libpq's keys, as a service file does: `sslmode`, `options`,
 * `connect_timeout` (in seconds) and so on. A key of the query overrides the part of the URL that says the same.
 * libpq's other form is accepted too: `host=db.example.com dbname=app password='a secret'`.
 *
 * Each setting that libpq has too says its key, which is used in URLs and service files, and its environment variable.
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
  /**
   * A connection URL, or a string of `key=value` pairs. It takes precedence over the environment, and the other options
   * take precedence over it.
   */
  readonly url?: string | Redacted.Redacted | undefined
  /**
   * The hosts, which are tried in order: one host, a list with commas, or an array. Each is a name, an IP address, the
   * directory of a Unix socket, which begins with `/`, or the name of an abstract socket, which begins with `@`. Key:
   * `host`; environment: `PGHOST`.
   * @default a local server's socket in `/run/postgresql`, `/var/run/postgresql` or `/tmp` if any, then `localhost`
   */
  readonly host?: string | ReadonlyArray<string> | undefined
  /**
   * The IP addresses to connect to, so that no name is looked up: one for each host. The host then only names the server
   * for TLS, the password file and errors; without it the address does. An empty address means that its host is looked
   * up. Key: `hostaddr`; environment: `PGHOSTADDR`.
   */
  readonly hostaddr?: string | ReadonlyArray<string> | undefined
  /**
   * One port for all hosts, or one for each host. Key: `port`; environment: `PGPORT`.
   * @default 5432
   */
  readonly port?: number | ReadonlyArray<number> | undefined
  /**
   * What kind of server a connection is for; hosts of another kind are passed over. See `TargetSessionAttrs`. Key:
   * `target_session_attrs`; environment: `PGTARGETSESSIONATTRS`.
   * @default "any"
   */
  readonly targetSessionAttrs?: TargetSessionAttrs | undefined
  /**
   * In which order the hosts, and the addresses of each, are tried: `disable` means as listed; `random` shuffles them for
   * each connection, so that connections are spread. Key: `load_balance_hosts`; environment: `PGLOADBALANCEHOSTS`.
   * @default "disable"
   */
  readonly loadBalanceHosts?: LoadBalanceHosts | undefined
  /**
   * The user. Key: `user`; environment: `PGUSER`.
   * @default the user of the operating system
   */
  readonly user?: string | undefined
  /**
   * The password, or an Effect that yields one for each connection, for passwords that expire. If the Effect fails, the
   * connection fails with an `AuthenticationError` that contains only the tag of the failure. Key: `password`;
   * environment: `PGPASSWORD`.
   *
   * The keys that SCRAM derives from a password are remembered for as long as the process lives, for at most 100 roles,
   * so that only the first connection takes the time. A key lets in only the role that it was derived for. A program that
   * can read the keys in the memory of the process can also read the password there.
   * @default the password that the password file has for the host
   */
  readonly password?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, unknown> | undefined
  /**
   * The database. Key: `dbname`; environment: `PGDATABASE`.
   * @default the name of the user
   */
  readonly database?: string | undefined
  /**
   * The path of a password file. A file that group or others can access is ignored, with a warning. Key:
   * `passfile`; environment: `PGPASSFILE`.
   * @default `~/.pgpass`, on Windows `%APPDATA%\postgresql\pgpass.conf`
   */
  readonly passfile?: string | undefined
  /**
   * The name of a section in the service file, which is `PGSERVICEFILE` or `~/.pg_service.conf`. Key: `service`;
   * environment: `PGSERVICE`.
   */
  readonly service?: string | undefined
  /**
   * How the connection is encrypted and the server verified; see `SslMode`. Key: `sslmode`; environment: `PGSSLMODE`, or
   * `PGREQUIRESSL=1` for `require`.
   * @default "prefer", or "verify-full" if `sslRootCert` is "system"
   */
  readonly sslMode?: SslMode | undefined
  /**
   * How TLS begins: `postgres` asks the server for it first; `direct` begins at once, which saves a round trip and needs
   * PostgreSQL 17 and an `sslMode` of `require` or stricter. Key: `sslnegotiation`; environment: `PGSSLNEGOTIATION`.
   * @default "postgres"
   */
  readonly sslNegotiation?: SslNegotiation | undefined
  /**
   * The authorities to trust: PEM text, the path of a PEM file, or `system` for those that Node trusts. Key:
   * `sslrootcert`; environment: `PGSSLROOTCERT`.
   * @default `~/.postgresql/root.crt` if it exists; otherwise `verify-full` trusts what Node trusts, and `verify-ca`
   * fails
   */
  readonly sslRootCert?: string | undefined
  /**
   * The client's certificate, as PEM text or the path of a PEM file. Key: `sslcert`; environment: `PGSSLCERT`.
   * @default `~/.postgresql/postgresql.crt` if it exists
   */
  readonly sslCert?: string | undefined
  /**
   * The private key of the client's certificate: PEM text, or the path of a file in PEM or DER format, which group and
   * others must not be able to read. Key: `sslkey`; environment: `PGSSLKEY`.
   * @default `~/.postgresql/postgresql.key` if it exists
   */
  readonly sslKey?: string | Redacted.Redacted | undefined
  /** The password that decrypts `sslKey`. Key: `sslpassword`. */
  readonly sslPassword?: string | Redacted.Redacted | undefined
  /**
   * Whether the client's certificate is sent: `disable` never sends it; `allow` sends it if the server asks; `require`
   * also fails if the server does not ask. Key: `sslcertmode`; environment: `PGSSLCERTMODE`.
   * @default "allow"
   */
  readonly sslCertMode?: SslCertMode | undefined
  /**
   * Lists of revoked certificates (CRLs), as PEM text or the path of a PEM file. If there is any, each authority of the
   * server's certificate needs one. Key: `sslcrl`; environment: `PGSSLCRL`.
   * @default `~/.postgresql/root.crl` if it exists, unless `sslCrlDir` is set
   */
  readonly sslCrl?: string | undefined
  /**
   * A directory of CRLs in PEM format, under the names that `openssl rehash` gives them. Key: `sslcrldir`; environment:
   * `PGSSLCRLDIR`.
   */
  readonly sslCrlDir?: string | undefined
  /**
   * Whether the client tells the server's name (SNI) when TLS begins. Proxies that serve several databases choose by it.
   * Key: `sslsni`, which is 1 or 0; environment: `PGSSLSNI`.
   * @default true
   */
  readonly sslSni?: boolean | undefined
  /**
   * The oldest version of TLS that is used. Key: `ssl_min_protocol_version`; environment: `PGSSLMINPROTOCOLVERSION`.
   * @default "TLSv1.2"
   */
  readonly sslMinProtocolVersion?: TlsVersion | undefined
  /**
   * The newest version of TLS that is used. Key: `ssl_max_protocol_version`; environment: `PGSSLMAXPROTOCOLVERSION`.
   * @default the newest that Node supports
   */
  readonly sslMaxProtocolVersion?: TlsVersion | undefined
  /**
   * Whether SCRAM authentication is bound to the server's certificate, so that nobody can stand between client and
   * server: `prefer` does so if the server can; `require` fails unless it is done, also without TLS. Key:
   * `channel_binding`; environment: `PGCHANNELBINDING`.
   * @default "prefer"
   */
  readonly channelBinding?: ChannelBinding | undefined
  /**
   * The authentication methods that the server may use, such as `["scram-sha-256"]`, or may not use, such as
   * `["!password", "!md5"]`; an empty list refuses all. Key: `require_auth`, with commas; environment: `PGREQUIREAUTH`.
   * @default all, but the password is sent in clear over an unencrypted network only if the list contains `password`
   */
  readonly requireAuth?: ReadonlyArray<RequireAuth> | undefined
  /**
   * The bearer token for a server that asks for OAuth (PostgreSQL 18), or an Effect that yields one for each connection.
   * It is sent only over TLS or within this machine. If the Effect fails, the connection fails with an
   * `AuthenticationError` that contains only the tag of the failure.
   * @default none: a server that asks for a token is refused
   */
  readonly oauthToken?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, unknown> | undefined
  /**
   * The oldest version of PostgreSQL's protocol that is used. `latest` is 3.2. Key: `min_protocol_version`; environment:
   * `PGMINPROTOCOLVERSION`.
   * @default "3.0"
   */
  readonly minProtocolVersion?: ProtocolVersion | undefined
  /**
   * The newest version of PostgreSQL's protocol that is used. With 3.2 (PostgreSQL 18), the key of a CancelRequest is too
   * long to be guessed; some poolers refuse it. Key: `max_protocol_version`; environment: `PGMAXPROTOCOLVERSION`.
   * @default "3.0", or "latest" if `minProtocolVersion` is newer
   */
  readonly maxProtocolVersion?: ProtocolVersion | undefined
  /**
   * The name that the server shows in `pg_stat_activity` and in its log. Key: `application_name`; environment:
   * `PGAPPNAME`.
   * @default the key `fallback_application_name`, if a URL has it
   */
  readonly applicationName?: string | undefined
  /**
   * Run-time parameters of the session, such as `search_path`. `RESET` returns to these values. They take precedence
   * over `applicationName`, the key `options` and the environment (`PGOPTIONS`, `PGDATESTYLE`, `PGTZ`, `PGGEQO`).
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
   * The time limit for each address of each host, from looking up its name until the session is ready; after it the
   * next one is tried. 0 or `Infinity` means no limit. Key: `connect_timeout`, in seconds; environment:
   * `PGCONNECT_TIMEOUT`.
   * @default "10 seconds"
   */
  readonly connectTimeout?: Duration.Input | undefined
  /**
   * The time limit for a connection as a whole, whatever number of hosts are tried; 0 or `Infinity` means no limit.
   * @default "60 seconds"
   */
  readonly connectTotalTimeout?: Duration.Input | undefined
  /**
   * How long the server may take to end an interrupted query before the connection is closed.
   * @default "5 seconds"
   */
  readonly cancelTimeout?: Duration.Input | undefined
  /**
   * After this much silence, TCP checks whether the server is still there; 0 or `Infinity` disables the check. Keys:
   * `keepalives_idle`, in seconds, and `keepalives`, which is 1 or 0.
   * @default "30 seconds"
   */
  readonly keepAlive?: Duration.Input | undefined
  /**
   * The time between two checks of `keepAlive` that the server does not answer. Needs Node 24.19. Key:
   * `keepalives_interval`, in seconds.
   * @default "1 second"
   */
  readonly keepAliveInterval?: Duration.Input | undefined
  /**
   * After how many checks without an answer the connection is lost. Needs Node 24.19. Key: `keepalives_count`.
   * @default 10
   */
  readonly keepAliveCount?: number | undefined
  /**
   * How statements are prepared. `cached`: on the server, under a name. `unnamed`: each run prepares the unnamed
   * statement again in the same round trip, and only the client remembers its types. `auto`: as `cached`, until a
   * prepared statement is missing because a pooler such as PgBouncer gives each transaction another server connection;
   * from then on as `unnamed`, for the whole pool. A single statement that is missing runs all the same. A transaction,
   * or a batch behind its first statement, fails once with a hint. `unnamed` avoids even that.
   * @default "auto"
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
