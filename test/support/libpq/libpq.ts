/** Asks the real libpq, the one that comes with the embedded server, how it connects. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { installedServer } from "../server/embedded.ts"
import { type LibpqAnswer, type LibpqQuestion, READY } from "./messages.ts"

export type { LibpqAnswer, LibpqQuestion } from "./messages.ts"

export interface Libpq {
  readonly ask: (question: LibpqQuestion) => Effect.Effect<LibpqAnswer>
}

/** The library's file; undefined if this platform's server comes without one. */
const file = (): string | undefined =>
  ["libpq.so.5", "libpq.5.dylib"]
    .map((name) => path.join(installedServer(), "lib", name))
    .find((candidate) => fs.existsSync(candidate))

const NOT_THERE = "the libpq of the embedded server cannot be loaded here, so nothing is compared with it"

/**
 * libpq in a process of its own until the scope closes, with no environment but `HOME`. Undefined, with a message, where
 * it cannot be loaded.
 */
export const libpq: Effect.Effect<Libpq | undefined, never, Scope.Scope> = Effect.gen(function* () {
  const library = file()
  if (library === undefined) return yield* Effect.as(Effect.logWarning(NOT_THERE), undefined)
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [fileURLToPath(new URL("child.ts", import.meta.url)), library], {
        stdio: ["pipe", "pipe", "inherit"],
        env: { PATH: process.env["PATH"], HOME: "/nonexistent" }
      })
    ),
    (child) => Effect.sync(() => child.kill())
  )
  let isOver = false
  const waiting: Array<(line: string | undefined) => void> = []
  createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.(line))
  child.once("exit", () => {
    isOver = true
    for (const resume of waiting.splice(0)) resume(undefined)
  })
  /** The next line of the process; undefined if it has ended. */
  const next = Effect.callback<string | undefined>((resume) => {
    if (isOver) resume(Effect.succeed(undefined))
    else waiting.push((line) => resume(Effect.succeed(line)))
  })
  if ((yield* next) !== READY) return yield* Effect.as(Effect.logWarning(NOT_THERE), undefined)
  return {
    ask: (question) =>
      Effect.flatMap(
        Effect.andThen(
          Effect.sync(() => child.stdin.write(`${JSON.stringify(question)}\n`)),
          next
        ),
        (line) =>
          line === undefined
            ? Effect.die(new Error("the process with libpq has ended"))
            : Effect.sync((): LibpqAnswer => JSON.parse(line))
      )
  }
})
