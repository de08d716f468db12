/** Builds the package, as `npm run build` does. */
import { execFile } from "node:child_process"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { rolldown } from "rolldown"
import config from "../../rolldown.config.ts"

const repository = fileURLToPath(new URL("../../", import.meta.url))
/** The compiler of TypeScript 7, which is also its language server. */
export const compiler = path.join(repository, "node_modules", "typescript", "bin", "tsc")

/** Writes the JavaScript and its declarations into `folder`. */
export const buildInto = async (folder: string): Promise<void> => {
  const { output, ...input } = config
  const bundle = await rolldown({ ...input, cwd: repository })
  await bundle.write({ ...output, dir: folder })
  await bundle.close()
  await declarationsInto(folder)
}

/** Writes only the declarations into `folder`. */
export const declarationsInto = async (folder: string): Promise<void> => {
  const project = path.join(repository, "tsconfig.build.json")
  await promisify(execFile)(process.execPath, [compiler, "--project", project, "--outDir", folder])
}
