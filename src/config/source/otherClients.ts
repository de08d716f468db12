/** Knows settings of other clients that people bring along, and which setting of this client does the same. */

const SEARCH_PATH = 'set settings: { search_path: "..." }'
const STATEMENT_MODE = 'set statementMode: "unnamed" if a pooler needs it'
const MAX_CONNECTIONS = "set maxConnections"
const MIN_CONNECTIONS = "set minConnections"
const ACQUIRE_TIMEOUT = "set acquireTimeout"
const IDLE_TIMEOUT = "set idleTimeout"
const MAX_LIFETIME = "set maxLifetime"
const CACHE_SIZE = "set statementCacheSize"
const CALL_TIMEOUT = 'give each call a timeout, or set settings: { statement_timeout: "..." }'
const SSL_MODE = "set sslMode, which is sslmode in a URL, to require or verify-full"
const LEAVE_OUT = "leave it out, because it is for another client only"

/** What to do instead, by the name of the other client's setting, which is written without capitals, `_` and `-`. */
const instead: ReadonlyMap<string, string> = new Map([
  ["schema", SEARCH_PATH],
  ["schemas", SEARCH_PATH],
  ["currentschema", SEARCH_PATH],
  ["searchpath", SEARCH_PATH],
  ["pgbouncer", STATEMENT_MODE],
  ["statementcachemode", STATEMENT_MODE],
  ["defaultqueryexecmode", STATEMENT_MODE],
  ["preparedstatements", STATEMENT_MODE],
  ["preparethreshold", STATEMENT_MODE],
  ["prefersimpleprotocol", STATEMENT_MODE],
  ["prepare", STATEMENT_MODE],
  ["statementcachesize", CACHE_SIZE],
  ["statementcachecapacity", CACHE_SIZE],
  ["preparedstatementcachesize", CACHE_SIZE],
  ["preparedstatementcachequeries", CACHE_SIZE],
  ["max", MAX_CONNECTIONS],
  ["maxconns", MAX_CONNECTIONS],
  ["maxconnections", MAX_CONNECTIONS],
  ["maxpoolsize", MAX_CONNECTIONS],
  ["connectionlimit", MAX_CONNECTIONS],
  ["poolsize", MAX_CONNECTIONS],
  ["poolmaxconns", MAX_CONNECTIONS],
  ["min", MIN_CONNECTIONS],
  ["minconnections", MIN_CONNECTIONS],
  ["minpoolsize", MIN_CONNECTIONS],
  ["poolminconns", MIN_CONNECTIONS],
  ["pooltimeout", ACQUIRE_TIMEOUT],
  ["acquiretimeout", ACQUIRE_TIMEOUT],
  ["idletimeout", IDLE_TIMEOUT],
  ["idletimeoutmillis", IDLE_TIMEOUT],
  ["poolmaxconnidletime", IDLE_TIMEOUT],
  ["maxidleconnectionlifetime", IDLE_TIMEOUT],
  ["maxlifetime", MAX_LIFETIME],
  ["maxlifetimeseconds", MAX_LIFETIME],
  ["maxconnectionlifetime", MAX_LIFETIME],
  ["connectionttl", MAX_LIFETIME],
  ["poolmaxconnlifetime", MAX_LIFETIME],
  ["connectiontimeoutmillis", "set connectTimeout"],
  ["connectiontimeout", "set connectTimeout"],
  ["logintimeout", "set connectTimeout"],
  ["statementtimeout", 'set settings: { statement_timeout: "5s" }'],
  ["locktimeout", 'set settings: { lock_timeout: "5s" }'],
  ["sockettimeout", CALL_TIMEOUT],
  ["querytimeout", CALL_TIMEOUT],
  ["startupparameters", "set settings, which takes the same names and values"],
  ["timezone", 'set settings: { TimeZone: "..." }'],
  ["datestyle", 'set settings: { DateStyle: "..." }'],
  ["connectionstring", "set url"],
  ["username", "set user"],
  ["pass", "set password"],
  ["pwd", "set password"],
  ["db", "set database, which is dbname in a URL"],
  ["databasename", "set database, which is dbname in a URL"],
  ["hostname", "set host"],
  ["server", "set host"],
  ["ssl", SSL_MODE],
  ["usessl", SSL_MODE],
  ["sslaccept", SSL_MODE],
  ["rejectunauthorized", SSL_MODE],
  ["trustservercertificate", SSL_MODE],
  ["sslidentity", "set sslCert and sslKey"],
  ["uselibpqcompat", "leave it out, because sslmode means what it means in libpq"],
  ["targetservertype", "set targetSessionAttrs"],
  ["encoding", "leave it out, because the encoding is always UTF8"],
  ["charset", "leave it out, because the encoding is always UTF8"],
  ["supa", LEAVE_OUT],
  ["workaround", LEAVE_OUT]
])

/** What to do instead of a setting of other clients; undefined if no client is known to have it. */
export const insteadOf = (name: string): string | undefined =>
  name.length > MAX_LENGTH ? undefined : instead.get(name.toLowerCase().replaceAll(/[_-]/g, ""))

/** Longer than all names of the list. */
const MAX_LENGTH = 50

/** What to write instead of a value of `sslMode` that other clients have. */
export const insteadOfSslMode: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  ["no-verify", "require, which encrypts but does not verify the server"],
  ["true", "require or verify-full"],
  ["false", "disable"],
  [true, "require or verify-full"],
  [false, "disable"]
])
