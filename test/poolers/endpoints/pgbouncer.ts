/** PgBouncer in front of a server: in one of its three pool modes, in clear or with TLS and SCRAM on both sides. */
import * as fs from "node:fs"
import { freePort } from "../../../src/testServer/freePort.ts"
import { tlsDirectory } from "../../support/server/cluster.ts"
import type { PgServer } from "../../support/server/server.ts"
import { type Daemon, Place, startDaemon } from "./daemon.ts"

export type PoolMode = "session" | "transaction" | "statement"

export interface PgBouncer extends Daemon {
  readonly port: number
}

/** How many server connections PgBouncer keeps. Fewer than the pools in front of it, so that they have to share. */
const POOL_SIZE = 4

export const startPgBouncer = async (
  { host, password, port: serverPort, user }: PgServer,
  mode: PoolMode,
  { isEncrypted = false }: { readonly isEncrypted?: boolean } = {}
): Promise<PgBouncer> => {
  const place = new Place("pgbouncer")
  const port = await freePort()
  const tls = (name: string): string => place.file(name, fs.readFileSync(new URL(name, tlsDirectory)))
  const settings = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    unix_socket_dir: "",
    auth_type: isEncrypted ? "scram-sha-256" : "md5",
    auth_file: place.file("users", `"${user}" "${password}"\n`),
    pool_mode: mode,
    default_pool_size: mode === "session" ? SESSION_POOL_SIZE : POOL_SIZE,
    max_client_conn: 200,
    ...(isEncrypted
      ? {
          client_tls_sslmode: "require",
          client_tls_cert_file: tls("server.crt"),
          client_tls_key_file: tls("server.key"),
          server_tls_sslmode: "verify-ca",
          server_tls_ca_file: tls("ca.crt")
        }
      : { server_tls_sslmode: "disable" })
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  const address = `host=${host === "localhost" ? "127.0.0.1" : host} port=${serverPort}`
  const file = place.file("ini", `[databases]\n* = ${address}\n[pgbouncer]\n${lines.join("\n")}\n`)
  const daemon = await startDaemon(place, { program: "pgbouncer", args: [file], port })
  return { ...daemon, port }
}

const SESSION_POOL_SIZE = 50
