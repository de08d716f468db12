/**
 * Checks the architecture of src (see ARCHITECTURE.md): a function from the texts of its files to the violations.
 *
 * A file imports from its own layer and from lower ones, and no chain of imports comes back to where it began. Imports
 * of types count too. Each import from outside src is allowed per file. Few files load a part on first use. A folder has
 * few entries, unless they are all of one kind.
 */
import * as path from "node:path/posix"
import { parseAst } from "vitest/node"

interface ArchitectureLayer {
  readonly name: string
  /** Folders (ending in a slash) and files, relative to src. */
  readonly parts: ReadonlyArray<string>
}

/** From the bottom up. A new public module and a new room of the session get their places here. */
export const layers: ReadonlyArray<ArchitectureLayer> = [
  { name: "wire", parts: ["wire/"] },
  { name: "codec", parts: ["codec/"] },
  {
    name: "vocabulary",
    parts: [
      "error/",
      "config/",
      "call/",
      "PgError.ts",
      "PgConfig.ts",
      "PgTypes.ts",
      "PgSql.ts",
      "PgCopy.ts",
      "PgCursor.ts",
      "PgStatement.ts",
      "PgNotification.ts"
    ]
  },
  // The rooms of the session. Each imports only from those above it in this list.
  { name: "session pooler", parts: ["session/pooler/"] },
  { name: "session types", parts: ["session/types/"] },
  { name: "session statement", parts: ["session/statement/"] },
  { name: "session observing", parts: ["session/observing/"] },
  { name: "session encryption", parts: ["session/encryption/"] },
  { name: "session engine", parts: ["session/engine/"] },
  { name: "session opening", parts: ["session/opening/"] },
  { name: "session exchange", parts: ["session/exchange/"] },
  { name: "session replication", parts: ["session/replication/"] },
  { name: "session request", parts: ["session/request/"] },
  { name: "session transaction", parts: ["session/transaction/"] },
  { name: "connection", parts: ["connection/", "PgConnection.ts", "PgTransaction.ts", "PgLargeObject.ts"] },
  { name: "sharing", parts: ["pool/", "PgPool.ts"] },
  { name: "client", parts: ["reads/", "PgClient.ts"] },
  {
    name: "ecosystem",
    parts: [
      "migrator/",
      "replication/",
      "sqlClient/",
      "kysely/",
      "testServer/",
      "pgTest/",
      "PgSqlClient.ts",
      "PgMigrator.ts",
      "PgReplication.ts",
      "PgKysely.ts",
      "PgTest.ts"
    ]
  },
  { name: "command line", parts: ["cli/"] },
  { name: "front door", parts: ["index.ts"] }
]

/** Modules outside src, and the files that may import them. The first pattern that fits the module decides. */
const outside: ReadonlyArray<{ readonly module: RegExp; readonly importers: RegExp }> = [
  { module: /^pg-protocol(\/|$)/, importers: /^wire\/coldMessages\.ts$/ },
  // What makes faults on a connection for tests, and what looks for a free port.
  {
    module: /^node:net$/,
    importers:
      /^(session\/(engine\/transport|encryption\/tlsSocket)|pgTest\/.*|testServer\/freePort|cli\/doctor\/.*)\.ts$/
  },
  {
    module: /^node:tls$/,
    importers: /^(session\/(engine\/transport|encryption\/tlsSocket)|cli\/doctor\/encryption)\.ts$/
  },
  { module: /^node:buffer$/, importers: /^/ },
  // A program that does not import this module need not have Kysely.
  { module: /^kysely$/, importers: /^(kysely\/.*|PgKysely)\.ts$/ },
  // What only the command line needs; `src/cli/terminal/packages.ts` says what to install.
  { module: /^@effect\/platform-node(\/|$)/, importers: /^cli\/program\.ts$/ },
  // It is loaded by the commands that read sources.
  { module: /^oxc-parser$/, importers: /^cli\/statements\/(finding\/ast|gather)\.ts$/ },
  // It is loaded if a test server is to run in a container.
  { module: /^testcontainers$/, importers: /^testServer\/container\.ts$/ },
  // The two lowest layers are pure.
  { module: /^(node:|effect(\/|$))/, importers: /^(?!wire\/|codec\/)/ }
]

/** The files that open something, and load what that needs only then. What is open never loads anything. */
const mayLoadLater: ReadonlySet<string> = new Set([
  "PgClient.ts",
  "PgConnection.ts",
  "PgPool.ts",
  "PgSqlClient.ts",
  "reads/client.ts",
  // These load packages that may not be installed.
  "cli/main.ts",
  "cli/program.ts",
  "cli/statements/gather.ts",
  "testServer/container.ts"
])

const MAX_LINES = 450
const MAX_SIBLINGS = 15
/** Folders whose files are all of one kind, and may be many: the public modules, and the codecs. */
const ofOneKind: ReadonlySet<string> = new Set([".", "codec"])
const isGenerated = (file: string): boolean => file.endsWith(".generated.ts")

/**
 * The violations in `files`, a map from path relative to src (`wire/limits.ts`) to source text; empty if there are
 * none.
 */
export const violations = (files: ReadonlyMap<string, string>): ReadonlyArray<string> => {
  const inside = new Map<string, ReadonlyArray<string>>()
  const found: Array<string> = []
  for (const [file, source] of files) {
    const layer = layerOf(file)
    if (layer === -1) found.push(`${file} has no place in any layer`)
    const lines = source.trimEnd().split("\n").length
    if (lines > MAX_LINES && !isGenerated(file)) found.push(`${file} has ${lines} lines, more than ${MAX_LINES}`)

    if (loadsLater(source) && !mayLoadLater.has(file)) found.push(`${file} loads a module while it runs`)

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
          if (layerOf(target) > layer) {
            found.push(`${file} (${nameOf(file)}) imports upwards: ${target} (${nameOf(target)})`)
          }
        }
      }
    }
    inside.set(file, neighbours)
  }
  return [...found, ...crowdedFolders(files.keys()), ...cycles(inside)].toSorted()
}

const layerOf = (file: string): number =>
  layers.findIndex(({ parts }) => parts.some((part) => (part.endsWith("/") ? file.startsWith(part) : file === part)))

const nameOf = (file: string): string => layers[layerOf(file)]?.name ?? "no layer"

/** Folders of mixed kinds with more entries than a reader takes in at a glance. */
const crowdedFolders = (files: Iterable<string>): ReadonlyArray<string> => {
  const entries = new Map<string, Set<string>>()
  for (const file of files) {
    for (let entry = file; entry !== "."; entry = path.dirname(entry)) {
      const folder = path.dirname(entry)
      entries.set(folder, (entries.get(folder) ?? new Set()).add(entry))
    }
  }
  return [...entries]
    .filter(([folder, { size }]) => size > MAX_SIBLINGS && !ofOneKind.has(folder))
    .map(
      ([folder, { size }]) => `${folder}/ has ${size} files and folders of different kinds, more than ${MAX_SIBLINGS}`
    )
}

const mayImportOutside = (file: string, module: string): boolean =>
  outside.find((rule) => rule.module.test(module))?.importers.test(file) ?? false

/**
 * The modules that a text imports, in whatever way: import and export declarations, `import()` as an expression and in
 * a type, `import x = require()`. A module whose name is not a literal is undefined.
 */
export const importsOf = (source: string): ReadonlyArray<string | undefined> => {
  const modules: Array<string | undefined> = []
  eachNode(source, (node) => {
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
  })
  return modules
}

/** Whether a text has an `import()` that is an expression. */
const loadsLater = (source: string): boolean => {
  let isLater = false
  eachNode(source, ({ type }) => {
    if (type === "ImportExpression") isLater = true
  })
  return isLater
}

const eachNode = (source: string, visit: (node: { readonly type: unknown }) => void): void => {
  const walk = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return
    if ("type" in node) visit(node)
    for (const child of Object.values(node)) walk(child)
  }
  walk(parseAst(source, { lang: "ts" }))
}

const literal = (node: unknown): string | undefined =>
  typeof node === "object" && node !== null && "value" in node && typeof node.value === "string"
    ? node.value
    : undefined

/** One chain for each cycle that a depth-first walk meets. */
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
