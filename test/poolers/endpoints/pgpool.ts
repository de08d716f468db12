/** Pgpool-II in front of one server, with SCRAM on both sides. */
import { freePort } from "../../../src/testServer/freePort.ts"
import type { PgServer } from "../../support/server/server.ts"
import { type Daemon, Place, startDaemon } from "./daemon.ts"

export interface Pgpool extends Daemon {
  readonly port: number
}

export const startPgpool = async ({ host, password, port: serverPort, user }: PgServer): Promise<Pgpool> => {
  const place = new Place("pgpool")
  const port = await freePort()
  const { directory } = place
  // Pgpool proves to the server who it is, so it has to know the passwords.
  place.file("pool_passwd", `${user}:TEXT${password}\n`)
  const settings = {
    backend_clustering_mode: "streaming_replication",
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: directory,
    socket_dir: directory,
    pcp_listen_addresses: "127.0.0.1",
    pcp_port: await freePort(),
    pcp_socket_dir: directory,
    pid_file_name: `${directory}/pid`,
    logdir: directory,
    backend_hostname0: host === "localhost" ? "127.0.0.1" : host,
    backend_port0: serverPort,
    backend_weight0: 1,
    backend_flag0: "DISALLOW_TO_FAILOVER",
    enable_pool_hba: "on",
    pool_passwd: "pool_passwd",
    num_init_children: 40,
    max_pool: 2,
    sr_check_period: 0,
    health_check_period: 0,
    use_watchdog: "off"
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${quoted(value)}\n`)
  const hba = place.file("pool_hba.conf", "host all all 127.0.0.1/32 scram-sha-256\n")
  const pcp = place.file("pcp.conf", "")
  const args = ["-n", "-f", place.file("pgpool.conf", lines.join("")), "-a", hba, "-F", pcp]
  return { ...(await startDaemon(place, { program: "pgpool", args, port })), port }
}

const quoted = (value: string | number): string => (typeof value === "number" ? String(value) : `'${value}'`)
