/**
 * Shows what a client costs before its first query: `node bench/scripts/size.ts [rounds]` compares effectpg with its
 * peers.
 *
 * It bundles a program with one client and one query, minified and without Effect, and prints what the program loads when
 * it starts, and what all files have together. Then it imports each client, in a process of its own and in turns, and
 * prints the medians: the time, the CPU time and the heap beyond those of Effect, which such a program has anyway, and
 * those from an empty process. effectpg is compiled first, as its peers are.
 */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { promisify } from "node:util"
import { bundled, bytesOf } from "../../test/support/bundle.ts"
import { median } from "../statistics.ts"
import { type Line, table } from "../table.ts"

const run = promisify(execFile)
const rounds = Number(process.argv[2] ?? "9")
const repository = path.resolve(import.meta.dirname, "..", "..")

// ------------------------------------------------------------------------------------------------------- bundles

const withEffect = (client: string, query: string): string => `
  import * as Effect from "effect/Effect"
  import * as Redacted from "effect/Redacted"
  import * as SqlClient from "effect/sql/SqlClient"
  import * as Client from "${client}"
  const program = Effect.gen(function* () { ${query} })
  const url = Redacted.make("postgres://localhost/app")
  Effect.runPromise(Effect.provide(program, Client.layer({ url })))`
const viaSqlClient = "const sql = yield* SqlClient.SqlClient; return yield* sql`SELECT 1`"

const programs: ReadonlyArray<readonly [name: string, program: string]> = [
  ["effectpg", withEffect("effectpg/PgClient", 'return yield* (yield* Client.PgClient).fetch("SELECT 1")')],
  ["effectpg, SqlClient", withEffect("effectpg/PgSqlClient", viaSqlClient)],
  ["@effect/sql-pg", withEffect("@effect/sql-pg/PgClient", viaSqlClient)],
  ["pg", 'import pg from "pg"; await new pg.Pool().query("SELECT 1")'],
  ["postgres", 'import postgres from "postgres"; await postgres()`SELECT 1`']
]

/** Optional parts of `pg` for other platforms. */
const ELSEWHERE = /^(pg-native|cloudflare:.*|pg-cloudflare)$/

const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(1)

const bundleLines: Array<Line> = [["bundle of one query, minified, without Effect", "kB at start", "kB in all files"]]
for (const [name, program] of programs) {
  const { chunks, start } = await bundled(program, { external: [/^effect(\/|$)/, ELSEWHERE] })
  bundleLines.push([name, kilobytes(bytesOf(start)), kilobytes(bytesOf(chunks))])
}
console.log(table(bundleLines))

// ------------------------------------------------------------------------------------------------------- imports

const imports: ReadonlyArray<readonly [name: string, module: string]> = [
  ["effectpg/PgClient", "effectpg/PgClient"],
  ["effectpg/PgSqlClient", "effectpg/PgSqlClient"],
  ["effectpg, all its modules", "effectpg"],
  ["effectpg/PgClient, when it opens a client", "./node_modules/effectpg/dist/reads/client.js"],
  ["@effect/sql-pg/PgClient", "@effect/sql-pg/PgClient"],
  ["pg", "pg"],
  ["postgres", "postgres"]
]

/** What a program with Effect has anyway. */
const EFFECT = ["Effect", "Layer", "Stream", "Schema", "Config", "sql/SqlClient"].map((module) => `effect/${module}`)

interface Cost {
  readonly millis: number
  readonly cpuMillis: number
  readonly heap: number
}

/** What the import of a module costs in a process that has imported others before. */
const costOf = async (module: string, before: ReadonlyArray<string>, cwd: string): Promise<Cost> => {
  const program = `
    for (const module of ${JSON.stringify(before)}) await import(module)
    gc()
    const heap = process.memoryUsage().heapUsed
    const cpu = process.cpuUsage()
    const begin = performance.now()
    await import(${JSON.stringify(module)})
    const millis = performance.now() - begin
    const { user, system } = process.cpuUsage(cpu)
    gc()
    const grown = process.memoryUsage().heapUsed - heap
    console.log(JSON.stringify({ millis, cpuMillis: (user + system) / 1000, heap: grown }))`
  const { stdout } = await run(process.execPath, ["--expose-gc", "--input-type=module", "--eval", program], { cwd })
  return JSON.parse(stdout)
}

const cells = (costs: ReadonlyArray<Cost>): Line => [
  median(costs.map(({ millis }) => millis)).toFixed(0),
  median(costs.map(({ cpuMillis }) => cpuMillis)).toFixed(0),
  (median(costs.map(({ heap }) => heap)) / 1e6).toFixed(2)
]

/** A folder in which the packages are installed, effectpg as it is published. */
const installed = async (folder: string): Promise<void> => {
  const own = path.join(folder, "node_modules", "effectpg")
  fs.mkdirSync(own, { recursive: true })
  const modules = path.join(repository, "node_modules")
  for (const name of ["effect", "@effect", "pg", "postgres", "pg-protocol"]) {
    fs.symlinkSync(path.join(modules, name), path.join(folder, "node_modules", name), "junction")
  }
  fs.copyFileSync(path.join(repository, "package.json"), path.join(own, "package.json"))
  const compiler = path.join(modules, "typescript", "bin", "tsc")
  const project = path.join(repository, "tsconfig.build.json")
  await run(process.execPath, [compiler, "--project", project, "--outDir", path.join(own, "dist")])
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-size-"))
try {
  await installed(folder)
  const beyond = imports.map((): Array<Cost> => [])
  const whole = imports.map((): Array<Cost> => [])
  for (let round = 0; round < rounds; round++) {
    for (const [at, [, module]] of imports.entries()) {
      beyond[at]?.push(await costOf(module, EFFECT, folder))
      whole[at]?.push(await costOf(module, [], folder))
    }
  }
  const head = ["import", "ms", "CPU ms", "MB of heap", "ms from nothing", "CPU ms", "MB of heap"]
  const lines = imports.map(([name], at): Line => [name, ...cells(beyond[at] ?? []), ...cells(whole[at] ?? [])])
  console.log(`\n${table([head, ...lines])}`)
} finally {
  fs.rmSync(folder, { recursive: true, force: true })
}
