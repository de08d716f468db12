/** The settings of connections and pools after all sources and defaults have been applied. */
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { TypeCodecs } from "../../codec/typeCodec.ts"
import type * as PgError from "../../PgError.ts"
import type { HostAddress, LoadBalanceHosts, TargetSessionAttrs } from "../hosts.ts"
import type { Observing } from "../observing.ts"
import type { AuthMethod, ChannelBinding } from "../requireAuth.ts"
import type { Names, StatementCacheSettings } from "../statements.ts"
import type { SslCertMode, SslMode, SslNegotiation, TlsVersion } from "../tls.ts"

/**
 * The settings of a connection after all sources and defaults have been applied. In `connectTimeoutMillis`,
 * `connectTotalTimeoutMillis`, `lifetimeMillis` and `maxSqlBytes`, 0 means no limit.
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
  /** What kind of server is wanted; the hosts are tried until one is of that kind. */
  readonly targetSessionAttrs: TargetSessionAttrs
  readonly loadBalanceHosts: LoadBalanceHosts
  readonly sslMode: SslMode
  readonly sslNegotiation: SslNegotiation
  /** PEM text; undefined to trust what Node trusts. */
  readonly sslRootCert: string | undefined
  /** PEM text; undefined also if `sslCertMode` is `disable`. */
  readonly sslCert: string | undefined
  /** PEM text, decrypted. It is omitted if a resolved configuration is printed or turned into JSON. */
  readonly sslKey: string | undefined
  readonly sslCertMode: SslCertMode
  /** The lists of `sslCrl` and `sslCrlDir`, each as PEM text. If there is none, no certificate is looked for in a list. */
  readonly sslCrl: ReadonlyArray<string>
  readonly sslSni: boolean
  readonly sslMinProtocolVersion: TlsVersion
  /** Undefined means the newest that Node supports. */
  readonly sslMaxProtocolVersion: TlsVersion | undefined
  readonly channelBinding: ChannelBinding
  /** The methods that are allowed, after negation; undefined allows every method. */
  readonly requireAuth: ReadonlyArray<AuthMethod> | undefined
  /** Whether a password may be sent in clear over an unencrypted network: only if `requireAuth` names `password`. */
  readonly allowCleartextPassword: boolean
  /** Run for each connection that needs a token; undefined if none is known. */
  readonly oauthToken: Effect.Effect<Redacted.Redacted | undefined, PgError.PgError>
  readonly minProtocolVersion: "3.0" | "3.2"
  readonly maxProtocolVersion: "3.0" | "3.2"
  readonly maxScramIterations: number
  readonly observing: Observing
  /** For each address. */
  readonly connectTimeoutMillis: number
  /** For all hosts together. */
  readonly connectTotalTimeoutMillis: number
  readonly cancelTimeoutMillis: number
  /** Undefined means never. */
  readonly keepAliveMillis: number | undefined
  /** Undefined leaves the interval to Node. */
  readonly keepAliveIntervalMillis: number | undefined
  /** Undefined leaves the count to Node. */
  readonly keepAliveCount: number | undefined
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
