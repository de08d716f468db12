/**
 * A PostgreSQL server for tests and for development: one that runs already, a container, or the embedded one from npm.
 * What is started here ends with its scope, and if the process is killed.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as PgConfig from "../PgConfig.ts"
import { startContainer } from "./container.ts"
import { type ServerAddress, startEmbedded } from "./embedded.ts"

/**
 * Which server to use. What is given here comes before the environment. With nothing given, it is the server at
 * `EFFECTPG_TEST_URL`, or else a container of the image `EFFECTPG_TEST_IMAGE`, or else the embedded server.
 *
 * @category options
 * @since 0.1.0
 */
export interface ServerOptions {
  /** The URL of a server that runs already. Its user has to be allowed to create databases. */
  readonly url?: string | Redacted.Redacted<string> | undefined
  /** An image for a container, such as `postgres:18`. It needs Docker and the package `testcontainers`. */
  readonly image?: string | undefined
  /**
   * A directory for the data of the embedded server, which is kept and used again. By default the data is in a temporary
   * directory and goes with the server. With a directory or a port the server is the embedded one.
   */
  readonly directory?: string | undefined
  /** The port of the embedded server. By default it is one that is free. */
  readonly port?: number | undefined
  /** Settings of postgresql.conf for a server that is started here, such as `{ wal_level: "logical" }`. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

/**
 * A server that can be used until its scope closes.
 *
 * @category models
 * @since 0.1.0
 */
export interface TestServer {
  /** Where it comes from: it ran already, or it was started in a container or from npm. */
  readonly kind: "url" | "container" | "embedded"
  /** How other programs reach it, with its password. */
  readonly url: Redacted.Redacted<string>
  /** How effectpg reaches it. */
  readonly settings: PgConfig.Settings
}

/**
 * There is no database for the tests: the server could not be started, its user may not create databases, or `setup` has left
 * a connection open. The message says what to do, such as which package to install.
 *
 * @category errors
 * @since 0.1.0
 */
export class TestServerError extends Data.TaggedError("TestServerError")<{
  readonly message: string
  readonly cause: unknown
}> {}

/** Starts a server until the scope closes, or takes the one that runs already. */
export const testServer = (options: ServerOptions = {}): Effect.Effect<TestServer, TestServerError, Scope.Scope> => {
  const { directory, image, port, settings = {}, url } = options
  const setup = { settings: () => settings }
  if (url !== undefined) return Effect.succeed(runningServer(url))
  if (image !== undefined) return started("container", () => startContainer(image, setup))
  return Effect.suspend(() => {
    const environment = directory === undefined && port === undefined ? process.env : {}
    const givenUrl = environment["EFFECTPG_TEST_URL"]
    const givenImage = environment["EFFECTPG_TEST_IMAGE"]
    if (givenUrl) return Effect.succeed(runningServer(givenUrl))
    if (givenImage) return started("container", () => startContainer(givenImage, setup))
    return started("embedded", () => startEmbedded({ ...setup, directory, port }))
  })
}

const runningServer = (given: string | Redacted.Redacted<string>): TestServer => {
  const url = typeof given === "string" ? Redacted.make(given) : given
  return { kind: "url", url, settings: { url } }
}

const started = (
  kind: "container" | "embedded",
  start: () => Promise<ServerAddress & { readonly stop: () => Promise<void> }>
): Effect.Effect<TestServer, TestServerError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.tryPromise({ try: start, catch: (cause) => new TestServerError({ message: messageOf(cause), cause }) }),
      ({ stop }) => Effect.promise(stop)
    ),
    ({ database, host, password, port, user }) => {
      const url = Redacted.make(`postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`)
      return { kind, url, settings: { url, sslMode: "disable" } }
    }
  )

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
