/** What a test may know of its PostgreSQL server, wherever that server runs. */

/** Features that only a server which we set up ourselves is sure to have. */
export interface PgServerFeatures {
  /** It speaks TLS with `tls/server.crt`, which the authority `ca` signed for localhost and 127.0.0.1. */
  readonly tls: boolean
  /** It has the roles of `testRoles`, each with its own line of pg_hba.conf. */
  readonly roles: boolean
  /** It listens on a Unix socket that this process can reach. */
  readonly unixSocket: boolean
}

export interface PgServer {
  readonly host: string
  readonly port: number
  /** A superuser. */
  readonly user: string
  readonly password: string
  readonly database: string
  /** PEM of the authority that signed the server's certificate. */
  readonly ca: string | undefined
  readonly unixSocketDir: string | undefined
  readonly features: PgServerFeatures
}

export interface StartedPgServer extends PgServer {
  readonly stop: () => Promise<void>
}

export interface StartOptions {
  /** Settings of postgresql.conf, on top of those of every test server. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}
