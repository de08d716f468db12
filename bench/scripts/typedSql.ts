/**
 * What typed SQL costs: makes a project with 500 statements on the schema of `examples/typed-sql`, writes their types, and
 * prints the size of the file and how long the compiler and the editor take with it and without it.
 *
 *   npx node bench/scripts/typedSql.ts [number of statements]
 */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { compiler } from "../../test/support/build.ts"
import { makeConsumer } from "../../test/support/consumer.ts"
import { openIn7 } from "../../test/support/editors.ts"

const COUNT = Number(process.argv[2] ?? 500)
const ROUNDS = 5
const repository = fileURLToPath(new URL("../../", import.meta.url))

/** Statements as programs have them: from one column to a dozen, with one or two parameters. */
const STATEMENTS: ReadonlyArray<readonly [sql: string, values: string]> = [
  ["SELECT id, title, subtitle, genre, price, pages, tags, details FROM books WHERE id = $1 AND pages > NUMBER", "[1]"],
  [
    "SELECT b.title, a.name, a.born FROM books AS b JOIN authors AS a ON a.id = b.author_id WHERE b.pages > NUMBER",
    "[]"
  ],
  [
    "SELECT c.email, c.name, o.id, o.placed_at, o.note FROM customers AS c LEFT JOIN orders AS o ON o.customer_id = c.id WHERE c.id > $1 OFFSET NUMBER",
    "[1]"
  ],
  ["SELECT genre, count(*) AS books, sum(pages) AS pages FROM books WHERE pages < NUMBER GROUP BY genre", "[]"],
  ["INSERT INTO reviews (book_id, stars, body) VALUES ($1, NUMBER % 5, $2) RETURNING id, stars, body", '[1, "good"]']
]

const calls = Array.from({ length: COUNT }, (_, number) => {
  const [sql = "", values = ""] = STATEMENTS[number % STATEMENTS.length] ?? []
  return `export const call${number} = (pg: PgClient.PgClient) => pg.fetch("${sql.replaceAll("NUMBER", String(number))}", ${values})`
})

const source = ['import type { PgClient } from "effectpg"', ...calls, ""].join("\n")
const directory = await makeConsumer({ "calls.ts": source })
const example = path.join(repository, "examples", "typed-sql")
fs.cpSync(path.join(example, "migrations"), path.join(directory, "migrations"), { recursive: true })
const program = path.join(repository, "src", "cli", "main.ts")
const started = performance.now()
execFileSync(process.execPath, [program, "types", "--migrations", "migrations", "calls.ts"], { cwd: directory })
const written = performance.now() - started
const declarations = fs.readFileSync(path.join(directory, "effectpg.d.ts"), "utf8")

const options = JSON.parse(fs.readFileSync(path.join(directory, "tsconfig.json"), "utf8")).compilerOptions
const project = (name: string, files: ReadonlyArray<string>): string => {
  const file = path.join(directory, name)
  const compilerOptions = { ...options, noEmit: true, emitDeclarationOnly: false, declaration: false }
  fs.writeFileSync(file, JSON.stringify({ compilerOptions, files }))
  return file
}

const compile = (file: string): { readonly seconds: number; readonly instantiations: number } => {
  const stdout = execFileSync(process.execPath, [compiler, "-p", file, "--extendedDiagnostics", "--singleThreaded"], {
    encoding: "utf8"
  })
  const figure = (name: string): number => Number(new RegExp(`^${name}: +([\\d.]+)`, "m").exec(stdout)?.[1])
  return { seconds: figure("Total time"), instantiations: figure("Instantiations") }
}

const median = (figures: ReadonlyArray<number>): number => figures.toSorted((a, b) => a - b)[figures.length >> 1] ?? 0

const without = project("without.json", ["calls.ts"])
const withTypes = project("with.json", ["calls.ts", "effectpg.d.ts"])
const rounds = Array.from({ length: ROUNDS }, () => ({ without: compile(without), with: compile(withTypes) }))

const time = async (ask: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await ask()
  return performance.now() - start
}

/** The time until an editor that opens the file shows its errors, and that of a hover then. */
const editorFigures = async (files: ReadonlyArray<string>) => {
  fs.writeFileSync(path.join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files }))
  const editor = await openIn7(directory)
  const errors = await time(() => editor.errors("calls.ts"))
  const places = [1, 2, 3, 4, 5].map((part) => source.indexOf("fetch(", (source.length / 6) * part))
  const hovers: Array<number> = []
  for (const place of places) hovers.push(await time(() => editor.hover("calls.ts", place)))
  editor.close()
  return { errors, hover: median(hovers) }
}

const editors = { without: await editorFigures(["calls.ts"]), with: await editorFigures(["calls.ts", "effectpg.d.ts"]) }
fs.rmSync(directory, { recursive: true, force: true })

console.log(`${COUNT} statements
effectpg types: ${written.toFixed(0)} ms, of which a server starts
effectpg.d.ts: ${(declarations.length / 1024).toFixed(0)} KiB
tsc, median of ${ROUNDS}: ${median(rounds.map((round) => round.without.seconds)).toFixed(2)} s without it, ${median(rounds.map((round) => round.with.seconds)).toFixed(2)} s with it
instantiations: ${rounds[0]?.without.instantiations} without it, ${rounds[0]?.with.instantiations} with it
the first errors in an editor: ${editors.without.errors.toFixed(0)} ms without it, ${editors.with.errors.toFixed(0)} ms with it
a hover in an editor: ${editors.without.hover.toFixed(1)} ms without it, ${editors.with.hover.toFixed(1)} ms with it`)
