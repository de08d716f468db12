/** All statements of a project. */
import * as path from "node:path"
import * as Effect from "effect/Effect"
import { type CliFailure, loadPackage } from "../terminal/failure.ts"
import { withFiles } from "../terminal/files.ts"
import type { Fault } from "./checking/fault.ts"
import { type Parser } from "./finding/ast.ts"
import { parseSqlFile, type SqlFile } from "./finding/sqlFile.ts"
import type { Origin } from "./finding/sqlText.ts"
import { type Statement, statementsOf } from "./finding/statements.ts"
import { type Files, filesOf, openProject, type OpenProject, type ProjectSettings } from "./project.ts"

export interface Gathered {
  readonly parser: Parser
  readonly settings: ProjectSettings
  /** Those of sources, and those of SQL files. */
  readonly statements: ReadonlyArray<Statement>
  readonly sqlFiles: ReadonlyArray<{ readonly path: string; readonly file: SqlFile }>
  /** Calls whose text is known only when the program runs. */
  readonly unknown: ReadonlyArray<Origin>
  /** Files that could not be parsed, each with the place and the reason. */
  readonly unparsed: ReadonlyArray<Origin & { readonly message: string }>
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
    return yield* withFiles(() =>
      gathered(openProject(parser, settings, workingDirectory), files, { parser, settings })
    )
  })

const gathered = (project: OpenProject, files: Files, context: Pick<Gathered, "parser" | "settings">): Gathered => {
  const sqlFiles = files.sql
    .map((file) => ({ path: file, file: parseSqlFile(project.readSource(file)) }))
    .filter(({ file: { faults, statements } }) => faults.length > 0 || statements.length > 0)
  const generated = new Set(sqlFiles.map(({ path }) => moduleOf(path)))
  const sources = files.sources.filter((file) => !generated.has(file))
  const parsed = sources.map((file) => project.read(file))
  const found = parsed.map((file) => statementsOf(file, project))
  return {
    ...context,
    statements: [
      ...found.flatMap(({ statements }) => statements),
      ...sqlFiles.flatMap(({ file }) => file.statements.map(ofSqlFile))
    ],
    sqlFiles,
    unknown: found.flatMap(({ unknown }) => unknown),
    unparsed: parsed.flatMap(({ problem, source }) => (problem === undefined ? [] : [{ ...problem, source }])),
    faults: sqlFiles.flatMap(({ file: { faults, source } }) =>
      faults.map(({ message, offset }) => ({ source, offset, start: offset, code: undefined, message }))
    ),
    fileCount: sources.length + sqlFiles.length
  }
}

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
