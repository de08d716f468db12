/**
 * Lists the names of each setting: as an option, as a key in URLs and service files, and as an environment variable.
 */
interface Names {
  /** The keys; libpq's name comes first. */
  readonly keys: ReadonlyArray<string>
  readonly variable: string | undefined
}

const libpq = (key: string, variable: string): Names => ({ keys: [key], variable })

/** Settings that libpq does not have are options only. */
const ours: Names = { keys: [], variable: undefined }

/** Settings that libpq reads from no variable. */
const keyOnly = (key: string): Names => ({ keys: [key], variable: undefined })

const options = {
  url: ours,
  host: libpq("host", "PGHOST"),
  hostaddr: libpq("hostaddr", "PGHOSTADDR"),
  port: libpq("port", "PGPORT"),
  targetSessionAttrs: libpq("target_session_attrs", "PGTARGETSESSIONATTRS"),
  loadBalanceHosts: libpq("load_balance_hosts", "PGLOADBALANCEHOSTS"),
  user: libpq("user", "PGUSER"),
  password: libpq("password", "PGPASSWORD"),
  database: { keys: ["dbname", "database"], variable: "PGDATABASE" },
  passfile: libpq("passfile", "PGPASSFILE"),
  service: libpq("service", "PGSERVICE"),
  sslMode: libpq("sslmode", "PGSSLMODE"),
  sslNegotiation: libpq("sslnegotiation", "PGSSLNEGOTIATION"),
  sslRootCert: libpq("sslrootcert", "PGSSLROOTCERT"),
  sslCert: libpq("sslcert", "PGSSLCERT"),
  sslKey: libpq("sslkey", "PGSSLKEY"),
  sslPassword: keyOnly("sslpassword"),
  sslCertMode: libpq("sslcertmode", "PGSSLCERTMODE"),
  sslCrl: libpq("sslcrl", "PGSSLCRL"),
  sslCrlDir: libpq("sslcrldir", "PGSSLCRLDIR"),
  sslSni: libpq("sslsni", "PGSSLSNI"),
  sslMinProtocolVersion: libpq("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
  sslMaxProtocolVersion: libpq("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
  channelBinding: libpq("channel_binding", "PGCHANNELBINDING"),
  requireAuth: libpq("require_auth", "PGREQUIREAUTH"),
  oauthToken: ours,
  minProtocolVersion: libpq("min_protocol_version", "PGMINPROTOCOLVERSION"),
  maxProtocolVersion: libpq("max_protocol_version", "PGMAXPROTOCOLVERSION"),
  applicationName: libpq("application_name", "PGAPPNAME"),
  settings: ours,
  types: ours,
  names: ours,
  connectTimeout: libpq("connect_timeout", "PGCONNECT_TIMEOUT"),
  connectTotalTimeout: ours,
  cancelTimeout: ours,
  keepAlive: ours,
  keepAliveInterval: keyOnly("keepalives_interval"),
  keepAliveCount: keyOnly("keepalives_count"),
  statementMode: ours,
  statementCacheSize: ours,
  statementCacheLifetime: ours,
  statementCacheMaxSqlBytes: ours,
  maxScramIterations: ours,
  onQuery: ours,
  slowQueryThreshold: ours,
  metrics: ours,
  comment: ours,
  minConnections: ours,
  maxConnections: ours,
  acquireTimeout: ours,
  maxWaiters: ours,
  idleTimeout: ours,
  maxLifetime: ours,
  maxUses: ours,
  multiplex: ours,
  closeTimeout: ours
}

/** What is read from text only. Among the options, run-time parameters belong in `settings`, like any other. */
const textOnly = {
  options: libpq("options", "PGOPTIONS"),
  fallback_application_name: keyOnly("fallback_application_name"),
  DateStyle: { keys: [], variable: "PGDATESTYLE" },
  TimeZone: { keys: [], variable: "PGTZ" },
  geqo: { keys: [], variable: "PGGEQO" },
  requiressl: { keys: [], variable: "PGREQUIRESSL" },
  keepalives: keyOnly("keepalives"),
  keepalives_idle: keyOnly("keepalives_idle")
}

export type OptionName = keyof typeof options
export type TextOnlyName = keyof typeof textOnly
export type SettingName = OptionName | TextOnlyName

const names: Readonly<Record<SettingName, Names>> = { ...options, ...textOnly }

export const keysOf = (setting: SettingName): ReadonlyArray<string> => names[setting].keys
export const variableOf = (setting: SettingName): string | undefined => names[setting].variable

/** Whether an empty text stands for the default, as in libpq. Of other settings, which have no empty value, it is wrong. */
export const mayBeEmpty = (setting: SettingName): boolean => emptyIsDefault.has(setting)

const emptyIsDefault: ReadonlySet<SettingName> = new Set([
  "host",
  "hostaddr",
  "port",
  "user",
  "password",
  "database",
  "passfile",
  "sslRootCert",
  "sslCert",
  "sslKey",
  "sslPassword",
  "sslCrl",
  "sslCrlDir",
  "sslMinProtocolVersion",
  "sslMaxProtocolVersion",
  "requireAuth",
  "options",
  "fallback_application_name"
])

export const settingVariables: ReadonlyArray<string> = Object.values(names).flatMap(({ variable }) => variable ?? [])

export const optionNames: ReadonlyArray<string> = Object.keys(options)
export const keys: ReadonlyArray<string> = Object.values(names).flatMap(({ keys }) => keys)
