/**
 * A run of tests: a server, and a number that is in the name of every database which the run makes. As long as the run
 * lasts, one of its connections holds an advisory lock with that number. A database whose number is not locked was left by
 * a run that was killed, and the next run drops it.
 *
 * A run that was started before the tests (see globalSetup.ts) is found in the environment. Without one, a process starts
 * its own for the first of its tests.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { randomBytes } from "node:crypto"
import type * as PgConfig from "../PgConfig.ts"
import * as PgConnection from "../PgConnection.ts"
import type * as PgError from "../PgError.ts"
import * as PgPool from "../PgPool.ts"
import { type ServerOptions, type TestServer, type TestServerError, testServer } from "../testServer/server.ts"

export interface Run {
  readonly server: TestServer
  /** What the names of its databases begin with. */
  readonly prefix: string
  /** Makes and drops databases. */
  readonly admin: PgPool.PgPool
  /** How the server copies a template best; text of CREATE DATABASE. */
  readonly strategy: string
  /** One template is made at a time. */
  readonly templating: Semaphore.Semaphore
  /** The templates that are known to be complete. */
  readonly templates: Set<string>
}

/** The environment variable by which the processes of a run know it. */
const VARIABLE = "EFFECTPG_TEST_RUN"

/** What the variable says, as JSON. */
interface Announcement {
  readonly url: string
  readonly kind: TestServer["kind"]
  readonly prefix: string
}

const MAX_ADMIN_CONNECTIONS = 4
/** How long a server that was started here waits for a further test of this process. */
const LINGER_MILLIS = 1_000

// ------------------------------------------------------------------------------------------------- in a process

type Opened = Exit.Exit<Run, TestServerError | PgError.PgError>

interface Shared {
  users: number
  readonly scope: Scope.Closeable
  /** It is opened by no fiber of a test, so that no test can interrupt it. */
  readonly opened: Promise<Opened>
}

const sharedRuns = new Map<string, Shared>()

/** The run of this process on such a server, for the scope. All tests share it that name the same server. */
export const sharedRun = (options: ServerOptions): Effect.Effect<Run, TestServerError | PgError.PgError, Scope.Scope> =>
  Effect.suspend(() => {
    const key = keyOf(options)
    return Effect.acquireRelease(
      Effect.sync(() => {
        const shared = sharedRuns.get(key) ?? share(key, options)
        shared.users++
        return shared
      }),
      (shared) => leave(key, shared)
    )
  }).pipe(
    Effect.flatMap(({ opened }) => Effect.promise(() => opened)),
    Effect.flatten
  )

const keyOf = ({ directory, image, port, settings, url }: ServerOptions): string =>
  JSON.stringify([
    url === undefined || typeof url === "string" ? url : Redacted.value(url),
    image,
    directory,
    port,
    settings
  ])

const share = (key: string, options: ServerOptions): Shared => {
  const scope = Scope.makeUnsafe()
  const announced = key === keyOf({}) ? process.env[VARIABLE] : undefined
  const run = announced === undefined ? newRun(options) : joinedRun(JSON.parse(announced))
  const shared = { users: 0, scope, opened: Effect.runPromiseExit(Scope.provide(run, scope)) }
  sharedRuns.set(key, shared)
  return shared
}

const leave = (key: string, shared: Shared): Effect.Effect<void> =>
  Effect.promise(async () => {
    shared.users--
    const opened = await shared.opened
    const isWorthWaiting = Exit.isSuccess(opened) && opened.value.server.kind !== "url"
    const end = async (): Promise<void> => {
      if (shared.users > 0 || sharedRuns.get(key) !== shared) return
      sharedRuns.delete(key)
      await Effect.runPromise(Scope.close(shared.scope, Exit.void))
    }
    if (isWorthWaiting) setTimeout(() => void end(), LINGER_MILLIS)
    else await end()
  })

// ------------------------------------------------------------------------------------------------- for all processes

/**
 * Starts a run that the processes find which are started from now on with that environment. Returns how to end it. If the
 * environment has a run already, nothing is started.
 */
export const startRun = async (
  options: ServerOptions = {},
  environment: Partial<Record<string, string>> = process.env
): Promise<() => Promise<void>> => {
  if (environment[VARIABLE] !== undefined) return async () => {}
  const scope = Scope.makeUnsafe()
  try {
    const { prefix, server } = await Effect.runPromise(Scope.provide(newRun(options), scope))
    const announcement: Announcement = { url: Redacted.value(server.url), kind: server.kind, prefix }
    environment[VARIABLE] = JSON.stringify(announcement)
  } catch (error) {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    throw error
  }
  return () => {
    delete environment[VARIABLE]
    return Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const joinedRun = ({ kind, prefix, url }: Announcement): Effect.Effect<Run, PgError.PgError, Scope.Scope> => {
  const secret = Redacted.make(url)
  return runOn({ kind, url: secret, settings: { url: secret } }, prefix)
}

// ------------------------------------------------------------------------------------------------- opening

const PREFIX = "effectpg_test_"

const newRun = (options: ServerOptions): Effect.Effect<Run, TestServerError | PgError.PgError, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* testServer(options)
    const keeper = yield* PgConnection.make(adminSettings(server))
    const number = randomBytes(8).readBigUInt64BE() >> 1n
    yield* keeper.execute("SELECT pg_catalog.pg_advisory_lock($1)", [number])
    yield* dropLeftovers(keeper)
    const prefix = `${PREFIX}${number.toString(16).padStart(16, "0")}_`
    yield* Effect.addFinalizer(() => Effect.ignore(dropAll(keeper, prefix)))
    return yield* runOn(server, prefix)
  })

const runOn = (server: TestServer, prefix: string): Effect.Effect<Run, PgError.PgError, Scope.Scope> =>
  Effect.gen(function* () {
    const admin = yield* PgPool.make({
      ...adminSettings(server),
      minConnections: 0,
      maxConnections: MAX_ADMIN_CONNECTIONS,
      acquireTimeout: Infinity
    })
    const { fsync, version } = yield* admin.fetchOne(
      "SELECT pg_catalog.current_setting('fsync') AS fsync, pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version"
    )
    // Where nothing is made durable, files are copied faster than their changes are logged.
    const strategy = fsync === "off" && Number(version) >= 15_00_00 ? " STRATEGY FILE_COPY" : ""
    return { server, prefix, admin, strategy, templating: Semaphore.makeUnsafe(1), templates: new Set<string>() }
  })

const adminSettings = ({ settings }: TestServer): PgConfig.Settings => ({
  ...settings,
  applicationName: "effectpg PgTest"
})

// ------------------------------------------------------------------------------------------------- dropping

/** Drops the databases of runs that have ended without doing so, unless somebody looks at one. */
const dropLeftovers = (connection: PgConnection.PgConnection): Effect.Effect<void, PgError.PgError> =>
  Effect.flatMap(
    connection.fetch(
      `SELECT pg_catalog.quote_ident(datname) AS name FROM pg_catalog.pg_database AS d
      WHERE datname ~ '^${PREFIX}[0-9a-f]{16}_'
        AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_locks
          WHERE locktype = 'advisory' AND objsubid = 1
            AND pg_catalog.lpad(pg_catalog.to_hex(classid::pg_catalog.int8), 8, '0')
              || pg_catalog.lpad(pg_catalog.to_hex(objid::pg_catalog.int8), 8, '0')
              = pg_catalog.substr(datname, ${PREFIX.length + 1}, 16)
        )
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE datid = d.oid)`
    ),
    // Another run may drop the same at the same time, and a database may belong to another user.
    (rows) => Effect.forEach(rows, ({ name }) => Effect.ignore(connection.execute(`DROP DATABASE IF EXISTS ${name}`)))
  )

const dropAll = (connection: PgConnection.PgConnection, prefix: string): Effect.Effect<void, PgError.PgError> =>
  Effect.flatMap(
    connection.fetch("SELECT datname AS name FROM pg_catalog.pg_database WHERE pg_catalog.starts_with(datname, $1)", [
      prefix
    ]),
    (rows) => Effect.forEach(rows, ({ name }) => connection.execute(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
  )
