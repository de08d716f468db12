/** Tests that the examples in docstrings are programs: they compile, and those that need no server run. */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { promisify } from "node:util"
import { afterAll, beforeAll } from "vitest"

const run = promisify(execFile)
const repository = fileURLToPath(new URL("../", import.meta.url))
/** Lies inside the repository, so that the packages are found, and is ignored by git. */
const parent = path.join(repository, ".vitest")
const COMPILE_TIMEOUT_MILLIS = 180_000

interface Example {
  /** `PgClient-1.ts` is the first example in PgClient.ts. */
  readonly file: string
  readonly text: string
}

/** The text between `@example` and the end of its fence, without the margin of the comment. */
const EXAMPLE = /@example\n *\* ```ts\n(?<body>[\s\S]*?)\n *\* ```\n/g
const MARGIN = /^ *\* ?/gm

const examplesOf = (source: string): ReadonlyArray<string> =>
  Array.from(source.matchAll(EXAMPLE), ({ groups }) => (groups?.["body"] ?? "").replaceAll(MARGIN, ""))

const sources = fs
  .readdirSync(path.join(repository, "src"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => ({
    name: file.slice(0, -".ts".length).replaceAll(path.sep, "-"),
    text: fs.readFileSync(path.join(repository, "src", file), "utf8")
  }))

const examples: ReadonlyArray<Example> = sources.flatMap(({ name, text }) =>
  examplesOf(text).map((example, at) => ({
    file: `${name}-${at + 1}.ts`,
    text: example.replaceAll(/from "effectpg(?:\/(\w+))?"/g, (_, name = "index") => `from "../../src/${name}.ts"`)
  }))
)

/** Such an example asks no server, is complete, and is not itself a test. */
const isSelfSufficient = ({ text }: Example): boolean => !/runMain|declare const|@effect\/vitest/.test(text)

let directory: string

beforeAll(() => {
  fs.mkdirSync(parent, { recursive: true })
  directory = fs.mkdtempSync(path.join(parent, "docstrings-"))
  for (const { file, text } of examples) fs.writeFileSync(path.join(directory, file), text)
})

afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

/** The compiler's errors in the examples; `npm run check` shows those in src. */
const complaints = async (): Promise<ReadonlyArray<string>> => {
  const project = path.join(directory, "tsconfig.json")
  fs.writeFileSync(project, JSON.stringify({ extends: "../../tsconfig.json", include: ["*.ts"] }))
  const compiler = path.join(repository, "node_modules", "typescript", "bin", "tsc")
  const output = await run(process.execPath, [compiler, "--project", project], { cwd: directory }).then(
    ({ stdout }) => stdout,
    (error) => String(error.stdout)
  )
  return output.split("\n").filter((line) => line !== "" && !line.startsWith("../../src/"))
}

describe("the examples in docstrings", () => {
  it("are all found: each @example has a fence that says ts", () => {
    const tags = sources.flatMap(({ text }) => text.match(/\* @example$/gm) ?? [])
    assert.isAbove(tags.length, 5)
    assert.strictEqual(examples.length, tags.length)
  })

  it("compile", { timeout: COMPILE_TIMEOUT_MILLIS }, async () => {
    assert.deepStrictEqual(await complaints(), [])
  })

  it.each(examples.filter(isSelfSufficient))("$file runs", async ({ file }) => {
    const exported: object = await import(pathToFileURL(path.join(directory, file)).href)
    assert.isNotEmpty(Object.keys(exported))
  })
})
