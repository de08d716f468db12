/**
 * The container as the tests need it, with TLS and roles: EFFECTPG_TEST_IMAGE is an image with the entry point of the
 * official one (`postgres:18`, or one made by `pg-image/build.sh`).
 */
import * as container from "../../../src/testServer/container.ts"
import { certificateOfAuthority, createRoles, setupOf, superuser } from "./cluster.ts"
import type { StartedPgServer, StartOptions } from "./server.ts"

export const startContainer = async (image: string, options: StartOptions): Promise<StartedPgServer> => {
  const { host, port, stop } = await container.startContainer(image, setupOf(options)).catch((cause: unknown) => {
    throw new Error(`EFFECTPG_TEST_IMAGE=${image} did not start: ${whatToCheck}`, { cause })
  })
  const server = { host, port, ...superuser, ca: certificateOfAuthority(), unixSocketDir: undefined }
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
