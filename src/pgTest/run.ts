/**
 * A run of tests: a server, and a number that is in the name of every database which the run makes. As long as the run
 * lasts, a connection of its own holds an advisory lock with that number. A database whose number is not locked was left by
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
import { type ServerOptions, type TestServer, TestServerError, testServer } from "../testServer/server.ts"
import { quoteName } from "../wire/sqlText.ts"

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
  readonly sslMode?: PgConfig.Settings["sslMode"]
  readonly kind: TestServer["kind"]
  readonly prefix: string
}

const MAX_ADMIN_CONNECTIONS = 4
/** How long a test waits for a connection while others make or drop their databases, or while the server is away. */
const ACQUIRE_TIMEOUT_MILLIS = 60_000
/** How long a server that was started here waits for a further test of this process. */
const LINGER_MILLIS = 1_000

// ------------------------------------------------------------------------------------------------- in a process

type Opened = Exit.Exit<Run, TestServerError | PgError.PgError>

interface Shared {
  users: number
  /** Whether its server is stopped at its end, so that a further test would have to start one again. */
  readonly isWorthKeeping: boolean
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
  const shared = {
    users: 0,
    isWorthKeeping: announced === undefined,
    scope,
    opened: Effect.runPromiseExit(Scope.provide(run, scope))
  }
  sharedRuns.set(key, shared)
  return shared
}

const leave = (key: string, shared: Shared): Effect.Effect<void> =>
  Effect.promise(async () => {
    shared.users--
    const opened = await shared.opened
    const isWorthWaiting = shared.isWorthKeeping && Exit.isSuccess(opened) && opened.value.server.kind !== "url"
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
    const { kind, settings, url } = server
    const announcement: Announcement = { url: Redacted.value(url), sslMode: settings.sslMode, kind, prefix }
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

const joinedRun = ({ kind, prefix, sslMode, url }: Announcement): Effect.Effect<Run, PgError.PgError, Scope.Scope> => {
  const secret = Redacted.make(url)
  return runOn({ kind, url: secret, settings: { url: secret, sslMode } }, prefix)
}

// ------------------------------------------------------------------------------------------------- opening

const PREFIX = "effectpg_test_"

const newRun = (options: ServerOptions): Effect.Effect<Run, TestServerError | PgError.PgError, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* testServer(options)
    const number = randomBytes(8).readBigUInt64BE() >> 1n
    const prefix = `${PREFIX}${number.toString(16).padStart(16, "0")}_`
    yield* keepLocked(server, number)
    yield* Effect.addFinalizer(() => dropAll(server, prefix))
    const run = yield* runOn(server, prefix)
    yield* checkUser(run.admin)
    yield* dropLeftovers(run.admin)
    return run
  })

/** Holds the lock with the number of a run. A connection that is lost is replaced by one that locks it again. */
const keepLocked = (server: TestServer, number: bigint): Effect.Effect<unknown, PgError.PgError, Scope.Scope> =>
  PgPool.make({
    ...adminSettings(server),
    minConnections: 1,
    maxConnections: 1,
    maxLifetime: Infinity,
    init: (connection) => connection.execute("SELECT pg_catalog.pg_advisory_lock($1)", [number])
  })

const checkUser = (admin: PgPool.PgPool): Effect.Effect<void, TestServerError | PgError.PgError> =>
  Effect.flatMap(
    admin.fetchOne(
      "SELECT rolname AS name, rolcreatedb OR rolsuper AS suits FROM pg_catalog.pg_roles WHERE rolname = current_user"
    ),
    ({ name, suits }) => (suits === true ? Effect.void : Effect.fail(mayNotCreate(String(name))))
  )

const mayNotCreate = (user: string): TestServerError =>
  new TestServerError({
    message:
      `the user ${user} may not create databases, and tests get databases of their own. Allow it with ` +
      `ALTER ROLE ${quoteName(user)} CREATEDB, or connect as another user`,
    cause: undefined
  })

const runOn = (server: TestServer, prefix: string): Effect.Effect<Run, PgError.PgError, Scope.Scope> =>
  Effect.gen(function* () {
    const admin = yield* PgPool.make({
      ...adminSettings(server),
      minConnections: 0,
      maxConnections: MAX_ADMIN_CONNECTIONS,
      acquireTimeout: ACQUIRE_TIMEOUT_MILLIS
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

/**
 * Drops the databases of runs that have ended without doing so, unless somebody uses one: the server would wait for five
 * seconds, and then refuse.
 */
const dropLeftovers = (admin: PgPool.PgPool): Effect.Effect<unknown, PgError.PgError> =>
  Effect.flatMap(
    admin.fetch(
      `SELECT pg_catalog.quote_ident(datname) AS name FROM pg_catalog.pg_database AS d
      WHERE datname ~ '^${PREFIX}[0-9a-f]{16}_'
        AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_locks
          WHERE locktype = 'advisory' AND objsubid = 1
            AND pg_catalog.lpad(pg_catalog.to_hex(classid::pg_catalog.int8), 8, '0')
              || pg_catalog.lpad(pg_catalog.to_hex(objid::pg_catalog.int8), 8, '0')
              = pg_catalog.substr(datname, ${PREFIX.length + 1}, 16)
        )
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE datid = d.oid)
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_prepared_xacts WHERE database = datname)`
    ),
    // Another run may drop the same at the same time, and a database may belong to another user.
    (rows) => dropEach(admin, rows, "")
  )

/** Drops the databases of a run at its end. What cannot be dropped is left to the next run. */
const dropAll = (server: TestServer, prefix: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    const connection = yield* PgConnection.make(adminSettings(server))
    const rows = yield* connection.fetch(
      `SELECT pg_catalog.quote_ident(datname) AS name FROM pg_catalog.pg_database
      WHERE pg_catalog.starts_with(datname, $1)`,
      [prefix]
    )
    for (const { error, name } of yield* dropEach(connection, rows, " WITH (FORCE)")) {
      yield* Effect.logWarning(`the database ${name} of the tests could not be dropped`, error)
    }
  }).pipe(Effect.scoped, Effect.ignore)

interface NotDropped {
  readonly name: string
  readonly error: PgError.PgError
}

/** Drops each of the databases, whatever becomes of the others. Returns those that it could not drop. */
const dropEach = (
  queryable: PgConnection.Queryable,
  rows: ReadonlyArray<Readonly<Record<string, unknown>>>,
  how: "" | " WITH (FORCE)"
): Effect.Effect<ReadonlyArray<NotDropped>> =>
  Effect.map(
    Effect.partition(
      rows.map(({ name }) => String(name)),
      (name) =>
        Effect.mapError(queryable.execute(`DROP DATABASE IF EXISTS ${name}${how}`), (error): NotDropped => ({
          name,
          error
        }))
    ),
    ([, notDropped]) => notDropped
  )
