/** `effectpg check`: has a server check the statements in the sources of a project. */
import * as fs from "node:fs"
import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as PgConfig from "../../PgConfig.ts"
import { makeAsker } from "../statements/asking/asker.ts"
import { checkStatement } from "../statements/checking/check.ts"
import type { Fault } from "../statements/checking/fault.ts"
import { sqlNameOf } from "../statements/finding/sqlFile.ts"
import { type Gathered, gather, moduleOf, outputOf } from "../statements/gather.ts"
import { type ProjectSettings, shownPath } from "../statements/project.ts"
import { concluded, counted, type Failure, flags, givenDatabase, rounds } from "../statements/round.ts"
import { declaredIn } from "../statements/writing/declarations.ts"
import { misuse } from "../terminal/failure.ts"
import { readText, withFiles } from "../terminal/files.ts"

const PURPOSE = "The command check"

const NO_SERVER = "--offline asks no server. Leave it out, or --url and --migrations."

const offline = Flag.Boolean("offline").pipe(
  Flag.withDescription("Ask no server: check that `effectpg types` has seen every statement in the sources"),
  Flag.withDefault(false)
)

export const check = Command.make("check", { ...flags, offline }, (given) =>
  Effect.gen(function* () {
    if (!given.offline)
      return yield* rounds(given, { databaseOf: givenDatabase(given), run: online(given.files), writes: false })
    if (Option.isSome(given.url) || Option.isSome(given.migrations)) return yield* misuse(NO_SERVER)
    return yield* rounds(given, { databaseOf: () => Effect.void, run: offlineRound(given.files), writes: false })
  })
).pipe(
  Command.withDescription(
    "Finds the SQL in TypeScript and JavaScript files and in files of named statements, and asks a server whether it is " +
      "right: names, types, numbers of parameters. Nothing is run. The exit code is 1 if something is wrong. A comment with " +
      "effectpg-ignore above a call keeps it out, and one with effectpg-ignore-file the file."
  ),
  Command.withShortDescription("Check the SQL in the sources"),
  Command.withExamples([
    { command: "effectpg check --url postgres://localhost/app", description: "Ask a database" },
    { command: "effectpg check --migrations migrations", description: "Build a scratch database and ask it" },
    {
      command: "effectpg check --offline",
      description: "Check that the generated types are up to date, without a server"
    }
  ])
)

const online =
  (files: ReadonlyArray<string>) =>
  (settings: ProjectSettings, database: PgConfig.Settings): Effect.Effect<void, Failure, Scope.Scope> =>
    Effect.gen(function* () {
      const gathered = yield* gather(settings, files, PURPOSE)
      const asker = yield* makeAsker(database)
      const faults: Array<Fault> = [...gathered.faults]
      let partial = 0
      for (const statement of gathered.statements) {
        const verdict = yield* checkStatement(statement, asker)
        faults.push(...verdict.faults)
        if (!verdict.isWhole) partial++
      }
      yield* concluded(faults, gathered, unseen(partial, gathered.unknown.length))
    })

const unseen = (partial: number, unknown: number): ReadonlyArray<string> => [
  ...(partial === 0 ? [] : [`${counted(partial, "statement")} could be checked only as far as the text is known.`]),
  ...(unknown === 0
    ? []
    : [`${counted(unknown, "call")} could not be checked: the text is known only when the program runs.`])
]

// ------------------------------------------------------------------------------------------------------- offline

const MISSING = "is not in the generated types; run effectpg types"

const offlineRound =
  (files: ReadonlyArray<string>) =>
  (settings: ProjectSettings): Effect.Effect<void, Failure> =>
    Effect.gen(function* () {
      const gathered = yield* gather(settings, files, PURPOSE)
      const { faults, notes } = yield* withFiles(() => coverage(gathered))
      yield* concluded([...gathered.faults, ...faults], gathered, notes)
    })

/** Compares the statements with those of the generated files. */
const coverage = ({ parser, settings, sqlFiles, statements }: Gathered) => {
  const output = outputOf(settings)
  const path = shownPath(output, process.cwd())
  const text = fs.existsSync(output) ? readText(output) : ""
  const declared = declaredIn(parser, { path, text })
  const typed = statements.filter(({ isTyped }) => isTyped)
  const missing = typed
    .filter(({ sql }) => !declared.has(sql.text))
    .map(({ sql }) => missingFault(sql.originOf(0), MISSING))
  const inModules = sqlFiles.flatMap(({ file, path: sqlFile }) => {
    const module = moduleOf(sqlFile)
    const written = fs.existsSync(module) ? readText(module) : ""
    return file.statements
      .filter(({ name, sql }) => !written.includes(`const ${sqlNameOf(name)} = ${JSON.stringify(sql.text)}\n`))
      .map(({ origin }) => missingFault(origin, `is not in ${shownPath(module, process.cwd())}; run effectpg types`))
  })
  const known = new Set(typed.map(({ sql }) => sql.text))
  const stale = [...declared].filter((sql) => !known.has(sql)).length
  return {
    faults: [...missing, ...inModules],
    notes: stale === 0 ? [] : [`${path} has ${counted(stale, "statement")} that no source has any more.`]
  }
}

const missingFault = (origin: Gathered["unknown"][number] | undefined, what: string): Fault => ({
  source: origin?.source ?? { path: "", text: "" },
  offset: origin?.offset ?? 0,
  start: origin?.offset ?? 0,
  code: undefined,
  message: `the statement ${what}`
})
