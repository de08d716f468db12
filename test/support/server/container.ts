/**
 * PostgreSQL in a container, through testcontainers: EFFECTPG_TEST_IMAGE is an image with the entry point of the
 * official one (`postgres:18`, or one made by `pg-image/build.sh`). testcontainers' reaper removes the container when
 * the test process dies, unless TESTCONTAINERS_RYUK_DISABLED forbids it.
 */
import * as fs from "node:fs"
import { certificateOfAuthority, createRoles, pgHba, serverFlags, superuser, tlsDirectory } from "./cluster.ts"
import type { StartedPgServer, StartOptions } from "./server.ts"

const POSTGRES_PORT = 5432
const GIVEN = "/effectpg"

export const startContainer = async (image: string, options: StartOptions): Promise<StartedPgServer> => {
  const { GenericContainer, Wait } = await import("testcontainers")
  const flags = serverFlags({
    hba_file: `${GIVEN}/pg_hba.conf`,
    ssl_cert_file: `${GIVEN}/server.crt`,
    ssl_key_file: `${GIVEN}/server.key`,
    ssl_ca_file: `${GIVEN}/ca.crt`,
    ...options.settings
  })
  const given = (name: string, content: string) => ({ content, target: `${GIVEN}/${name}` })
  const givenTls = (name: string) => given(name, fs.readFileSync(new URL(name, tlsDirectory), "utf8"))

  let log = ""
  const container = await new GenericContainer(image)
    .withEnvironment({
      POSTGRES_USER: superuser.user,
      POSTGRES_PASSWORD: superuser.password,
      POSTGRES_DB: superuser.database
    })
    .withExposedPorts(POSTGRES_PORT)
    .withCopyContentToContainer([
      given("pg_hba.conf", pgHba),
      givenTls("server.crt"),
      givenTls("server.key"),
      givenTls("ca.crt")
    ])
    // Files arrive with root as their owner, and PostgreSQL reads no key that others may read.
    .withCommand([
      "sh",
      "-c",
      `chown -R postgres ${GIVEN} && chmod 600 ${GIVEN}/* && exec docker-entrypoint.sh "$@"`,
      "sh",
      "postgres",
      ...flags
    ])
    // The official image starts twice, the first time without TCP: this line comes once.
    .withWaitStrategy(Wait.forLogMessage(/listening on IPv4 address "0\.0\.0\.0"/))
    .withLogConsumer((stream) => stream.on("data", (chunk) => (log += String(chunk))))
    .start()
    .catch((cause: unknown) => {
      throw new Error(`EFFECTPG_TEST_IMAGE=${image} did not start\n${log || whatToCheck}`, { cause })
    })

  const server = {
    host: container.getHost(),
    port: container.getMappedPort(POSTGRES_PORT),
    ...superuser,
    ca: certificateOfAuthority(),
    unixSocketDir: undefined
  }
  const stop = async (): Promise<void> => {
    await container.stop()
  }
  try {
    await createRoles(server)
  } catch (error) {
    await stop()
    throw error
  }
  return { ...server, features: { tls: true, roles: true, unixSocket: false }, stop }
}

const whatToCheck =
  "is Docker running? Where its registry cannot be reached, build the image by test/support/pg-image/build.sh " +
  "and set TESTCONTAINERS_RYUK_DISABLED=true"
