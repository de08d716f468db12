/** Bundles a program that uses effectpg, as the bundler of an application does. */
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { type OutputChunk, rolldown } from "rolldown"

const repository = fileURLToPath(new URL("../../", import.meta.url))

export interface BundleOptions {
  /** Modules that stay outside, beside those of Node. */
  readonly external?: ReadonlyArray<RegExp>
  /** Writes the files into a folder. */
  readonly directory?: string
  /** Puts everything into one file. */
  readonly isWhole?: boolean
}

/** What a program loads. */
export interface Bundle {
  readonly chunks: ReadonlyArray<OutputChunk>
  /** What is there before the program does anything: the chunk of the program and those that it imports. */
  readonly start: ReadonlyArray<OutputChunk>
}

/** `program` is JavaScript, which imports the modules of `src` as `effectpg/PgClient`. */
export const bundled = async (program: string, options: BundleOptions = {}): Promise<Bundle> => {
  const { directory, external = [], isWhole = false } = options
  const name = path.join(repository, "program.js")
  const bundle = await rolldown({
    input: name,
    platform: "node",
    external: [/^node:/, ...external],
    logLevel: "silent",
    plugins: [
      {
        name: "program",
        resolveId: (module) => {
          if (module === name) return name
          const [, file] = /^effectpg\/(\w+)$/.exec(module) ?? []
          return file === undefined ? null : path.join(repository, "src", `${file}.ts`)
        },
        load: (id) => (id === name ? program : null)
      }
    ]
  })
  const output = { format: "esm", minify: true, codeSplitting: !isWhole } as const
  const made = await (directory === undefined ? bundle.generate(output) : bundle.write({ ...output, dir: directory }))
  await bundle.close()
  const chunks = made.output.filter((file) => file.type === "chunk")
  const start = new Set<OutputChunk>()
  const add = (chunk: OutputChunk): void => {
    if (start.has(chunk)) return
    start.add(chunk)
    for (const imported of chunks.filter(({ fileName }) => chunk.imports.includes(fileName))) add(imported)
  }
  for (const chunk of chunks) if (chunk.isEntry) add(chunk)
  return { chunks, start: [...start] }
}

export const bytesOf = (chunks: ReadonlyArray<OutputChunk>): number =>
  chunks.reduce((sum, { code }) => sum + Buffer.byteLength(code), 0)

/** The modules of effectpg and of its dependencies in chunks: `PgClient.ts`, `wire/limits.ts`, `pg-protocol`. */
export const modulesOf = (chunks: ReadonlyArray<OutputChunk>): ReadonlyArray<string> => {
  const names = chunks.flatMap(({ moduleIds }) => moduleIds).map((id) => path.relative(repository, id).split(path.sep))
  const modules = names.flatMap(([folder, ...rest]) => {
    if (folder === "src") return [rest.join("/")]
    return folder === "node_modules" ? [rest[0] ?? ""] : []
  })
  return [...new Set(modules)].toSorted()
}
