/** The editors of TypeScript 5.9 and of TypeScript 7, asked as a person asks: by pointing at a place in a file. */
import { ts } from "@ts-morph/common"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import { compiler } from "./build.ts"

/** Has the files of a directory open. */
export interface Editor {
  /** The type that is shown for the name at a place. */
  readonly hover: (file: string, position: number) => Promise<string>
  /** The names that are offered at a place. */
  readonly completions: (file: string, position: number) => Promise<ReadonlyArray<string>>
  /** The forms of a call, as they are shown while its arguments are written. */
  readonly forms: (file: string, position: number) => Promise<ReadonlyArray<string>>
  /** The errors that are underlined. */
  readonly errors: (file: string) => Promise<ReadonlyArray<string>>
  readonly close: () => void
}

// ---------------------------------------------------------------------------------------------------- TypeScript 5.9

/** This copy of TypeScript 5.9 comes without a standard library, and uses that of TypeScript 7. */
const standardLibrary = path.join(
  path.dirname(
    createRequire(compiler).resolve(`@typescript/typescript-${process.platform}-${process.arch}/package.json`)
  ),
  "lib",
  "lib.d.ts"
)

const textOf = (message: string | ts.DiagnosticMessageChain): string => ts.flattenDiagnosticMessageText(message, "\n")

const displayed = (parts: ReadonlyArray<ts.SymbolDisplayPart>): string => parts.map(({ text }) => text).join("")

/** What the editor of TypeScript 5.9 tells in addition: the text of a declaration file. */
export interface Editor59 extends Editor {
  readonly declarations: (file: string) => string
}

/** Opens the project of a directory in the language service of TypeScript 5.9. */
export const openIn59 = (directory: string): Editor59 => {
  const { config } = ts.readConfigFile(path.join(directory, "tsconfig.json"), ts.sys.readFile)
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, directory)
  const service = ts.createLanguageService({
    getCompilationSettings: () => options,
    getScriptFileNames: () => fileNames,
    getScriptVersion: () => "1",
    getScriptSnapshot: (name) => {
      const text = ts.sys.readFile(name)
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
    },
    getCurrentDirectory: () => directory,
    getDefaultLibFileName: () => standardLibrary,
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile
  })
  const pathOf = (file: string): string => path.join(directory, file)
  return {
    hover: async (file, position) =>
      displayed(service.getQuickInfoAtPosition(pathOf(file), position)?.displayParts ?? []),
    completions: async (file, position) =>
      (service.getCompletionsAtPosition(pathOf(file), position, undefined)?.entries ?? []).map(({ name }) => name),
    forms: async (file, position) =>
      (service.getSignatureHelpItems(pathOf(file), position, undefined)?.items ?? []).map((item) => {
        const parts = item.parameters.map(({ displayParts }) => displayed(displayParts))
        return `${displayed(item.prefixDisplayParts)}${parts.join(", ")}${displayed(item.suffixDisplayParts)}`
      }),
    errors: async (file) => service.getSemanticDiagnostics(pathOf(file)).map(({ messageText }) => textOf(messageText)),
    declarations: (file) =>
      service
        .getEmitOutput(pathOf(file), true)
        .outputFiles.map(({ text }) => text)
        .join(""),
    close: () => service.dispose()
  }
}

// ------------------------------------------------------------------------------------------------------ TypeScript 7

interface Answer {
  readonly id?: number
  readonly method?: string
  readonly result?: unknown
  readonly error?: unknown
  readonly params?: { readonly items?: ReadonlyArray<unknown> }
}

const HEADER_END = "\r\n\r\n"

/** Opens a directory in the language server of TypeScript 7, which speaks JSON-RPC over its standard streams. */
export const openIn7 = async (directory: string): Promise<Editor> => {
  const server = spawn(process.execPath, [compiler, "--lsp", "--stdio"], {
    cwd: directory,
    stdio: ["pipe", "pipe", "ignore"]
  })
  const waiting = new Map<
    number,
    { readonly resolve: (result: unknown) => void; readonly reject: (e: Error) => void }
  >()
  server.on("exit", () => {
    for (const { reject } of waiting.values()) reject(new Error("the language server has ended"))
  })

  const send = (message: object): void => {
    const body = JSON.stringify({ jsonrpc: "2.0", ...message })
    server.stdin.write(`Content-Length: ${Buffer.byteLength(body)}${HEADER_END}${body}`)
  }
  const receive = ({ id, method, result, error, params }: Answer): void => {
    if (id === undefined) return
    // The server asks for settings; null lets it use its own.
    if (method !== undefined) return send({ id, result: params?.items?.map(() => null) ?? null })
    const caller = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) caller?.resolve(result)
    else caller?.reject(new Error(JSON.stringify(error)))
  }
  let unread = Buffer.alloc(0)
  server.stdout.on("data", (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk])
    for (;;) {
      const headerEnd = unread.indexOf(HEADER_END)
      if (headerEnd === -1) return
      const start = headerEnd + HEADER_END.length
      const end = start + Number(/Content-Length: (\d+)/i.exec(unread.toString("latin1", 0, headerEnd))?.[1])
      if (unread.length < end) return
      receive(JSON.parse(unread.toString("utf8", start, end)))
      unread = unread.subarray(end)
    }
  })
  let lastId = 0
  const request = (method: string, params: object): Promise<unknown> => {
    const id = ++lastId
    send({ id, method, params })
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }))
  }

  const texts = new Map<string, string>()
  const uriOf = (file: string): string => pathToFileURL(path.join(directory, file)).href
  const textOf = (file: string): string => {
    const known = texts.get(file)
    if (known !== undefined) return known
    const text = fs.readFileSync(path.join(directory, file), "utf8")
    texts.set(file, text)
    const textDocument = { uri: uriOf(file), languageId: "typescript", version: 1, text }
    send({ method: "textDocument/didOpen", params: { textDocument } })
    return text
  }
  const ask = (method: string, file: string, position = 0): Promise<unknown> => {
    const lines = textOf(file).slice(0, position).split("\n")
    return request(method, {
      textDocument: { uri: uriOf(file) },
      position: { line: lines.length - 1, character: lines.at(-1)?.length ?? 0 }
    })
  }
  await request("initialize", {
    processId: process.pid,
    rootUri: pathToFileURL(directory).href,
    capabilities: { textDocument: { diagnostic: {} } }
  })
  send({ method: "initialized", params: {} })
  return {
    hover: async (file, position) => pick(await ask("textDocument/hover", file, position), "contents", "value"),
    completions: async (file, position) =>
      // An optional property is offered with a question mark.
      list(await ask("textDocument/completion", file, position), "items").map((item) =>
        pick(item, "label").replace(/\?$/, "")
      ),
    forms: async (file, position) =>
      list(await ask("textDocument/signatureHelp", file, position), "signatures").map((form) => pick(form, "label")),
    errors: async (file) =>
      list(await ask("textDocument/diagnostic", file), "items").map((item) => pick(item, "message")),
    close: () => server.kill()
  }
}

const property = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined

const pick = (value: unknown, ...names: ReadonlyArray<string>): string => String(names.reduce(property, value))

const list = (value: unknown, name: string): ReadonlyArray<unknown> => {
  const found = Array.isArray(value) ? value : property(value, name)
  return Array.isArray(found) ? found : []
}
