/** Writes the schema of the database to a file, by pg_dump. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { SslMode } from "../PgConfig.ts"
import { PgMigrationError, SchemaDumpError } from "./migrationError.ts"
import { splitStatements } from "./splitStatements.ts"

/**
 * Where the schema is written, and the server that pg_dump connects to. What is left out has the default of pg_dump. No
 * variable of the environment replaces it.
 *
 * @category options
 * @since 0.1.0
 */
export interface SchemaDumpOptions {
  /** The directory for `_schema.sql`. It is made if it is missing. */
  readonly directory: string
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly user?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  readonly database?: string | undefined
  readonly sslMode?: SslMode | undefined
  /** The file with the certificates of trusted authorities. */
  readonly sslRootCert?: string | undefined
  /** The password file. */
  readonly passfile?: string | undefined
  /**
   * The program, found by `PATH` if it is a name only.
   *
   * @default "pg_dump"
   */
  readonly command?: string | undefined
}

/**
 * Writes the schema after migrations were applied; made by `pgDump`. It gets the name of the table of migrations, as SQL.
 *
 * @category models
 * @since 0.1.0
 */
export type SchemaDump<R> = (table: string) => Effect.Effect<void, PgMigrationError, R>

/**
 * Writes the schema of the database and the rows of the table of migrations to `_schema.sql`, by PostgreSQL's program
 * `pg_dump`. Give it to `run` or `layer` as `schemaDump`. `pg_dump` must not be older than the server.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { PgMigrator } from "effectpg"
 *
 * export const migrate = PgMigrator.run({
 *   loader: PgMigrator.fromDirectory("migrations"),
 *   schemaDump: PgMigrator.pgDump({
 *     directory: "migrations",
 *     host: "localhost",
 *     user: "app",
 *     password: Redacted.make("secret"),
 *     database: "app"
 *   })
 * })
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const pgDump =
  (
    options: SchemaDumpOptions
  ): SchemaDump<ChildProcessSpawner.ChildProcessSpawner | FileSystem.FileSystem | Path.Path> =>
  (table) =>
    Effect.gen(function* () {
      const fileSystem = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const schema = yield* dumped(options, ["--schema-only"])
      const history = yield* dumped(options, ["--data-only", "--column-inserts", `--table=${table}`])
      const file = path.join(options.directory, "_schema.sql")
      yield* fileSystem.makeDirectory(options.directory, { recursive: true }).pipe(
        Effect.andThen(fileSystem.writeFileString(file, `${schema}\n\n${history}\n`)),
        Effect.mapError((cause) => failed("cannot write", `cannot write ${file}: ${cause.message}`, cause))
      )
    })

/** What pg_dump prints for these arguments, without its comments and settings. */
const dumped = (
  options: SchemaDumpOptions,
  asked: ReadonlyArray<string>
): Effect.Effect<string, PgMigrationError, ChildProcessSpawner.ChildProcessSpawner> => {
  const program = options.command ?? "pg_dump"
  const command = ChildProcess.make(program, [...asked, "--no-owner", "--no-privileges"], {
    env: environmentOf(options)
  })
  return Effect.scoped(
    Effect.gen(function* () {
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      const handle = yield* spawner.spawn(command)
      const [output, complaint, exitCode] = yield* Effect.all(
        [
          Stream.mkString(Stream.decodeText(handle.stdout)),
          Stream.mkString(Stream.decodeText(handle.stderr)),
          handle.exitCode
        ],
        { concurrency: "unbounded" }
      )
      return { output, complaint, exitCode }
    })
  ).pipe(
    Effect.mapError((cause) => notStarted(program, cause)),
    Effect.flatMap(({ complaint, exitCode, output }) =>
      exitCode === 0 ? Effect.succeed(essentialsOf(output)) : Effect.fail(refused(program, complaint.trim(), exitCode))
    )
  )
}

/** What a program needs to start and to find files of the user, on the systems that there are. */
const INHERITED = ["PATH", "Path", "HOME", "SystemRoot", "USERPROFILE", "APPDATA", "TMPDIR", "TEMP"]

const environmentOf = (options: SchemaDumpOptions): Record<string, string | Redacted.Redacted | undefined> => ({
  ...Object.fromEntries(INHERITED.map((name) => [name, process.env[name]])),
  // The message of another version is recognized by its words.
  LC_ALL: "C",
  PGHOST: options.host,
  PGPORT: options.port?.toString(),
  PGUSER: options.user,
  PGPASSWORD: options.password,
  PGDATABASE: options.database,
  PGSSLMODE: options.sslMode,
  PGSSLROOTCERT: options.sslRootCert,
  PGPASSFILE: options.passfile
})

/** New versions protect a dump by commands of psql that differ from run to run. */
const RESTRICTION = /^\\(?:un)?restrict .*$/gm
const IS_SETTING = /^(?:SET|SELECT\s+pg_catalog\.set_config)\b/i

/** The statements alone. A line of a function may begin as a comment or a setting does, so lines do not decide. */
const essentialsOf = (dump: string): string =>
  splitStatements(dump.replaceAll("\r\n", "\n").replaceAll(RESTRICTION, ""))
    .filter(({ sql }) => !IS_SETTING.test(sql))
    .map(({ sql }) => `${sql};`)
    .join("\n\n")

const notStarted = (program: string, cause: PlatformError): PgMigrationError =>
  cause.reason._tag === "NotFound"
    ? failed(
        "not found",
        `cannot write the schema: ${program} was not found. Install the client programs of PostgreSQL, or name the ` +
          "program by the option command",
        cause
      )
    : failed("failed", `cannot write the schema: ${program} could not be run: ${cause.message}`, cause)

const refused = (program: string, complaint: string, exitCode: number): PgMigrationError => {
  if (!complaint.includes("server version mismatch")) {
    return failed("failed", `cannot write the schema: ${program} ended with ${exitCode}: ${complaint}`, complaint)
  }
  const versions = /server version: .*/.exec(complaint)?.[0] ?? complaint
  const message = `cannot write the schema: ${program} is older than the server (${versions}). Install a newer one`
  return failed("older than the server", message, complaint)
}

const failed = (problem: SchemaDumpError["problem"], message: string, cause: unknown): PgMigrationError =>
  new PgMigrationError({ reason: new SchemaDumpError({ problem, message, cause }) })
