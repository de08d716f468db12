/** Copies of `examples/typed-sql`, in which a test may change files. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

export const example = fileURLToPath(new URL("../../../examples/typed-sql/", import.meta.url))

/** The files of an example, without those of a package. */
export const FILES = ["package.json", "migrations", "src", "effectpg.d.ts"]

/** Makes a copy that can be removed. */
export const copyExample = (): { readonly directory: string; readonly remove: () => void } => {
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-typed-")))
  for (const name of FILES) fs.cpSync(path.join(example, name), path.join(directory, name), { recursive: true })
  return { directory, remove: () => fs.rmSync(directory, { recursive: true, force: true }) }
}

/** Makes a project of files that a test writes. */
export const makeProject = (
  files: Readonly<Record<string, string>>
): { readonly directory: string; readonly remove: () => void } => {
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-typed-")))
  for (const [name, text] of Object.entries({ "package.json": "{}", ...files })) {
    fs.mkdirSync(path.dirname(path.join(directory, name)), { recursive: true })
    fs.writeFileSync(path.join(directory, name), text)
  }
  return { directory, remove: () => fs.rmSync(directory, { recursive: true, force: true }) }
}
