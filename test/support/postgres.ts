/**
 * Starts or finds a real PostgreSQL for the integration tests, the examples and the benchmarks.
 *
 *   EFFECTPG_TEST_URL=postgres://user:password@host:5432/database   a running server; the user must be a superuser
 *   EFFECTPG_TEST_IMAGE=postgres:18                                 a container (needs Docker)
 *   neither                                                         the embedded server from npm (needs nothing)
 *   EFFECTPG_TEST_VERSION=17                                        which major of the embedded server
 *   EFFECTPG_TEST_POOLER=host:port                                  a pooler before the server of EFFECTPG_TEST_URL: the
 *                                                                   tests' connections go through it, unnamed
 */
import { startContainer } from "./server/container.ts"
import { startEmbedded } from "./server/embedded.ts"
import type { StartedPgServer, StartOptions } from "./server/server.ts"

export { rolePassword, testRoles } from "./server/cluster.ts"
export type { PgServer, PgServerFeatures, StartedPgServer, StartOptions } from "./server/server.ts"

/** Stop it with `stop`; a server that we started also ends with the process that started it. */
export const start = async (options: StartOptions = {}): Promise<StartedPgServer> => {
  const url = process.env["EFFECTPG_TEST_URL"]
  const image = process.env["EFFECTPG_TEST_IMAGE"]
  if (url) return runningServer(new URL(url))
  if (image) return startContainer(image, options)
  const { shutDown: _, startAgain: __, ...server } = await startEmbedded(options)
  return server
}

const DEFAULT_PORT = 5432

const runningServer = (url: URL): StartedPgServer => ({
  host: url.hostname || "localhost",
  port: url.port === "" ? DEFAULT_PORT : Number(url.port),
  user: decodeURIComponent(url.username) || "postgres",
  password: decodeURIComponent(url.password),
  database: decodeURIComponent(url.pathname.slice(1)) || "postgres",
  ca: undefined,
  unixSocketDir: undefined,
  features: { tls: false, roles: false, unixSocket: false },
  stop: async () => {}
})
