/** Runs a piece of work again whenever a file of the project has changed. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { CliFailure } from "../terminal/failure.ts"
import { refusalOf, withFiles } from "../terminal/files.ts"

/** An editor writes a file in several steps. */
const PAUSE_MILLIS = 100

/** The paths of files that have changed. */
export type Changes = Queue.Queue<string, CliFailure>

/** For the scope, adds the changes below a folder, or of a file. */
export const watchFor = (changes: Changes, place: string): Effect.Effect<void, CliFailure, Scope.Scope> =>
  Effect.acquireRelease(
    withFiles(() => {
      const isFolder = fs.statSync(place).isDirectory()
      // Many editors put a new file in the place of the old one.
      const folder = isFolder ? place : path.dirname(place)
      const watcher = fs.watch(folder, { recursive: isFolder }, (_, name) => {
        if (name !== null) Queue.offerUnsafe(changes, path.join(folder, name))
      })
      watcher.on("error", (error: NodeJS.ErrnoException) => {
        error.path ??= folder
        Queue.failCauseUnsafe(changes, Cause.fail(refusalOf(error)))
      })
      return watcher
    }),
    (watcher) => Effect.sync(() => watcher.close())
  )

/** Waits for the next changes of files that matter, and returns all that came together. */
export const nextChanges = (
  changes: Changes,
  matters: (file: string) => boolean
): Effect.Effect<ReadonlyArray<string>, CliFailure> =>
  Effect.gen(function* () {
    for (;;) {
      const first = yield* Queue.take(changes)
      yield* Effect.sleep(PAUSE_MILLIS)
      const more = yield* Queue.clear(changes)
      const files = [first, ...more].filter(matters)
      if (files.length > 0) return files
    }
  })

export const isBelow = (directory: string, file: string): boolean => {
  const relative = path.relative(directory, file)
  return relative === "" || (!/^\.\.(?:[\\/]|$)/.test(relative) && !path.isAbsolute(relative))
}
