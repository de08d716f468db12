/** `effectpg types`: writes the types of the statements in the sources of a project. */
import * as fs from "node:fs"
import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as path from "node:path"
import type * as PgConfig from "../../PgConfig.ts"
import { type Description, makeAsker } from "../statements/asking/asker.ts"
import { checkStatement } from "../statements/checking/check.ts"
import type { Fault } from "../statements/checking/fault.ts"
import type { SqlText } from "../statements/finding/sqlText.ts"
import type { Statement } from "../statements/finding/statements.ts"
import { type Gathered, gather, moduleOf, outputOf } from "../statements/gather.ts"
import { type ProjectSettings, shownPath } from "../statements/project.ts"
import { concluded, counted, type Failure, flags, givenDatabase, rounds } from "../statements/round.ts"
import { declarations } from "../statements/writing/declarations.ts"
import { type Entry, entryOf } from "../statements/writing/entry.ts"
import type { Override } from "../statements/writing/overrides.ts"
import { sqlModule } from "../statements/writing/sqlModule.ts"
import { TypeWriter } from "../statements/writing/tsType.ts"
import type { CliFailure } from "../terminal/failure.ts"
import { readText, withFiles } from "../terminal/files.ts"

const output = Flag.String("output").pipe(
  Flag.withMetavar("file"),
  Flag.withDescription("The declaration file; by default what package.json says, or effectpg.d.ts beside it"),
  Flag.optional
)

export const types = Command.make("types", { ...flags, output }, (given) =>
  rounds(given, { databaseOf: givenDatabase(given), run: written(given.files), writes: true })
).pipe(
  Command.withDescription(
    "Finds the SQL in TypeScript files, asks a server for the parameters and rows of each statement, and writes them to a " +
      "declaration file: calls with these texts are typed from then on. For a file of named statements, users.sql, it writes " +
      "the module users.sql.ts. Nothing is run. The exit code is 1 if a statement is wrong; the others are written."
  ),
  Command.withShortDescription("Write the types of the SQL in the sources"),
  Command.withExamples([
    { command: "effectpg types --url postgres://localhost/app", description: "Write effectpg.d.ts" },
    { command: "effectpg types --migrations migrations --watch", description: "Write it whenever a file changes" }
  ])
)

interface Known {
  readonly statement: Statement
  readonly description: Description
}

const written =
  (files: ReadonlyArray<string>) =>
  (settings: ProjectSettings, database: PgConfig.Settings): Effect.Effect<void, Failure, Scope.Scope> =>
    Effect.gen(function* () {
      const gathered = yield* gather(settings, files, "The command types")
      const asker = yield* makeAsker(database)
      const faults: Array<Fault> = [...gathered.faults]
      const known = new Map<SqlText, Known>()
      for (const statement of gathered.statements.filter(isWritten)) {
        const verdict = yield* checkStatement(statement, asker)
        faults.push(...verdict.faults)
        if (verdict.checked === undefined) continue
        const description = yield* asker.describe(statement.sql.text, verdict.checked)
        known.set(statement.sql, { statement, description })
      }
      const writer = new TypeWriter(yield* asker.types, settings)
      const entries = new Map<SqlText, Entry>()
      for (const [sql, { description }] of known) {
        const entry = entryOf(sql.text, description, writer, settings.names.propertyOf)
        entries.set(sql, entry)
        faults.push(...entry.misplaced.map((override) => misplaced(override, sql)))
      }
      const texts = new Map(
        [...known].flatMap(([sql, { statement }]) => {
          const entry = entries.get(sql)
          return statement.isTyped && entry !== undefined ? [[sql.text, entry] as const] : []
        })
      )
      yield* write(outputOf(settings), declarations(texts))
      const functions = new Map<string, number>()
      for (const { file, path: sqlFile } of gathered.sqlFiles) {
        const named = file.statements.flatMap((statement) => {
          const entry = entries.get(statement.sql)
          return entry === undefined ? [] : [{ statement, entry }]
        })
        yield* write(moduleOf(sqlFile), sqlModule(path.basename(sqlFile), named))
        functions.set(moduleOf(sqlFile), named.length)
      }
      yield* concluded(faults, gathered, report(gathered, settings, texts.size, functions))
    })

/** Templates and scripts have no types. */
const isWritten = ({ form, isScript, isTyped, sql }: Statement): boolean =>
  isTyped || (form !== "template" && !isScript && sql.holes.length === 0)

const misplaced = (override: Override, sql: SqlText): Fault => {
  const origin = sql.originOf(override.at)
  return {
    source: origin?.source ?? { path: "", text: "" },
    offset: origin?.offset ?? 0,
    start: sql.originOf(0)?.offset ?? 0,
    code: undefined,
    message: override.isParameter
      ? `the statement has no parameter $${override.of}`
      : `the statement has no column ${JSON.stringify(override.of)}`
  }
}

/** A file that stays as it is keeps its time, so that nothing that watches it starts. */
const write = (file: string, text: string): Effect.Effect<void, CliFailure> =>
  withFiles(() => {
    if (!fs.existsSync(file) || readText(file) !== text) fs.writeFileSync(file, text)
  })

const report = (
  { sqlFiles, statements }: Gathered,
  settings: ProjectSettings,
  count: number,
  functions: ReadonlyMap<string, number>
): ReadonlyArray<string> => {
  const untyped = statements.filter(({ isTyped }) => !isTyped).length
  const inModules = sqlFiles.reduce((sum, { file }) => sum + file.statements.length, 0)
  const others = untyped - inModules
  return [
    `${shownPath(outputOf(settings), process.cwd())} has ${counted(count, "statement")}.`,
    ...Array.from(
      functions,
      ([module, written]) => `${shownPath(module, process.cwd())} has ${counted(written, "function")}.`
    ),
    ...(others === 0 ? [] : [`${counted(others, "template")} and texts that are put together have no types.`])
  ]
}
