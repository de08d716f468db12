/** A program that has installed the package, for tests of what TypeScript makes of it. */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { compiler, declarationsInto } from "./build.ts"

const run = promisify(execFile)
const repository = fileURLToPath(new URL("../../", import.meta.url))

const compilerOptions = {
  target: "ES2023",
  lib: ["ES2023", "ES2024.String"],
  module: "NodeNext",
  strict: true,
  skipLibCheck: true,
  types: [],
  declaration: true,
  emitDeclarationOnly: true,
  outDir: "out"
}

/** Builds the package, and installs it with its peers in a new directory that holds these files. */
export const makeConsumer = async (files: Readonly<Record<string, string>>): Promise<string> => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-consumer-"))
  const modules = path.join(directory, "node_modules")
  const installed = path.join(modules, "effectpg")
  fs.mkdirSync(path.join(modules, "@effect"), { recursive: true })
  for (const name of ["effect", "@effect/sql-pg", "pg-protocol"]) {
    fs.symlinkSync(path.join(repository, "node_modules", name), path.join(modules, name), "junction")
  }
  fs.mkdirSync(installed)
  fs.copyFileSync(path.join(repository, "package.json"), path.join(installed, "package.json"))
  await declarationsInto(path.join(installed, "dist"))
  fs.writeFileSync(path.join(directory, "package.json"), JSON.stringify({ type: "module" }))
  fs.writeFileSync(
    path.join(directory, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: Object.keys(files) })
  )
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), text)
  return directory
}

export interface Compiled {
  /** The text of the declaration file. */
  readonly declarations: string
  readonly instantiations: number
}

/** Compiles one file of the consumer as the compiler of TypeScript 7 does it, and fails if there is an error. */
export const compile = async (directory: string, file: string): Promise<Compiled> => {
  const project = path.join(directory, `tsconfig.${file}.json`)
  fs.writeFileSync(project, JSON.stringify({ compilerOptions, files: [file] }))
  const { stdout } = await run(process.execPath, [compiler, "-p", project, "--extendedDiagnostics", "--singleThreaded"])
  return {
    declarations: fs.readFileSync(path.join(directory, "out", file.replace(/\.ts$/, ".d.ts")), "utf8"),
    instantiations: Number(/^Instantiations: +(\d+)$/m.exec(stdout)?.[1])
  }
}
