/** `effectpg migrate`: applies the migrations of a directory, shows their states, and begins new ones. */
import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { DEFAULT_TABLE } from "../../migrator/history.ts"
import type { MigrationState, MigrationStatus } from "../../migrator/plan.ts"
import * as PgConnection from "../../PgConnection.ts"
import * as PgMigrator from "../../PgMigrator.ts"
import * as PgSqlClient from "../../PgSqlClient.ts"
import { newMigration } from "../migrate/newFile.ts"
import { settingsOf, urlFlag } from "../terminal/database.ts"
import { ExitCode, ExitWith, failure, misuse } from "../terminal/failure.ts"
import { print } from "../terminal/write.ts"

const directory = Flag.String("directory").pipe(
  Flag.withAlias("d"),
  Flag.withDescription(
    "Where the migrations are: <number>_<name>.sql, or .ts or .js with an Effect as its default export"
  ),
  Flag.withDefault("migrations")
)

const table = Flag.String("table").pipe(
  Flag.withDescription("The table that says which of them were applied"),
  Flag.withDefault(DEFAULT_TABLE)
)

const upFlags = {
  directory,
  table,
  dryRun: Flag.Boolean("dry-run").pipe(
    Flag.withDescription("Only print what would be applied, with its SQL"),
    Flag.withDefault(false)
  ),
  url: urlFlag
}

const up = Command.make("up", upFlags, (given) =>
  onDatabase(
    given.url,
    Effect.gen(function* () {
      const options = { loader: yield* loaderOf(given.directory), table: given.table }
      if (given.dryRun) return yield* printPending(yield* PgMigrator.dryRun(options))
      const done = yield* PgMigrator.run(options)
      yield* print(
        done.length === 0 ? "Nothing to apply.\n" : done.map(([id, name]) => `applied  ${id}_${name}\n`).join("")
      )
    })
  )
).pipe(
  Command.withDescription(
    "Applies all pending migrations in the order of their numbers, each in a transaction of its own. If several processes " +
      "do so at once, one applies a migration and the others wait."
  ),
  Command.withShortDescription("Apply all pending migrations")
)

const printPending = (pending: ReadonlyArray<PgMigrator.PendingMigration>) =>
  print(
    pending.length === 0
      ? "Nothing to apply.\n"
      : pending
          .map(({ file, id, name, statements = [] }) =>
            [`-- ${file ?? `${id}_${name}, an Effect`}\n`, ...statements.map((sql) => `${sql};\n`)].join("")
          )
          .join("\n")
  )

const status = Command.make("status", { directory, table, url: urlFlag }, (given) =>
  onDatabase(
    given.url,
    Effect.gen(function* () {
      const loader = yield* loaderOf(given.directory)
      const states = yield* PgMigrator.status({ loader, table: given.table })
      yield* print(states.length === 0 ? "There are no migrations.\n" : states.map(lineOf).join(""))
      if (states.some(({ state }) => FAULTS.has(state))) return yield* new ExitWith({ exitCode: ExitCode.failure })
    })
  )
).pipe(
  Command.withDescription(
    "Shows the state of every migration. Exits with 1 if one was changed after it was applied, is missing, or is out of order."
  ),
  Command.withShortDescription("Show the state of every migration")
)

/** `migrate up` would refuse them. */
const FAULTS: ReadonlySet<MigrationState> = new Set(["changed", "missing", "out of order"])
const STATE_WIDTH = "out of order".length

const lineOf = ({ appliedAt, file, id, name, state }: MigrationStatus): string =>
  `${state.padEnd(STATE_WIDTH)}  ${file ?? `${id}_${name}`}${appliedAt === undefined ? "" : `  ${appliedAt.toISOString()}`}\n`

const begin = Command.make(
  "new",
  {
    name: Argument.String("name").pipe(Argument.withDescription("What the migration does, such as add_users")),
    directory,
    ts: Flag.Boolean("ts").pipe(
      Flag.withDescription("Write it in TypeScript, as an Effect; by default it is SQL"),
      Flag.withDefault(false)
    )
  },
  ({ directory, name, ts }) =>
    Effect.flatMap(newMigration(directory, name, ts ? "ts" : "sql"), (file) => print(`${file}\n`))
).pipe(
  Command.withDescription(
    "Makes the file of a new migration, with the number after the last one, and prints its path."
  ),
  Command.withShortDescription("Begin a new migration")
)

export const migrate = Command.make("migrate").pipe(
  Command.withDescription("Applies the migrations of a directory, shows their states, and begins new ones."),
  Command.withShortDescription("Apply migrations, show their states, begin new ones"),
  Command.withExamples([
    { command: "effectpg migrate new add_users", description: "Begin a migration" },
    { command: "effectpg migrate up --dry-run", description: "See what would be applied" },
    { command: "effectpg migrate up", description: "Apply it" }
  ]),
  Command.withSubcommands([up, status, begin])
)

/** A wrong directory is noticed before anything is connected. */
const loaderOf = (directory: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    if (!(yield* Effect.orElseSucceed(files.exists(directory), () => false))) {
      return yield* misuse(`There is no directory ${directory}. Give another one with --directory.`)
    }
    return PgMigrator.fromDirectory(directory)
  })

/**
 * Migrations need one connection. A pool would try for a while to open it, so that a first connection of its own tells
 * at once if that cannot be.
 */
const onDatabase = <E, R>(
  url: Option.Option<Redacted.Redacted>,
  body: Effect.Effect<void, E | PgMigrator.PgMigrationError | SqlError, R | SqlClient>
) =>
  Effect.andThen(
    Effect.scoped(PgConnection.make(settingsOf(url))),
    Effect.provide(body, PgSqlClient.layer({ ...settingsOf(url), maxConnections: 1 }))
  ).pipe(Effect.mapError((error) => (isSqlError(error) ? failure(messageOf(error)) : error)))

const isSqlError = (error: unknown): error is SqlError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "SqlError"

/** What the server or the client itself has said is behind two wrappings. */
const messageOf = ({ message, reason }: SqlError): string =>
  reason.cause instanceof Error ? reason.cause.message : message
