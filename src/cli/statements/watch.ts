/** Runs a piece of work again whenever a file of the project has changed. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

/** An editor writes a file in several steps. */
const PAUSE_MILLIS = 100
const PASSED_OVER = /(?:^|[\\/])(?:node_modules|dist|\.[^\\/]+)(?:[\\/]|$)/

/** The names of changed files, relative to the directory, for the scope. */
export const changesOf = (directory: string): Effect.Effect<Queue.Queue<string>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const changes = yield* Queue.unbounded<string>()
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        fs.watch(directory, { recursive: true }, (_, name) => {
          if (name !== null && !PASSED_OVER.test(name)) Queue.offerUnsafe(changes, name)
        })
      ),
      (watcher) => Effect.sync(() => watcher.close())
    )
    return changes
  })

/** Waits for the next changes of files that matter, and returns all that came together. */
export const nextChanges = (
  changes: Queue.Queue<string>,
  matters: (name: string) => boolean
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    for (;;) {
      const first = yield* Queue.take(changes)
      yield* Effect.sleep(PAUSE_MILLIS)
      const more = yield* Queue.clear(changes)
      const names = [first, ...more].filter(matters)
      if (names.length > 0) return names
    }
  })

export const isBelow = (directory: string, file: string): boolean => {
  const relative = path.relative(directory, file)
  return relative === "" || (!relative.startsWith("..") && !path.isAbsolute(relative))
}
