/**
 * Installs the package as npm does, in a directory of its own: what `npm pack` makes, with links to the packages of this
 * repository as its dependencies. Nothing is downloaded.
 */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { buildInto } from "../../support/build.ts"

const run = promisify(execFile)
const repository = fileURLToPath(new URL("../../../", import.meta.url))

/** What goes into the package, besides the compiled files. */
const PARTS = ["package.json", "README.md", "LICENSE", "CHANGELOG.md", "src"]

const link = (modules: string, name: string): void => {
  const place = path.join(modules, name)
  fs.mkdirSync(path.dirname(place), { recursive: true })
  fs.symlinkSync(path.join(repository, "node_modules", name), place, "junction")
}

/** Returns the directory. `peers` are the optional peer dependencies that it has. */
export const install = async (peers: ReadonlyArray<string>): Promise<string> => {
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-installed-")))
  const packed = path.join(directory, "packed")
  for (const part of PARTS) fs.cpSync(path.join(repository, part), path.join(packed, part), { recursive: true })
  await buildInto(path.join(packed, "dist"))
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", directory], { cwd: packed })
  const [{ filename }]: readonly [{ readonly filename: string }] = JSON.parse(stdout)
  fs.rmSync(packed, { recursive: true })

  const modules = path.join(directory, "node_modules")
  const installed = path.join(modules, "effectpg")
  fs.mkdirSync(installed, { recursive: true })
  await run("tar", ["-xzf", path.join(directory, filename), "--strip-components=1", "-C", installed])
  for (const name of ["effect", "pg-protocol", ...peers]) link(modules, name)
  const manifest = { name: "consumer", private: true, type: "module", dependencies: { effectpg: `file:${filename}` } }
  fs.writeFileSync(path.join(directory, "package.json"), JSON.stringify(manifest))
  // This makes node_modules/.bin.
  await run("npm", ["rebuild", "effectpg", "--ignore-scripts", "--offline"], { cwd: directory })
  return directory
}
