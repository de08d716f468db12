/**
 * Breaks copies of the client, one way each, and runs on every copy the tests that have to notice. It takes some
 * minutes, so it is not part of the ordinary run: `npm run mutants`. A word after it selects the mutants whose
 * description contains it.
 */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { stripVTControlCharacters } from "node:util"
import { start } from "../../support/postgres.ts"
import { type Mutant, mutants } from "./mutants.ts"

const root = fileURLToPath(new URL("../../../", import.meta.url))
const COPIED = ["src", "test", "package.json", "tsconfig.json", "vitest.config.ts"]

/** The texts of the files that the mutant changes. */
const brokenSources = ({ edits }: Mutant): ReadonlyMap<string, string> => {
  const sources = new Map<string, string>()
  for (const { file, find, replace } of edits) {
    const source = sources.get(file) ?? fs.readFileSync(path.join(root, "src", file), "utf8")
    if (source.split(find).length !== 2) throw new Error(`${file} does not have it exactly once: ${find}`)
    sources.set(file, source.split(find).join(replace))
  }
  return sources
}

/** A copy of the project with the edits; its dependencies are the project's own. */
const brokenCopy = (mutant: Mutant): string => {
  const sources = brokenSources(mutant)
  const copy = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-mutant-")))
  for (const name of COPIED) fs.cpSync(path.join(root, name), path.join(copy, name), { recursive: true })
  fs.symlinkSync(path.join(root, "node_modules"), path.join(copy, "node_modules"), "dir")
  for (const [file, source] of sources) fs.writeFileSync(path.join(copy, "src", file), source)
  return copy
}

/** The output of vitest for the copy. */
const test = (copy: string, { environment, only, test }: Mutant, url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const vitest = path.join(root, "node_modules", "vitest", "vitest.mjs")
    const args = [vitest, "run", test, "--bail", "1", ...(only === undefined ? [] : ["-t", only])]
    const child = spawn(process.execPath, args, {
      cwd: copy,
      env: { ...process.env, ...environment, EFFECTPG_TEST_URL: url },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let said = ""
    const listen = (chunk: Buffer): void => void (said += chunk.toString())
    child.stdout.on("data", listen)
    child.stderr.on("data", listen)
    child.once("error", reject)
    child.once("close", () => resolve(stripVTControlCharacters(said)))
  })

/** Only a failed test has noticed something; a test that could not run has not. */
const FAILED_TEST = /^\s*Tests\s+[1-9]\d* failed/m

const wanted = process.argv[2] ?? ""
const server = await start()
const url = `postgres://${server.user}:${encodeURIComponent(server.password)}@127.0.0.1:${server.port}/${server.database}`
let survivors = 0
try {
  for (const mutant of mutants.filter(({ what }) => what.includes(wanted))) {
    const startedAt = performance.now()
    const copy = brokenCopy(mutant)
    try {
      const said = await test(copy, mutant, url)
      const isCaught = FAILED_TEST.test(said)
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
      console.log(`${isCaught ? "caught  " : "SURVIVED"}  ${seconds.padStart(5)} s  ${mutant.what}`)
      if (!isCaught || wanted !== "") console.log(said)
      if (!isCaught) survivors++
    } finally {
      fs.rmSync(copy, { recursive: true, force: true })
    }
  }
} finally {
  await server.stop()
}
if (survivors > 0) process.exitCode = 1
