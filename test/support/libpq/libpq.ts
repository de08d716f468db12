/** Asks the real libpq, the one that comes with the embedded server, how it connects. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { installedServer } from "../server/embedded.ts"

export interface LibpqQuestion {
  /** A URL, or a string of `key=value`. */
  readonly conninfo: string
  /** Run if the connection succeeds. */
  readonly sql?: string
}

export type LibpqAnswer =
  | { readonly error: string }
  | {
      readonly encrypted: boolean
      /** 30000 is protocol 3.0. */
      readonly protocolVersion: number
      /** The first column of the first row. */
      readonly value?: string
    }

export interface Libpq {
  readonly ask: (question: LibpqQuestion) => Effect.Effect<LibpqAnswer>
}

/** The library's file; undefined if this platform's server comes without one that can be loaded. */
const file = (): string | undefined => {
  const found = path.join(installedServer(), "lib", "libpq.so.5")
  return fs.existsSync(found) ? found : undefined
}

/**
 * libpq in a process of its own until the scope closes, with no environment but this. Undefined, with a message, where it
 * cannot be loaded.
 */
export const libpq = (
  environment: Readonly<Record<string, string>> = {}
): Effect.Effect<Libpq | undefined, never, Scope.Scope> =>
  Effect.gen(function* () {
    const library = file()
    if (library === undefined) {
      yield* Effect.logWarning("the embedded server has no libpq for this platform, so nothing is compared with it")
      return undefined
    }
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [fileURLToPath(new URL("child.ts", import.meta.url)), library], {
          stdio: ["pipe", "pipe", "inherit"],
          env: { PATH: process.env["PATH"], HOME: "/nonexistent", ...environment }
        })
      ),
      (child) => Effect.sync(() => child.kill())
    )
    let isOver = false
    const waiting: Array<(answer: Effect.Effect<LibpqAnswer>) => void> = []
    const ended = Effect.die(new Error("the process with libpq has ended"))
    createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.(Effect.succeed(JSON.parse(line))))
    child.once("exit", () => {
      isOver = true
      for (const resume of waiting) resume(ended)
    })
    return {
      ask: (question) =>
        Effect.callback<LibpqAnswer>((resume) => {
          if (isOver) return resume(ended)
          waiting.push(resume)
          child.stdin.write(`${JSON.stringify(question)}\n`)
        })
    }
  })
