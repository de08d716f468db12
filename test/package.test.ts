/** Tests what `npm publish` would send, and what a program that has installed the package can import. */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { promisify } from "node:util"
import { afterAll, beforeAll } from "vitest"
import { buildInto, compiler } from "./support/build.ts"

const run = promisify(execFile)
const repository = fileURLToPath(new URL("../", import.meta.url))
const directory = fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-package-"))
const consumer = fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-consumer-"))
const tested = fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-tested-"))
const COMPILE_TIMEOUT_MILLIS = 60_000
const published = ["package.json", "README.md", "LICENSE", "CHANGELOG.md"]

const sources = fs
  .readdirSync(path.join(repository, "src"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -".ts".length).split(path.sep).join("/"))

beforeAll(async () => {
  const absent = ["node_modules", ".git", "dist", ".vitest"].map((name) => path.join(repository, name))
  fs.cpSync(repository, directory, { recursive: true, filter: (file) => !absent.includes(path.resolve(file)) })
  fs.symlinkSync(path.join(repository, "node_modules"), path.join(directory, "node_modules"), "junction")
  await buildInto(path.join(directory, "dist"))
}, COMPILE_TIMEOUT_MILLIS)

afterAll(() => {
  for (const made of [directory, consumer, tested]) fs.rmSync(made, { recursive: true, force: true })
})

/**
 * What a program gets for `import(module)` from the package: the exported names, or the code of the error. The program
 * does not find the package `absent`.
 */
const imported = async (
  modules: ReadonlyArray<string>,
  absent = ""
): Promise<ReadonlyArray<ReadonlyArray<string> | string>> => {
  const program = `import { registerHooks } from "node:module"
  registerHooks({
    resolve: (specifier, context, next) => {
      if (specifier === ${JSON.stringify(absent)}) throw specifier + " is not installed"
      return next(specifier, context)
    }
  })
  Promise.all(${JSON.stringify(modules)}.map((module) =>
    import(module).then(Object.keys, (error) => error.code ?? String(error))
  )).then((outcomes) => console.log(JSON.stringify(outcomes)))`
  return printed(program)
}

/** What a program prints that has the package. */
const printed = async <A>(program: string): Promise<A> => {
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program], { cwd: directory })
  return JSON.parse(stdout)
}

/**
 * A program that uses the declarations of the installed package. Some of its lines must fail, which shows that the
 * declarations are found: otherwise everything is of type `any`.
 */
const programOf = (modules: ReadonlyArray<string>): string => `
${modules.map((name) => `export * as ${name} from "effectpg/${name}"`).join("\n")}
import type { Effect, Option } from "effect"
import { Schema } from "effect"
import { PgClient, type PgConnection, type PgError, PgTypes } from "effectpg"

declare const pg: PgClient.PgClient

export const codec: PgTypes.Codec = PgTypes.losslessArrayOf({ name: "int4" })
export const row: Effect.Effect<Option.Option<{ readonly n: number }>, PgError.PgError> = pg.fetchRow("SELECT 1 AS n", [], {
  row: Schema.Struct({ n: Schema.Int })
})
export const rows: Effect.Effect<ReadonlyArray<PgConnection.Row>, PgError.PgError> = pg.fetch("SELECT 1")
export const layer = PgClient.layer({ types: [codec] })
// @ts-expect-error: a codec is made by a function
export const noCodec: PgTypes.Codec = { name: "int4", schema: undefined }
// @ts-expect-error: a number is no SQL
export const noStatement = pg.fetch(1)
`

/** What the compiler says of a program in a folder of its own that imports `modules` and has installed `packages`. */
const complaints = async (
  name: string,
  modules: ReadonlyArray<string>,
  packages: ReadonlyArray<string>,
  options: { readonly [option: string]: ReadonlyArray<string> }
): Promise<string> => {
  const folder = path.join(consumer, name)
  const installed = path.join(folder, "node_modules")
  fs.mkdirSync(installed, { recursive: true })
  fs.symlinkSync(directory, path.join(installed, "effectpg"), "junction")
  for (const name of packages) {
    fs.symlinkSync(path.join(repository, "node_modules", name), path.join(installed, name), "junction")
  }
  fs.writeFileSync(path.join(folder, "program.mts"), programOf(modules))
  const compilerOptions = { noEmit: true, strict: true, skipLibCheck: false, module: "NodeNext", ...options }
  const project = { files: ["program.mts"], compilerOptions }
  fs.writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(project))
  return run(process.execPath, [compiler], { cwd: folder }).then(
    ({ stdout }) => stdout,
    ({ stdout }) => String(stdout)
  )
}

/** Shared by several modules. Its name ends with a hash. */
const isChunk = (file: string): boolean => /^dist\/chunks\/[\w-]+\.js$/.test(file)

const isPublic = (name: string): boolean => /^Pg\w+$/.test(name)

/** A test that uses the kit, and notes on which server. */
const SUITE = `
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { PgClient } from "effectpg"
import * as PgTest from "effectpg/PgTest"
import * as fs from "node:fs"

it.layer(PgTest.layer())((it) => {
  it.effect("has a database", () =>
    Effect.gen(function* () {
      const pg = yield* PgClient.PgClient
      const { server } = yield* pg.fetchOne("SELECT pg_postmaster_start_time()::text AS server")
      assert.isString(server)
      fs.appendFileSync("servers", server + "\\n")
    })
  )
})
`

/** The public modules that need a package which effectpg does not bring, with that package. */
const WITH_PEER: ReadonlyMap<string, string> = new Map([["PgKysely", "kysely"]])
const isAlone = (name: string): boolean => isPublic(name) && !WITH_PEER.has(name)
/** What few programs need is not loaded with the rest. */
const APART: ReadonlySet<string> = new Set(["PgTest", "PgReplication"])

describe("the package", () => {
  it("holds the sources, the compiled files, and the documents for readers; nothing else", async () => {
    const { stdout } = await run("npm", ["pack", "--dry-run", "--json", directory])
    const [packed]: ReadonlyArray<{ readonly files: ReadonlyArray<{ readonly path: string }> }> = JSON.parse(stdout)
    const files = packed?.files.map((file) => file.path).filter((file) => !file.endsWith(".js.map")) ?? []
    const entries = [...sources.filter(isPublic), "index", "pgTest/globalSetup", "cli/main"]
    assert.deepStrictEqual(
      files.filter((file) => !isChunk(file)).toSorted(),
      [
        ...published,
        ...sources.map((name) => `src/${name}.ts`),
        ...sources.flatMap((name) => [`dist/${name}.d.ts`, `dist/${name}.d.ts.map`]),
        ...entries.map((name) => `dist/${name}.js`)
      ].toSorted()
    )
    assert.isBelow(files.filter(isChunk).length, 60)
  })

  it("opens a client with a tenth of the files that its sources are", async () => {
    const [loaded = 0, ...names] = await printed<ReadonlyArray<number | string>>(`
      import { registerHooks } from "node:module"
      const loaded = []
      registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
      const { Effect } = await import("effect")
      const { PgClient } = await import("effectpg/PgClient").then((PgClient) => ({ PgClient }))
      const url = "postgres://nobody:x@127.0.0.1:1/none"
      const failed = await Effect.runPromise(Effect.flip(Effect.scoped(PgClient.make({ url, connectTimeout: "1 second" }))))
      const own = loaded.filter((url) => url.startsWith(${JSON.stringify(pathToFileURL(directory).href)}))
      console.log(JSON.stringify([own.length, failed._tag]))`)
    assert.deepStrictEqual(names, ["ConnectError"])
    assert.isAtMost(Number(loaded), 35)
  })

  it("names the line of the program in the stack of an error", async () => {
    const stack = await printed<string>(`
      import { PgError } from "effectpg"
      const wrong = () => new PgError.InvalidConfigError({ setting: "url", reason: "is wrong" })
      console.log(JSON.stringify(wrong().stack))`)
    assert.match(stack, /^InvalidConfigError: url: is wrong\n\s+at wrong /)
  })

  it("exports every public module under its name, and together all that programs use and need no package", async () => {
    const modules = sources.filter(isPublic).toSorted()
    assert.includeMembers(modules, ["PgClient", ...WITH_PEER.keys()])
    const [index, ...opened] = await imported(["effectpg", ...modules.map((name) => `effectpg/${name}`)])
    assert.deepStrictEqual(
      index,
      modules.filter((name) => isAlone(name) && !APART.has(name))
    )
    for (const [at, names] of opened.entries()) assert.isArray(names, modules[at])
  })

  it.each([...WITH_PEER])("has one module, %s, that asks for %s; all others work without it", async (module, peer) => {
    const modules = ["effectpg", ...sources.filter(isPublic).map((name) => `effectpg/${name}`)]
    const outcomes = await imported(modules, peer)
    const failed = modules.filter((_, at) => typeof outcomes[at] === "string")
    assert.deepStrictEqual(failed, [`effectpg/${module}`])
    assert.include(outcomes, `${peer} is not installed`)
  })

  it(
    "has declarations that are complete, for a program that checks them and has no other package",
    async () => {
      const modules = sources.filter(isAlone)
      assert.strictEqual(await complaints("alone", modules, ["effect", "@types"], { types: ["node"] }), "")
    },
    COMPILE_TIMEOUT_MILLIS
  )

  it(
    "has declarations that need no types of Node.js, for a program that has none",
    async () => {
      const options = { types: [], lib: ["ES2023", "DOM", "ESNext.Disposable"] }
      const modules = sources.filter(isPublic)
      assert.strictEqual(await complaints("without-node", modules, ["effect", ...WITH_PEER.values()], options), "")
    },
    COMPILE_TIMEOUT_MILLIS
  )

  it(
    "starts one server for all tests of vitest by one line of its settings",
    async () => {
      const modules = path.join(tested, "node_modules")
      fs.mkdirSync(modules)
      fs.symlinkSync(directory, path.join(modules, "effectpg"), "junction")
      for (const name of ["effect", "vitest", "@effect"]) {
        fs.symlinkSync(path.join(repository, "node_modules", name), path.join(modules, name), "junction")
      }
      const settings = { test: { globalSetup: ["effectpg/PgTest/globalSetup"] } }
      fs.writeFileSync(path.join(tested, "vitest.config.mjs"), `export default ${JSON.stringify(settings)}`)
      for (const name of ["one", "two"]) fs.writeFileSync(path.join(tested, `${name}.test.mjs`), SUITE)
      const vitest = path.join(repository, "node_modules", "vitest", "vitest.mjs")
      const { EFFECTPG_TEST_RUN: _, ...env } = process.env
      const report = path.join(tested, "report.json")
      await run(process.execPath, [vitest, "run", "--reporter=json", `--outputFile=${report}`], { cwd: tested, env })
      const { numPassedTests, success } = JSON.parse(fs.readFileSync(report, "utf8"))
      assert.deepStrictEqual({ numPassedTests, success }, { numPassedTests: 2, success: true })
      const [one, two] = fs.readFileSync(path.join(tested, "servers"), "utf8").trim().split("\n")
      assert.isNotEmpty(one)
      assert.strictEqual(one, two)
    },
    COMPILE_TIMEOUT_MILLIS
  )

  it("keeps every private module closed", async () => {
    const modules = sources.filter((name) => !isPublic(name))
    assert.includeMembers(modules, [
      "wire/byteWriter",
      "codec/codec",
      "session/engine/session",
      "error/sqlState.generated",
      "index"
    ])
    const outcomes = await imported(modules.map((name) => `effectpg/${name}`))
    assert.deepStrictEqual(outcomes, Array(modules.length).fill("ERR_PACKAGE_PATH_NOT_EXPORTED"))
  })
})
