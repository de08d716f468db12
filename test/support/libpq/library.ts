/** The real libpq, as it comes with the embedded server, in a process of its own. */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { nativeServer } from "../server/embedded.ts"

export interface LibpqQuestion {
  /** A URL, or a string of `key=value`. */
  readonly text: string
  /** All variables of libpq, and `HOME`, below which it looks for `.postgresql`. */
  readonly environment: Readonly<Record<string, string>>
  /** Run if the connection succeeds. */
  readonly sql?: string
}

export type LibpqAnswer =
  | { readonly isConnected: false; readonly message: string }
  | {
      readonly isConnected: true
      readonly message: string
      readonly encrypted: boolean
      /** 30000 is protocol 3.0. */
      readonly protocolVersion: number
      /** The first column of the first row. */
      readonly value?: string
    }

export interface LibpqGreeting {
  readonly version: number
  /** Each keyword with its environment variable. */
  readonly keywords: ReadonlyArray<readonly [keyword: string, variable: string | null]>
}

/** What the process writes: first whether libpq could be loaded, then an answer for each question. */
export type LibpqMessage = LibpqGreeting | { readonly unavailable: string } | LibpqAnswer

export interface Libpq extends LibpqGreeting {
  readonly ask: (question: LibpqQuestion) => Promise<LibpqAnswer>
  readonly end: () => void
}

/** Where the library is on each platform, relative to the files of the embedded server. */
const FILES: Readonly<Record<string, string>> = {
  linux: "lib/libpq.so.5",
  darwin: "lib/libpq.5.dylib",
  win32: "bin/libpq.dll"
}

/** The newest one, whichever server the tests run on, because the tests state what that one does. */
const fileOfLibrary = (): string => {
  const file = path.join(nativeServer(undefined), FILES[process.platform] ?? "")
  if (!fs.existsSync(file)) throw new Error(`there is no file ${path.basename(file)}`)
  return file
}

/** Starts the process; the reason as a string if libpq cannot be loaded on this machine. */
export const startLibpq = async (): Promise<Libpq | string> => {
  let file: string
  try {
    file = fileOfLibrary()
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  const child = spawn(process.execPath, [fileURLToPath(new URL("child.ts", import.meta.url)), file], {
    stdio: ["pipe", "pipe", "ignore"]
  })
  const next = messagesOf(child)
  const first = await next()
  if ("unavailable" in first) return first.unavailable
  if (!("keywords" in first)) return "it did not say what it is"
  return {
    ...first,
    ask: async (question) => {
      child.stdin?.write(`${JSON.stringify(question)}\n`)
      const answer = await next()
      if (!("isConnected" in answer)) throw new Error("libpq's process did not answer the question")
      return answer
    },
    end: () => void child.kill()
  }
}

const messagesOf = (child: ChildProcess): (() => Promise<LibpqMessage>) => {
  if (child.stdout === null) throw new Error("the process has no output")
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return async () => {
    const { done, value } = await lines.next()
    return done === true ? { unavailable: "its process ended" } : JSON.parse(value)
  }
}
