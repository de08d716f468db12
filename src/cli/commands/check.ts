/** `effectpg check`: has a server check the statements in the sources of a project. */
import * as fs from "node:fs"
import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { makeAsker } from "../statements/asking/asker.ts"
import { checkStatement } from "../statements/checking/check.ts"
import type { Fault } from "../statements/checking/fault.ts"
import { type Gathered, gather, moduleOf, outputOf } from "../statements/gather.ts"
import { readProject, shownPath } from "../statements/project.ts"
import { concluded, counted, flags, type Round, rounds } from "../statements/round.ts"
import { declaredIn } from "../statements/writing/declarations.ts"

const PURPOSE = "The command check"

const offline = Flag.Boolean("offline").pipe(
  Flag.withDescription("Ask no server: check that `effectpg types` has seen every statement in the sources"),
  Flag.withDefault(false)
)

export const check = Command.make("check", { ...flags, offline }, (given) =>
  given.offline
    ? Effect.gen(function* () {
        const settings = yield* readProject(process.cwd())
        const gathered = yield* gather(settings, given.files, PURPOSE)
        const { faults, notes } = coverage(gathered)
        yield* concluded([...gathered.faults, ...faults], gathered, notes)
      })
    : rounds(given, online(given.files))
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
  (files: ReadonlyArray<string>): Round =>
  (settings, database) =>
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

/** Compares the statements with those of the generated files. */
const coverage = ({ parser, settings, sqlFiles, statements }: Gathered) => {
  const output = outputOf(settings)
  const path = shownPath(output, process.cwd())
  const text = fs.existsSync(output) ? fs.readFileSync(output, "utf8") : ""
  const declared = declaredIn(parser, { path, text })
  const typed = statements.filter(({ isTyped }) => isTyped)
  const missing = typed
    .filter(({ sql }) => !declared.has(sql.text))
    .map(({ sql }) => missingFault(sql.originOf(0), MISSING))
  const inModules = sqlFiles.flatMap(({ file, path: sqlFile }) => {
    const module = moduleOf(sqlFile)
    const written = fs.existsSync(module) ? fs.readFileSync(module, "utf8") : ""
    return file.statements
      .filter(({ name, sql }) => !written.includes(`const ${name}Sql = ${JSON.stringify(sql.text)}\n`))
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
