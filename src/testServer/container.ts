/**
 * PostgreSQL in a container, through testcontainers, from an image with the entry point of the official one
 * (`postgres:18`). testcontainers' reaper removes the container if this process is killed, unless
 * TESTCONTAINERS_RYUK_DISABLED forbids it.
 */
import { randomBytes } from "node:crypto"
import { type ServerAddress, type ServerSetup, THROWN_AWAY } from "./embedded.ts"
import { LogTail } from "./logTail.ts"

const POSTGRES_PORT = 5432
const DIRECTORY = "/effectpg"

export interface ContainerServer extends ServerAddress {
  readonly stop: () => Promise<void>
}

export const startContainer = async (image: string, setup: ServerSetup = {}): Promise<ContainerServer> => {
  const { GenericContainer, Wait } = await testcontainers()
  const settings = { ...THROWN_AWAY, ...setup.settings?.(DIRECTORY) }
  const flags = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`])
  const superuser = {
    user: "postgres",
    password: setup.password ?? randomBytes(18).toString("base64url"),
    database: "postgres"
  }
  const log = new LogTail()
  const container = await new GenericContainer(image)
    .withEnvironment({
      POSTGRES_USER: superuser.user,
      POSTGRES_PASSWORD: superuser.password,
      POSTGRES_DB: superuser.database
    })
    .withExposedPorts(POSTGRES_PORT)
    .withCopyContentToContainer(
      Object.entries({ "of-effectpg": "", ...setup.files }).map(([name, content]) => ({
        content,
        target: `${DIRECTORY}/${name}`
      }))
    )
    // Files arrive with root as their owner, and PostgreSQL reads no key that others may read.
    .withCommand([
      "sh",
      "-c",
      `chown -R postgres ${DIRECTORY} && chmod 600 ${DIRECTORY}/* && exec docker-entrypoint.sh "$@"`,
      "sh",
      "postgres",
      ...flags
    ])
    // The official image starts twice, the first time without TCP: this line comes once.
    .withWaitStrategy(Wait.forLogMessage(/listening on IPv4 address "0\.0\.0\.0"/))
    .withLogConsumer((stream) => stream.on("data", (chunk) => log.add(String(chunk))))
    .start()
    .catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause)
      const why = log.text === "" ? "Is Docker running, and can it get the image?" : log.text
      throw new Error(`a container of the image ${image} did not start: ${reason}\n${why}`, { cause })
    })
  return {
    host: container.getHost(),
    port: container.getMappedPort(POSTGRES_PORT),
    ...superuser,
    stop: async () => {
      await container.stop()
    }
  }
}

const testcontainers = () =>
  import("testcontainers").catch((cause: unknown) => {
    throw new Error("a container needs testcontainers. Install it: npm install --save-dev testcontainers", { cause })
  })
