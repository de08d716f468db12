/** All statements of a project. */
import * as path from "node:path"
import * as Effect from "effect/Effect"
import { type CliFailure, loadPackage } from "../terminal/failure.ts"
import type { Fault } from "./checking/fault.ts"
import { type Parser } from "./finding/ast.ts"
import { parseSqlFile, type SqlFile } from "./finding/sqlFile.ts"
import type { Origin } from "./finding/sqlText.ts"
import { type Statement, statementsOf } from "./finding/statements.ts"
import { filesOf, openProject, type ProjectSettings } from "./project.ts"

export interface Gathered {
  readonly parser: Parser
  readonly settings: ProjectSettings
  /** Those of sources, and those of SQL files. */
  readonly statements: ReadonlyArray<Statement>
  readonly sqlFiles: ReadonlyArray<{ readonly path: string; readonly file: SqlFile }>
  /** Calls whose text is known only when the program runs. */
  readonly unknown: ReadonlyArray<Origin>
  /** What is wrong with SQL files themselves. */
  readonly faults: ReadonlyArray<Fault>
  readonly fileCount: number
}

export const gather = (
  settings: ProjectSettings,
  given: ReadonlyArray<string>,
  purpose: string
): Effect.Effect<Gathered, CliFailure> =>
  Effect.gen(function* () {
    const parser = yield* loadPackage(purpose, () => import("oxc-parser"))
    const workingDirectory = process.cwd()
    const files = yield* filesOf(settings, given, workingDirectory)
    const project = openProject(parser, settings, workingDirectory)
    const generated = new Set(files.sql.map(moduleOf))
    const found = files.sources
      .filter((file) => !generated.has(file))
      .map((file) => statementsOf(project.read(file), project))
    const sqlFiles = files.sql.map((file) => ({ path: file, file: parseSqlFile(project.readText(file)) }))
    return {
      parser,
      settings,
      statements: [
        ...found.flatMap(({ statements }) => statements),
        ...sqlFiles.flatMap(({ file }) => file.statements.map(ofSqlFile))
      ],
      sqlFiles,
      unknown: found.flatMap(({ unknown }) => unknown),
      faults: sqlFiles.flatMap(({ file: { faults, source } }) =>
        faults.map(({ message, offset }) => ({ source, offset, start: offset, code: undefined, message }))
      ),
      fileCount: new Set([...files.sources.filter((file) => !generated.has(file)), ...files.sql]).size
    }
  })

const ofSqlFile = ({ origin, sql }: SqlFile["statements"][number]): Statement => ({
  sql,
  form: "computed",
  origin,
  given: [],
  isScript: false,
  isTyped: false
})

/** The module that is written for a file of statements. */
export const moduleOf = (sqlFile: string): string => `${sqlFile}.ts`

export const outputOf = ({ directory, output }: ProjectSettings): string => path.resolve(directory, output)
