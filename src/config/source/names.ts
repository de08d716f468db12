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

const options = {
  url: ours,
  host: libpq("host", "PGHOST"),
  port: libpq("port", "PGPORT"),
  user: libpq("user", "PGUSER"),
  password: libpq("password", "PGPASSWORD"),
  database: { keys: ["dbname", "database"], variable: "PGDATABASE" },
  passfile: libpq("passfile", "PGPASSFILE"),
  service: libpq("service", "PGSERVICE"),
  sslMode: libpq("sslmode", "PGSSLMODE"),
  sslRootCert: libpq("sslrootcert", "PGSSLROOTCERT"),
  sslCert: libpq("sslcert", "PGSSLCERT"),
  sslKey: libpq("sslkey", "PGSSLKEY"),
  requireAuth: libpq("require_auth", "PGREQUIREAUTH"),
  applicationName: libpq("application_name", "PGAPPNAME"),
  settings: ours,
  types: ours,
  names: ours,
  connectTimeout: libpq("connect_timeout", "PGCONNECT_TIMEOUT"),
  cancelTimeout: ours,
  keepAlive: ours,
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

/**
 * Run-time parameters that libpq reads from text only; among the options they belong in `settings`, like any other
 * parameter.
 */
const parameters = {
  options: libpq("options", "PGOPTIONS"),
  DateStyle: { keys: [], variable: "PGDATESTYLE" },
  TimeZone: { keys: [], variable: "PGTZ" }
}

export type OptionName = keyof typeof options
export type ParameterName = keyof typeof parameters
export type SettingName = OptionName | ParameterName

const names: Readonly<Record<SettingName, Names>> = { ...options, ...parameters }

export const keysOf = (setting: SettingName): ReadonlyArray<string> => names[setting].keys
export const variableOf = (setting: SettingName): string | undefined => names[setting].variable

export const settingVariables: ReadonlyArray<string> = Object.values(names).flatMap(({ variable }) => variable ?? [])

export const optionNames: ReadonlyArray<string> = Object.keys(options)
export const keys: ReadonlyArray<string> = Object.values(names).flatMap(({ keys }) => keys)
