/**
 * Builds the JavaScript of the package, as `npm run build` does. Node loads a few large files faster than hundreds of small
 * ones, so that what several public modules share is put together, in `dist/chunks`. No module loads more than it imports:
 * files are divided by what needs them.
 */
import * as fs from "node:fs"
import { defineConfig, type Plugin } from "rolldown"
import manifest from "./package.json" with { type: "json" }

/** The modules that programs import by name, except the index. */
const publicModules = fs
  .globSync("Pg*.ts", { cwd: new URL("src/", import.meta.url) })
  .map((file) => file.replace(/\.ts$/, ""))

const entries = [...publicModules, "index", "pgTest/globalSetup", "cli/main"].map((name) => [name, `src/${name}.ts`])

/** Leaves the index as it is, a list of the modules, so that a bundler sees what a program uses of each. */
const indexOfModules: Plugin = {
  name: "index-of-modules",
  resolveId: (module, importer) =>
    importer?.endsWith("/src/index.ts") === true ? { id: module.replace(/\.ts$/, ".js"), external: true } : null
}

const packages = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })

export default defineConfig({
  // The guardian is a program, which is looked for beside the file that starts it.
  input: { ...Object.fromEntries(entries), "chunks/guardian": "src/testServer/guardian.ts" },
  platform: "node",
  external: (module) => packages.some((name) => module === name || module.startsWith(`${name}/`)),
  plugins: [indexOfModules],
  output: {
    dir: "dist",
    format: "esm",
    chunkFileNames: "chunks/[name]-[hash].js",
    sourcemap: true,
    // The package has the sources themselves.
    sourcemapExcludeSources: true
  }
})
