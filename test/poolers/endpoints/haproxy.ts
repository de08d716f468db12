/** HAProxy in front of a server, as a TCP proxy that knows nothing of PostgreSQL. */
import { freePort } from "../../../src/testServer/freePort.ts"
import type { PgServer } from "../../support/server/server.ts"
import { type Daemon, Place, startDaemon } from "./daemon.ts"

export interface HaProxy extends Daemon {
  readonly port: number
}

export const startHaProxy = async ({ host, port: serverPort }: PgServer): Promise<HaProxy> => {
  const place = new Place("haproxy")
  const port = await freePort()
  const file = place.file(
    "haproxy.cfg",
    `
defaults
  mode tcp
  timeout connect 5s
  timeout client 1m
  timeout server 1m
frontend clients
  bind 127.0.0.1:${port}
  default_backend servers
backend servers
  server one ${host === "localhost" ? "127.0.0.1" : host}:${serverPort}
`
  )
  return { ...(await startDaemon(place, { program: "haproxy", args: ["-db", "-f", file], port })), port }
}
