/**
 * The house that the files of src live in, as a function from their texts to what is wrong with them.
 *
 * A file imports from its own storey and from lower ones, never upwards, and no chain of imports comes back to where it
 * began (imports of types count: they too say who must know whom). What reaches outside the house is told per file.
 */
import * as path from "node:path/posix"
import { parseAst } from "vitest/node"

interface Storey {
  readonly name: string
  /** Folders (ending in a slash) and files, relative to src. */
  readonly rooms: ReadonlyArray<string>
}

/** From the ground up. A new public module gets its room here. */
const storeys: ReadonlyArray<Storey> = [
  { name: "wire", rooms: ["wire/"] },
  { name: "codec", rooms: ["codec/"] },
  {
    name: "vocabulary",
    rooms: ["PgError.ts", "error/", "PgConfig.ts", "config/", "PgTypes.ts", "PgSql.ts"]
  },
  { name: "session", rooms: ["session/"] },
  {
    name: "connection",
    rooms: [
      "PgConnection.ts",
      "connection/",
      "call/",
      "PgTransaction.ts",
      "PgStatement.ts",
      "PgCursor.ts",
      "PgCopy.ts",
      "PgNotification.ts",
      "PgLargeObject.ts"
    ]
  },
  { name: "sharing", rooms: ["PgPool.ts", "pool/"] },
  { name: "client", rooms: ["PgClient.ts"] },
  { name: "ecosystem", rooms: ["PgSqlClient.ts", "PgMigrator.ts", "PgTest.ts"] },
  { name: "front door", rooms: ["index.ts"] }
]

/** What may be imported that is not in src, and by whom. The first pattern that fits the module decides. */
const outside: ReadonlyArray<{ readonly module: RegExp; readonly importers: RegExp }> = [
  { module: /^pg-protocol(\/|$)/, importers: /^wire\/coldMessages\.ts$/ },
  { module: /^node:(net|tls)$/, importers: /^session\/(engine\/)?transport[^/]*\.ts$/ },
  { module: /^node:buffer$/, importers: /^/ },
  // Storeys 0 and 1 are pure.
  { module: /^(node:|effect(\/|$))/, importers: /^(?!wire\/|codec\/)/ }
]

const MAX_LINES = 450
const isGenerated = (file: string): boolean => file.endsWith(".generated.ts")

/** What is wrong with `files`, a map from path relative to src (`wire/limits.ts`) to source text; empty if nothing is. */
export const violations = (files: ReadonlyMap<string, string>): ReadonlyArray<string> => {
  const inside = new Map<string, ReadonlyArray<string>>()
  const found: Array<string> = []
  for (const [file, source] of files) {
    const storey = storeyOf(file)
    if (storey === -1) found.push(`${file} has no room in any storey`)
    const lines = source.trimEnd().split("\n").length
    if (lines > MAX_LINES && !isGenerated(file)) found.push(`${file} has ${lines} lines, more than ${MAX_LINES}`)

    const neighbours: Array<string> = []
    for (const specifier of importsOf(source)) {
      if (specifier === undefined) found.push(`${file} imports a module whose name is computed`)
      else if (!specifier.startsWith(".")) {
        if (!mayImportOutside(file, specifier)) found.push(`${file} may not import ${specifier}`)
      } else {
        const target = path.join(path.dirname(file), specifier)
        if (!files.has(target)) found.push(`${file} imports ${target}, which is not in src`)
        else {
          neighbours.push(target)
          if (storeyOf(target) > storey) {
            found.push(`${file} (${nameOf(file)}) imports upwards: ${target} (${nameOf(target)})`)
          }
        }
      }
    }
    inside.set(file, neighbours)
  }
  return [...found, ...cycles(inside)].toSorted()
}

const storeyOf = (file: string): number =>
  storeys.findIndex(({ rooms }) => rooms.some((room) => (room.endsWith("/") ? file.startsWith(room) : file === room)))

const nameOf = (file: string): string => storeys[storeyOf(file)]?.name ?? "no storey"

const mayImportOutside = (file: string, module: string): boolean =>
  outside.find((rule) => rule.module.test(module))?.importers.test(file) ?? false

/**
 * The modules that a text imports, in whatever way: import and export declarations, `import()` as an expression and in
 * a type, `import x = require()`. One whose name is not a literal is undefined.
 */
export const importsOf = (source: string): ReadonlyArray<string | undefined> => {
  const modules: Array<string | undefined> = []
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return
    if ("type" in node) {
      switch (node.type) {
        case "ImportDeclaration":
        case "ExportAllDeclaration":
        case "ImportExpression":
        case "TSImportType":
          modules.push(literal("source" in node ? node.source : undefined))
          break
        case "ExportNamedDeclaration":
          if ("source" in node && node.source !== null) modules.push(literal(node.source))
          break
        case "TSExternalModuleReference":
          modules.push(literal("expression" in node ? node.expression : undefined))
          break
      }
    }
    for (const child of Object.values(node)) visit(child)
  }
  visit(parseAst(source, { lang: "ts" }))
  return modules
}

const literal = (node: unknown): string | undefined =>
  typeof node === "object" && node !== null && "value" in node && typeof node.value === "string"
    ? node.value
    : undefined

/** One chain for each way back that a depth-first walk meets. */
const cycles = (imports: ReadonlyMap<string, ReadonlyArray<string>>): ReadonlyArray<string> => {
  const found: Array<string> = []
  const isDone = new Set<string>()
  const walk = (file: string, route: ReadonlyArray<string>): void => {
    const start = route.indexOf(file)
    if (start !== -1) {
      found.push(`cycle: ${[...route.slice(start), file].join(" -> ")}`)
      return
    }
    if (isDone.has(file)) return
    for (const target of imports.get(file) ?? []) walk(target, [...route, file])
    isDone.add(file)
  }
  for (const file of imports.keys()) walk(file, [])
  return found
}
