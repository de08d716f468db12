/** The endpoints through which the uses run: how each is started, and how a pool connects to it. */
import * as Redacted from "effect/Redacted"
import type * as PgConfig from "../../../src/PgConfig.ts"
import type { PgServer } from "../../support/server/server.ts"
import type { Daemon } from "./daemon.ts"
import { versionOf } from "./daemon.ts"
import { startHaProxy } from "./haproxy.ts"
import { type PoolMode, startPgBouncer } from "./pgbouncer.ts"
import { pgliteVersion, startPgLite } from "./pglite.ts"
import { startPgpool } from "./pgpool.ts"

export interface Endpoint {
  readonly name: string
  readonly version: string
  readonly settings: PgConfig.PoolSettings
  /** Whether COPY FROM STDIN ends it for all clients. */
  readonly diesOfCopyIn?: boolean
  readonly start: (server: PgServer) => Promise<Daemon & { readonly port: number }>
}

/** A program from the system that an endpoint needs. */
interface Program {
  readonly name: string
  readonly program: string
  readonly debianPackage: string
  readonly version: string | undefined
}

const program = (name: string, command: string, args: ReadonlyArray<string>, debianPackage: string): Program => ({
  name,
  program: command,
  debianPackage,
  version: /\d+\.\d+(?:\.\d+)?/.exec(versionOf(command, args) ?? "")?.[0]
})

const pgbouncer = program("PgBouncer", "pgbouncer", ["--version"], "pgbouncer")
const pgpool = program("Pgpool-II", "pgpool", ["--version"], "pgpool2")
const haproxy = program("HAProxy", "haproxy", ["-v"], "haproxy")

/** The programs that are not installed, and the command that installs them on Debian. */
export const missing = (): string | undefined => {
  const absent = [pgbouncer, pgpool, haproxy].filter(({ version }) => version === undefined)
  if (absent.length === 0) return undefined
  const names = absent.map(({ name }) => name).join(", ")
  return `not installed: ${names}. On Debian: apt-get install ${absent.map((each) => each.debianPackage).join(" ")}`
}

const throughPgBouncer = (
  what: string,
  mode: PoolMode,
  settings: PgConfig.PoolSettings = {},
  isEncrypted = false
): Endpoint => ({
  name: `PgBouncer ${pgbouncer.version}, ${mode} mode${what}`,
  version: pgbouncer.version ?? "",
  settings: { sslMode: isEncrypted ? "require" : "disable", ...settings },
  start: (server) => startPgBouncer(server, mode, { isEncrypted })
})

/** Those whose program is installed. */
export const endpoints = (serverVersion: string): ReadonlyArray<Endpoint> => [
  {
    name: `PostgreSQL ${serverVersion}`,
    version: serverVersion,
    settings: {},
    start: async ({ port }) => ({ port, stop: async () => {} })
  },
  ...(haproxy.version === undefined
    ? []
    : [{ name: `HAProxy ${haproxy.version} (tcp)`, version: haproxy.version, settings: {}, start: startHaProxy }]),
  ...(pgbouncer.version === undefined
    ? []
    : [
        throughPgBouncer("", "session"),
        throughPgBouncer(", TLS and SCRAM", "session", {}, true),
        throughPgBouncer("", "transaction"),
        throughPgBouncer(", TLS and SCRAM", "transaction", {}, true),
        throughPgBouncer(", `multiplex`", "transaction", { multiplex: true }),
        throughPgBouncer(', `statementMode: "unnamed"`', "transaction", { statementMode: "unnamed" }),
        throughPgBouncer(', `statementMode: "cached"`', "transaction", { statementMode: "cached" }),
        throughPgBouncer("", "statement")
      ]),
  ...(pgpool.version === undefined
    ? []
    : [
        {
          name: `Pgpool-II ${pgpool.version}`,
          version: pgpool.version,
          settings: { sslMode: "disable" as const },
          start: startPgpool
        }
      ]),
  {
    name: `PGlite ${pgliteVersion} over its socket`,
    version: pgliteVersion,
    settings: { sslMode: "disable", user: "postgres", password: Redacted.make("postgres"), database: "postgres" },
    diesOfCopyIn: true,
    start: startPgLite
  }
]
