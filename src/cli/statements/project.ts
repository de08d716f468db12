/** What a project says of its statements: the key `effectpg` of its package.json, and its source files. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import { camelCase, type ColumnNames, unchanged } from "../../codec/columnNames.ts"
import { type CliFailure, misuse } from "../terminal/failure.ts"
import { isFile, readText, withFiles } from "../terminal/files.ts"
import { type ParsedFile, parse, type Parser } from "./finding/ast.ts"
import { type Scope, scopeOf } from "./finding/scopes.ts"
import type { SourceFile } from "./finding/source.ts"
import type { Project } from "./finding/textOf.ts"
import { isCodec, type TypeSettings } from "./writing/tsType.ts"

export interface ProjectSettings extends TypeSettings {
  readonly directory: string
  /** Files and directories, relative to the directory of the project. */
  readonly sources: ReadonlyArray<string>
  readonly output: string
  readonly migrations: string | undefined
  readonly names: ColumnNames
}

const DEFAULT_OUTPUT = "effectpg.d.ts"

/** Reads the settings of the project that a directory belongs to: that of the next package.json above it. */
export const readProject = (start: string): Effect.Effect<ProjectSettings, CliFailure> =>
  Effect.gen(function* () {
    const directory = directoryOf(start)
    const file = manifestOf(directory)
    const given = yield* Effect.flatMap(
      withFiles(() => (fs.existsSync(file) ? readText(file) : "{}")),
      (json) => settingsIn(json, file)
    )
    return {
      directory,
      sources: texts(given["sources"]) ?? ["."],
      output: text(given["output"]) ?? DEFAULT_OUTPUT,
      migrations: text(given["migrations"]),
      names: given["names"] === "camelCase" ? camelCase : unchanged,
      codecs: texts(given["codecs"]) ?? [],
      types: typesOf(given["types"])
    }
  })

/** The file with the settings. */
export const manifestOf = (directory: string): string => path.join(directory, "package.json")

const settingsIn = (json: string, file: string): Effect.Effect<Given, CliFailure> => {
  let manifest: unknown
  try {
    manifest = JSON.parse(json)
  } catch (error) {
    return Effect.fail(misuse(`${file} is no JSON: ${error instanceof Error ? error.message : String(error)}`))
  }
  const given = isRecord(manifest) ? (manifest["effectpg"] ?? {}) : undefined
  if (!isRecord(given)) return Effect.fail(misuse(`${file}: effectpg must be an object.`))
  const fault = faultOf(given)
  return fault === undefined ? Effect.succeed(given) : Effect.fail(misuse(`${file}: effectpg.${fault}`))
}

const directoryOf = (start: string): string => {
  for (let directory = path.resolve(start); ; directory = path.dirname(directory)) {
    if (fs.existsSync(manifestOf(directory))) return directory
    if (directory === path.dirname(directory)) return path.resolve(start)
  }
}

type Given = Readonly<Record<string, unknown>>

const isRecord = (value: unknown): value is Given =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)
const texts = (value: unknown): ReadonlyArray<string> | undefined =>
  Array.isArray(value) && value.every((element) => typeof element === "string") ? value : undefined

const KEYS: Readonly<Record<string, readonly [isRight: (value: unknown) => boolean, wanted: string]>> = {
  sources: [(value) => texts(value) !== undefined, "must be a list of files and directories"],
  output: [(value) => text(value) !== undefined, "must be the name of a file"],
  migrations: [(value) => text(value) !== undefined, "must be the name of a directory"],
  names: [(value) => value === "camelCase" || value === "unchanged", 'must be "camelCase" or "unchanged"'],
  codecs: [(value) => texts(value)?.every(isCodec) === true, "must be a list of names of codecs of PgTypes"],
  types: [isRecord, "must be an object of types in TypeScript by the names of types in PostgreSQL"]
}

const faultOf = (given: Given): string | undefined => {
  for (const [key, value] of Object.entries(given)) {
    const [isRight, wanted] = Object.hasOwn(KEYS, key) ? (KEYS[key] ?? []) : []
    if (isRight === undefined) return `${key} is not known. There are: ${Object.keys(KEYS).join(", ")}.`
    if (!isRight(value)) return `${key} ${wanted}.`
  }
  return undefined
}

const typesOf = (given: unknown): TypeSettings["types"] =>
  Object.fromEntries(
    Object.entries(isRecord(given) ? given : {}).flatMap(
      ([name, type]): ReadonlyArray<[string, TypeSettings["types"][string]]> => {
        if (typeof type === "string") return [[name, type]]
        if (!isRecord(type)) return []
        const row = text(type["row"])
        const parameter = text(type["parameter"])
        return [[name, { ...(row === undefined ? {} : { row }), ...(parameter === undefined ? {} : { parameter }) }]]
      }
    )
  )

// ---------------------------------------------------------------------------------------------------------- files

const SOURCE = /\.[cm]?[jt]sx?$/
const DECLARATION = /\.d\.[cm]?ts$/
const SQL = /\.sql$/
const PASSED_OVER: ReadonlySet<string> = new Set(["node_modules", "dist", "build", "out", "coverage"])

/** Whether nothing is looked for in the folders of that name, unless somebody names them. */
export const isPassedOver = (folder: string): boolean => folder.startsWith(".") || PASSED_OVER.has(folder)

export const isSource = (file: string): boolean => SOURCE.test(file) || SQL.test(file)

export interface Files {
  /** TypeScript and JavaScript. */
  readonly sources: ReadonlyArray<string>
  /** Files of SQL, with or without named statements. */
  readonly sql: ReadonlyArray<string>
}

/** The files and folders in which a command looks. */
export const startsOf = (
  { directory, sources }: ProjectSettings,
  given: ReadonlyArray<string>,
  workingDirectory: string
): ReadonlyArray<string> =>
  given.length > 0
    ? given.map((name) => path.resolve(workingDirectory, name))
    : sources.map((name) => path.resolve(directory, name))

/** The files among `given`, and those in its folders. A folder that is named is looked into whatever its name is. */
export const filesOf = (
  settings: ProjectSettings,
  given: ReadonlyArray<string>,
  workingDirectory: string
): Effect.Effect<Files, CliFailure> =>
  Effect.gen(function* () {
    const { directory, migrations } = settings
    const passedOver = new Set(migrations === undefined ? [] : [path.resolve(directory, migrations)])
    const found = new Set<string>()
    for (const start of startsOf(settings, given, workingDirectory)) {
      if (!fs.existsSync(start)) return yield* misuse(`${start} does not exist.`)
      const isFolder = fs.statSync(start).isDirectory()
      if (!isFolder && !isFile(start)) return yield* misuse(`${start} is neither a file nor a folder.`)
      if (!isFolder && !isSource(start)) {
        return yield* misuse(`${start} has the name of no TypeScript, JavaScript or SQL.`)
      }
      const below = isFolder
        ? yield* Effect.mapError(
            withFiles(() => filesBelow(start, passedOver)),
            leftOut
          )
        : [start]
      for (const file of below) found.add(file)
    }
    const files = [...found].toSorted()
    return {
      sources: files.filter((file) => SOURCE.test(file) && !DECLARATION.test(file)),
      sql: files.filter((file) => SQL.test(file))
    }
  })

const leftOut = ({ message }: CliFailure): CliFailure =>
  misuse(`${message}\nTo leave it out, name what is to be read, here or as sources in package.json.`)

const filesBelow = (folder: string, passedOver: ReadonlySet<string>): ReadonlyArray<string> =>
  fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name)
    if (entry.isDirectory()) return isPassedOver(entry.name) || passedOver.has(file) ? [] : filesBelow(file, passedOver)
    return entry.isFile() && isSource(entry.name) ? [file] : []
  })

/** The path as it is printed. */
export const shownPath = (file: string, workingDirectory: string): string => {
  const relative = path.relative(workingDirectory, file)
  return relative.startsWith("..") ? file : relative.replaceAll(path.sep, "/")
}

export interface OpenProject extends Project {
  readonly read: (file: string) => ParsedFile
  readonly readSource: (file: string) => SourceFile
}

/** Reads files, each once, and finds those that they import. */
export const openProject = (parser: Parser, settings: ProjectSettings, workingDirectory: string): OpenProject => {
  const files = new Map<string, ParsedFile>()
  const paths = new Map<ParsedFile, string>()
  const scopes = new Map<ParsedFile, Scope>()
  const readSource = (file: string): SourceFile => ({
    path: shownPath(file, workingDirectory),
    text: readText(file)
  })
  const read = (file: string): ParsedFile => {
    const known = files.get(file)
    if (known !== undefined) return known
    const parsed = parse(parser, readSource(file))
    files.set(file, parsed)
    paths.set(parsed, file)
    return parsed
  }
  const imported = (scope: Scope, module: string): Scope | undefined => {
    const from = paths.get(scope.file)
    if (from === undefined || !module.startsWith(".")) return undefined
    const file = candidates(path.resolve(path.dirname(from), module)).find(
      (candidate) => SOURCE.test(candidate) && isFile(candidate)
    )
    if (file === undefined) return undefined
    const parsed = read(file)
    const top = scopes.get(parsed) ?? scopeOf(parsed)
    scopes.set(parsed, top)
    return top
  }
  return { read, readSource, imported, columnOf: settings.names.columnOf }
}

/** Where a module may be that is imported without its extension, or with that of its JavaScript. */
const candidates = (file: string): ReadonlyArray<string> => [
  file,
  file.replace(/\.([cm]?)js(x?)$/, ".$1ts$2"),
  ...["ts", "tsx", "js", "mts"].flatMap((extension) => [`${file}.${extension}`, path.join(file, `index.${extension}`)])
]
